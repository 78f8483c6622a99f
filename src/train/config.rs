//! The configuration of a run: everything that a run's result depends on.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::{self, Dataset, Shape};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernels::activation::Activation;
use crate::kernels::gather::Binarize;
use crate::kernels::likelihood::{self, Data, Settings, Variance};
use crate::model::ModelConfig;
use crate::plan::Target;

use super::schedule::Schedule;

/// Rows of a batch at most: kernels index with 32 bits.
const MAX_BATCH: usize = 1 << 16;

/// Hidden layers at most: more would not train, and a hostile file could name a million.
const MAX_LAYERS: usize = 64;

/// A run's `config.toml`. Every key may be left out and then has its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data set, as `--data` names it.
    pub data: String,
    /// Width, height and channels of an image; taken from the data. A row of a table is one pixel high.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<[usize; 3]>,
    /// How the data is read.
    pub source: data::Options,
    /// The model.
    pub model: ModelSection,
    /// The training.
    pub train: TrainSection,
}

/// The model's part of a [`Config`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSection {
    /// Widths of the encoder's hidden layers; the decoder mirrors them.
    pub hidden: Vec<usize>,
    /// Dimensions of the latent space.
    pub latent: usize,
    /// Nonlinearity of the hidden layers.
    pub activation: Activation,
    /// Name of p(x|z).
    pub likelihood: String,
    /// Grey levels of the likelihood `categorical`.
    pub levels: usize,
    /// Where the variance of the likelihood `gaussian-learned` comes from.
    pub variance: Variance,
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
    /// Weight of the KL term in the trained objective (Higgins et al. 2017); what is reported always has weight 1.
    pub beta: f64,
    /// Epochs over which the weight of the KL term rises linearly from zero.
    pub kl_warmup: f64,
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
            Precision::F16 if gpu.report().f16 => Ok(Target { f16: true, ..gpu.target() }),
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
            source: data::Options::default(),
            model: ModelSection::default(),
            train: TrainSection::default(),
        }
    }
}

impl Default for ModelSection {
    fn default() -> Self {
        ModelSection {
            hidden: vec![400],
            latent: 20,
            activation: Activation::Relu,
            likelihood: "bernoulli".into(),
            levels: Settings::DEFAULT.levels,
            variance: Settings::DEFAULT.variance,
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
            kl_warmup: 0.0,
            precision: Precision::F32,
            stream: false,
        }
    }
}

impl Config {
    /// Reads a TOML file.
    pub fn read(path: &Path) -> Result<Config> {
        let text = fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
        Self::parse(&text).map_err(|problem| {
            Error::file(path, problem, "see the config.toml of any run for the keys and their values")
        })
    }

    /// Reads TOML, checking keys and values.
    pub fn parse(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|e| e.to_string())?;
        config.validate().map_err(|e| e.to_string())?;
        Ok(config)
    }

    /// The TOML text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration has only plain values")
    }

    /// Checks the ranges of all values.
    pub fn validate(&self) -> Result<()> {
        let TrainSection { epochs, batch_size, lr, .. } = self.train;
        if epochs == 0 {
            return Err(Error::Usage("--epochs 0: train for at least one epoch".into()));
        }
        if !(1..=MAX_BATCH).contains(&batch_size) {
            return Err(Error::Usage(format!("--batch-size {batch_size}: use 1 to {MAX_BATCH}")));
        }
        let TrainSection { lr_warmup, beta, kl_warmup, .. } = self.train;
        for (flag, value) in [("--lr-warmup", lr_warmup), ("--beta", beta), ("--kl-warmup", kl_warmup)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::Usage(format!("{flag} {value}: use a number that is not negative")));
            }
        }
        if !(lr.is_finite() && lr > 0.0) {
            return Err(Error::Usage(format!("--lr {lr}: use a positive number, such as 1e-3")));
        }
        self.source.validate()?;
        let layers = self.model.hidden.len();
        if layers > MAX_LAYERS {
            return Err(Error::Usage(format!("--hidden names {layers} layers: use at most {MAX_LAYERS}")));
        }
        let model = self.model_config(Shape { width: 1, height: 1, channels: 1 });
        model.validate()?;
        if model.likelihood()?.data == Data::Levels && self.train.binarize(&model) != Binarize::None {
            return Err(Error::Usage(format!(
                "--likelihood {} counts the grey levels of the data: use --binarize none",
                model.likelihood
            )));
        }
        Ok(())
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

    /// Takes over what only the data says: its shape, and the scaling of its values.
    pub fn adopt(&mut self, dataset: &Dataset) {
        let Shape { width, height, channels } = dataset.shape;
        self.shape = Some([width, height, channels]);
        self.source.scaling.clone_from(&dataset.scaling);
    }

    /// Checks that the data is what the likelihood is for.
    ///
    /// # Errors
    /// [`Error::Usage`] if it wants values in 0..1, or draws from them, and the data has others.
    pub fn check_data(&self, dataset: &Dataset) -> Result<()> {
        let model = self.model_config(dataset.shape);
        let likelihood = model.likelihood()?;
        let binarized = self.train.binarize(&model) != Binarize::None;
        if dataset.unit || !(likelihood.bounded || binarized) {
            return Ok(());
        }
        let unbounded: Vec<_> = likelihood::TABLE.iter().filter(|l| !l.bounded).map(|l| l.name).collect();
        let why = match likelihood.bounded {
            true => format!("--likelihood {} is of values in 0..1", likelihood.name),
            false => "--binarize draws with values in 0..1".to_owned(),
        };
        // What was standardised may have been in 0..1 before.
        let before = dataset.summary.as_ref().map(data::Summary::range);
        let scale = match before {
            Some((min, max)) if min >= 0.0 && max <= 1.0 => "none",
            _ => "minmax",
        };
        Err(Error::Usage(format!(
            "{why}, but {} has others\n  use --likelihood {} without --binarize, or --scale {scale}",
            dataset.name,
            unbounded.join(" or ")
        )))
    }

    /// The image's shape, once the data is known.
    pub fn image_shape(&self) -> Option<Shape> {
        self.shape.map(|[width, height, channels]| Shape { width, height, channels })
    }

    /// The model for images of that shape.
    pub fn model_config(&self, shape: Shape) -> ModelConfig {
        let ModelSection { hidden, latent, activation, likelihood, levels, variance } = self.model.clone();
        let settings = Settings { levels, variance };
        ModelConfig { input: shape.dim(), hidden, latent, activation, likelihood, settings }
    }

    /// Puts what follows from other values in its place, so that the file says it.
    pub fn resolve(&mut self) {
        let model = self.model_config(Shape { width: 1, height: 1, channels: 1 });
        self.train.binarize = Some(self.train.binarize(&model));
    }
}

