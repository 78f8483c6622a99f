//! Ranks that an MPI launcher has started. A thread of its own makes every call of MPI, one after the other, so that others may work
//! meanwhile, and nothing of MPI leaves it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::PartitionMut;
use mpi::environment::initialize_with_threading;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};

use super::tree::add_all;
use super::{Pending, Ranks, Summed};
use crate::error::{Error, Result};

/// Most words of a block that are summed at once: 25 MiB.
const BUCKET: usize = (25 << 20) / 4;

/// Most bytes that all ranks together give each other at once: MPI counts with 31 bits.
const GATHERED: usize = 1 << 30;

/// How long a thread that waits for others may take to end them.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the thread does with the communicator, and with memory for what others send.
type Job = Box<dyn FnOnce(&SimpleCommunicator, &mut Vec<f32>) + Send>;

/// The processes of a launcher.
pub struct World {
    rank: usize,
    size: usize,
    local: usize,
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Whether the thread has failed.
    cut_off: Arc<AtomicBool>,
}

/// What a job of the thread will give.
struct Answer<T> {
    /// What it gave, or the text of its panic.
    told: Receiver<Result<T, String>>,
    cut_off: Arc<AtomicBool>,
}

impl<T> Answer<T> {
    fn wait(self) -> Result<T> {
        match self.told.recv() {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(panic)) => Err(broken(&panic)),
            Err(_) => {
                self.cut_off.store(true, Ordering::SeqCst);
                Err(broken("it has ended"))
            }
        }
    }
}

impl World {
    /// Joins the others. Once per process.
    ///
    /// # Errors
    /// [`Error::Ranks`] if MPI does not start.
    pub fn join() -> Result<World> {
        let (jobs, todo) = channel();
        let (tell, told) = channel();
        let thread = std::thread::Builder::new()
            .name("mpi".into())
            .spawn(move || serve(&tell, &todo))
            .map_err(|error| failed(&error.to_string()))?;
        let Ok(Some([rank, size, local])) = told.recv() else {
            return Err(failed("it was started before"));
        };
        let (jobs, thread) = (Mutex::new(Some(jobs)), Mutex::new(Some(thread)));
        Ok(World { rank, size, local, jobs, thread, cut_off: Arc::default() })
    }

    /// Its number among the ranks of this machine.
    pub fn local(&self) -> usize {
        self.local
    }

    /// Whether this process alone can no longer reach the others: its thread has failed. Who has seen an error of it finds it so.
    pub fn is_cut_off(&self) -> bool {
        let is_gone = || lock(&self.thread).as_ref().is_none_or(JoinHandle::is_finished);
        self.cut_off.load(Ordering::SeqCst) || is_gone()
    }

    /// Ends all processes at once, this one with `code`.
    pub fn abort(&self, code: i32) -> ! {
        let begun = self.begin(move |world, _| {
            world.abort(code);
        });
        // The thread may be waiting for others in vain, or be gone: then this process ends by itself, and the launcher sees it.
        if let Ok(answer) = begun {
            let _ = answer.told.recv_timeout(PATIENCE);
        }
        std::process::exit(code)
    }

    /// Parts from the others, when all of them do. MPI is not used after it.
    pub fn leave(&self) {
        drop(lock(&self.jobs).take());
        if let Some(thread) = lock(&self.thread).take() {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }

    /// The sum that MPI itself offers, in an order of its own: what benchmarks compare [`Ranks::sum`] with.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    #[doc(hidden)]
    pub fn sum_by_mpi(&self, block: Vec<f32>, mut sum: Vec<f32>) -> Result<[Vec<f32>; 2]> {
        self.call(move |world, _| {
            world.all_reduce_into(&block[..], &mut sum[..], SystemOperation::sum());
            [block, sum]
        })
    }

    /// [`Ranks::gather`] with no more than so many bytes of all ranks at once.
    ///
    /// # Errors
    /// As [`Ranks::gather`].
    #[doc(hidden)]
    pub fn gather_within(&self, mine: &[u8], most: usize) -> Result<Vec<Vec<u8>>> {
        // An empty vector has the address 1, which is what Open MPI calls MPI_IN_PLACE: so there is a byte before all others, and
        // what is sent of them has another address, even if it is nothing.
        let mine = [&[0], mine].concat();
        self.call(move |world, _| gather(world, &mine, most))
    }

    /// Lets the thread do `job`, and waits for what it gives.
    fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&SimpleCommunicator, &mut Vec<f32>) -> T + Send + 'static,
    ) -> Result<T> {
        self.begin(job)?.wait()
    }

    /// Lets the thread do `job` when it has done those before.
    fn begin<T: Send + 'static>(
        &self,
        job: impl FnOnce(&SimpleCommunicator, &mut Vec<f32>) -> T + Send + 'static,
    ) -> Result<Answer<T>> {
        let (tell, told) = channel();
        let cut_off = self.cut_off.clone();
        let job: Job = Box::new(move |world, scratch| {
            let done = catch_unwind(AssertUnwindSafe(|| job(world, scratch)));
            let answer = done.map_err(|panic| text_of(&*panic));
            if answer.is_err() {
                // Before anybody hears of it: the others know nothing of this.
                cut_off.store(true, Ordering::SeqCst);
            }
            // Whoever asked may be gone.
            let _ = tell.send(answer);
        });
        let jobs = lock(&self.jobs);
        let ended = || {
            self.cut_off.store(true, Ordering::SeqCst);
            broken("it has ended")
        };
        jobs.as_ref().ok_or_else(ended)?.send(job).map_err(|_| ended())?;
        Ok(Answer { told, cut_off: self.cut_off.clone() })
    }
}

