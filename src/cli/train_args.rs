//! The flags of training.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;

use super::args::DeviceArgs;
use super::model_args::{ModelArgs, PrecisionArgs, set};
use crate::error::{Error, Result};
use crate::model::init::Init;
use crate::train::config::{Keep, LogFormat, RunSection, TrainSection};
use crate::train::schedule::Schedule;

/// How a model is trained. A flag that is not given leaves the value of --config, or the default.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct RecipeArgs {
    /// Learning rate of Adam [default: 1e-3]
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f32>,
    /// How the rate changes: constant, cosine, burda, steps:20,40 (a tenth from each epoch on), or steps:20,40*0.5 (half) [default: constant]
    #[arg(long, value_name = "SCHEDULE")]
    pub lr_schedule: Option<Schedule>,
    /// Epochs over which the learning rate rises from zero [default: 0]
    #[arg(long, value_name = "EPOCHS")]
    pub lr_warmup: Option<f64>,
    /// K: samples of z an image, averaged in a vae, importance-weighted in an iwae [default: 1]
    #[arg(long, value_name = "K")]
    pub samples: Option<usize>,
    /// Weight of the KL term in what is trained; the reported ELBO is always the true one [default: 1]
    #[arg(long)]
    pub beta: Option<f64>,
    /// Epochs over which the weight of the KL term rises from zero [default: 0]
    #[arg(long, value_name = "EPOCHS")]
    pub kl_warmup: Option<f64>,
    /// Nats of KL that each latent dimension has for free (Kingma et al. 2016) [default: 0]
    #[arg(long, value_name = "NATS")]
    pub free_bits: Option<f64>,
    /// Decoupled weight decay, as AdamW has it [default: 0]
    #[arg(long, value_name = "RATE")]
    pub weight_decay: Option<f64>,
    /// Scale gradients down to this norm where it is larger [default: 0, no limit]
    #[arg(long, value_name = "NORM")]
    pub clip_norm: Option<f64>,
    /// Epsilon of Adam [default: 1e-8]
    #[arg(long, value_name = "EPSILON")]
    pub adam_epsilon: Option<f64>,
    /// How weights and biases begin [default: pytorch]
    #[arg(long, value_enum)]
    pub init: Option<Init>,
    /// Let the output's bias begin where it fits the training data best by itself
    #[arg(long)]
    pub output_bias: bool,
    /// Share of the training data held out for validation, so that the test data choose nothing [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub valid: Option<f64>,
    /// Stop after so many epochs without a better validation ELBO [default: 0, never]
    #[arg(long, value_name = "EPOCHS")]
    pub patience: Option<u32>,
    /// Which weights the run leaves: the last, or those with the best validation ELBO [default: last]
    #[arg(long, value_enum)]
    pub keep: Option<Keep>,
    /// Seed of the initial weights, the order of images and every draw [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub precision: PrecisionArgs,
    /// Stream the data to the device batch by batch even if it fits there; larger data always is
    #[arg(long)]
    pub stream: bool,
}

impl RecipeArgs {
    /// Whether any flag is given.
    pub fn any(&self) -> bool {
        *self != RecipeArgs::default()
    }

    /// Puts the flags on top of `train`.
    pub fn apply(&self, train: &mut TrainSection) {
        set(&mut train.lr, &self.lr);
        set(&mut train.lr_schedule, &self.lr_schedule);
        set(&mut train.lr_warmup, &self.lr_warmup);
        set(&mut train.beta, &self.beta);
        set(&mut train.samples, &self.samples);
        set(&mut train.kl_warmup, &self.kl_warmup);
        set(&mut train.free_bits, &self.free_bits);
        set(&mut train.weight_decay, &self.weight_decay);
        set(&mut train.clip_norm, &self.clip_norm);
        set(&mut train.adam_epsilon, &self.adam_epsilon);
        set(&mut train.init, &self.init);
        train.output_bias |= self.output_bias;
        set(&mut train.valid, &self.valid);
        set(&mut train.patience, &self.patience);
        set(&mut train.keep, &self.keep);
        set(&mut train.seed, &self.seed);
        self.precision.apply(train);
        train.stream |= self.stream;
    }
}

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
    /// Passes over the training data [default: 10]
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,
    #[command(flatten)]
    pub recipe: RecipeArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Run directory [default: runs/DATA-MODEL-N with the next free N]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Write into --out even if it holds a run, which is deleted first
    #[arg(long)]
    pub force: bool,
    /// Continue a run from its checkpoint; flags of the model and its training do not go with it
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Save a checkpoint at least every so many steps [default: 0, after each epoch]
    #[arg(long, value_name = "STEPS")]
    pub checkpoint_every: Option<u64>,
    /// Draw curves, samples and reconstructions every so many epochs, and after the last [default: some 100 times in all]
    #[arg(long, value_name = "EPOCHS")]
    pub pictures_every: Option<NonZeroU32>,
    /// When the device is lost, open it again and go on from the last checkpoint
    #[arg(long)]
    pub recover: bool,
    /// Before training, print how long each dispatch of a step takes (on stderr)
    #[arg(long)]
    pub profile: bool,
    /// Measure the fastest kernels for this model first, as `vae-gpu tune` does
    #[arg(long)]
    pub tune: bool,
    /// Write event files for TensorBoard: `tensorboard --logdir runs` then shows all runs
    #[arg(long)]
    pub tensorboard: bool,
    /// How epochs are told on stdout [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Print nothing but the last line
    #[arg(short, long)]
    pub quiet: bool,
}

impl TrainArgs {
    /// Where and how to run: the flags on top of what the file says.
    pub fn run_section(&self, file: &RunSection) -> Result<RunSection> {
        let run = RunSection {
            device: self.device.device.clone().or_else(|| file.device.clone()),
            checked_shaders: self.device.checked_shaders || file.checked_shaders,
            out: self.out.clone().or_else(|| file.out.clone()),
            force: self.force || file.force,
            checkpoint_every: self.checkpoint_every.unwrap_or(file.checkpoint_every),
            pictures_every: self.pictures_every.or(file.pictures_every),
            recover: self.recover || file.recover,
            profile: self.profile || file.profile,
            tune: self.tune || file.tune,
            quiet: self.quiet || file.quiet,
            tensorboard: self.tensorboard || file.tensorboard,
            log_format: self.log_format.or(file.log_format),
        };
        if run.force && run.out.is_none() {
            return Err(Error::Usage("--force: name the run to replace by --out".into()));
        }
        if run.tune && run.log_format == Some(LogFormat::Json) {
            return Err(Error::Usage(
                "--tune prints a table: run `vae-gpu tune` before `train --log-format json`".into(),
            ));
        }
        Ok(run)
    }
}
