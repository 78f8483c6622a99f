//! The training's part of a configuration.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::gpu::{AdapterReport, Gpu};
use crate::kernels::adam;
use crate::kernels::gather::Binarize;
use crate::model::init::{Init, fit_output_bias, initial_weights};
use crate::model::plans::Recipe;
use crate::model::{ModelConfig, Network};
use crate::plan::Target;
use crate::ranks::Shards;
#[cfg(feature = "cli")]
use crate::settings::choice;
use crate::settings::{Range, Section, named, section};
use crate::train::schedule::Schedule;

/// Rows of a batch at most: kernels index with 32 bits.
const MAX_BATCH: usize = 1 << 16;

section! {
    /// The training's part of a [`Config`](super::Config).
    pub struct TrainSection from "train" {
        /// Passes over the training data
        #[arg(long, value_name = "N")]
        epochs: u32 = 10, in Range::at_least(1, "train for at least one epoch");

        /// Images in a batch; all of them where there are fewer and nothing is said
        #[arg(long, value_name = "N")]
        batch_size: usize = 128, in Range::from(1, MAX_BATCH);

        /// Parts of a batch whose gradients are added in a fixed order, so that 1, 2, 4, .. MPI ranks that share them give the same
        /// bits; by default one a rank
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_name = "S")]
        shards: Option<NonZeroU32> = None;

        /// Let `norm batch` measure means and variances over the rows of all MPI ranks together, as PyTorch's SyncBatchNorm does, and not
        /// over each rank's own
        #[arg(long)]
        sync_norm: bool = false;

        /// Learning rate of Adam
        #[arg(long, value_name = "RATE")]
        lr: f32 = 1e-3, in Range::positive("use a positive number, such as 1e-3");

        /// How the rate changes: constant, cosine, burda, steps:20,40 (a tenth from each epoch on), or steps:20,40*0.5 (half)
        #[arg(long, value_name = "SCHEDULE")]
        lr_schedule: Schedule = Schedule::Constant;

        /// Epochs over which the learning rate rises from zero
        #[arg(long, value_name = "EPOCHS")]
        lr_warmup: f64 = 0.0, in Range::NOT_NEGATIVE;

        /// K: samples of z per image, averaged in a vae, importance-weighted in an iwae
        #[arg(long, value_name = "K")]
        samples: usize = 1, in Range::at_least(1, "use one or more");

        /// Weight of the KL term in what is trained (Higgins et al. 2017); the reported ELBO is always the true one
        #[arg(long)]
        beta: f64 = 1.0, in Range::NOT_NEGATIVE;

        /// Epochs over which the weight of the KL term rises from zero
        #[arg(long, value_name = "EPOCHS")]
        kl_warmup: f64 = 0.0, in Range::NOT_NEGATIVE;

        /// Nats of KL that each latent dimension has for free (Kingma et al. 2016)
        #[arg(long, value_name = "NATS")]
        free_bits: f64 = 0.0, in Range::NOT_NEGATIVE;

        /// Decoupled weight decay, as AdamW has it (Loshchilov & Hutter 2019)
        #[arg(long, value_name = "RATE")]
        weight_decay: f64 = 0.0, in Range::NOT_NEGATIVE;

        /// Scale gradients down to this norm where it is larger; 0 sets no limit
        #[arg(long, value_name = "NORM")]
        clip_norm: f64 = 0.0, in Range::NOT_NEGATIVE;

        /// Epsilon of Adam
        #[arg(long, value_name = "EPSILON")]
        adam_epsilon: f64 = 1e-8, in Range::positive("use a positive number, such as 1e-8");

        /// How weights and biases begin
        #[arg(long, value_parser = choice::<Init>())]
        init: Init = Init::Pytorch;

        /// Run whose weights training begins with, where names and shapes agree; its optimiser's state is left behind
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_name = "RUN")]
        init_from: Option<String> = None;

        /// Let the output's bias begin where it fits the training data best by itself
        #[arg(long)]
        output_bias: bool = false;

        /// Share of the training data held out for validation, so that the test data choose nothing
        #[arg(long, value_name = "SHARE")]
        valid: f64 = 0.0, in Range::share(true, "use a share of the training data, such as 0.1");

        /// Stop after so many epochs without a better validation ELBO; 0 never does
        #[arg(long, value_name = "EPOCHS")]
        patience: u32 = 0;

        /// Which weights the run leaves
        #[arg(long, value_parser = choice::<Keep>())]
        keep: Keep = Keep::Last;

        /// Seed of the initial weights, the order of images and every draw
        #[arg(long)]
        seed: u64 = 0;

        /// How grey values become x; by default as the likelihood wants them
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_parser = choice::<Binarize>(), help = binarize_help())]
        binarize: Option<Binarize> = None;

        /// Show the model each picture as it is or mirrored, left for right, by chance: for data where both are as likely
        #[arg(long)]
        flip: bool = false;

        /// Floats of the operands of products and wide convolutions in training; evaluation always has 32 bits
        #[arg(long, value_parser = choice::<Precision>())]
        precision: Precision = Precision::F32;

        /// Stream the data to the device batch by batch even if it fits there; larger data always is
        #[arg(long)]
        stream: bool = false;
    }
}

