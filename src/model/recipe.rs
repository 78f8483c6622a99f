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
    /// Of a part of a batch: the processes whose parts batch norm measures together with it, one each; none where it measures each
    /// part by itself.
    pub norm_ranks: Option<usize>,
}
