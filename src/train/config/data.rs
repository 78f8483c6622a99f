//! What a run knows of its data, and what it demands of other data.

use super::{Condition, Config, ModelSection, Net, TrainSection};
use crate::data::{self, Change, Dataset, Fingerprint, Origin, ReadOptions, Schema, Shape, Size, Split};
use crate::error::{Error, Result};
use crate::kernels::gather::Binarize;
use crate::kernels::likelihood;
use crate::model::{Extent, Layers, MAX_PICTURE};
use crate::settings::Named;

/// The longest side of grey pictures for which linear layers do.
const SMALL: usize = 28;

/// Classes that a message names.
const SHOWN: usize = 12;

#[doc(hidden)]
impl Config {
    /// Takes over what only the data says: its shape, columns and classes, the scaling of its values and, where none is
    /// named, the likelihood.
    pub fn adopt(&mut self, dataset: &Dataset) -> Result<()> {
        self.fit(dataset)?;
        let Shape { width, height, channels } = dataset.shape;
        self.shape = Some([width, height, channels]);
        dataset.column_names().clone_into(&mut self.columns);
        // Its number counts another column where others are left out or added.
        if let (Some(column), Some(name)) = (&mut self.source.label_column, &dataset.label) {
            column.clone_from(name);
        }
        (self.classes, self.class_names) = match self.model.condition {
            Condition::None => (None, Vec::new()),
            Condition::Labels => {
                let count = dataset.class_count().ok_or_else(|| {
                    let part = if dataset.train.labels.is_some() { "a part of " } else { "" };
                    let column = match dataset.column_names().is_empty() {
                        true => "",
                        false => "\n  name the column that holds them with `source.label_column`",
                    };
                    let next = format_args!("{part}{} has no labels{column}", dataset.name);
                    Error::value("model.condition", "labels", next)
                })?;
                (Some(count.max(dataset.classes.len())), dataset.classes.clone())
            }
        };
        self.source.scaling.clone_from(&dataset.scaling);
        self.source.bits = dataset.bits;
        self.schema = Schema::of(dataset)?;
        self.choose_net(dataset.shape)
    }

    /// Names the layers of the network for data of that shape, where neither they nor its kind are named. Other widths than the
    /// default name the kind.
    ///
    /// # Errors
    /// [`Error::Setting`] if `model.net` = conv or resnet, and the data are no pictures.
    pub(super) fn choose_net(&mut self, shape: Shape) -> Result<()> {
        if self.model.encoder.is_some() {
            return Ok(());
        }
        let small = shape.channels == 1 && shape.width.max(shape.height) <= SMALL;
        if self.model.net == Net::Auto {
            let widths = self.model.hidden != ModelSection::default().hidden;
            let rows = self.model.latent_size.is_none() && (small || widths);
            self.model.net = if shape.is_table() || rows { Net::Mlp } else { Net::Conv };
        }
        if self.model.net == Net::Mlp {
            return Ok(());
        }
        if shape.is_table() {
            let problem = "the data are rows of a table, not pictures: use mlp or, if each row is a picture, say of which size \
                           with `source.image_size` = WxH";
            return Err(Error::value("model.net", self.model.net.name(), problem));
        }
        let Shape { width, height, channels } = shape;
        let picture = Extent { height, width, channels };
        let (latent, activation) = (self.model.latent_size, self.model.activation);
        let layers = match self.model.net {
            Net::Resnet => Layers::of_picture_with_residuals(picture, latent, activation),
            _ => Layers::of_picture(picture, latent),
        };
        let unfit = |problem| Error::setting("model.latent_size", format!(": {problem}"));
        self.model.encoder = Some(layers.map_err(unfit)?);
        Ok(())
    }

    /// How the run's own data is read again: its columns are found by name.
    pub fn source_again(&self) -> ReadOptions {
        ReadOptions { expected: self.columns.clone(), ..self.source.clone() }
    }

