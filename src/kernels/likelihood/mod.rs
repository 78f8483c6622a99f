//! The likelihoods p(x|z): one file and one line in [`TABLE`] each.

pub mod bernoulli;
pub mod categorical;
pub mod continuous_bernoulli;
mod definition;
mod draw;
pub mod gaussian;
mod gaussian_global;
pub mod gaussian_learned;
mod gaussian_pixel;
mod gaussian_shared;
mod kernel;
mod pass;
mod passes;
mod pointwise;

pub use definition::{Data, Draw, Fit, Kernels, Likelihood, LikelihoodSettings, Measure, Output, Variance};
pub use draw::{Decoded, Noise};
pub(crate) use pass::{Own, Pass};
pub use passes::Passes;

/// Every likelihood.
pub const TABLE: &[&Likelihood] = &[
    &bernoulli::BERNOULLI,
    &continuous_bernoulli::CONTINUOUS_BERNOULLI,
    &gaussian::GAUSSIAN,
    &gaussian_learned::GAUSSIAN_LEARNED,
    &categorical::CATEGORICAL,
];

/// The likelihood of that name.
pub fn find(name: &str) -> Option<&'static Likelihood> {
    TABLE.iter().copied().find(|likelihood| likelihood.name == name)
}

/// The names of the likelihoods for such data.
pub fn names_of(data: Data) -> Vec<&'static str> {
    TABLE.iter().filter(|likelihood| likelihood.data == data).map(|likelihood| likelihood.name).collect()
}
