//! How good a model is: ELBO and likelihood of a data set, its codes, and pictures.

mod codes;
mod evaluator;
mod feed;
mod importance;
mod inference;
pub mod latent;
mod pca;
mod report;
mod runner;
mod terms;

pub use codes::{Codes, Encoder};
pub use evaluator::Evaluator;
pub use feed::{Feed, packing};
pub use importance::Importance;
pub use inference::{Inference, Rows};
pub use pca::Pca;
pub use report::{CodeStatistics, LabelReport, Measured, Nll, Report};
pub use runner::Runner;
pub use terms::{Estimate, Evaluation, Terms};
