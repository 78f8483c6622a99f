//! The training settings that a plan depends on.

use crate::kernels::adam;
use crate::kernels::flip::Mirror;

/// The training settings that a plan depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recipe {
    /// Free nats of KL per latent dimension.
    pub free_bits: f32,
    /// The largest norm of the gradient; 0 for no limit.
    pub clip_norm: f32,
    /// Adam's settings.
    pub adam: adam::Hyperparameters,
    /// Pictures that are mirrored by chance, if they are.
    pub flip: Option<Mirror>,
}