impl Ranks for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum(&self, block: Vec<f32>) -> Result<Vec<f32>> {
        Ok(self.begin_sum(block)?.wait()?.values)
    }

    fn begin_sum(&self, mut block: Vec<f32>) -> Result<Pending> {
        if self.size == 1 {
            return Ok(Pending::done(Summed { values: block, time: Duration::ZERO }));
        }
        let answer = self.begin(move |world, scratch| {
            let begin = Instant::now();
            block.chunks_mut(BUCKET).for_each(|bucket| sum_bucket(world, bucket, scratch));
            Summed { values: block, time: begin.elapsed() }
        })?;
        Ok(Pending::coming(move || answer.wait()))
    }

    fn gather(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.gather_within(mine, GATHERED)
    }
}

/// Sums everyone's `bucket`, for everyone. Each rank adds one part of it; the few words that do not divide, all of them add.
fn sum_bucket(world: &SimpleCommunicator, bucket: &mut [f32], scratch: &mut Vec<f32>) {
    let size = world.size() as usize;
    let part = bucket.len() / size;
    let (parts, rest) = bucket.split_at_mut(part * size);
    scratch.resize(parts.len().max(rest.len() * size), 0.0);
    if part > 0 {
        let scratch = &mut scratch[..parts.len()];
        world.all_to_all_into(&*parts, scratch);
        add_all(scratch, part);
        world.all_gather_into(&scratch[..part], parts);
    }
    if !rest.is_empty() {
        let scratch = &mut scratch[..rest.len() * size];
        world.all_gather_into(&*rest, scratch);
        add_all(scratch, rest.len());
        rest.copy_from_slice(&scratch[..rest.len()]);
    }
}

/// Gives everyone's bytes, the first of `mine` left out, to everyone, no more than `most` of all ranks at once.
fn gather(world: &SimpleCommunicator, mine: &[u8], most: usize) -> Vec<Vec<u8>> {
    let size = world.size() as usize;
    let each = (most / size).max(1);
    let mut lengths = vec![0u64; size];
    world.all_gather_into(&(mine.len() as u64 - 1), &mut lengths[..]);
    let lengths: Vec<usize> = lengths.into_iter().map(|length| length as usize).collect();
    let mut all: Vec<Vec<u8>> = lengths.iter().map(|length| Vec::with_capacity(*length)).collect();
    let longest = lengths.iter().max().copied().unwrap_or(0);
    for begin in (0..longest).step_by(each) {
        let part = |length: usize| length.min(begin)..length.min(begin + each);
        let counts: Vec<i32> = lengths.iter().map(|length| part(*length).len() as i32).collect();
        let begins = counts.iter().scan(0, |end, count| {
            let begin = *end;
            *end += count;
            Some(begin)
        });
        let begins: Vec<i32> = begins.collect();
        let mut heard = vec![0u8; counts.iter().sum::<i32>() as usize];
        world.all_gather_varcount_into(
            &mine[1..][part(mine.len() - 1)],
            &mut PartitionMut::new(&mut heard[..], &counts[..], &begins[..]),
        );
        for (all, (begin, count)) in all.iter_mut().zip(begins.iter().zip(&counts)) {
            all.extend_from_slice(&heard[*begin as usize..][..*count as usize]);
        }
    }
    all
}

/// A panic while the lock was held is a bug, but the data behind it is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread: joins, says how many there are, and does what it is told until nobody can tell it more.
fn serve(tell: &Sender<Option<[usize; 3]>>, todo: &Receiver<Job>) {
    let Some((universe, _)) = initialize_with_threading(Threading::Funneled) else {
        let _ = tell.send(None);
        return;
    };
    let world = universe.world();
    let machine = world.split_shared(world.rank());
    let numbers = [world.rank(), world.size(), machine.rank()];
    // Not after MPI has ended.
    drop(machine);
    if tell.send(Some(numbers.map(|number| number as usize))).is_ok() {
        let mut scratch = Vec::new();
        todo.iter().for_each(|job| job(&world, &mut scratch));
    }
    // Leaves MPI, which waits for the others.
    drop(universe);
}

/// What a panic said.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(|text| &**text));
    text.unwrap_or("a panic without words").to_owned()
}

fn failed(why: &str) -> Error {
    Error::Ranks {
        problem: format!("MPI did not answer: {why}"),
        next: "start the program by the launcher of the MPI that it was built with, such as `mpirun -n 2 vae-gpu train`".into(),
    }
}

fn broken(why: &str) -> Error {
    Error::Ranks {
        problem: format!("the thread of this rank that speaks MPI has failed: {why}"),
        next: "that is a mistake of the program or of the MPI: report it with all that this rank has said, and go on with `resume`".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MPI starts once in a process, so this is one test: a process that no launcher has started is a world of its own.
    #[test]
    fn a_panic_of_the_thread_is_the_failure_of_its_rank() {
        let world = World::join().unwrap();
        assert_eq!((world.rank(), world.size()), (0, 1));
        for most in [1, 3, 100] {
            assert_eq!(world.gather_within(b"seven b", most).unwrap(), [b"seven b"]);
            assert_eq!(world.gather_within(b"", most).unwrap(), [b""]);
        }
        assert!(!world.is_cut_off());
        let error = world.call::<()>(|_, _| panic!("no {}", "such thing")).unwrap_err().to_string();
        assert!(error.contains("has failed: no such thing\n"), "{error}");
        assert!(world.is_cut_off());
        // It can still end the others.
        assert_eq!(world.call(|world, _| world.size()).unwrap(), 1);
        world.leave();
        let error = world.gather(b"x").unwrap_err().to_string();
        assert!(error.contains("it has ended"), "{error}");
    }
}
