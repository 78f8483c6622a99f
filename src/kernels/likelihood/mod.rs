//! The likelihoods p(x|z): one file and one line in [`TABLE`] each.

pub mod bernoulli;
mod by_row;
pub mod categorical;
pub mod continuous_bernoulli;
mod definition;
mod draw;
pub mod gaussian;
mod gaussian_global;
pub mod gaussian_learned;
mod gaussian_optimal;
mod gaussian_pixel;
mod gaussian_shared;
mod gaussian_terms;
mod kernel;
pub mod logistic;
pub mod logistic_mixture;
mod logistic_terms;
mod pair;
mod pass;
mod passes;
mod pointwise;
mod settings;
mod with_own;

pub(crate) use definition::moments;
pub use definition::{Data, Draw, Fit, Join, Kernels, Likelihood, Measure, Output};
pub use draw::{Decoded, Noise};
pub(crate) use pass::{Own, Pass};
pub use passes::Passes;
pub use settings::{LikelihoodSettings, Variance};

/// Every likelihood.
pub const TABLE: &[&Likelihood] = &[
    &bernoulli::BERNOULLI,
    &continuous_bernoulli::CONTINUOUS_BERNOULLI,
    &gaussian::GAUSSIAN,
    &gaussian_learned::GAUSSIAN_LEARNED,
    &categorical::CATEGORICAL,
    &logistic::LOGISTIC,
    &logistic_mixture::LOGISTIC_MIXTURE,
];

/// The likelihood of that name.
pub fn find(name: &str) -> Option<&'static Likelihood> {
    TABLE.iter().copied().find(|likelihood| likelihood.name == name)
}

/// The names of the likelihoods for such data.
pub fn names_of(data: Data) -> Vec<&'static str> {
    TABLE.iter().filter(|likelihood| likelihood.data == data).map(|likelihood| likelihood.name).collect()
}
