//! Models: configuration, the layout of their parameters, initial weights, and their plans.

mod bounds;
pub mod config;
pub mod init;
pub mod layout;
mod network;
pub mod plans;

pub use config::{Kind, ModelConfig};
pub use layout::Layout;
