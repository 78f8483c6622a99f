//! Layers: one file and one line in [`LAYERS`] each.

mod activation;
mod condition;
mod conv;
mod kind;
mod linear;
mod nets;
mod norm;
mod picture;
mod residual;
mod resize;
mod stack;
mod text;

pub(super) use condition::Condition;
pub(super) use conv::{is_output, output_layer};
pub(super) use kind::Site;
pub use kind::{Extent, LayerKind, Layers};
pub(super) use linear::Linear;
pub use linear::{MAX_PICTURE, MAX_WIDTH};
pub(super) use picture::{Collect, Spread};
pub use stack::LayerRow;
pub(super) use stack::Stack;

/// Every kind of layer.
pub static LAYERS: &[LayerKind] = &[
    linear::LINEAR,
    conv::CONV,
    conv::DECONV,
    resize::POOL,
    resize::UPSAMPLE,
    norm::NORM,
    activation::ACTIVATION,
    residual::RESIDUAL,
];
