//! Ranks that an MPI launcher has started. A thread of its own makes every call of MPI, so that others may work meanwhile, and
//! nothing of MPI leaves it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::initialize_with_threading;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};

use super::Ranks;
use super::tree::add_all;
use crate::error::{Error, Result};

/// Most words of a block that are summed at once: 25 MiB.
const BUCKET: usize = (25 << 20) / 4;

/// What the thread does with the communicator.
type Job = Box<dyn FnOnce(&SimpleCommunicator) + Send>;

/// The processes of a launcher.
pub struct World {
    rank: usize,
    size: usize,
    local: (usize, usize),
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
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
        let Ok(Some([rank, size, local_rank, local_size])) = told.recv() else {
            return Err(failed("it was started before"));
        };
        let (jobs, thread) = (Mutex::new(Some(jobs)), Mutex::new(Some(thread)));
        Ok(World { rank, size, local: (local_rank, local_size), jobs, thread })
    }

    /// Its number among the ranks of this machine, and how many these are.
    pub fn local(&self) -> (usize, usize) {
        self.local
    }

    /// Ends all processes at once, this one with `code`.
    pub fn abort(&self, code: i32) -> ! {
        // Nothing comes back: if there is no thread any more, this process ends by itself.
        let _ = self.call(move |world| world.abort(code));
        std::process::exit(code)
    }

    /// Parts from the others, when all of them do. MPI is not used after it.
    pub fn leave(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }

    /// Lets the thread do `job`, and waits for what it gives.
    fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&SimpleCommunicator) -> T + Send + 'static,
    ) -> Result<T> {
        let (tell, told) = channel();
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = || failed("its thread has ended");
        let jobs = jobs.as_ref().ok_or_else(ended)?;
        let job: Job = Box::new(move |world| {
            // Whoever asked may be gone.
            let _ = tell.send(job(world));
        });
        jobs.send(job).map_err(|_| ended())?;
        told.recv().map_err(|_| ended())
    }
}

impl Ranks for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum(&self, mut block: Vec<f32>) -> Result<Vec<f32>> {
        if self.size == 1 {
            return Ok(block);
        }
        self.call(move |world| {
            let size = world.size() as usize;
            let len = block.len();
            // Each rank adds one part of a bucket.
            block.resize(len.next_multiple_of(size), 0.0);
            let bucket = BUCKET.next_multiple_of(size);
            let mut scratch = vec![0.0; bucket.min(block.len())];
            for bucket in block.chunks_mut(bucket) {
                let scratch = &mut scratch[..bucket.len()];
                world.all_to_all_into(&*bucket, scratch);
                let part = bucket.len() / size;
                add_all(scratch, part);
                world.all_gather_into(&scratch[..part], bucket);
            }
            block.truncate(len);
            block
        })
    }

    fn gather(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>> {
        // An empty vector has the address 1, which is what Open MPI calls MPI_IN_PLACE: so none is sent empty.
        let mine = [&[0], mine].concat();
        self.call(move |world| {
            let mut lengths = vec![0i32; world.size() as usize];
            let length = i32::try_from(mine.len()).expect("words between ranks are short");
            world.all_gather_into(&length, &mut lengths[..]);
            let begins: Vec<i32> = lengths
                .iter()
                .scan(0, |end, length| {
                    let begin = *end;
                    *end += length;
                    Some(begin)
                })
                .collect();
            let mut all = vec![0u8; lengths.iter().sum::<i32>() as usize];
            world.all_gather_varcount_into(
                &mine[..],
                &mut PartitionMut::new(&mut all[..], &lengths[..], &begins[..]),
            );
            let of = |(begin, length): (&i32, &i32)| all[*begin as usize..][1..*length as usize].to_vec();
            begins.iter().zip(&lengths).map(of).collect()
        })
    }
}

/// The thread: joins, says how many there are, and does what it is told until nobody can tell it more.
fn serve(tell: &Sender<Option<[usize; 4]>>, todo: &Receiver<Job>) {
    let Some((universe, _)) = initialize_with_threading(Threading::Funneled) else {
        let _ = tell.send(None);
        return;
    };
    let world = universe.world();
    let machine = world.split_shared(world.rank());
    let numbers = [world.rank(), world.size(), machine.rank(), machine.size()];
    // Not after MPI has ended.
    drop(machine);
    if tell.send(Some(numbers.map(|number| number as usize))).is_ok() {
        todo.iter().for_each(|job| job(&world));
    }
    // Leaves MPI, which waits for the others.
    drop(universe);
}

fn failed(why: &str) -> Error {
    Error::Ranks {
        problem: format!("MPI did not answer: {why}"),
        next: "start the program by the launcher of the MPI that it was built with, such as `mpirun -n 2 vae-gpu train`".into(),
    }
}