    /// The rows to train on and, where the source has such or some are held out, those to validate with.
    ///
    /// # Errors
    /// [`Error::Setting`] if a share is to be held out of one row.
    pub fn training_rows(&self, dataset: &Dataset) -> Result<(Split, Option<Split>)> {
        let (rows, share) = (&dataset.train, self.train.valid);
        if share == 0.0 || dataset.valid.is_some() {
            return Ok((rows.clone(), dataset.valid.clone()));
        }
        if rows.count < 2 {
            return Err(Error::setting("train.valid", ": the training data has only one row"));
        }
        let (kept, held) = self.source.division.hold_out(rows, share, self.train.seed);
        Ok((kept, Some(held)))
    }

    /// Where the default of a batch exceeds the training rows, makes it all of them, and says so.
    ///
    /// # Errors
    /// As [`Config::training_rows`].
    pub fn fit_batch(&mut self, dataset: &Dataset) -> Result<Option<String>> {
        let (rows, usual) = (self.training_rows(dataset)?.0.count, TrainSection::default().batch_size);
        if self.train.batch_size != usual || rows >= usual {
            return Ok(None);
        }
        self.train.batch_size = rows;
        let what = dataset.shape.plural();
        Ok(Some(format!("{rows}, all training {what}: they are fewer than {usual} (`train.batch_size`)")))
    }

    /// Remembers what the data looks like, as [`Config::changed`] will ask.
    ///
    /// # Errors
    /// [`Error::Io`] if the data is in a file that can no longer be read.
    pub fn remember(&mut self, dataset: &Dataset) -> Result<()> {
        self.fingerprint = Fingerprint::of(dataset)?;
        Ok(())
    }

    /// How the run's data differs from what it was trained on, in words; none if it does not, or if the run, as those of
    /// earlier versions, does not know.
    ///
    /// # Errors
    /// [`Error::Io`] if the data is in a file that can no longer be read.
    pub fn changed(&self, dataset: &Dataset) -> Result<Option<String>> {
        let change = Fingerprint::compare(&self.fingerprint, dataset)?;
        Ok(change.and_then(|change| self.in_words(change, dataset.shape)))
    }

    /// A change of data of that shape in words; none if it is nothing to the run.
    pub fn in_words(&self, change: Change, shape: Shape) -> Option<String> {
        match change {
            Change::Labels if self.classes.is_none() => None,
            Change::Labels => Some("its rows have other labels".to_owned()),
            Change::Longer(more) => {
                Some(format!("{more} {} were added behind those that were there", shape.plural()))
            }
            // A random test part goes by the rows' numbers.
            Change::Other(what) if self.fingerprint.len() == 1 => {
                Some(format!("{what}, so that rows it learnt from may be in the test part"))
            }
            Change::Other(what) => Some(what),
        }
    }

    /// Other data of the model, or its own read again: with its classes numbered as the model knows them.
    ///
    /// # Errors
    /// [`Error::Usage`] if its columns have other names, or if a conditional model is told no label, or one that it does not know.
    pub fn align(&self, dataset: Dataset) -> Result<Dataset> {
        let pairs = self.columns.iter().zip(dataset.column_names());
        if let Some((column, (ours, theirs))) = pairs.enumerate().find(|(_, (ours, theirs))| ours != theirs) {
            return Err(Error::Usage(format!(
                "column {} of {} is `{theirs}`, where the model has `{ours}`\n  \
                 bring the columns into the order that the model was trained on",
                column + 1,
                dataset.name
            )));
        }
        let Some(classes) = self.classes else { return Ok(dataset) };
        let dataset = dataset.with_classes(&self.class_names);
        // Names that are no numbers, where the model knows its classes by numbers alone.
        if let (true, Some(name)) = (self.class_names.is_empty(), dataset.classes.first()) {
            return Err(self.unlisted(name, &dataset, |label| dataset.class_name(label) == *name));
        }
        for split in dataset.splits() {
            let labels = split.labels.as_deref().ok_or_else(|| {
                let name = &dataset.name;
                Error::Usage(format!(
                    "the model was trained with `model.condition` = labels, but {name} has none\n  {}",
                    self.how_to_label(&dataset)
                ))
            })?;
            if let Some(label) = labels.iter().find(|label| **label as usize >= classes) {
                let name = dataset.class_name(*label);
                return Err(self.unlisted(&name, &dataset, |other| other == *label));
            }
        }
        Ok(dataset)
    }

