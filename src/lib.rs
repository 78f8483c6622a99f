//! Variational autoencoders on any GPU.

pub mod check;
pub mod cli;
pub mod data;
pub mod error;
pub mod evaluate;
pub mod gpu;
pub mod kernels;
pub mod model;
pub mod plan;
pub mod run;
pub mod train;
