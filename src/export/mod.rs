//! A trained model in the formats of other programs.

pub mod onnx;
mod proto;