#[cfg(feature = "cli")]
fn binarize_help() -> String {
    use crate::kernels::likelihood::{Data, names_of};
    let binary = names_of(Data::Binary).join(", ");
    format!("How grey values become x [default: dynamic for {binary}, none for the other likelihoods]")
}

named! {
    /// Which weights a run leaves in its model file.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Keep, default Last {
        /// Those after the last epoch
        Last => "last",
        /// Those of the epoch with the best validation ELBO
        Best => "best",
    }
}

named! {
    /// Floats of the operands of products and wide convolutions; everything else is 32 bits wide, sums too.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Precision {
        /// 32 bits
        F32 => "f32",
        /// 16 bits, which round to 11 binary digits, where the adapter can and is expected to gain by it
        F16 => "f16",
    }
}

impl Precision {
    /// The same or, where an adapter can round to 16 bits but is not expected to be faster with them, 32 bits: what a run trains
    /// with. Benchmarks and tunings measure what they are told to.
    #[doc(hidden)]
    pub fn worthwhile(self, adapter: &AdapterReport) -> Precision {
        match self {
            Precision::F16 if adapter.f16 && !adapter.gains_by_f16() => Precision::F32,
            asked => asked,
        }
    }

    /// What plans with this precision are made for on this device.
    ///
    /// # Errors
    /// [`Error::Setting`] if its shaders have no 16-bit floats.
    #[doc(hidden)]
    pub fn target(self, gpu: &Gpu) -> Result<Target> {
        match self {
            Precision::F32 => Ok(gpu.target()),
            Precision::F16 if gpu.report().f16 => Ok(gpu.report().target_f16()),
            Precision::F16 => {
                let next = "no 16-bit floats in shaders; use `train.precision` = f32 or another `run.device`";
                Err(Error::value(
                    "train.precision",
                    "f16",
                    format_args!("{} has {next}", gpu.report().title()),
                ))
            }
        }
    }
}

impl TrainSection {
    /// Checks the values, and that they go together.
    pub(super) fn validate(&self) -> Result<()> {
        self.check_ranges()?;
        let TrainSection { batch_size, samples, .. } = *self;
        if samples.saturating_mul(batch_size) > MAX_BATCH {
            let most = MAX_BATCH / batch_size;
            let next = format_args!("with batches of {batch_size}, use 1 to {most}");
            return Err(Error::value("train.samples", samples, next));
        }
        Ok(())
    }

    /// Checks that `count` training rows fill a batch, and that the network learns from batches of that size.
    ///
    /// # Errors
    /// [`Error::Setting`], which says what to use.
    #[doc(hidden)]
    pub fn check_batch(&self, network: &Network, count: usize) -> Result<()> {
        let size = self.batch_size;
        let refuse = |next: String| Err(Error::value("train.batch_size", size, next));
        if network.compares_rows() && size.min(count) < 2 {
            let next = match count < 2 {
                true => "and the training data has one: use layers without it",
                false => "use 2 or more",
            };
            let joined = if count < 2 { "," } else { ":" };
            return refuse(format!("`norm batch` compares the rows of a batch{joined} {next}"));
        }
        if size == 0 || size > count {
            let rows = if count == 1 { "row" } else { "rows" };
            return refuse(format!("the training data has only {count} {rows}"));
        }
        Ok(())
    }

