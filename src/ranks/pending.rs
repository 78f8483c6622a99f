//! Sums over ranks that are under way.

use std::time::Duration;

use crate::error::Result;

/// The sum of everyone's block.
#[derive(Clone, Debug, PartialEq)]
pub struct Summed {
    /// The values.
    pub values: Vec<f32>,
    /// How long the transport took for it: the slowest of the ranks, and the transfer.
    pub time: Duration,
}

/// Waits, and gives the sum.
type Wait = Box<dyn FnOnce() -> Result<Summed> + Send>;

/// A sum under way; see [`Ranks::begin_sum`](super::Ranks::begin_sum). The ranks make it whether or not this is waited for.
pub struct Pending(State);

enum State {
    Done(Summed),
    Coming(Wait),
}

impl Pending {
    /// A sum that is there already.
    pub fn done(sum: Summed) -> Pending {
        Pending(State::Done(sum))
    }

    /// A sum that is there when `wait` comes back.
    pub fn coming(wait: impl FnOnce() -> Result<Summed> + Send + 'static) -> Pending {
        Pending(State::Coming(Box::new(wait)))
    }

    /// Waits for it.
    ///
    /// # Errors
    /// As [`Ranks::sum`](super::Ranks::sum).
    pub fn wait(self) -> Result<Summed> {
        match self.0 {
            State::Done(sum) => Ok(sum),
            State::Coming(wait) => wait(),
        }
    }
}