    /// The number of the class of that name, in a conditional model.
    ///
    /// # Errors
    /// [`Error::Usage`] if the model knows no such class.
    pub fn class_number(&self, name: &str) -> Result<u32> {
        let found = match self.class_names.is_empty() {
            true => name.parse().ok().filter(|label| (*label as usize) < self.classes.unwrap_or(0)),
            false => data::class_number(name, &self.class_names),
        };
        found.ok_or_else(|| self.unknown_class(name))
    }

    /// What gives labels to data that has none.
    fn how_to_label(&self, dataset: &Dataset) -> String {
        let known = self.known_classes();
        match (dataset.column_names().is_empty(), dataset.train.origin(0)) {
            (false, _) => "name the column that holds them with `source.label_column`".to_owned(),
            (true, Origin::File(_)) => {
                format!("put each picture into a folder that is called as its label: {known}")
            }
            (true, Origin::Row(_)) => {
                format!(
                    "save them beside the data, as an array y of a .npz file, or as a column of a table: {known}"
                )
            }
        }
    }

    /// The error of the first row whose label `is` unknown.
    fn unlisted(&self, name: &str, dataset: &Dataset, is: impl Fn(u32) -> bool) -> Error {
        let place = dataset.splits().find_map(|split| {
            let row = split.labels.as_deref()?.iter().position(|label| is(*label))?;
            Some(split.origin(row))
        });
        let next = match place {
            Some(Origin::File(_)) => "move such pictures into the folder of their label, or leave them out",
            _ => "give such rows the label of a class that the model knows, or leave them out",
        };
        let (place, of) = (place.map_or_else(String::new, |place| format!("{place} of ")), &dataset.name);
        let known = self.unknown_class(name);
        Error::Usage(format!("{place}{of}: {known}\n  {next}"))
    }

    fn unknown_class(&self, name: &str) -> Error {
        let name = name.escape_debug();
        Error::Usage(format!("label `{name}`: the model knows the labels {}", self.known_classes()))
    }

    /// The classes of a conditional model, for a message.
    pub fn known_classes(&self) -> String {
        let names: Vec<String> =
            self.class_names.iter().map(|name| name.escape_debug().to_string()).collect();
        match names.len() {
            0 => format!("0 to {}", self.classes.unwrap_or(1).saturating_sub(1)),
            count if count > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), count - SHOWN),
            _ => names.join(", "),
        }
    }

    /// Checks that the data is what the model is for.
    ///
    /// # Errors
    /// [`Error::Setting`] if a datum has too many values, or the likelihood wants values in 0..1, or draws from them, and the
    /// data has others.
    pub fn check_data(&self, dataset: &Dataset) -> Result<()> {
        // Rows of an array may be pictures without a word: the model knows.
        if self.train.flip && self.image_shape().unwrap_or(dataset.shape).is_table() {
            let problem = format!(" is for pictures, and {} holds rows of a table", dataset.name);
            return Err(Error::setting("train.flip", problem));
        }
        self.check_size(dataset)?;
        self.check_range(dataset)
    }

    /// Whether the model is of values in 0..1: its likelihood has no measure of others, or they are drawn from.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no such likelihood.
    pub fn wants_unit(&self, shape: Shape) -> Result<bool> {
        let model = self.model_config(shape);
        Ok(model.likelihood()?.bounded || self.train.binarize(&model) != Binarize::None)
    }

    /// What models of values outside 0..1 are.
    pub const TAKES_ALL: &str =
        "models with `model.likelihood` = gaussian-learned and without `train.binarize` take them";

    /// Why the model is of values in 0..1, if [`Self::wants_unit`].
    ///
    /// # Errors
    /// As [`Self::wants_unit`].
    pub fn why_unit(&self, shape: Shape) -> Result<String> {
        let model = self.model_config(shape);
        let likelihood = model.likelihood()?;
        Ok(match likelihood.bounded {
            true => format!("the likelihood, {}, has no measure of them", likelihood.name),
            false => {
                format!("`train.binarize` = {} draws with values in 0..1", self.train.binarize(&model).name())
            }
        })
    }

    /// Checks that values are in 0..1 where the model is of such.
    ///
    /// # Errors
    /// [`Error::Setting`] if the likelihood wants values in 0..1, or draws from them, and the data has others.
    fn check_range(&self, dataset: &Dataset) -> Result<()> {
        if dataset.unit || !self.wants_unit(dataset.shape)? {
            return Ok(());
        }
        let model = self.model_config(dataset.shape);
        let likelihood = model.likelihood()?;
        let unbounded: Vec<_> = likelihood::TABLE.iter().filter(|l| !l.bounded).map(|l| l.name).collect();
        let (key, why) = match likelihood.bounded {
            true => ("model.likelihood", format!(" = {} is of values in 0..1", likelihood.name)),
            false => ("train.binarize", " draws with values in 0..1".to_owned()),
        };
        // What was standardised may have been in 0..1 before.
        let before = dataset.summary.as_ref().map(data::Summary::range);
        let scale = match before {
            Some((min, max)) if min >= 0.0 && max <= 1.0 => "none",
            _ => "minmax",
        };
        let others = unbounded.join(" or ");
        Err(Error::setting(
            key,
            format!(
                "{why}, but {} has others\n  \
                 use `model.likelihood` = {others} without `train.binarize`, or `source.scale` = {scale}",
                dataset.name
            ),
        ))
    }
}

