//! Training: the configuration of a run, the loop, and its files.

mod buckets;
pub mod config;
mod division;
pub mod files;
pub mod history;
pub mod presets;
pub mod schedule;
mod state;
mod stepper;
mod trainer;

pub use crate::kernels::activation::Activation;
pub use crate::kernels::gather::Binarize;
pub use crate::kernels::likelihood::Variance;
pub use crate::model::init::Init;
pub use config::{Condition, Config, Keep, ModelSection, Precision, RunSection, TrainSection};
pub use division::Times;
pub use schedule::Schedule;
pub use state::{Arenas, State};
pub use stepper::Stepper;
pub use trainer::{EpochProgress, EpochReport, EpochResult, Scores, Trainer};
