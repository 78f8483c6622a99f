//! Training: the configuration of a run, the loop, and its files.

mod buckets;
pub(crate) mod config;
mod division;
#[doc(hidden)]
pub mod files;
#[doc(hidden)]
pub mod history;
pub mod presets;
pub(crate) mod schedule;
mod state;
mod stepper;
mod trainer;

#[doc(inline)]
pub use crate::kernels::activation::Activation;
#[doc(inline)]
pub use crate::kernels::gather::Binarize;
#[doc(inline)]
pub use crate::kernels::likelihood::Variance;
#[doc(inline)]
pub use crate::kernels::tuning::Tuning;
#[doc(inline)]
pub use crate::model::init::Init;
pub use config::{
    Condition, Config, Keep, LogFormat, ModelSection, Net, Precision, RunSection, TrainSection,
};
#[doc(hidden)]
pub use division::Times;
pub use schedule::Schedule;
#[doc(hidden)]
pub use state::{Arenas, State};
#[doc(hidden)]
pub use stepper::Stepper;
pub use trainer::{EpochProgress, EpochReport, EpochResult, Scores, Trainer};
