//! Layers: one file and one line in [`LAYERS`] each.

mod activation;
mod condition;
mod kind;
mod linear;
mod residual;
mod stack;
mod text;

pub(super) use condition::Condition;
pub use kind::{Extent, Layer, LayerKind, LayerText, Layers, Site};
pub(super) use linear::Linear;
pub use linear::MAX_WIDTH;
pub use stack::LayerRow;
pub(super) use stack::Stack;

/// Every kind of layer.
pub static LAYERS: &[LayerKind] = &[linear::LINEAR, activation::ACTIVATION, residual::RESIDUAL];
