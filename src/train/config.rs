//! The configuration of a run: everything that a run's result depends on.

mod data;
mod run;

pub use run::{LogFormat, RunSection};

use std::fs;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::{Options, Shape};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernels::activation::Activation;
use crate::kernels::adam;
use crate::kernels::gather::Binarize;
use crate::kernels::likelihood::{self, Data, Settings, Variance};
use crate::model::init::Init;
use crate::model::plans::Recipe;
use crate::model::{Layers, ModelConfig};
use crate::plan::Target;

use super::schedule::Schedule;

/// Rows of a batch at most: kernels index with 32 bits.
const MAX_BATCH: usize = 1 << 16;

/// Hidden layers at most: more would not train, and a hostile file could name a million.
const MAX_LAYERS: usize = 64;

/// Bytes of a file that are read: the scaling and the names of the widest data that a model takes have room.
const MAX_FILE: u64 = 16 << 20;

/// A run's `config.toml`. Every key may be left out and then has its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data set, as `--data` names it.
    pub data: String,
    /// Width, height and channels of an image; taken from the data. A row of a table is one pixel high.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<[usize; 3]>,
    /// Number of classes, where the model is told the labels; taken from the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// What these classes are called, where they are not called by their numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// Names of a table's columns, where they have names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// How the data is read.
    pub source: Options,
    /// The model.
    pub model: ModelSection,
    /// The training.
    pub train: TrainSection,
    /// What a file says of this machine; never written.
    #[serde(skip_serializing)]
    pub run: RunSection,
}

/// The model's part of a [`Config`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSection {
    /// Name of a combination of latent, prior and objective: vae, iwae or ae.
    pub kind: String,
    /// Widths of the encoder's hidden layers; the decoder mirrors them. Without a meaning where `encoder` names the layers.
    pub hidden: Vec<usize>,
    /// The encoder's layers, such as "linear 400, residual(linear 400)".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<Layers>,
    /// The decoder's layers, where they do not mirror the encoder's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<Layers>,
    /// Dimensions of the latent space.
    pub latent: usize,
    /// Activation of the layers that name none.
    pub activation: Activation,
    /// Name of p(x|z).
    pub likelihood: String,
    /// Grey levels of the likelihood `categorical`.
    pub levels: usize,
    /// Where the variance of the likelihood `gaussian-learned` comes from.
    pub variance: Variance,
    /// What else encoder and decoder are told of a datum.
    pub condition: Condition,
}

/// What encoder and decoder are told of a datum beside the datum itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Nothing
    #[default]
    None,
    /// Its label, one-hot (Sohn et al. 2015): samples can then be asked for by label
    Labels,
}

/// Which weights a run leaves in its model file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Those after the last epoch
    #[default]
    Last,
    /// Those of the epoch with the best validation ELBO
    Best,
}

/// The training's part of a [`Config`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSection {
    /// Passes over the training data.
    pub epochs: u32,
    /// Rows of a batch.
    pub batch_size: usize,
    /// Adam's learning rate (alpha).
    pub lr: f32,
    /// How the learning rate changes over the epochs.
    pub lr_schedule: Schedule,
    /// Epochs over which the learning rate rises linearly from zero.
    pub lr_warmup: f64,
    /// K: samples of z a datum.
    pub samples: usize,
    /// Weight of the KL term in the trained objective (Higgins et al. 2017); what is reported always has weight 1.
    pub beta: f64,
    /// Epochs over which the weight of the KL term rises linearly from zero.
    pub kl_warmup: f64,
    /// Nats below which the KL of a latent dimension is not pressed (Kingma et al. 2016).
    pub free_bits: f64,
    /// Decoupled weight decay (Loshchilov & Hutter 2019).
    pub weight_decay: f64,
    /// The gradient's norm at most; 0 without a limit.
    pub clip_norm: f64,
    /// Added to the root of Adam's second moment.
    pub adam_epsilon: f64,
    /// How weights and biases begin.
    pub init: Init,
    /// Let the output's bias begin where it fits the data best by itself.
    pub output_bias: bool,
    /// Share of the training data that is kept for validation.
    pub valid: f64,
    /// Epochs without a better validation ELBO after which training stops; 0 never.
    pub patience: u32,
    /// Which weights the run leaves.
    pub keep: Keep,
    /// Seed of initial weights, epoch order and every draw on the device.
    pub seed: u64,
    /// How grey values become x; none where that follows from the likelihood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binarize: Option<Binarize>,
    /// Floats of the products' operands.
    pub precision: Precision,
    /// Send rows with every submission even if the data would fit on the device.
    pub stream: bool,
}

/// Floats of the products' operands; everything else is 32 bits wide, sums too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits
    F32,
    /// 16 bits, where the adapter can: faster on real cards, and a little wrong
    F16,
}

