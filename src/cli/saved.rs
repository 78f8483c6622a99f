//! Opening a trained run for the commands that use it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::common_args::{DeviceArgs, SplitArg};
use super::latent_args::{Pick, SourceArgs};
use super::next::quoted;
use super::output::{self, talk};
use super::{rows, source};
use crate::data::{
    self, Change, Colour, Dataset, Fingerprint, Part, ReadOptions, Scale, Schema, Shape, Size, Split, Unread,
};
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
        Saved::open_in_turn(run, device, 0)
    }

    /// The same for one of several processes; of equal cards, it takes the one whose turn it is.
    pub fn open_in_turn(run: &Path, device: &DeviceArgs, turn: usize) -> Result<Saved> {
        let dir = RunDir::open(run)?;
        let path = model_of(&dir)?;
        let (mut config, _, parameters) = files::load_model(&path)?;
        let shape = config.image_shape().ok_or_else(|| {
            Error::file(&path, "does not name the data's shape", "train again with this version of vae-gpu")
        })?;
        // A model file names no folders of the machine that it comes from; the run's configuration does.
        if let Ok(here) = Config::read(&dir.config()) {
            (config.data, config.source.test_data) = (here.data, here.source.test_data);
        }
        for own in [path, dir.config(), dir.checkpoint(), dir.metrics()] {
            output::reads(own)?;
        }
        for own in [Some(&config.data), config.source.test_data.as_ref()].into_iter().flatten() {
            output::reads(own)?;
        }
        let model = config.model_config(shape);
        let gpu = device.open_in_turn(turn)?;
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

    /// What the columns of the run's table hold.
    pub fn schema(&self) -> Result<&Schema> {
        self.config.schema.as_ref().ok_or_else(|| {
            Error::Usage(
                "--round is for tables, and the run does not know what its columns hold: train again, on a table"
                    .into(),
            )
        })
    }

    /// Brings values [N, D] back into the data's own units; with `round`, as the columns held them.
    pub fn in_own_units(&self, x: &mut [f32], round: bool) -> Result<()> {
        if let Some(scaling) = &self.config.source.scaling {
            scaling.undo(x);
        }
        if let Some(schema) = &self.config.schema {
            schema.keep_constants(x);
        }
        if round {
            self.schema()?.round(x);
        }
        Ok(())
    }

    /// How the encoder reads data where nothing is to depend on chance.
    pub fn still(&self) -> Binarize {
        self.config.train.binarize(&self.model).without_chance()
    }

    /// The data that flags ask for. Of the run's own data that `data` names, `usual` is taken where `split` says nothing.
    pub fn read(&self, args: &SourceArgs, usual: SplitArg) -> Result<Chosen> {
        let Some(source) = &args.data else {
            return self.chosen(self.dataset()?, args.split.unwrap_or(SplitArg::Test));
        };
        let dataset = self.other(source, args)?;
        let known = &self.config.fingerprint;
        if !dataset.is_whole() {
            // Nothing tells a change of the run's own data from other data with such parts.
            if known.len() > 1
                && let Some(change) = self.config.changed(&dataset)?
            {
                talk(format_args!(
                    "{source} is other data than the run was trained on, or has changed since: {change}"
                ));
            }
            return self.chosen(dataset, args.split.unwrap_or(SplitArg::Test));
        }
        let (own, change) = self.recognised(&dataset)?;
        // Runs of earlier versions cannot tell: a part that is asked for says that the data is theirs.
        let is_divided = own == Some("all") || known.is_empty() && args.split.is_some();
        let part = match (args.split, own) {
            _ if is_divided && dataset.train.count > 1 => args.split.unwrap_or(usual),
            (None, _) => SplitArg::All,
            (Some(_), _) => {
                return Err(Error::Usage(format!(
                    "--split: {source} has no parts, and is not the run's own data; leave it out"
                )));
            }
        };
        if let Some(change) = change {
            talk(format_args!("warning: {source} has changed since the run was trained on it: {change}"));
        }
        if part == SplitArg::All && matches!(own, Some("all" | "train")) {
            let next = if own == Some("all") {
                "; --split test leaves out the rows that it learnt from"
            } else {
                ""
            };
            talk(format_args!("{source} is the data that the run was trained on{next}"));
        }
        match part {
            SplitArg::All => self.chosen(dataset, part),
            _ => self.chosen(dataset.divided(&self.config.source), part),
        }
    }

    /// The part of the run's data that this whole is, and how it has changed if it is all of them.
    fn recognised(&self, dataset: &Dataset) -> Result<(Option<&str>, Option<String>)> {
        let known = &self.config.fingerprint;
        // What was cut is not what the run read, unless the run cut its own.
        if dataset.raw.cut && self.config.source.image_size.is_none() {
            return Ok((None, None));
        }
        // Where there is one part, both are one comparison: reading the rows is what it costs.
        let [whole] = &known[..] else {
            return Ok((Fingerprint::recognise(known, dataset)?.map(|part| part.part.as_str()), None));
        };
        Ok(match Fingerprint::compare(known, dataset)? {
            Some(Change::Other(_)) => (None, None),
            change => {
                let change = change.and_then(|change| self.config.in_words(change, dataset.shape));
                (Some(whole.part.as_str()), change)
            }
        })
    }

    fn chosen(&self, dataset: Dataset, part: SplitArg) -> Result<Chosen> {
        let (classes, mut unread) = (dataset.classes.clone(), dataset.unread.clone());
        let of = match part {
            SplitArg::Train => Some(Part::Train),
            SplitArg::Valid => Some(Part::Valid),
            SplitArg::Test => Some(Part::Test),
            SplitArg::All => None,
        };
        unread.retain(|unread| of.is_none() || unread.part.is_none() || unread.part == of);
        let (split, name) = self.part(dataset, part)?;
        Ok(Chosen { split, name, classes, unread })
    }

    /// Other data, read as the model wants it.
    fn other(&self, source: &str, args: &SourceArgs) -> Result<Dataset> {
        let run = &self.config.source;
        let mut options = ReadOptions { format: args.format.clone(), ..run.clone() };
        (options.test_data, options.image_size, options.colour) = (None, None, None);
        (options.whole, options.pictured) = (true, self.shape.is_picture());
        let mut own = [Some(&self.config.data), run.test_data.as_ref()].into_iter().flatten();
        options.foreign = !own.any(|own| output::is_same(Path::new(source), Path::new(own)));
        options.shares = run.scaling.is_none() && (run.bits.is_some() || run.scale.is_none());
        // As the run's own values became x, and in no way of their own.
        options.scale = run.scaling.is_none().then_some(Scale::None);
        self.label(&mut options, args.label_column.as_ref());
        let has_columns = data::has_columns(source, options.format.as_deref());
        options.expected.clone_from(&self.config.columns);
        if has_columns {
            let Shape { width, height, .. } = self.shape;
            options.array = None;
            options.image_size = self.shape.is_picture().then_some(Size { width, height });
        } else {
            options = options.without_columns();
            options.label_column.clone_from(&args.label_column);
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
        if data::is_built_in(source) && source == self.config.data {
            options.image_size = run.image_size;
        }
        let mut read = source::open(source, &options, false);
        let fits =
            |read: &Result<Dataset>| read.as_ref().is_ok_and(|data| data.shape.dim() == self.shape.dim());
        if !fits(&read) && options.label_optional && options.label_column.take().is_some() {
            // A number named the column, and counts another one where there are no labels.
            let without = source::open(source, &options, false);
            read = if fits(&without) { without } else { read };
        }
        // Columns without names that are those of the model already.
        let picked = !(options.columns.is_empty() && options.drop.is_empty());
        if !fits(&read) && picked && self.config.columns.is_empty() {
            (options.columns, options.drop) = (Vec::new(), Vec::new());
            let whole = source::open(source, &options, false);
            read = if fits(&whole) { whole } else { read };
        }
        let dataset = match read {
            // Nobody has named the column on this line.
            Err(Error::Setting { key: "source.label_column", .. }) if args.label_column.is_none() => {
                let column = options.label_column.as_deref().unwrap_or_default();
                return Err(Error::Usage(format!(
                    "--data {source} has no column `{column}`, which holds the labels that the model is told\n  \
                     add it, or name another one with --label-column"
                )));
            }
            read => read?,
        };
        // Rows of a .npy file may be pictures without a word.
        let rows = dataset.shape.is_table() && dataset.shape.dim() == self.shape.dim();
        if dataset.shape != self.shape && !rows {
            return Err(Error::Usage(format!(
                "--data {source} holds data of {}, but the model is of {}{}{}",
                dataset.shape,
                self.shape,
                self.if_single(&dataset),
                dataset.one_too_many(self.shape.dim()).map(|next| format!("\n  {next}")).unwrap_or_default()
            )));
        }
        self.check_range(source, &dataset)?;
        let known = &self.config.class_names;
        if self.model.classes > 0 && dataset.counts(known) && dataset.train.labels.is_some() {
            let names = known.iter().enumerate().take(3).map(|(number, name)| format!("{number} is {name}"));
            talk(format_args!(
                "warning: {source} has numbers as labels, which count as those of the model's classes: {}; save names to \
                 be sure",
                names.collect::<Vec<_>>().join(", ")
            ));
        }
        self.config.align(dataset)
    }

    /// What to do about an array [H, W] or [H, W, C] that is one datum of the model's.
    fn if_single(&self, dataset: &Dataset) -> String {
        let Shape { width, height, channels } = self.shape;
        let of_one = match channels {
            1 => Shape::table(width),
            _ => Shape { width: channels, height: width, channels: 1 },
        };
        match self.shape.is_picture() && dataset.shape == of_one && dataset.train.count == height {
            true => "\n  a single picture is an array of one: save x[None]".to_owned(),
            false => String::new(),
        }
    }

    /// Where values lie outside the range that the model was trained on: says how many rows have such, or refuses them if
    /// the model's likelihood has no measure of them.
    fn check_range(&self, name: &str, dataset: &Dataset) -> Result<()> {
        let source = &self.config.source;
        let scaled = source.scaling.as_ref().is_some_and(|s| s.shift != [0.0] || s.scale != [1.0]);
        // What pictures are brought to, where nothing is said.
        let minmax = source.scale.map_or(!self.shape.is_table(), |scale| scale == Scale::Minmax);
        let bounded = self.config.wants_unit(self.shape)?;
        if dataset.unit || !(bounded || scaled && minmax) {
            return Ok(());
        }
        let found = dataset.train.outside_unit()?;
        let (count, what) = (found.len(), dataset.shape.plural());
        let has = if count == 1 { "has" } else { "have" };
        let of = format!("{count} of {} {what} {has} values outside", dataset.train.count);
        let named = rows::named(&dataset.train, &found);
        if !bounded {
            talk(format_args!(
                "warning: {of} the range of the training data, and are taken as they are: {named}"
            ));
            return Ok(());
        }
        let why = self.config.why_unit(self.shape)?;
        let next = match scaled {
            true => {
                format!(
                    "leave them out, or bring them into the range of the training data; {}",
                    Config::TAKES_ALL
                )
            }
            false => "bring them there as those that it was trained on were".into(),
        };
        let range = if scaled { "the range of the training data" } else { "0..1" };
        Err(Error::Usage(format!("--data {name}: {of} {range}, and {why}: {named}\n  {next}")))
    }

    /// Labels are of no use to a model that is not conditional: data without them can be read too.
    fn label(&self, options: &mut ReadOptions, column: Option<&String>) {
        options.label_optional = column.is_none() && self.model.classes == 0;
        if let Some(column) = column {
            options.label_column = Some(column.clone());
        }
    }

    /// A part of the data, and what it is called.
    pub fn part(&self, dataset: Dataset, part: SplitArg) -> Result<(Split, &'static str)> {
        Ok(match part {
            SplitArg::Test => (dataset.test, "test"),
            SplitArg::All => (dataset.train, "all"),
            SplitArg::Train => (self.config.training_rows(&dataset)?.0, "train"),
            SplitArg::Valid => match self.config.training_rows(&dataset)?.1 {
                Some(held_out) => (held_out, "valid"),
                None => {
                    return Err(Error::Usage(
                        "--split valid: the run held nothing out; train with --valid 0.1".into(),
                    ));
                }
            },
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
                "the model is told labels: give one with --label: {}",
                self.config.known_classes()
            ))),
        }
    }

    /// The mean codes of images and, in a conditional model, their labels: `label`, or those of the data's images.
    pub fn codes_of(&self, picks: &[&Pick], source: &SourceArgs, label: Option<&str>) -> Result<Picked> {
        let label = label.map(|label| self.given_label(Some(label))).transpose()?.flatten();
        // Opened only where one of its images is meant: the data may be long gone.
        let chosen = match picks.iter().any(|pick| matches!(pick, Pick::Number(_))) {
            true => Some(self.read(source, SplitArg::Test)?),
            false => None,
        };
        let (mut x, mut labels) = (Vec::new(), Vec::new());
        for pick in picks {
            let own = match (pick, &chosen) {
                (Pick::Number(number), Some(Chosen { split, name, .. })) => {
                    if *number >= split.count {
                        let (last, of) = (split.count - 1, if *name == "all" { "" } else { name });
                        let of = format!("{of} image");
                        return Err(Error::Usage(format!(
                            "there is no {} {number}: use 0 to {last}",
                            of.trim_start()
                        )));
                    }
                    x.extend(split.x([*number])?);
                    split.labels.as_ref().map(|labels| labels[*number])
                }
                (Pick::Number(_), None) => unreachable!("the data is open where a number is meant"),
                (Pick::File(path), _) => {
                    output::reads(path)?;
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
        Ok(Picked { codes: mu, labels, data: chosen })
    }

    /// The data that the model was trained on; it must still have the same shape. Says so if it has changed.
    pub fn dataset(&self) -> Result<Dataset> {
        let Config { data, source, .. } = &self.config;
        source::check_present(data, "name where it is now with `data`")?;
        if let Some(test) = &source.test_data {
            source::check_present(test, "name where it is now with `data`: it is recognised")?;
        }
        let mut options = self.config.source_again();
        self.label(&mut options, None);
        let dataset = source::open(data, &options, true)?;
        if dataset.shape != self.shape {
            return Err(Error::Usage(format!(
                "the model was trained on data of {}, but {data} now holds data of {}",
                self.shape, dataset.shape
            )));
        }
        if let Some(change) = self.config.changed(&dataset)? {
            talk(format_args!("warning: {data} has changed since the run was trained on it: {change}"));
        }
        self.config.align(dataset)
    }
}

/// Rows of data, what they are called, and what their labels are called.
pub struct Chosen {
    pub split: Split,
    pub name: &'static str,
    pub classes: Vec<String>,
    /// What of it cannot be read.
    pub unread: Vec<Unread>,
}

/// What became of images that were picked.
pub struct Picked {
    /// Their codes [N, Z].
    pub codes: Vec<f32>,
    /// Their labels, if the model is told such.
    pub labels: Vec<u32>,
    /// The data, if it was opened for them.
    pub data: Option<Chosen>,
}

/// The model file of a run.
pub fn model_of(dir: &RunDir) -> Result<PathBuf> {
    let path = dir.model();
    if path.exists() {
        return Ok(path);
    }
    let next = match dir.checkpoint().exists() {
        true => format!("finish the run first: vae-gpu train --resume {}", quoted(dir.root())),
        false => "it has no checkpoint either: train again".to_owned(),
    };
    Err(Error::file(path, "there is no model: no epoch of the run has ended", next))
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
