//! The flags of training.

use std::path::PathBuf;

use clap::Args;

use super::flags::Flags;
use super::model_args::ModelArgs;
use super::team::Team;
use crate::error::{Error, Result};
use crate::train::config::{LogFormat, RunSection, TrainSection};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu train                                    # MNIST, 784-400-20, 10 epochs
  vae-gpu train --hidden 512,256 --latent 2        # several layers, a latent space to look at
  vae-gpu train --data ./fashion --out runs/fashion
  vae-gpu train --likelihood gaussian              # grey values instead of black and white ones
  vae-gpu train --likelihood categorical --levels 8
  vae-gpu train --model iwae --samples 5           # the importance-weighted bound of five samples
  vae-gpu train --condition labels                 # then: vae-gpu sample RUN --label 3
  vae-gpu train --preset burda2015-vae --scale 0.01
  vae-gpu train --valid 0.1 --patience 5 --keep best --epochs 100
  vae-gpu train --resume runs/mnist-vae-1 --epochs 20

Units: ELBO, reconstruction and KL are nats per image; speed is images per second of training.")]
pub struct TrainArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub train: Flags<TrainSection>,
    #[command(flatten)]
    pub run: Flags<RunSection>,
    // The help follows from the list of keys.
    #[arg(long, value_name = "DIR", conflicts_with = "out", help = resume_help())]
    pub resume: Option<PathBuf>,
}

/// Settings of training that keep their meaning where they change between two steps.
pub const RESUMABLE: &[&str] = &[
    "epochs",
    "lr",
    "lr_schedule",
    "lr_warmup",
    "beta",
    "kl_warmup",
    "free_bits",
    "shards",
    "sync_norm",
    "weight_decay",
    "clip_norm",
    "adam_epsilon",
    "patience",
    "keep",
    "precision",
    "stream",
];

/// The flags of [`RESUMABLE`].
pub fn resumable_flags() -> String {
    let flags: Vec<_> = RESUMABLE.iter().map(|key| format!("--{}", key.replace('_', "-"))).collect();
    flags.join(", ")
}

fn resume_help() -> String {
    format!(
        "Continue a run from its checkpoint. Of the flags of the model and its training, these go with it: {}",
        resumable_flags()
    )
}

impl TrainArgs {
    /// Where and how to run: the flags on top of what the file says.
    pub fn run_section(&self, mut run: RunSection, team: &Team) -> Result<RunSection> {
        self.run.apply(&mut run);
        if team.is_several() {
            let alone = [
                (
                    "run.tune",
                    run.tune,
                    ": run `vae-gpu tune` on each machine before, with a shard's rows as its --batch-size, and train without it",
                ),
                (
                    "run.recover",
                    run.recover,
                    " is for one device: leave it out, and continue with --resume where one is lost",
                ),
            ];
            if let Some((key, _, problem)) = alone.into_iter().find(|(_, given, _)| *given) {
                return Err(Error::setting(key, format!(" among several ranks{problem}")));
            }
        }
        if run.force && run.out.is_none() {
            return Err(Error::setting("run.force", ": name the run to replace by `run.out`"));
        }
        if run.tune && run.log_format == LogFormat::Json {
            let problem = " prints a table: run `vae-gpu tune` before `train --log-format json`";
            return Err(Error::setting("run.tune", problem));
        }
        Ok(run)
    }
}
