//! The configuration of a run: everything that a run's result depends on.

mod data;
mod fitting;
mod model;
mod run;
mod train;

#[cfg(feature = "cli")]
pub use fitting::Fitting;
pub use model::{AUTO, Condition, ModelSection, Net};
pub use run::{LogFormat, RunSection};
pub use train::{Keep, Precision, TrainSection};

use std::fs;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::{Division, Fingerprint, ReadOptions, Schema, Shape};
use crate::error::{Error, Result};
use crate::kernels::flip::Mirror;
use crate::kernels::gather::Binarize;
use crate::kernels::likelihood::bernoulli::BERNOULLI;
use crate::kernels::likelihood::gaussian_learned::GAUSSIAN_LEARNED;
use crate::kernels::likelihood::{self, Data, LikelihoodSettings};
use crate::model::plans::Recipe;
use crate::model::{Extent, ModelConfig};
use crate::settings::{Named, Section};

/// The newest format of a configuration file. Files of the first format do not name theirs.
const FORMAT: u32 = 3;
/// The first format whose runs divide rows by their numbers.
const BY_ROWS: u32 = 3;

/// Hidden layers at most: more would not train, and a hostile file could name a million.
const MAX_LAYERS: usize = 64;

/// Bytes of a file that are read: the scaling and the names of the widest data that a model takes have room.
const MAX_FILE: u64 = 16 << 20;

