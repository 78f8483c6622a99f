//! The flags that make a model.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::source::{DataArgs, data_help};
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::kernels::gather::Binarize;
use crate::kernels::likelihood::{self, Data, Variance};
use crate::model::{FAMILIES, Layers};
use crate::train::Config;
use crate::train::config::{Condition, Precision, TrainSection};
use crate::train::presets;

/// What makes a model and its training. A flag that is not given leaves the value of --config, or the default.
#[derive(Clone, Debug, Default, Args)]
pub struct ModelArgs {
    // The help follows from the table of formats.
    #[arg(long, value_name = "SOURCE", help = data_help())]
    pub data: Option<String>,
    /// What is trained [default: vae]
    #[arg(long = "model", value_name = "MODEL", value_parser = PossibleValuesParser::new(families()))]
    pub kind: Option<String>,
    #[command(flatten)]
    pub source: DataArgs,
    /// Widths of the encoder's hidden layers, such as 512,256; the decoder mirrors them [default: 400]
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',')]
    pub hidden: Option<Vec<usize>>,
    /// The encoder's layers, such as "linear 400, linear 200 tanh, residual(linear 200)", in place of --hidden
    #[arg(long, value_name = "LAYERS", conflicts_with = "hidden")]
    pub encoder: Option<Layers>,
    /// The decoder's layers, where they do not mirror the encoder's
    #[arg(long, value_name = "LAYERS")]
    pub decoder: Option<Layers>,
    /// Dimensions of the latent space [default: 20]
    #[arg(long, value_name = "Z")]
    pub latent: Option<usize>,
    /// Nonlinearity of the hidden layers [default: relu]
    #[arg(long, value_enum)]
    pub activation: Option<Activation>,
    /// The decoder's distribution p(x|z) [default: bernoulli]
    #[arg(long, value_parser = PossibleValuesParser::new(likelihoods()))]
    pub likelihood: Option<String>,
    /// Grey levels of the categorical likelihood, 2 to 256 [default: 16]
    #[arg(long, value_name = "C")]
    pub levels: Option<usize>,
    /// Where the variance of the gaussian-learned likelihood comes from [default: global]
    #[arg(long, value_enum)]
    pub variance: Option<Variance>,
    /// What encoder and decoder are told beside the image [default: none]
    #[arg(long, value_enum)]
    pub condition: Option<Condition>,
    /// Images in a batch [default: 128]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    // The help follows from the table of likelihoods.
    #[arg(long, value_enum, help = binarize_help())]
    pub binarize: Option<Binarize>,
    /// A TOML file whose values are used where no flag is given: the config.toml of a run, and a part [run] for flags
    /// such as device and out
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub config: Option<PathBuf>,
    /// A published recipe whose values are used where no flag is given; `vae-gpu presets` tells of each
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(presets::TABLE.iter().map(|p| p.name)))]
    pub preset: Option<String>,
    /// Multiply the epochs of --preset by this [default: 1]
    #[arg(long, value_name = "FACTOR", requires = "preset")]
    pub scale: Option<f64>,
}

/// The families of models with a line of help each.
fn families() -> impl Iterator<Item = PossibleValue> {
    FAMILIES.iter().map(|family| PossibleValue::new(family.name).help(family.about))
}

/// The likelihoods with a line of help each.
fn likelihoods() -> impl Iterator<Item = PossibleValue> {
    likelihood::TABLE.iter().map(|l| PossibleValue::new(l.name).help(l.about))
}

fn binarize_help() -> String {
    let binary = likelihood::names_of(Data::Binary).join(", ");
    format!("How grey values become x [default: dynamic for {binary}, none for the other likelihoods]")
}

impl ModelArgs {
    /// Whether any flag is given.
    pub fn any(&self) -> bool {
        let ModelArgs {
            data,
            kind,
            source,
            hidden,
            encoder,
            decoder,
            latent,
            activation,
            likelihood,
            levels,
            variance,
            condition,
            batch_size,
            binarize,
            config,
            preset,
            scale,
        } = self;
        data.is_some()
            || kind.is_some()
            || condition.is_some()
            || *source != DataArgs::default()
            || hidden.is_some()
            || encoder.is_some()
            || decoder.is_some()
            || latent.is_some()
            || activation.is_some()
            || likelihood.is_some()
            || levels.is_some()
            || variance.is_some()
            || batch_size.is_some()
            || binarize.is_some()
            || config.is_some()
            || preset.is_some()
            || scale.is_some()
    }

    /// The file's values, or the defaults, with the flags on top.
    pub fn resolve(&self) -> Result<Config> {
        let mut config = match (&self.config, self.preset.as_deref().and_then(presets::find)) {
            (Some(file), _) => Config::read(file)?,
            (None, Some(preset)) => preset.scaled(self.scale.unwrap_or(1.0))?,
            (None, None) => Config::default(),
        };
        set(&mut config.data, &self.data);
        set(&mut config.model.kind, &self.kind);
        set(&mut config.model.condition, &self.condition);
        self.source.apply(&mut config.source);
        if self.hidden.is_some() {
            // The widths take the place of the layers that a file names.
            (config.model.encoder, config.model.decoder) = (None, None);
        }
        set(&mut config.model.hidden, &self.hidden);
        config.model.encoder = self.encoder.clone().or(config.model.encoder);
        config.model.decoder = self.decoder.clone().or(config.model.decoder);
        set(&mut config.model.latent, &self.latent);
        set(&mut config.model.activation, &self.activation);
        set(&mut config.model.likelihood, &self.likelihood);
        set(&mut config.model.levels, &self.levels);
        set(&mut config.model.variance, &self.variance);
        set(&mut config.train.batch_size, &self.batch_size);
        config.train.binarize = self.binarize.or(config.train.binarize);
        config.resolve();
        Ok(config)
    }
}

/// Overwrites `value` where a flag was given.
pub fn set<T: Clone>(value: &mut T, flag: &Option<T>) {
    if let Some(flag) = flag {
        value.clone_from(flag);
    }
}

/// The precision of products in training.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct PrecisionArgs {
    /// Floats of the products' operands in training; evaluation always has 32 bits [default: f32]
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
}

impl PrecisionArgs {
    /// Puts the flag on top of `train`.
    pub fn apply(&self, train: &mut TrainSection) {
        set(&mut train.precision, &self.precision);
    }
}