impl TrainSection {
    /// How grey values become x: as the user says, or as the model's likelihood wants it.
    pub fn binarize(&self, model: &ModelConfig) -> Binarize {
        let fits = || model.likelihood().map_or(Binarize::Dynamic, |likelihood| likelihood.data.binarize());
        self.binarize.unwrap_or_else(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_round_trips() {
        let mut config = Config { shape: Some([28, 28, 1]), ..Config::default() };
        config.train.seed = u64::from(u32::MAX) + 1;
        config.model.hidden = vec![512, 256];
        assert_eq!(Config::parse(&config.to_toml()).unwrap(), config);
    }

    #[test]
    fn missing_keys_have_defaults() {
        assert_eq!(Config::parse("").unwrap(), Config::default());
        assert_eq!(Config::parse("[model]\nlatent = 2\n").unwrap().model.latent, 2);
    }

    #[test]
    fn the_likelihood_decides_how_grey_values_become_x() {
        let parse = |model: &str, train: &str| {
            Config::parse(&format!("[model]\nlikelihood = \"{model}\"\n[train]\n{train}\n"))
        };
        for (model, expected) in [
            ("bernoulli", Binarize::Dynamic),
            ("continuous-bernoulli", Binarize::None),
            ("gaussian", Binarize::None),
            ("gaussian-learned", Binarize::None),
            ("categorical", Binarize::None),
        ] {
            let mut config = parse(model, "").unwrap();
            config.resolve();
            assert_eq!((config.train.binarize, config.warning()), (Some(expected), None), "{model}");
            assert_eq!(Config::parse(&config.to_toml()).unwrap(), config);
        }
        let warning = parse("bernoulli", "binarize = \"none\"").unwrap().warning().unwrap();
        assert!(
            warning
                .starts_with("bernoulli is no likelihood of grey data: use continuous-bernoulli, gaussian")
        );
        assert!(warning.ends_with("or --binarize"), "{warning}");
        assert!(parse("gaussian", "binarize = \"fixed\"").unwrap().warning().is_some());
        let message = parse("categorical", "binarize = \"fixed\"").unwrap_err();
        assert!(message.contains("use --binarize none"), "{message}");
    }

    #[test]
    fn settings_are_checked_where_the_likelihood_uses_them() {
        let parse = |name: &str, levels: usize| {
            Config::parse(&format!("[model]\nlikelihood = \"{name}\"\nlevels = {levels}\n"))
        };
        for levels in [0, 1, 257, usize::MAX >> 1] {
            let message = parse("categorical", levels).unwrap_err();
            assert!(message.contains(&format!("--levels {levels}: use 2 to 256")), "{message}");
            assert!(parse("gaussian", levels).is_ok());
        }
        assert_eq!(parse("categorical", 256).unwrap().model.levels, 256);
        assert!(Config::parse("[model]\nvariance = \"none\"\n").unwrap_err().contains("global"));
    }

    #[test]
    fn unknown_keys_and_bad_values_are_errors() {
        assert!(Config::parse("[model]\nlatnet = 2\n").unwrap_err().contains("latnet"));
        assert!(Config::parse("[train]\nbatch_size = 0\n").unwrap_err().contains("--batch-size"));
        assert!(Config::parse("[train]\nlr = -1.0\n").unwrap_err().contains("--lr"));
        assert!(Config::parse("[model]\nhidden = []\n").unwrap_err().contains("--hidden"));
        assert!(Config::parse("[model]\nlikelihood = \"poisson\"\n").unwrap_err().contains("bernoulli"));
    }
}
