//! Models: configuration, parameters and their initial values, layers, latents, priors, objectives, and the plans built
//! from them.

pub mod config;
pub mod family;
pub mod init;
pub mod latent;
pub mod layer;
mod network;
pub mod objective;
pub mod parameters;
pub mod plans;
mod ports;
pub mod prior;
mod recipe;
mod tape;

pub use config::ModelConfig;
pub use family::{FAMILIES, Family};
pub use latent::LatentSize;
pub use layer::{Extent, LAYERS, LayerRow, Layers, MAX_PICTURE, MAX_WIDTH};
pub use network::Network;
pub use parameters::{Parameter, Parameters};
pub use tape::PARAMETERS;
