//! Models: configuration, the layout of their parameters, initial weights, and their plans.

pub mod config;
pub mod init;
pub mod layout;
pub mod network;
pub mod plans;

pub use config::ModelConfig;
pub use layout::Layout;
