//! The latents between encoder and decoder: one file each. [`FAMILIES`](super::FAMILIES) combines them.

mod gaussian;
mod point;
mod posterior;
mod size;

pub(super) use gaussian::GAUSSIAN;
pub(super) use point::POINT;
pub use posterior::{Draw, KlTerm, Latent};
pub use size::LatentSize;
