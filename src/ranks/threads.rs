//! Ranks that are threads of one process: several devices without MPI, and tests of what ranks do.

use std::sync::{Arc, Barrier, Mutex, PoisonError};

use super::Ranks;
use super::tree::add_all;
use crate::error::Result;

/// One of the threads.
#[derive(Clone)]
pub struct Threads {
    rank: usize,
    /// What each of them has for all.
    said: Arc<Vec<Mutex<Vec<u8>>>>,
    barrier: Arc<Barrier>,
}

/// Runs `work` on `size` threads, each with its rank, and gives their results in the order of ranks. A thread that ends early
/// leaves the others waiting for ever: `work` says in the results what went wrong, and all of them hear of it.
///
/// # Panics
/// If one of them panics.
pub fn threads<T: Send>(size: usize, work: impl Fn(Threads) -> T + Sync) -> Vec<T> {
    let said = Arc::new((0..size).map(|_| Mutex::default()).collect());
    let barrier = Arc::new(Barrier::new(size));
    let work = &work;
    std::thread::scope(|scope| {
        let spawn = |rank| {
            let ranks = Threads { rank, said: Arc::clone(&said), barrier: barrier.clone() };
            scope.spawn(move || work(ranks))
        };
        let running: Vec<_> = (0..size).map(spawn).collect();
        running.into_iter().map(|thread| thread.join().expect("a rank has panicked")).collect()
    })
}

impl Threads {
    /// Says `mine`, and gives what `of` makes of everyone's words.
    fn round<T>(&self, mine: &[u8], mut of: impl FnMut(usize, &[u8]) -> T) -> Vec<T> {
        let lock = |rank: usize| self.said[rank].lock().unwrap_or_else(PoisonError::into_inner);
        mine.clone_into(&mut lock(self.rank));
        self.barrier.wait();
        let found = (0..self.size()).map(|rank| of(rank, &lock(rank))).collect();
        // Nobody says more before all have heard this.
        self.barrier.wait();
        found
    }
}

impl Ranks for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.said.len()
    }

    fn sum(&self, block: Vec<f32>) -> Result<Vec<f32>> {
        let len = block.len();
        let mut all = Vec::with_capacity(self.size() * len);
        self.round(bytemuck::cast_slice(&block), |_, words| {
            all.extend(bytemuck::pod_collect_to_vec::<u8, f32>(words));
        });
        add_all(&mut all, len);
        all.truncate(len);
        Ok(all)
    }

    fn gather(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>> {
        Ok(self.round(mine, |_, words| words.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{agree, any};
    use super::*;

    #[test]
    fn everyone_hears_everyone() {
        let heard = threads(3, |ranks| {
            let me = ranks.rank() as f32;
            (ranks.sum(vec![me, -me]).unwrap(), ranks.gather(&vec![7; ranks.rank()]).unwrap())
        });
        for (sum, said) in heard {
            assert_eq!(sum, [3.0, -3.0]);
            assert_eq!(said.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 2]);
        }
    }

    #[test]
    fn one_wish_is_everyones_and_a_stranger_is_named() {
        let said = threads(4, |ranks| {
            let none = any(&ranks, false).unwrap();
            let one = any(&ranks, ranks.rank() == 2).unwrap();
            let same = agree(&ranks, 5, "the weights", "?").is_ok();
            let digest = if ranks.rank() == 2 { 6 } else { 5 };
            (none, one, same, agree(&ranks, digest, "the weights", "look at it").unwrap_err().to_string())
        });
        for (none, one, same, error) in said {
            assert_eq!((none, one, same), (false, true, true));
            assert!(error.contains("the weights of rank 2 differ from those of rank 0"), "{error}");
        }
    }
}
