//! The processes that an MPI launcher has started, as commands see them.

use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::flags::message;
use super::output;
use crate::error::{Error, Result};
#[cfg(feature = "mpi")]
use crate::ranks::World;
use crate::ranks::{Alone, Ranks, any};

/// The processes that work on one command together: often one.
#[derive(Clone)]
pub struct Team {
    pub ranks: Arc<dyn Ranks>,
    #[cfg(feature = "mpi")]
    world: Option<Arc<World>>,
}

impl Team {
    /// A process by itself.
    pub fn alone() -> Team {
        Team {
            ranks: Alone::ranks(),
            #[cfg(feature = "mpi")]
            world: None,
        }
    }

    /// The processes that were started with this one. All but the first say nothing from here on.
    ///
    /// # Errors
    /// [`Error::Usage`] if there are others and this program cannot reach them: each would do the same work.
    pub fn gather() -> Result<Team> {
        let Some(launch) = Launch::here() else { return Ok(Team::alone()) };
        #[cfg(not(feature = "mpi"))]
        return Err(Error::Usage(format!(
            "a launcher of MPI has started this program several times ({}), but it was built without MPI: each would do the same \
             work\n  build it with `cargo install --path . --features mpi`, or set {ALONE}=1 where each is to do work of its own",
            launch.sign
        )));
        #[cfg(feature = "mpi")]
        {
            let world = Arc::new(World::join()?);
            if world.size() == 1 {
                return Err(Error::Usage(format!(
                    "a launcher has started this program several times ({}), but it belongs to another MPI than the one this program was \
                     built with: each would do the same work\n  use that MPI's `mpirun`, or build the program again with the other's `mpicc`",
                    launch.sign
                )));
            }
            if world.rank() > 0 {
                output::mute();
            }
            Ok(Team { ranks: world.clone(), world: Some(world) })
        }
    }

    /// Whether there are others.
    pub fn is_several(&self) -> bool {
        self.ranks.size() > 1
    }

    /// Whether this one writes and prints.
    pub fn leads(&self) -> bool {
        self.ranks.rank() == 0
    }

    /// Its number among the processes of this machine.
    pub fn local(&self) -> usize {
        #[cfg(feature = "mpi")]
        if let Some(world) = &self.world {
            return world.local();
        }
        0
    }

    /// Whether any of them says so.
    pub fn any(&self, here: bool) -> Result<bool> {
        any(&*self.ranks, here)
    }

    /// What all of them have done, if all have: the error of one is everyone's, and is told once.
    pub fn settle<T>(&self, done: Result<T>) -> Result<T> {
        if !self.is_several() {
            return done;
        }
        let said = done.as_ref().err().map(|error| error.to_string()).unwrap_or_default();
        let all = self.ranks.gather(said.as_bytes())?;
        let failed = all.iter().position(|said| !said.is_empty());
        match (done, failed) {
            (Ok(done), None) => Ok(done),
            (Err(error), _) => Err(error),
            (Ok(_), Some(rank)) => {
                let text = String::from_utf8_lossy(&all[rank]).into_owned();
                let (problem, next) =
                    text.split_once("\n  ").unwrap_or((&text, "mend it there, and start all of them again"));
                Err(Error::Ranks { problem: format!("rank {rank}: {problem}"), next: next.into() })
            }
        }
    }

    /// Ends all of them because of an error that this one has alone; gives it back if all have it.
    pub fn fail_alone<T>(&self, done: Result<T>) -> Result<T> {
        #[cfg(feature = "mpi")]
        let is_cut_off = self.world.as_ref().is_some_and(|world| world.is_cut_off());
        #[cfg(not(feature = "mpi"))]
        let is_cut_off = false;
        let is_everyones = |error: &Error| {
            matches!(error, Error::Diverged { .. }) || matches!(error, Error::Ranks { .. }) && !is_cut_off
        };
        match done {
            Err(error) if self.is_several() && !is_everyones(&error) => {
                output::unmute();
                output::talk(format_args!("error: rank {}: {}", self.ranks.rank(), message(&error)));
                #[cfg(feature = "mpi")]
                if let Some(world) = &self.world {
                    world.abort(i32::from(error.exit_code()));
                }
                process::exit(i32::from(error.exit_code()))
            }
            done => done,
        }
    }

