//! A trained model in the formats of other programs.

pub mod model;
pub mod onnx;
mod proto;
