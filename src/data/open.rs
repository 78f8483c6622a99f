//! Opens a source: finds its reader, and makes a data set from what it reads.

mod unknown;

use std::path::Path;

use unknown::{check_place, unknown};

use super::dataset::Dataset;
use super::judge::Judged;
use super::known::{FORMATS, is_built_in};
use super::options::{Missing, ReadOptions, TEST_FRACTION};
use super::origin::Part;
use super::prepare::prepare;
use super::progress::Watch;
use super::raw::Raw;
use super::reader::{POINTER, Parts, is_pointer};
use super::shape::Shape;
use super::split::Split;
use super::table::one_holds_labels;
use super::{csv, dataset, folder, missing, npy, npz, parquet, pictures, shades};
use crate::error::{Error, Result};
use crate::settings::Named;

/// The setting whose column a source may lack.
const LABEL_COLUMN: &str = "source.label_column";

/// The rows of a source as stored, neither split nor scaled.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Values and labels.
    pub split: Split,
    /// The names of the labels.
    pub classes: Vec<String>,
    /// What may not be meant.
    pub warnings: Vec<String>,
}

/// The rows of a source of one part. Of codes, a row may lack values, which are NaN, or its label, which is [`super::NO_LABEL`].
///
/// # Errors
/// As [`open_with`]; [`Error::Usage`] for a source of two parts.
pub fn rows(source: &str, options: &ReadOptions) -> Result<Rows> {
    check(options)?;
    let missing = options.codes.map(|_| Missing::Drop).or(options.missing);
    let options = &ReadOptions { missing, ..options.clone() };
    let Parts { train: split, test, classes, warnings, .. } = read("latents", source, options, &|_| {})?;
    match test {
        None => Ok(Rows { split, classes, warnings }),
        Some(_) => Err(Error::Usage(format!("{source} has two parts; name a file of rows, such as z.npy"))),
    }
}

/// Whether a source is read as a folder of pictures, by its name or by `format`.
pub fn is_folder_of_pictures(source: &str, format: Option<&str>) -> bool {
    is_one_of(source, format, &[pictures::FORMAT.name])
}

/// Whether a source is read as a table with named columns.
pub fn has_columns(source: &str, format: Option<&str>) -> bool {
    is_one_of(source, format, TABLES)
}

/// The formats with named columns.
const TABLES: &[&str] = &[csv::FORMAT.name, parquet::FORMAT.name];

fn is_one_of(source: &str, format: Option<&str>, names: &[&str]) -> bool {
    let found = || FORMATS.iter().find(|format| (format.detect)(source)).map(|format| format.name);
    format.or_else(found).is_some_and(|name| names.contains(&name))
}

/// The values of one picture, 0 to 1, cropped and resized to `shape`.
///
/// # Errors
/// [`Error::File`] if it cannot be read as a picture.
pub fn picture(path: &Path, shape: Shape) -> Result<Vec<f32>> {
    pictures::read_one(path, shape)
}

/// Opens the data set `source`: a built-in name or a path.
///
/// # Errors
/// As [`open_with`].
pub fn open(source: &str) -> Result<Dataset> {
    open_with(source, &ReadOptions::default(), &|_| {})
}

/// Opens the data set `source`, a built-in name or a path, with `options`.
///
/// # Errors
/// [`Error::Setting`] if no format recognises the source or the options do not fit it, [`Error::File`] if its files are
/// malformed, [`Error::Io`] if they cannot be read.
pub fn open_with(source: &str, options: &ReadOptions, progress: Watch) -> Result<Dataset> {
    check(options)?;
    let mut parts = read("data", source, options, progress)?;
    if let Some(test) = &options.test_data {
        let mut options = ReadOptions { label_optional: true, bits: parts.bits, ..options.clone() };
        // Labels of an array lie beside it.
        if !has_columns(test, options.format.as_deref()) {
            options.label_column = None;
        }
        let named = !dataset::numbered(&parts.columns);
        if named {
            options.expected.clone_from(&parts.columns);
        }
        let other = read("source.test_data", test, &options, progress)?;
        if parts.train.labels.is_some() && other.train.labels.is_none() {
            parts.warnings.push(format!("{test} has no labels, so the test part has none"));
        }
        // Pixels without names have their places.
        let other =
            if named || parts.shape.is_table() { other } else { Parts { columns: Vec::new(), ..other } };
        join_test(source, test, &mut parts, other)?;
    }
    if options.missing == Some(Missing::Drop) {
        drop_rows(source, options, &mut parts)?;
    }
    let raw = Raw::of(&parts);
    let own_test = parts.test.is_some();
    let (train, test) = match (parts.test.take(), options.test_fraction) {
        (Some(_), Some(_)) if !options.whole => {
            let problem = format!(": {source} has a test part of its own; leave it out");
            return Err(Error::setting("source.test_fraction", problem));
        }
        (Some(test), _) => (parts.train, test),
        (None, _) if options.whole => (parts.train.clone(), parts.train),
        (None, _) if parts.train.count < 2 => {
            return Err(Error::file(
                source,
                "has one row, but training and test data need one each",
                "name test data with `source.test_data`, or use more data",
            ));
        }
        (None, _) => {
            let (test, train) = divide(&parts.train, options);
            (train, test)
        }
    };
    let mut parts = Parts { train, ..parts };
    if !options.whole {
        let named = options.test_data.as_deref().unwrap_or("the test part");
        let own_test = own_test.then_some(named);
        let (train, valid, classes) = (&parts.train, parts.valid.as_ref(), &parts.classes);
        let told = Judged { train, valid, test: &test, own_test, classes }.warnings()?;
        parts.warnings.extend(told);
    }
    let dataset = prepare(source, options, parts, test, progress)?;
    Ok(Dataset { raw, ..dataset })
}

