//! Models: configuration, parameters and their initial values, layers, latents, priors, objectives, and the plans built
//! from them.

pub(crate) mod config;
pub(crate) mod family;
#[doc(hidden)]
pub mod init;
pub(crate) mod latent;
pub(crate) mod layer;
mod network;
#[doc(hidden)]
pub mod objective;
#[doc(hidden)]
pub mod parameters;
#[doc(hidden)]
pub mod plans;
mod ports;
#[doc(hidden)]
pub mod prior;
mod recipe;
mod tape;

pub use config::ModelConfig;
pub use family::{FAMILIES, Family};
pub use latent::LatentSize;
#[doc(hidden)]
pub use layer::{Extent, LAYERS, LayerRow};
pub use layer::{Layers, MAX_PICTURE, MAX_WIDTH};
#[doc(hidden)]
pub use network::Network;
#[doc(hidden)]
pub use parameters::{Parameter, Parameters};
#[doc(hidden)]
pub use tape::PARAMETERS;
