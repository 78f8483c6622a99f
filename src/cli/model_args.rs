//! The flags that make a model.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::flags::{Flags, Keys};
use super::source::{DataArgs, data_help};
use crate::error::{Error, Result};
use crate::train::Config;
use crate::train::config::{ModelSection, Net, TrainSection};
use crate::train::presets;

/// What makes a model and its data. A flag that is not given leaves the value of --config, or the default.
#[derive(Clone, Debug, Default, Args)]
pub struct ModelArgs {
    // The help follows from the table of formats.
    #[arg(long, value_name = "SOURCE", help = data_help())]
    pub data: Option<String>,
    #[command(flatten)]
    pub source: DataArgs,
    #[command(flatten)]
    pub model: Flags<ModelSection>,
    /// A TOML file whose values are used where no flag is given: the config.toml of a run, and a part [run] for flags
    /// such as device and out
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub config: Option<PathBuf>,
    /// A published recipe whose values are used where no flag is given; `vae-gpu presets` tells of each
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(presets::TABLE.iter().map(|p| p.name)))]
    pub preset: Option<String>,
    /// Multiply the epochs of --preset by this [default: 1]
    #[arg(long = "scale", value_name = "FACTOR", requires = "preset")]
    pub preset_scale: Option<f64>,
}

impl ModelArgs {
    /// Whether any flag is given.
    pub fn any(&self) -> bool {
        self.data.is_some() || self.source.any() || !self.given_but_data().is_empty()
    }

    /// The flags that are given, apart from those that say where the data is.
    pub fn given_but_data(&self) -> Vec<String> {
        let ModelArgs { data: _, source, model, config, preset, preset_scale } = self;
        let others = [
            (config.is_some(), "--config"),
            (preset.is_some(), "--preset"),
            (preset_scale.is_some(), "--scale"),
        ];
        let others = others.into_iter().filter(|(given, _)| *given).map(|(_, flag)| flag.to_owned());
        source.given_but(&["test_data"]).into_iter().chain(model.given_but(&[])).chain(others).collect()
    }

    /// The file's values, or the defaults, with the flags of the model, the data and the training on top.
    pub fn resolve<K>(&self, train: &Flags<TrainSection, K>) -> Result<Config> {
        let mut config = match (&self.config, self.preset.as_deref().and_then(presets::find)) {
            (Some(file), _) => Config::read(file)?,
            (None, Some(preset)) => preset.scaled(self.preset_scale.unwrap_or(1.0))?,
            (None, None) => Config::default(),
        };
        if let Some(data) = &self.data {
            config.data.clone_from(data);
        }
        self.source.apply(&mut config.source);
        if self.model.has("hidden") {
            // The widths take the place of the layers that a file names.
            (config.model.encoder, config.model.decoder) = (None, None);
            config.model.net = Net::Mlp;
        }
        if self.model.has("net") {
            // So does the kind of network.
            (config.model.encoder, config.model.decoder) = (None, None);
        }
        self.model.apply(&mut config.model);
        if self.model.has("hidden") && [Net::Conv, Net::Resnet].contains(&config.model.net) {
            return Err(Error::Usage(
                "--hidden names the widths of linear layers: leave it out, or name the layers with --encoder"
                    .into(),
            ));
        }
        train.apply(&mut config.train);
        config.resolve();
        Ok(config)
    }
}

/// The settings of training that shape the plan of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlanKeys;

impl Keys for PlanKeys {
    const KEYS: Option<&'static [&'static str]> =
        Some(&["batch_size", "samples", "free_bits", "clip_norm", "binarize", "precision", "stream"]);
}

/// A model and the plan of its training step.
#[derive(Clone, Debug, Default, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub train: Flags<TrainSection, PlanKeys>,
}

impl PlanArgs {
    /// Whether any flag is given but that of the precision.
    pub fn any(&self) -> bool {
        self.model.any() || self.train.any_but(&["precision"])
    }

    /// The file's values, or the defaults, with the flags on top.
    pub fn resolve(&self) -> Result<Config> {
        self.model.resolve(&self.train)
    }
}
