//! The latents between encoder and decoder: one file and one line in [`LATENTS`] each.

mod gaussian;
mod point;
mod posterior;

pub(super) use gaussian::GAUSSIAN;
pub(super) use point::POINT;
pub use posterior::{Draw, KlTerm, Latent};

/// Every latent.
pub static LATENTS: &[&dyn Latent] = &[&gaussian::GAUSSIAN, &point::POINT];