    /// Checks that the smallest shard of a whole batch, of `rows` rows, is one that the network learns from.
    pub(in crate::train) fn check_shards(&self, network: &Network, shards: usize, rows: usize) -> Result<()> {
        let size = self.batch_size;
        let refuse = |most: usize, why: &str| {
            let next = format_args!(
                "a batch of {size} rows has {why}; use {most} or fewer, or a larger `train.batch_size`"
            );
            Err(Error::value("train.shards", shards, next))
        };
        match rows {
            0 => refuse(size, "fewer"),
            1 if network.compares_rows() && !self.sync_norm => refuse(
                (size / 2).max(1),
                "one for some of them, and `norm batch` compares the rows of a shard",
            ),
            _ => Ok(()),
        }
    }

    /// Checks that there are means and variances to measure over all of these ranks, if that is wished: each has one shard.
    pub(in crate::train) fn check_sync_norm(
        &self,
        network: &Network,
        shards: Shards,
        ranks: usize,
    ) -> Result<()> {
        if !self.sync_norm {
            return Ok(());
        }
        if !network.compares_rows() {
            let next = "no layer of the model is a `norm batch`: leave it out, or name such a layer in `model.encoder`";
            return Err(Error::value("train.sync_norm", true, next));
        }
        let each = shards.own().len();
        if each == 1 {
            return Ok(());
        }
        let (count, noun) = (shards.count(), if ranks == 1 { "rank" } else { "ranks" });
        let next = format_args!(
            "it needs one shard a rank, and {ranks} {noun} would have {each} of {count} each: start {count} ranks, or use \
             `train.shards` = {ranks}"
        );
        Err(Error::value("train.sync_norm", true, next))
    }

    /// The weights and biases that a training of `network` on `data` begins with.
    ///
    /// # Errors
    /// [`Error::Io`] if the data is in a file that can no longer be read.
    #[doc(hidden)]
    pub fn first_weights(&self, network: &Network, data: &Split) -> Result<Vec<f32>> {
        let mut weights = initial_weights(&network.parameters, self.init, self.seed);
        if self.output_bias {
            fit_output_bias(&network.config, &network.parameters, &mut weights, &data.marginals()?);
        }
        Ok(weights)
    }

    /// Whether something is chosen by validation data, and there are none.
    #[doc(hidden)]
    pub fn lacks_valid(&self, dataset: &Dataset) -> bool {
        (self.patience > 0 || self.keep == Keep::Best) && self.valid == 0.0 && dataset.valid.is_none()
    }

    /// Checks that there are data to choose by where something is chosen, and that not two parts are for that.
    ///
    /// # Errors
    /// [`Error::Setting`], which says what to add or leave out.
    #[doc(hidden)]
    pub fn check_valid(&self, dataset: &Dataset) -> Result<()> {
        let valid = self.valid;
        if valid > 0.0 && dataset.valid.is_some() {
            let next = format_args!("{} has a validation part of its own; leave it out", dataset.name);
            return Err(Error::value("train.valid", valid, next));
        }
        if self.lacks_valid(dataset) {
            let problem = " and `train.keep` = best choose by validation data: add `train.valid` = 0.1";
            return Err(Error::setting("train.patience", problem));
        }
        Ok(())
    }

    /// What a plan must know of it, the data's shape aside: [`Config::recipe`](super::Config::recipe).
    #[doc(hidden)]
    pub fn recipe(&self) -> Recipe {
        let adam = adam::Hyperparameters {
            epsilon: self.adam_epsilon as f32,
            weight_decay: self.weight_decay as f32,
        };
        let (free_bits, clip_norm) = (self.free_bits as f32, self.clip_norm as f32);
        Recipe { free_bits, clip_norm, adam, flip: None, norm_ranks: None }
    }

    /// Whether what is trained is the ELBO itself.
    #[doc(hidden)]
    pub fn trains_the_elbo(&self, model: &ModelConfig) -> bool {
        let plain = self.beta == 1.0 && self.kl_warmup == 0.0 && self.free_bits == 0.0;
        plain && model.family().objective.is_elbo(self.samples)
    }

    /// How grey values become x: as the user says, or as the model's likelihood wants it.
    #[doc(hidden)]
    pub fn binarize(&self, model: &ModelConfig) -> Binarize {
        let fits = || model.likelihood().map_or(Binarize::Dynamic, |likelihood| likelihood.data.binarize());
        self.binarize.unwrap_or_else(fits)
    }
}
