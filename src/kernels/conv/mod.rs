//! Convolution as products whose operands are gathered from pictures (`shaders/conv/`, `shaders/shared/conv.wgsl`,
//! `shaders/shared/conv_weights.wgsl`).

mod data;
mod geometry;
mod gradient;
mod nodes;
mod operation;
mod variants;
mod weights;

pub(crate) use data::conv;
#[cfg_attr(not(feature = "cli"), allow(unused_imports, reason = "only checks choose a variant"))]
pub(crate) use data::conv_with;
pub use data::{SingleConv, single_conv};
pub use geometry::{Geometry, Taps};
pub use operation::Way;
pub use variants::{DATA, Variant, WEIGHTS, choose};
pub(crate) use variants::{DATA_KERNELS, WEIGHT_KERNELS};
pub(crate) use weights::d_weights;
pub use weights::single_gradient;
#[cfg_attr(not(feature = "cli"), allow(unused_imports, reason = "only checks choose a variant"))]
pub(crate) use weights::{d_weights_with, parts_of};
