//! The latents between encoder and decoder: one file and one line in [`LATENTS`] each.

mod gaussian;
mod point;
mod posterior;
mod size;

pub(super) use gaussian::GAUSSIAN;
pub(super) use point::POINT;
pub use posterior::{Draw, KlTerm, Latent};
pub use size::LatentSize;

/// Every latent.
pub static LATENTS: &[&dyn Latent] = &[&gaussian::GAUSSIAN, &point::POINT];
