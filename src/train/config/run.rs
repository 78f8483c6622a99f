//! What a configuration file may say beside the configuration: where and how the program runs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The part `[run]` of a file that `--config` names. No result depends on it, and no run's `config.toml` holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunSection {
    /// The adapter; none for the best.
    pub device: Option<String>,
    /// Keep bounds checks in the shaders.
    pub checked_shaders: bool,
    /// The run directory; none for one with a number.
    pub out: Option<PathBuf>,
    /// Replace the run that is there.
    pub force: bool,
    /// Save a checkpoint at least every so many steps; 0 for after each epoch.
    pub checkpoint_every: u64,
    /// Open a lost device again, and go on.
    pub recover: bool,
    /// Print the time of each dispatch first.
    pub profile: bool,
    /// Measure the fastest kernels first.
    pub tune: bool,
    /// Print nothing but the last line.
    pub quiet: bool,
    /// Write event files for TensorBoard.
    pub tensorboard: bool,
    /// How epochs are told.
    pub log_format: Option<LogFormat>,
}

/// How `vae-gpu train` tells of its epochs on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// A JSON object a line, each with its `event`: start, epoch, interrupted, done
    Json,
}
