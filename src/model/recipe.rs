//! What of training a plan depends on.

use crate::kernels::adam;

/// What of training a plan must know.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recipe {
    /// Nats of KL that each latent dimension has for free.
    pub free_bits: f32,
    /// The largest norm that the gradient may have; 0 without a limit.
    pub clip_norm: f32,
    /// Adam's settings.
    pub adam: adam::Hyperparameters,
}