    /// Parts from the others, when all of them do.
    pub fn leave(&self) {
        #[cfg(feature = "mpi")]
        if let Some(world) = &self.world {
            world.leave();
        }
    }
}

/// The commands that processes do together: all others each does by itself.
const COMMANDS: [&str; 2] = ["train", "evaluate"];

/// Set where processes of one launcher have work of their own.
const ALONE: &str = "VAE_GPU_ALONE";

/// Silences this process if the command is one that a launcher has started in others before it, which say the same.
pub fn mute_followers() {
    let command = std::env::args_os().nth(1);
    let together = COMMANDS.iter().any(|name| command.as_ref().is_some_and(|command| command == name));
    if together && Launch::here().is_some_and(|launch| launch.rank > 0) {
        output::mute();
    }
}

/// How long the first process has for an error that all of them have: it is milliseconds away, on a machine that may be busy.
const FIRST_SPEAKS: Duration = Duration::from_secs(5);

/// Waits, in a silenced process that is about to fail before it has joined the others: a launcher ends all of them when one fails,
/// also the first before it has told the error.
pub fn let_the_first_speak() {
    if output::is_mute() {
        thread::sleep(FIRST_SPEAKS);
    }
}

/// What a launcher of several processes leaves in the environment of each.
#[derive(Debug, PartialEq, Eq)]
struct Launch {
    /// The variable that shows it.
    sign: String,
    /// The number of this process; 0 where that is not known.
    rank: usize,
}

/// How many there are, and which one this is: Open MPI, then MPICH and its kin.
const LAUNCHERS: [(&str, &str); 2] =
    [("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"), ("PMI_SIZE", "PMI_RANK")];

impl Launch {
    /// What this process finds, unless it is to work by itself.
    fn here() -> Option<Launch> {
        let get = |name: &str| std::env::var(name).ok();
        if get(ALONE).is_some_and(|value| !value.is_empty() && value != "0") {
            None
        } else {
            Launch::of(&get)
        }
    }

    fn of(get: &dyn Fn(&str) -> Option<String>) -> Option<Launch> {
        let number = |name: &str| get(name).and_then(|text| text.trim().parse::<usize>().ok());
        let launch = |name: &str, rank: &str| {
            let sign = format!("{name}={}", get(name).unwrap_or_default());
            Launch { sign, rank: number(rank).unwrap_or(0) }
        };
        for (size, rank) in LAUNCHERS {
            // A launcher that says how many there are is believed.
            if let Some(found) = number(size) {
                return (found > 1).then(|| launch(size, rank));
            }
        }
        // Of a step of a job, as `srun` starts it; SLURM_NTASKS is the whole job's.
        if let Some(tasks) = number("SLURM_STEP_NUM_TASKS") {
            return (tasks > 1).then(|| launch("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"));
        }
        // It says no number: the first may be the only one, each other is not.
        number("PMIX_RANK").is_some_and(|rank| rank > 0).then(|| launch("PMIX_RANK", "PMIX_RANK"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_known_by_what_they_leave() {
        let of = |variables: &[(&str, &str)]| {
            let get = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            Launch::of(&get).map(|launch| (launch.sign, launch.rank))
        };
        let found = |sign: &str, rank| Some((sign.to_owned(), rank));
        assert_eq!(of(&[]), None);
        assert_eq!(
            of(&[("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "3"), ("PMIX_RANK", "3")]),
            found("OMPI_COMM_WORLD_SIZE=4", 3)
        );
        assert_eq!(of(&[("OMPI_COMM_WORLD_SIZE", "1"), ("PMIX_RANK", "0")]), None);
        assert_eq!(of(&[("PMI_SIZE", "2"), ("PMI_RANK", "1")]), found("PMI_SIZE=2", 1));
        assert_eq!(of(&[("SLURM_NTASKS", "8")]), None);
        assert_eq!(
            of(&[("SLURM_NTASKS", "8"), ("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_PROCID", "3")]),
            found("SLURM_STEP_NUM_TASKS=4", 3)
        );
        // A shell for one within a job of eight.
        assert_eq!(of(&[("SLURM_NTASKS", "8"), ("SLURM_STEP_NUM_TASKS", "1"), ("PMIX_RANK", "0")]), None);
        assert_eq!(of(&[("PMIX_RANK", "0")]), None);
        assert_eq!(of(&[("PMIX_RANK", "1")]), found("PMIX_RANK=1", 1));
    }
}
