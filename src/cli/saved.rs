//! Opening a trained run for the commands that use it.

use std::path::Path;
use std::sync::Arc;

use super::common_args::{DeviceArgs, SplitArg};
use super::latent_args::{Pick, SourceArgs};
use super::output::talk;
use super::source;
use crate::data::{self, Colour, Dataset, ReadOptions, Scale, Shape, Size, Split};
use crate::error::{Error, Result};
use crate::evaluate::{Encoder, Inference, Runner};
use crate::gpu::Gpu;
use crate::kernels::gather::Binarize;
use crate::model::ModelConfig;
use crate::run::RunDir;
use crate::train::{Config, files};

/// A trained model and its device.
pub struct Saved {
    pub config: Config,
    pub model: ModelConfig,
    pub shape: Shape,
    pub parameters: Vec<f32>,
    pub gpu: Arc<Gpu>,
}

impl Saved {
    /// Loads the model of a run and opens the device.
    pub fn open(run: &Path, device: &DeviceArgs) -> Result<Saved> {
        let dir = RunDir::open(run)?;
        let path = dir.model();
        if !path.exists() {
            let next = match dir.checkpoint().exists() {
                true => format!("finish the run first: vae-gpu train --resume {}", run.display()),
                false => "it has no checkpoint either: train again".to_owned(),
            };
            return Err(Error::file(path, "there is no model: no epoch of the run has ended", next));
        }
        let (config, _, parameters) = files::load_model(&path)?;
        let shape = config.image_shape().ok_or_else(|| {
            Error::file(&path, "does not name the data's shape", "train again with this version of vae-gpu")
        })?;
        let model = config.model_config(shape);
        let gpu = device.open()?;
        Ok(Saved { config, model, shape, parameters, gpu })
    }

    /// The same for a command that draws data: it must be pictures.
    pub fn open_pictures(run: &Path, device: &DeviceArgs) -> Result<Saved> {
        let saved = Saved::open(run, device)?;
        if !saved.shape.is_picture() {
            return Err(Error::Usage(format!(
                "the model is of data of {}, which is no picture; use --out with a name that ends with .csv, .npy or \
                 .parquet with `sample`, or `encode`, `decode`, `score`, `latent-map`",
                saved.shape
            )));
        }
        Ok(saved)
    }

    /// The model on its device, for plans over data sets.
    pub fn runner(&self) -> Result<Runner> {
        Runner::new(&self.gpu, &self.model, self.parameters.clone())
    }

    /// The model on its device, for rows at hand.
    pub fn inference(&self) -> Result<Inference> {
        Ok(Inference::new(self.runner()?))
    }

    /// How the encoder reads data where nothing is to depend on chance.
    pub fn still(&self) -> Binarize {
        self.config.train.binarize(&self.model).without_chance()
    }

    /// The data that flags ask for, its name, and what its labels are called.
    pub fn read(&self, args: &SourceArgs) -> Result<(Split, &'static str, Vec<String>)> {
        let (dataset, part) = match &args.data {
            None => (self.dataset()?, args.split.unwrap_or(SplitArg::Test)),
            Some(source) => {
                let dataset = self.other(source, args)?;
                let whole = dataset.train.is_same(&dataset.test);
                match args.split {
                    Some(_) if whole => {
                        return Err(Error::Usage(format!("--split: {source} has no parts; leave it out")));
                    }
                    Some(SplitArg::Valid) => {
                        return Err(Error::Usage(
                            "--split valid is of the run's own data: leave out --data".into(),
                        ));
                    }
                    _ if whole => (dataset, SplitArg::All),
                    part => (dataset, part.unwrap_or(SplitArg::Test)),
                }
            }
        };
        let classes = dataset.classes.clone();
        let (split, name) = self.part(dataset, part)?;
        Ok((split, name, classes))
    }

    /// Other data, read as the model wants it.
    fn other(&self, source: &str, args: &SourceArgs) -> Result<Dataset> {
        let run = &self.config.source;
        let picture = self.shape.is_picture();
        let Shape { width, height, .. } = self.shape;
        let mut options = match data::has_columns(source, args.format.as_deref()) {
            // Columns are found by name, or like those of the run.
            true => ReadOptions {
                test_data: None,
                test_fraction: None,
                array: None,
                colour: None,
                image_size: picture.then_some(Size { width, height }),
                ..self.config.source_again()
            },
            false => ReadOptions {
                scaling: run.scaling.clone(),
                bits: run.bits,
                array: run.array.clone(),
                ..ReadOptions::default()
            },
        };
        options.format.clone_from(&args.format);
        options.whole = true;
        // As the run's own values became x, and in no way of their own.
        options.scale = run.scaling.is_none().then_some(Scale::None);
        if args.label_column.is_some() {
            options.label_column.clone_from(&args.label_column);
            options.label_optional = false;
        }
        if data::is_folder_of_pictures(source, options.format.as_deref()) {
            if self.shape.is_table() {
                let columns = self.shape.width;
                return Err(Error::Usage(format!(
                    "--data {source} holds pictures, but the model is of rows of {columns} numbers\n  \
                     name a table with the columns that it was trained on"
                )));
            }
            let Shape { width, height, channels } = self.shape;
            options.image_size = Some(Size { width, height });
            options.colour = Some(if channels == 1 { Colour::Grey } else { Colour::Colour });
        }
        let dataset = source::open(source, &options, false)?;
        // Rows of a .npy file may be pictures without a word.
        let rows = dataset.shape.is_table() && dataset.shape.dim() == self.shape.dim();
        if dataset.shape != self.shape && !rows {
            return Err(Error::Usage(format!(
                "--data {source} holds data of {}, but the model is of {}",
                dataset.shape, self.shape
            )));
        }
        if self.config.check_data(&dataset).is_err() {
            return Err(Error::Usage(format!(
                "--data {source} has values that are not in 0..1, but the model is of such\n  \
                 bring them there as those that it was trained on were"
            )));
        }
        self.config.align(dataset)
    }

