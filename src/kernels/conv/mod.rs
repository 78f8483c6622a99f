//! Convolution as products whose operands are gathered from pictures (`shaders/conv/`, `shaders/shared/conv.wgsl`,
//! `shaders/shared/conv_weights.wgsl`).

mod data;
mod geometry;
mod gradient;
mod nodes;
mod operation;
mod variants;
mod weights;

pub use data::{SingleConv, single_conv};
pub(crate) use data::{conv, conv_with};
pub use geometry::{Geometry, Taps};
pub use operation::Way;
pub use variants::{DATA, Variant, WEIGHTS, choose};
pub(crate) use variants::{DATA_KERNELS, WEIGHT_KERNELS};
pub use weights::single_gradient;
pub(crate) use weights::{Parts, d_weights, d_weights_with, parts_of};
