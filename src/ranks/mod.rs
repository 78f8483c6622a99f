//! Several processes, each with a device, that train one model together: what they say to each other, how a batch is divided among
//! them, and the order in which their sums are added.
//!
//! A batch is cut into *shards*. The gradients of all shards are added in a fixed binary tree, whichever rank computed which of
//! them: so any number of ranks that divides the shards gives the same bits as one process, and a number of ranks gives the same bits
//! on every run. The transport only moves numbers, and adds none.

#[cfg(feature = "mpi")]
mod mpi;
mod pending;
mod shards;
mod threads;
mod tree;

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use crate::error::{Error, Result};

#[cfg(feature = "mpi")]
pub use mpi::World;
pub use pending::{Pending, Summed};
pub use shards::Shards;
pub use threads::{Threads, threads};
pub use tree::Tree;

/// The processes that train together, as one of them sees them. Each call is one that all of them make, in the same order.
pub trait Ranks: Send + Sync {
    /// Its number, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// The sum of everyone's `block` in the fixed tree over ranks, for everyone: the same bits on all of them. The blocks have one length.
    ///
    /// # Errors
    /// [`Error::Ranks`] if others can no longer be reached.
    fn sum(&self, block: Vec<f32>) -> Result<Vec<f32>>;

    /// Begins [`Ranks::sum`], so that the caller may do something else meanwhile: other calls too, which then wait for their turn.
    /// Where the transport cannot, the sum is made at once.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    fn begin_sum(&self, block: Vec<f32>) -> Result<Pending> {
        let begin = Instant::now();
        let values = self.sum(block)?;
        Ok(Pending::done(Summed { values, time: begin.elapsed() }))
    }

    /// Gives everyone's bytes to everyone, in the order of ranks; lengths may differ.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    fn gather(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>>;
}

/// Whether any rank says so.
///
/// # Errors
/// As [`Ranks::gather`].
pub fn any(ranks: &dyn Ranks, here: bool) -> Result<bool> {
    if ranks.size() == 1 {
        return Ok(here);
    }
    Ok(ranks.gather(&[u8::from(here)])?.iter().any(|said| said == &[1]))
}

/// This rank's part of `count` things in a row: as many as others have, or one more.
pub fn share(count: usize, ranks: &dyn Ranks) -> Range<usize> {
    let begin = |rank: usize| rank * count / ranks.size();
    begin(ranks.rank())..begin(ranks.rank() + 1)
}

/// Checks that all ranks hold the same: `digest` stands for it.
///
/// # Errors
/// [`Error::Ranks`], on all of them, which names those that differ from rank 0.
pub fn agree(ranks: &dyn Ranks, digest: u64, what: &str, next: &str) -> Result<()> {
    if ranks.size() == 1 {
        return Ok(());
    }
    let all = ranks.gather(&digest.to_le_bytes())?;
    let strangers: Vec<String> =
        (1..all.len()).filter(|rank| all[*rank] != all[0]).map(|rank| rank.to_string()).collect();
    if strangers.is_empty() {
        return Ok(());
    }
    let noun = if strangers.len() == 1 { "rank" } else { "ranks" };
    Err(Error::Ranks {
        problem: format!("{what} of {noun} {} differ from those of rank 0", strangers.join(", ")),
        next: next.into(),
    })
}

/// A process by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Alone {
    /// A process by itself, as ranks.
    pub fn ranks() -> Arc<dyn Ranks> {
        Arc::new(Alone)
    }
}

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum(&self, block: Vec<f32>) -> Result<Vec<f32>> {
        Ok(block)
    }

    fn gather(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>> {
        Ok(vec![mine.to_vec()])
    }
}
