//! The likelihoods p(x|z): one file each, and one line in [`TABLE`].

pub mod bernoulli;

use crate::plan::{Kernel, Plan, Target, Tensor};

/// A likelihood: its four kernels, and what they ask of the data.
#[derive(Debug)]
pub struct Likelihood {
    /// Its name on the command line and in files.
    pub name: &'static str,
    /// One line for `--help` and the README.
    pub about: &'static str,
    /// log p(x|z) of each row.
    pub forward: &'static Kernel,
    /// log p(x|z) and its gradient, where the row weights are known beforehand.
    pub fused: &'static Kernel,
    /// The gradient alone, from row weights.
    pub backward: &'static Kernel,
    /// E[x|z], for pictures.
    pub mean: &'static Kernel,
    /// Appends one of the four.
    pub append: fn(&mut Plan, &Target, Pass),
}

/// Every likelihood.
pub const TABLE: &[&Likelihood] = &[&bernoulli::BERNOULLI];

/// One pass of a likelihood over rows R = B K, with x [B, D] and what the decoder gave, `out` [R, D].
#[derive(Clone, Copy, Debug)]
pub enum Pass {
    /// log_p [R].
    Forward {
        /// The decoder's output.
        out: Tensor,
        /// The data.
        x: Tensor,
        /// log p(x|z) of each row, in nats.
        log_p: Tensor,
    },
    /// log_p [R] and d_out [R, D] at once.
    Fused {
        /// The decoder's output.
        out: Tensor,
        /// The data.
        x: Tensor,
        /// What a nat of each row is worth.
        weight: Tensor,
        /// log p(x|z) of each row, in nats.
        log_p: Tensor,
        /// The loss's gradient by `out`.
        d_out: Tensor,
    },
    /// d_out [R, D] from weights [R].
    Backward {
        /// The decoder's output.
        out: Tensor,
        /// The data.
        x: Tensor,
        /// What a nat of each row is worth.
        weight: Tensor,
        /// The loss's gradient by `out`.
        d_out: Tensor,
    },
    /// mean [R, D].
    Mean {
        /// The decoder's output.
        out: Tensor,
        /// E[x|z].
        mean: Tensor,
    },
}

/// The likelihood of that name.
pub fn find(name: &str) -> Option<&'static Likelihood> {
    TABLE.iter().copied().find(|likelihood| likelihood.name == name)
}
