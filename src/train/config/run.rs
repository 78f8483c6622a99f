//! What a configuration file may say beside the configuration: where and how the program runs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[cfg(feature = "cli")]
use crate::settings::choice;
use crate::settings::{named, section};

section! {
    /// The part `[run]` of a file that a user writes. No result depends on it, and no run's `config.toml` holds it.
    pub struct RunSection from "run" {
        /// Adapter: auto, a number of `vae-gpu devices`, or a part of its name, backend or driver; by default auto
        #[arg(long, value_name = "auto|INDEX|NAME", env = "VAE_GPU_DEVICE")]
        device: Option<String> = None;

        /// Keep bounds checks in the shaders: slower, for hunting a bug
        #[arg(long)]
        checked_shaders: bool = false;

        /// Run directory; by default runs/DATA-MODEL-N with the next free N
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf> = None;

        /// Write into `run.out` even if it holds a run, which is deleted first
        #[arg(long)]
        force: bool = false;

        /// Save a checkpoint at least every so many steps; 0 saves one after each epoch
        #[arg(long, value_name = "STEPS")]
        checkpoint_every: u64 = 0;

        /// When the device is lost, open it again and go on from the last checkpoint
        #[arg(long)]
        recover: bool = false;

        /// Before training, print how long each dispatch of a step takes (on stderr)
        #[arg(long)]
        profile: bool = false;

        /// Measure the fastest kernels for this model first, as `vae-gpu tune` does
        #[arg(long)]
        tune: bool = false;

        /// Write event files for TensorBoard: `tensorboard --logdir runs` then shows all runs
        #[arg(long)]
        tensorboard: bool = false;

        /// How epochs are reported on stdout
        #[arg(long, value_parser = choice::<LogFormat>(), value_name = "FORMAT")]
        log_format: LogFormat = LogFormat::Text;

        /// Print nothing but the last line
        #[arg(short, long)]
        quiet: bool = false;
    }
}

named! {
    /// How `vae-gpu train` reports its epochs on stdout.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum LogFormat, default Text {
        /// Lines for people
        Text => "text",
        /// A JSON object a line, each with its `event`: start, epoch, interrupted, done
        Json => "json",
    }
}
