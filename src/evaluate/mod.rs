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

#[doc(hidden)]
pub use codes::{Codes, Encoder};
#[doc(hidden)]
pub use evaluator::Evaluator;
#[doc(hidden)]
pub use importance::Importance;
#[doc(hidden)]
pub use inference::Inference;
pub use inference::Rows;
#[cfg(feature = "cli")]
pub(crate) use inference::SAMPLES;
pub use pca::Pca;
#[doc(hidden)]
pub use report::{CodeStatistics, EvaluationReport, LabelReport, Measured, Nll};
#[doc(hidden)]
pub use runner::Runner;
#[cfg(feature = "cli")]
pub(crate) use runner::{STREAM, rows_within};
pub use terms::{Estimate, Evaluation, Outliers, Terms};
#[doc(hidden)]
pub use terms::{MOST, score};
#[cfg(feature = "tsne")]
pub use tsne::Tsne;
#[cfg(feature = "cli")]
pub(crate) use upload::packed;
#[doc(hidden)]
pub use upload::{Upload, packing};
