//! What a configuration file may say beside the configuration: where and how the program runs.

use std::num::NonZeroU32;
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
    /// Draw curves, samples and reconstructions after every so many epochs; none for some 100 times in the run.
    pub pictures_every: Option<NonZeroU32>,
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

/// Pictures of a kind that a run leaves if nothing else is asked for.
const PICTURES: u32 = 100;

impl RunSection {
    /// Whether the run draws pictures after this epoch of so many. It does after the last, whichever that turns out to be.
    pub fn draws_pictures(&self, epoch: u32, epochs: u32) -> bool {
        let every = self.pictures_every.map_or(epochs.div_ceil(PICTURES), NonZeroU32::get);
        epoch.is_multiple_of(every.max(1))
    }
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