impl Precision {
    /// What plans are made for on this device.
    pub fn target(self, gpu: &Gpu) -> Result<Target> {
        match self {
            Precision::F32 => Ok(gpu.target()),
            Precision::F16 if gpu.report().f16 => Ok(gpu.report().target_f16()),
            Precision::F16 => Err(Error::Usage(format!(
                "--precision f16: {} has no 16-bit floats in shaders; use --precision f32 or another --device",
                gpu.report().title()
            ))),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data: "mnist".into(),
            shape: None,
            classes: None,
            class_names: Vec::new(),
            columns: Vec::new(),
            source: Options::default(),
            model: ModelSection::default(),
            train: TrainSection::default(),
            run: RunSection::default(),
        }
    }
}

impl Default for ModelSection {
    fn default() -> Self {
        let ModelConfig { hidden, encoder, decoder, latent, activation, likelihood, settings, kind, .. } =
            ModelConfig::default();
        let Settings { levels, variance } = settings;
        let condition = Condition::None;
        ModelSection {
            kind,
            hidden,
            encoder,
            decoder,
            latent,
            activation,
            likelihood,
            levels,
            variance,
            condition,
        }
    }
}

impl Default for TrainSection {
    fn default() -> Self {
        TrainSection {
            epochs: 10,
            batch_size: 128,
            lr: 1e-3,
            seed: 0,
            binarize: None,
            lr_schedule: Schedule::Constant,
            lr_warmup: 0.0,
            beta: 1.0,
            samples: 1,
            kl_warmup: 0.0,
            free_bits: 0.0,
            weight_decay: 0.0,
            clip_norm: 0.0,
            adam_epsilon: 1e-8,
            init: Init::Pytorch,
            output_bias: false,
            valid: 0.0,
            patience: 0,
            keep: Keep::Last,
            precision: Precision::F32,
            stream: false,
        }
    }
}

impl Config {
    /// Reads a TOML file.
    pub fn read(path: &Path) -> Result<Config> {
        let unreadable = |e| Error::io("read", path, e);
        let mut text = String::new();
        fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE).read_to_string(&mut text))
            .map_err(unreadable)?;
        Self::parse(&text).map_err(|problem| {
            Error::file(path, problem, "see the config.toml of any run for the keys and their values")
        })
    }

    /// Reads TOML, checking keys and values.
    pub fn parse(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|e| with_nearest(&e))?;
        config.validate().map_err(|e| e.to_string())?;
        Ok(config)
    }

    /// The TOML text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration has only plain values")
    }

    /// Checks the ranges of all values, and that they go together.
    pub fn validate(&self) -> Result<()> {
        self.train.validate()?;
        self.source.validate()?;
        let layers = self.model.hidden.len();
        if layers > MAX_LAYERS {
            return usage(format!("--hidden names {layers} layers: use at most {MAX_LAYERS}"));
        }
        let model = self.model_config(Shape { width: 1, height: 1, channels: 1 });
        model.validate()?;
        if model.likelihood()?.data == Data::Levels && self.train.binarize(&model) != Binarize::None {
            return usage(format!(
                "--likelihood {} counts the grey levels of the data: use --binarize none",
                model.likelihood
            ));
        }
        if !self.class_names.is_empty() && self.classes != Some(self.class_names.len()) {
            return usage(format!(
                "class_names has {} names, but classes is {}",
                self.class_names.len(),
                self.classes.unwrap_or(0)
            ));
        }
        let TrainSection { samples, beta, kl_warmup, .. } = self.train;
        let objective = model.family().objective;
        let plain = beta == 1.0 && kl_warmup == 0.0;
        objective.validate(&self.train.recipe(), samples, plain).map_err(Error::Usage)
    }

    /// What is allowed and hardly wanted.
    pub fn warning(&self) -> Option<String> {
        let model = self.model_config(Shape { width: 1, height: 1, channels: 1 });
        let (name, data) = (&model.likelihood, model.likelihood().ok()?.data);
        match (data, self.train.binarize(&model)) {
            (Data::Binary, Binarize::None) => {
                let others = likelihood::names_of(Data::Grey).join(", ");
                Some(format!("{name} is no likelihood of grey data: use {others}, or --binarize"))
            }
            (Data::Grey, binarize) if binarize != Binarize::None => {
                Some(format!("{name} is a density of grey data: use --binarize none"))
            }
            _ => None,
        }
    }

    /// The image's shape, once the data is known.
    pub fn image_shape(&self) -> Option<Shape> {
        self.shape.map(|[width, height, channels]| Shape { width, height, channels })
    }

    /// The model for images of that shape.
    pub fn model_config(&self, shape: Shape) -> ModelConfig {
        let ModelSection {
            kind,
            hidden,
            encoder,
            decoder,
            latent,
            activation,
            likelihood,
            levels,
            variance,
            ..
        } = self.model.clone();
        let settings = Settings { levels, variance };
        let classes = self.classes.unwrap_or(0);
        ModelConfig {
            input: shape.dim(),
            hidden,
            encoder,
            decoder,
            latent,
            activation,
            likelihood,
            settings,
            kind,
            classes,
        }
    }

    /// Puts what follows from other values in its place, so that the file says it.
    pub fn resolve(&mut self) {
        let model = self.model_config(Shape { width: 1, height: 1, channels: 1 });
        self.train.binarize = Some(self.train.binarize(&model));
    }
}