#[doc(hidden)]
impl Dataset {
    /// Whether both parts are all rows, as [`ReadOptions::whole`] asks of sources without a test part.
    pub fn is_whole(&self) -> bool {
        self.train.is_same(&self.test)
    }

    /// What to do where a table has one column more than a model: it may hold labels.
    pub fn one_too_many(&self, columns: usize) -> Option<String> {
        let is_one_more = self.shape.is_table() && self.shape.dim() == columns + 1;
        (is_one_more && self.label.is_none() && !self.columns.is_empty())
            .then(|| one_holds_labels(&self.columns))
    }

    /// The rows of [`ReadOptions::whole`] in the two parts that they have without it.
    ///
    /// # Panics
    /// If there are fewer than two rows.
    pub fn divided(self, options: &ReadOptions) -> Dataset {
        let (test, train) = divide(&self.train, options);
        Dataset { train, test, ..self }
    }
}

/// The rows to test with, and those to train on.
fn divide(rows: &Split, options: &ReadOptions) -> (Split, Split) {
    let share = options.test_fraction.unwrap_or(TEST_FRACTION);
    options.division.test_part(rows, share, options.split_seed)
}

/// Reads `source`, the value of the setting `key`.
fn read(key: &'static str, source: &str, options: &ReadOptions, progress: Watch) -> Result<Parts> {
    check_place(key, source)?;
    let format = match &options.format {
        Some(name) => FORMATS.iter().find(|format| format.name == name),
        None => FORMATS.iter().find(|format| (format.detect)(source)),
    };
    let format = format.ok_or_else(|| unknown(key, source))?;
    if Path::new(source).is_file() && is_pointer(Path::new(source)) {
        return Err(Error::file(source, POINTER.0, POINTER.1));
    }
    let mut parts = match (format.open)(source, options, progress) {
        Err(Error::Setting { key: LABEL_COLUMN, .. }) if options.label_optional => {
            let without = ReadOptions { label_column: None, ..options.clone() };
            return read(key, source, &without, progress);
        }
        parts => parts?,
    };
    if [folder::FORMAT.name, npy::FORMAT.name, npz::FORMAT.name].contains(&format.name) {
        parts = shades::bits(parts, source, options)?;
    }
    if format.name != folder::FORMAT.name {
        parts = shades::numbers(parts, options);
    }
    let shape = parts.shape;
    if options.image_size.is_some_and(|size| (size.width, size.height) != (shape.width, shape.height)) {
        return Err(other_size(source, &parts, options));
    }
    let pictured = format.name == pictures::FORMAT.name
        || (format.name == parquet::FORMAT.name && parts.columns.is_empty());
    if let Some(colour) = options.colour.filter(|_| !pictured) {
        let next = format_args!("only folders of pictures take it, and {source} is not one");
        return Err(Error::value("source.colour", colour.name(), next));
    }
    let named = options.array.as_ref().filter(|_| format.name != npz::FORMAT.name);
    // A model that is trained takes its rows from other files too.
    if let Some(name) = named.filter(|_| !options.whole) {
        let next = format_args!("only .npz files have arrays with names, and {source} is not one");
        return Err(Error::value("source.array", name, next));
    }
    let columns = [
        (LABEL_COLUMN, options.label_column.is_some()),
        ("source.columns", !options.columns.is_empty()),
        ("source.drop", !options.drop.is_empty()),
        ("source.index", options.index.is_some()),
        ("source.header", options.header.is_some()),
        ("source.delimiter", options.delimiter.is_some()),
        ("source.decimal", options.decimal.is_some()),
    ];
    let wanted = columns.into_iter().find(|(_, wanted)| *wanted);
    if let Some((key, _)) = wanted.filter(|_| !TABLES.contains(&format.name)) {
        let arrays = [npy::FORMAT.name, npz::FORMAT.name].contains(&format.name);
        let next = match key {
            "source.columns" | "source.drop" if arrays => {
                "; save an array of those that are to be read, such as np.save(\"some.npy\", x[:, [0, 2]])"
            }
            LABEL_COLUMN if arrays => "; save the labels beside the rows: np.savez(\"both.npz\", x=x, y=y)",
            _ => "",
        };
        return Err(Error::setting(key, format!(": {source} has no columns with names{next}")));
    }
    Ok(parts)
}

