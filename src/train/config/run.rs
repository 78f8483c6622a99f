//! What a configuration file may say beside the configuration: where and how the program runs.

use std::num::NonZeroU32;
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

        /// Draw curves, samples and reconstructions every so many epochs, and after the last; by default some 100 times in all
        #[arg(long, value_name = "EPOCHS")]
        pictures_every: Option<NonZeroU32> = None;

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

/// Pictures of a kind that a run leaves if nothing else is asked for.
const PICTURES: u32 = 100;

impl RunSection {
    /// Whether the run draws pictures after this epoch of so many. It does after the last, whichever that turns out to be.
    #[doc(hidden)]
    pub fn draws_pictures(&self, epoch: u32, epochs: u32) -> bool {
        let every = self.pictures_every.map_or(epochs.div_ceil(PICTURES), NonZeroU32::get);
        epoch.is_multiple_of(every.max(1))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(run: &RunSection, epochs: u32) -> Vec<u32> {
        (1..=epochs).filter(|epoch| run.draws_pictures(*epoch, epochs)).collect()
    }

    #[test]
    fn a_run_leaves_some_hundred_pictures_however_long_it_is() {
        let run = RunSection::default();
        assert_eq!(drawn(&run, 10), (1..=10).collect::<Vec<_>>());
        assert_eq!(drawn(&run, 100).len(), 100);
        assert_eq!(drawn(&run, 101)[..2], [2, 4]);
        assert_eq!(drawn(&run, 3280)[..2], [33, 66]);
        for epochs in [1, 99, 100, 101, 250, 3280, 1_000_000] {
            let count = drawn(&run, epochs).len();
            assert!((epochs.min(50) as usize..=100).contains(&count), "{epochs}: {count}");
        }
    }

    #[test]
    fn it_draws_as_often_as_it_is_asked() {
        let every = |n| RunSection { pictures_every: NonZeroU32::new(n), ..RunSection::default() };
        assert_eq!(drawn(&every(3), 10), [3, 6, 9]);
        assert_eq!(drawn(&every(1), 1000).len(), 1000);
        assert!(drawn(&every(20), 10).is_empty());
    }
}