#[doc(hidden)]
impl Config {
    /// Checks that a model takes as many values as each datum has.
    ///
    /// # Errors
    /// [`Error::Setting`], which names what makes pictures smaller, or takes larger ones.
    pub fn check_size(&self, dataset: &Dataset) -> Result<()> {
        let Dataset { name, shape, .. } = dataset;
        let most = |config: &Config| {
            let mut config = config.clone();
            config.choose_net(*shape).map(|()| config.model_config(*shape).most_values())
        };
        let own = most(self)?;
        if shape.dim() <= own {
            return Ok(());
        }
        let mut size = Size { width: shape.width, height: shape.height };
        while size.width * size.height * shape.channels > own && size.width > 1 && size.height > 1 {
            size = Size { width: size.width / 2, height: size.height / 2 };
        }
        let (mut shrink, mut uses) = (None, Vec::new());
        if data::is_folder_of_pictures(&self.data, self.source.format.as_deref()) {
            uses.push(format!("`source.image_size` = {size}"));
            if shape.channels > 1 && shape.width * shape.height <= own {
                uses.push("`source.colour` = grey".to_owned());
            }
        } else if shape.is_table() {
            let columns = data::has_columns(&self.data, self.source.format.as_deref());
            let with = if columns { " with `source.columns` or `source.drop`" } else { "" };
            let problem = format!(
                ": each row of {name} has {} values, but a model takes {own} or fewer\n  leave out columns{with}",
                shape.dim()
            );
            return Err(Error::setting("data", problem));
        } else {
            shrink = Some(format!("shrink the pictures to {size} before they are saved"));
        }
        let mut conv = self.clone();
        (conv.model.net, conv.model.encoder, conv.model.decoder) = (Net::Conv, None, None);
        let taken = most(&conv).is_ok_and(|most| shape.dim() <= most);
        let kind = if own == MAX_PICTURE { "a model takes" } else { "linear layers take" };
        if taken {
            uses.push(format!("`model.net` = conv, which takes {MAX_PICTURE}"));
        }
        let uses = (!uses.is_empty()).then(|| format!("use {}", uses.join(", or ")));
        let next = shrink.into_iter().chain(uses).collect::<Vec<_>>().join(", or ");
        let problem = format!(
            ": each of {name} has {shape} values, {} in all, but {kind} {own} or fewer\n  {next}",
            shape.dim()
        );
        Err(Error::setting("source.image_size", problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;

    #[test]
    fn names_are_no_classes_of_a_model_that_knows_numbers() {
        let config = Config { classes: Some(3), ..Config::default() };
        let split = Split::new(vec![0; 2], 1, Some(vec![0, 1]));
        let dataset = |classes: &[&str]| {
            let classes = classes.iter().map(|name| (*name).to_owned()).collect();
            Dataset { classes, ..Dataset::new("data", Shape::table(1), split.clone(), split.clone()) }
        };
        let labels = |classes: &[&str]| config.align(dataset(classes)).map(|data| data.train.labels);
        assert_eq!(labels(&[]).unwrap().as_deref(), Some(&[0, 1][..]));
        assert_eq!(labels(&["2", "0"]).unwrap().as_deref(), Some(&[2, 0][..]));
        assert!(labels(&["7", "0"]).unwrap_err().to_string().contains("label `7`"));
        assert!(labels(&["cat", "dog"]).unwrap_err().to_string().contains("label `cat`"));
    }

    #[test]
    fn convolutions_take_larger_pictures_than_linear_layers() {
        let of = |net, side: usize, channels| {
            let shape = Shape { width: side, height: side, channels };
            let split = Split::new(vec![0; shape.dim()], shape.dim(), None);
            let mut config = Config::default();
            config.model.net = net;
            let dataset = Dataset::new("data", shape, split.clone(), split);
            config.check_size(&dataset).map_err(|error| error.to_string())
        };
        assert_eq!(
            (of(Net::Auto, 256, 3), of(Net::Conv, 256, 3), of(Net::Mlp, 256, 1)),
            (Ok(()), Ok(()), Ok(()))
        );
        let small = of(Net::Mlp, 256, 3).unwrap_err();
        assert!(
            small.contains("linear layers take 65536 or fewer") && small.contains("`model.net` = conv"),
            "{small}"
        );
        let large = of(Net::Auto, 300, 3).unwrap_err();
        assert!(large.contains("a model takes 196608 or fewer") && !large.contains("model.net"), "{large}");
        assert!(large.contains("shrink the pictures to 150x150"), "{large}");
    }

    #[test]
    fn the_label_goes_by_its_name() {
        let split = Split::new(vec![0, 1], 1, None);
        let mut config = Config::default();
        config.source.label_column = Some("3".into());
        let dataset = Dataset::new("data", Shape::table(1), split.clone(), split);
        config.adopt(&Dataset { label: Some("kind".into()), ..dataset }).unwrap();
        assert_eq!(config.source.label_column.as_deref(), Some("kind"));
    }

    #[test]
    fn values_outside_0_to_1_are_brought_there_as_they_need() {
        let split = Split::new(vec![0; 2], 1, None);
        let refusal = |min: f64, max: f64| {
            let mut summary = data::Summary::default();
            (summary.min, summary.max) = (vec![min], vec![max]);
            let dataset = Dataset::new("data", Shape::table(1), split.clone(), split.clone());
            let dataset = Dataset { summary: Some(summary), unit: false, ..dataset };
            Config::default().check_data(&dataset).unwrap_err().to_string()
        };
        // What was standardised fits as it stands.
        assert!(refusal(0.0, 1.0).ends_with("`source.scale` = none"), "{}", refusal(0.0, 1.0));
        for (min, max) in [(-0.1, 1.0), (0.0, 1.1)] {
            assert!(refusal(min, max).ends_with("`source.scale` = minmax"), "{}", refusal(min, max));
        }
    }

    #[test]
    fn a_class_has_the_number_of_its_name() {
        let numbers = Config { classes: Some(3), ..Config::default() };
        assert_eq!(numbers.class_number("2").unwrap(), 2);
        assert!(numbers.class_number("3").unwrap_err().to_string().contains("label `3`"));
        let names = ["cat", "dog"].map(str::to_owned).to_vec();
        let named = Config { classes: Some(2), class_names: names, ..Config::default() };
        assert_eq!((named.class_number("cat").unwrap(), named.class_number("dog").unwrap()), (0, 1));
        assert_eq!(named.class_number("1").unwrap(), 1);
        assert!(named.class_number("2").unwrap_err().to_string().contains("cat"));
    }

    #[test]
    fn a_message_names_a_dozen_classes() {
        let known = |count: usize| {
            let class_names = (0..count).map(|i| format!("c{i}")).collect();
            Config { classes: Some(count.max(3)), class_names, ..Config::default() }.known_classes()
        };
        assert_eq!(known(0), "0 to 2");
        assert_eq!(known(2), "c0, c1");
        assert!(known(12).ends_with("c10, c11"), "{}", known(12));
        assert!(known(14).ends_with("c10, c11 and 2 more"), "{}", known(14));
    }
}