    /// A part of the data, and what it is called.
    pub fn part(&self, dataset: Dataset, part: SplitArg) -> Result<(Split, &'static str)> {
        let train = &self.config.train;
        let held_out = || dataset.train.hold_out(train.valid, train.seed);
        Ok(match part {
            SplitArg::Test => (dataset.test, "test"),
            SplitArg::All => (dataset.train, "all"),
            SplitArg::Train if train.valid == 0.0 => (dataset.train, "train"),
            SplitArg::Train => (held_out().0, "train"),
            SplitArg::Valid if dataset.valid.is_some() => (dataset.valid.unwrap_or(dataset.test), "valid"),
            SplitArg::Valid if train.valid == 0.0 => {
                return Err(Error::Usage(
                    "--split valid: the run held nothing out; train with --valid 0.1".into(),
                ));
            }
            SplitArg::Valid => (held_out().1, "valid"),
        })
    }

    /// The label that a conditional model must be given; none for others.
    pub fn given_label(&self, label: Option<&str>) -> Result<Option<u32>> {
        match (self.model.classes, label) {
            (0, None) => Ok(None),
            (0, Some(_)) => {
                Err(Error::Usage("--label: the model was not trained with --condition labels".into()))
            }
            (_, Some(label)) => self.config.class_number(label).map(Some),
            (_, None) => Err(Error::Usage(format!(
                "the model is told labels: give one with --label, {}",
                self.config.known_classes()
            ))),
        }
    }

    /// The mean codes [N, Z] of images and, in a conditional model, their labels: `label`, or those of test images.
    pub fn codes_of(&self, picks: &[&Pick], label: Option<&str>) -> Result<(Vec<f32>, Vec<u32>)> {
        let label = label.map(|label| self.given_label(Some(label))).transpose()?.flatten();
        // Opened only where a test image is meant: the data may be long gone.
        let test = match picks.iter().any(|pick| matches!(pick, Pick::Test(_))) {
            true => Some(self.dataset()?.test),
            false => None,
        };
        let (mut x, mut labels) = (Vec::new(), Vec::new());
        for pick in picks {
            let own = match (pick, &test) {
                (Pick::Test(number), Some(test)) => {
                    if *number >= test.count {
                        let last = test.count - 1;
                        return Err(Error::Usage(format!(
                            "there is no test image {number}: use 0 to {last}"
                        )));
                    }
                    x.extend(test.x([*number])?);
                    test.labels.as_ref().map(|labels| labels[*number])
                }
                (Pick::Test(_), None) => unreachable!("the test data is open where a number is meant"),
                (Pick::File(path), _) => {
                    let mut values = data::picture(path, self.shape)?;
                    if let Some(scaling) = &self.config.source.scaling {
                        scaling.apply(&mut values);
                    }
                    x.extend(values);
                    None
                }
            };
            if self.model.classes > 0 {
                labels.extend(match label.or(own) {
                    Some(label) => Some(label),
                    None => self.given_label(None)?,
                });
            }
        }
        let given = (self.model.classes > 0).then(|| labels.clone());
        let split = Split::from_floats(x, self.shape.dim()).with_labels(given);
        let mut encoder = Encoder::of_codes(&mut self.runner()?, (&split, "images"), self.still(), false)?;
        let mut mu = Vec::new();
        encoder.run(0, &mut |codes| {
            mu.extend_from_slice(&codes.mu);
            Ok(())
        })?;
        Ok((mu, labels))
    }

    /// The data that the model was trained on; it must still have the same shape.
    pub fn dataset(&self) -> Result<Dataset> {
        let dataset = source::open(&self.config.data, &self.config.source_again(), true)?;
        if dataset.shape != self.shape {
            return Err(Error::Usage(format!(
                "the model was trained on {} values, but {} now holds {}",
                self.shape, self.config.data, dataset.shape
            )));
        }
        self.config.align(dataset)
    }
}

/// Names the adapter, and warns of a software one.
pub fn announce(gpu: &Gpu) {
    let report = gpu.report();
    let driver = format!("{} {}", report.driver, report.driver_info);
    talk(format_args!("adapter  {} | driver {}", report.title(), driver.trim()));
    if report.is_software() {
        talk(format_args!(
            "warning: this is a software adapter: the CPU does the work. `vae-gpu devices` lists all adapters."
        ));
    }
}
