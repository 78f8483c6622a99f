//! What the processes that run one plan together tell each other in the middle of it.

use super::tensor::Tensor;

/// A pause of a plan that several processes run together: everyone's `from` becomes everyone's `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Dispatches of the plan that come before it.
    pub after: usize,
    /// What this process has.
    pub from: Tensor,
    /// What all of them have, one behind the other in the order of their ranks.
    pub to: Tensor,
}