/// The error of rows that have another number of values than pictures of the size that is asked for.
fn other_size(source: &str, parts: &Parts, options: &ReadOptions) -> Error {
    let Some(size) = options.image_size else {
        return Error::Usage(format!("{source}: no size is asked for"));
    };
    let (dim, pixels) = (parts.shape.dim(), size.width * size.height);
    let over = [1, 3].into_iter().any(|channels| dim == channels * pixels + 1);
    if parts.shape.is_table() && over && !parts.columns.is_empty() && parts.label.is_none() {
        let problem = format!("{dim} columns, one more than the {} pixels of a picture of {size}", dim - 1);
        return Error::file(source, problem, one_holds_labels(&parts.columns));
    }
    if options.whole {
        let problem = format!("it holds data of {}, but the model is of pictures of {size}", parts.shape);
        return Error::file(
            source,
            problem,
            "give it the columns that the model was trained on, and no others",
        );
    }
    let place = "for folders of pictures, and for rows with that many values";
    Error::setting("source.image_size", format!(": {source} holds data of {}; it is {place}", parts.shape))
}

/// Leaves out the rows that lack a value or their label.
fn drop_rows(source: &str, options: &ReadOptions, parts: &mut Parts) -> Result<()> {
    let count = |parts: &Parts| {
        let others = parts.valid.iter().chain(&parts.test);
        parts.train.count + others.map(|split| split.count).sum::<usize>()
    };
    let before = count(parts);
    parts.train = missing::drop(parts.train.clone())?;
    for part in [&mut parts.valid, &mut parts.test] {
        *part = part.take().map(missing::drop).transpose()?;
    }
    let after = count(parts);
    if parts.train.count == 0 {
        let next = match options.whole {
            true => "name data with rows that have all values: the model takes no others",
            false => {
                "leave out the columns without a value in most rows, or fill them in with `source.missing` = mean"
            }
        };
        return Err(Error::file(source, "no row has all its values", next));
    }
    let others = [("validation", &parts.valid), ("test", &parts.test)];
    if let Some((name, _)) = others.iter().find(|(_, part)| part.as_ref().is_some_and(|part| part.count == 0))
    {
        let next = match options.whole {
            true => "name other data",
            false => "fill them in with `source.missing` = mean, or name other data",
        };
        return Err(Error::file(source, format!("no row of its {name} part has all its values"), next));
    }
    if after < before {
        let out = before - after;
        parts.warnings.push(format!("{out} of {before} rows lack a value or their label and are left out"));
    }
    Ok(())
}

/// Makes `other` the test part.
fn join_test(source: &str, test: &str, parts: &mut Parts, other: Parts) -> Result<()> {
    let wrong = |problem: String| Err(Error::value("source.test_data", test, problem));
    if parts.test.is_some() {
        return wrong(format!("{source} has a test part of its own"));
    }
    if other.test.is_some() || other.valid.is_some() {
        return wrong(
            "it has several parts; name a source of one part, such as the folder or file of one".into(),
        );
    }
    if other.shape != parts.shape {
        return wrong(format!("it holds data of {}, but {source} of {}", other.shape, parts.shape));
    }
    let differs = other.columns.iter().zip(&parts.columns).find(|(theirs, ours)| theirs != ours);
    if let Some((theirs, ours)) = differs {
        return wrong(format!("it has a column `{theirs}` where {source} has `{ours}`"));
    }
    parts.join(other, Part::Test);
    Ok(())
}

/// Checks the ranges of the values, and that the format exists.
fn check(options: &ReadOptions) -> Result<()> {
    options.validate()?;
    match &options.format {
        Some(name) if !FORMATS.iter().any(|format| format.name == name) => {
            let names: Vec<_> = FORMATS.iter().map(|format| format.name).collect();
            Err(Error::value("source.format", name, format_args!("use {}", names.join(", "))))
        }
        _ => Ok(()),
    }
}

/// The source in a form that opens from any folder: a built-in name as it is, a path made absolute.
pub fn anywhere(source: &str) -> String {
    // The current folder's path may not be Unicode, and then TOML cannot hold it.
    match std::path::absolute(source) {
        Ok(path) if !is_built_in(source) && path.exists() => path.to_str().unwrap_or(source).to_owned(),
        _ => source.to_owned(),
    }
}

#[cfg(test)]
mod tests;