/// A run's `config.toml`. Every key may be left out and then has its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file's format; what is read becomes the newest.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The data set: the name of a built-in one, or a path.
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
    pub source: ReadOptions,
    /// The model.
    pub model: ModelSection,
    /// The training.
    pub train: TrainSection,
    /// What the columns of a table hold; taken from the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// What the data looked like, part by part; taken from the data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[doc(hidden)]
    pub fingerprint: Vec<Fingerprint>,
    /// What a file says of this machine; never written.
    #[serde(skip_serializing)]
    pub run: RunSection,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            format: FORMAT,
            data: "mnist".into(),
            shape: None,
            classes: None,
            class_names: Vec::new(),
            columns: Vec::new(),
            source: ReadOptions::default(),
            model: ModelSection::default(),
            train: TrainSection::default(),
            schema: None,
            fingerprint: Vec::new(),
            run: RunSection::default(),
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
        // Of a newer format other keys may be unknown, and the number is what to speak of.
        if let Ok(Version { format }) = toml::from_str(text)
            && !(1..=FORMAT).contains(&format)
        {
            return Err(format!(
                "it has format {format}, and this version of vae-gpu reads formats 1 to {FORMAT}: use a newer version"
            ));
        }
        let mut config: Config = toml::from_str(text).map_err(|e| with_nearest(&e))?;
        // A configuration that knows the data's shape is that of a run.
        if config.format < BY_ROWS && config.shape.is_some() {
            config.source.division = Division::Shuffle;
        }
        config.format = FORMAT;
        // Widths that are named are those of linear layers.
        let named: Names = toml::from_str(text).map_err(|e| e.to_string())?;
        if named.model.contains_key("hidden") && !named.model.contains_key("net") {
            config.model.net = Net::Mlp;
        }
        config.validate().map_err(|e| e.to_string())?;
        Ok(config)
    }

    /// The TOML text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration has only plain values")
    }

    /// The same without the folders of this machine: for files that are given away.
    #[doc(hidden)]
    pub fn portable(&self) -> Config {
        let name = |path: &str| match Path::new(path).file_name() {
            Some(name) if Path::new(path).is_absolute() => name.to_string_lossy().into_owned(),
            _ => path.to_owned(),
        };
        let mut config = self.clone();
        config.data = name(&self.data);
        config.source.test_data = self.source.test_data.as_deref().map(name);
        config.train.init_from = self.train.init_from.as_deref().map(name);
        config
    }

    /// Checks the ranges of all values, and that they go together.
    pub fn validate(&self) -> Result<()> {
        self.train.validate()?;
        self.source.validate()?;
        let layers = self.model.hidden.len();
        if layers > MAX_LAYERS {
            return refuse("model.hidden", format!(" names {layers} layers: use at most {MAX_LAYERS}"));
        }
        self.model.check_ranges()?;
        let model = self.model_config(Shape { width: 1, height: 1, channels: 1 });
        model.validate()?;
        if model.likelihood()?.data == Data::Levels && self.train.binarize(&model) != Binarize::None {
            let problem = "counts the grey levels of the data: use `train.binarize` = none";
            return refuse("model.likelihood", format!(" = {} {problem}", model.likelihood));
        }
        if !self.class_names.is_empty() && self.classes != Some(self.class_names.len()) {
            let (names, classes) = (self.class_names.len(), self.classes.unwrap_or(0));
            return refuse("class_names", format!(" has {names} names, but `classes` is {classes}"));
        }
        let TrainSection { samples, beta, kl_warmup, .. } = self.train;
        let plain = beta == 1.0 && kl_warmup == 0.0;
        model.family().objective.validate(&self.train.recipe(), samples, plain)
    }

    /// What is allowed and hardly wanted.
    pub fn warning(&self) -> Option<String> {
        let model = self.model_config(Shape { width: 1, height: 1, channels: 1 });
        let (name, data) = (&model.likelihood, model.likelihood().ok()?.data);
        match (data, self.train.binarize(&model)) {
            (Data::Binary, Binarize::None) => {
                let others = likelihood::names_of(Data::Grey).join(", ");
                Some(format!("{name} is no likelihood of grey data: use {others}, or `train.binarize`"))
            }
            (Data::Grey, binarize) if binarize != Binarize::None => {
                Some(format!("{name} is a density of grey data: use `train.binarize` = none"))
            }
            _ => {
                let learns = [AUTO, GAUSSIAN_LEARNED.name].contains(&&*self.model.likelihood);
                self.model.variance.filter(|_| !learns).map(|variance| {
                    format!(
                        "{name} has no variance to learn, so `model.variance` = {} does nothing: leave it out, or use \
                         `model.likelihood` = {}",
                        variance.name(),
                        GAUSSIAN_LEARNED.name
                    )
                })
            }
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
            latent_size,
            activation,
            mut likelihood,
            levels,
            components,
            variance,
            ..
        } = self.model.clone();
        if likelihood == AUTO {
            // Until the data is known.
            likelihood = BERNOULLI.name.into();
        }
        let variance = variance.unwrap_or(LikelihoodSettings::DEFAULT.variance);
        let settings = LikelihoodSettings { levels, components, channels: shape.channels.max(1), variance };
        let Shape { width, height, channels } = shape;
        let classes = self.classes.unwrap_or(0);
        let latent_picture = latent_size.map(|size| size.extent(latent));
        ModelConfig {
            input: shape.dim(),
            picture: (!shape.is_table()).then_some(Extent { height, width, channels }),
            hidden,
            encoder,
            decoder,
            latent: latent_picture.map_or(latent, Extent::len),
            latent_picture,
            activation,
            likelihood,
            settings,
            kind,
            classes,
        }
    }

    /// What a plan must know of the training on data of that shape.
    #[doc(hidden)]
    pub fn recipe(&self, Shape { width, channels, .. }: Shape) -> Recipe {
        let flip = self.train.flip.then_some(Mirror { width, channels });
        Recipe { flip, ..self.train.recipe() }
    }

    /// Puts what follows from other values in its place, so that the file says it. What follows from the data waits for
    /// [`Config::adopt`].
    #[doc(hidden)]
    pub fn resolve(&mut self) {
        if self.model.likelihood == AUTO {
            return;
        }
        let model = self.model_config(Shape { width: 1, height: 1, channels: 1 });
        self.train.binarize = Some(self.train.binarize(&model));
        if self.model.likelihood == GAUSSIAN_LEARNED.name {
            self.model.variance = Some(model.settings.variance);
        }
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

fn refuse<T>(key: &'static str, problem: impl Into<String>) -> Result<T> {
    Err(Error::setting(key, problem))
}

/// What every format of the file has.
#[derive(Deserialize)]
struct Version {
    #[serde(default = "first_format")]
    format: u32,
}

/// The keys of the model that a file names.
#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    model: toml::Table,
}

fn first_format() -> u32 {
    1
}

#[cfg(test)]
mod tests;
