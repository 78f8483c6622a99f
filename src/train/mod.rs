//! Training: the configuration of a run, the loop, and its files.

pub mod config;
pub mod files;
pub mod history;
pub mod presets;
pub mod schedule;
mod stepper;
mod trainer;

pub use config::Config;
pub use stepper::Stepper;
pub use trainer::{Arenas, EpochReport, EpochResult, Judgement, Progress, State, Trainer};
