//! Ranks that an MPI launcher has started. A thread of its own makes every call of MPI, so that others may work meanwhile, and
//! nothing of MPI leaves it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use mpi::Threading;
use mpi::collective::SystemOperation;
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
    local: usize,
    /// Memory for what others send.
    scratch: Mutex<Vec<f32>>,
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
        let Ok(Some([rank, size, local])) = told.recv() else {
            return Err(failed("it was started before"));
        };
        let (jobs, thread) = (Mutex::new(Some(jobs)), Mutex::new(Some(thread)));
        Ok(World { rank, size, local, scratch: Mutex::default(), jobs, thread })
    }

    /// Its number among the ranks of this machine.
    pub fn local(&self) -> usize {
        self.local
    }

    /// Whether this process alone can no longer reach the others: its thread is gone.
    pub fn is_cut_off(&self) -> bool {
        lock(&self.thread).as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends all processes at once, this one with `code`.
    pub fn abort(&self, code: i32) -> ! {
        // Nothing comes back: if there is no thread any more, this process ends by itself.
        let _ = self.call(move |world| world.abort(code));
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
        self.call(move |world| {
            world.all_reduce_into(&block[..], &mut sum[..], SystemOperation::sum());
            [block, sum]
        })
    }

    /// Lets the thread do `job`, and waits for what it gives.
    fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&SimpleCommunicator) -> T + Send + 'static,
    ) -> Result<T> {
        let (tell, told) = channel();
        let jobs = lock(&self.jobs);
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
        let mut scratch = std::mem::take(&mut *lock(&self.scratch));
        let (sum, scratch) = self.call(move |world| {
            block.chunks_mut(BUCKET).for_each(|bucket| sum_bucket(world, bucket, &mut scratch));
            (block, scratch)
        })?;
        *lock(&self.scratch) = scratch;
        Ok(sum)
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