/// What Rust calls the kinds of numbers, and what everyone else does.
const NUMBERS: [(&str, &str); 5] = [
    ("usize", "a whole number that is not negative"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number that is not negative"),
    ("f32", "a number"),
    ("f64", "a number"),
];

/// What is wrong with a file and, where a name is unknown, the known one that is nearest to it.
fn with_nearest(error: &toml::de::Error) -> String {
    let mut text = error.to_string().trim_end().to_owned();
    for (theirs, plain) in NUMBERS {
        text = text.replace(&format!(", expected {theirs}"), &format!(", expected {plain}"));
    }
    // serde says: unknown field `latnet`, expected one of `hidden`, `latent`
    let names: Vec<&str> = error.message().split('`').skip(1).step_by(2).collect();
    let [unknown, known @ ..] = &names[..] else { return text };
    let distance = |name: &&&str| strsim::damerau_levenshtein(unknown, name);
    match known.iter().min_by_key(distance) {
        Some(nearest) if error.message().starts_with("unknown ") => {
            format!("{text}\n  the nearest known name is `{nearest}`")
        }
        _ => text,
    }
}

fn usage<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::Usage(message.into()))
}

impl TrainSection {
    fn validate(&self) -> Result<()> {
        let TrainSection { epochs, batch_size, samples, lr, adam_epsilon, valid, .. } = *self;
        if epochs == 0 {
            return usage("--epochs 0: train for at least one epoch");
        }
        if !(1..=MAX_BATCH).contains(&batch_size) {
            return usage(format!("--batch-size {batch_size}: use 1 to {MAX_BATCH}"));
        }
        if samples == 0 || samples.saturating_mul(batch_size) > MAX_BATCH {
            let most = MAX_BATCH / batch_size;
            return usage(format!("--samples {samples}: with batches of {batch_size}, use 1 to {most}"));
        }
        for (flag, value) in [
            ("--lr-warmup", self.lr_warmup),
            ("--beta", self.beta),
            ("--kl-warmup", self.kl_warmup),
            ("--free-bits", self.free_bits),
            ("--weight-decay", self.weight_decay),
            ("--clip-norm", self.clip_norm),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return usage(format!("{flag} {value}: use a number that is not negative"));
            }
        }
        if !(lr.is_finite() && lr > 0.0) {
            return usage(format!("--lr {lr}: use a positive number, such as 1e-3"));
        }
        if !(adam_epsilon.is_finite() && adam_epsilon > 0.0) {
            return usage(format!("--adam-epsilon {adam_epsilon}: use a positive number, such as 1e-8"));
        }
        if !(0.0..1.0).contains(&valid) {
            return usage(format!("--valid {valid}: use a share of the training data, such as 0.1"));
        }
        if valid == 0.0 && (self.patience > 0 || self.keep == Keep::Best) {
            return usage("--patience and --keep best choose by validation data: add --valid 0.1");
        }
        Ok(())
    }

    /// What a plan must know of it.
    pub fn recipe(&self) -> Recipe {
        let adam = adam::Hyperparameters {
            epsilon: self.adam_epsilon as f32,
            weight_decay: self.weight_decay as f32,
        };
        Recipe { free_bits: self.free_bits as f32, clip_norm: self.clip_norm as f32, adam }
    }

    /// Whether what is trained is the ELBO itself.
    pub fn trains_the_elbo(&self, model: &ModelConfig) -> bool {
        let plain = self.beta == 1.0 && self.kl_warmup == 0.0 && self.free_bits == 0.0;
        plain && model.family().objective.is_elbo(self.samples)
    }

    /// How grey values become x: as the user says, or as the model's likelihood wants it.
    pub fn binarize(&self, model: &ModelConfig) -> Binarize {
        let fits = || model.likelihood().map_or(Binarize::Dynamic, |likelihood| likelihood.data.binarize());
        self.binarize.unwrap_or_else(fits)
    }
}

#[cfg(test)]
mod tests;
