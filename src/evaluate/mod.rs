//! How good a model is: ELBO and likelihood of a data set, its codes, and pictures.

mod codes;
mod evaluator;
mod importance;
mod inference;
pub mod latent;
mod pca;
mod report;
mod runner;
mod terms;
#[cfg(feature = "tsne")]
mod tsne;
mod upload;

pub use codes::{Codes, Encoder};
pub use evaluator::Evaluator;
pub use importance::Importance;
#[cfg(feature = "cli")]
pub(crate) use inference::SAMPLES;
pub use inference::{Inference, Rows};
pub use pca::Pca;
pub use report::{CodeStatistics, EvaluationReport, LabelReport, Measured, Nll};
pub use runner::Runner;
#[cfg(feature = "cli")]
pub(crate) use runner::{STREAM, rows_within};
pub use terms::{Estimate, Evaluation, MOST, Outliers, Terms, score};
#[cfg(feature = "tsne")]
pub use tsne::Tsne;
#[cfg(feature = "cli")]
pub(crate) use upload::packed;
pub use upload::{Upload, packing};
