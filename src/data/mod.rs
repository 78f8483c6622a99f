//! Data sets: one reader a file, all giving the same [`Dataset`].
//!
//! A new format is one file beside this one, whose `FORMAT` says what it recognises and how it is
//! read, and one line in the table `FORMATS`. The words that `data` and `source.format` take, the error
//! message and the help text follow from the table.
//!
//! A reader gives the values as they are. What all have in common is done here: the test part, the
//! scaling, and what the user should hear of either.

mod classes;
#[cfg(feature = "formats")]
pub mod columns;
mod csv;
mod folder;
mod idx;
mod mnist;
mod npy;
mod npz;
mod options;
mod order;
#[cfg_attr(not(feature = "formats"), path = "parquet/absent.rs")]
mod parquet;
mod pictures;
mod scaling;
mod shape;
mod split;
mod summary;
mod table;
pub mod write;

pub use classes::class_name;
pub use options::{Colour, Options, TEST_FRACTION};
pub use order::epoch_order;
pub use scaling::{Scale, Scaling};
pub use shape::{Shape, Size};
pub use split::{Element, Row, Split};
pub use summary::Summary;

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::settings::Named;

/// Every kind of data that [`open`] knows; the first whose `detect` says yes reads the source.
const FORMATS: &[Format] = &[
    mnist::FORMAT,
    folder::FORMAT,
    pictures::FORMAT,
    npy::FORMAT,
    npz::FORMAT,
    csv::FORMAT,
    parquet::FORMAT,
];

/// Most rows of a source: their numbers are 32 bits wide.
const MAX_ROWS: usize = 1 << 31;
/// Most bytes of values that are held in memory, 8 GiB: what is compressed stops here.
const MAX_BYTES: u64 = 8 << 30;
/// Data that unpacks to more than this is looked at twice ..
const PLENTY: u64 = 256 << 20;
/// .. and refused if it is as many times larger than its file: no real data is.
const BOMB: u64 = 200;
/// Most columns of a table: each has a name, and a model takes fewer.
const MAX_COLUMNS: usize = 1 << 17;
/// Letters by which a name may miss that of a built-in data set and still be taken for it.
const TYPOS: usize = 2;
/// Name of the threads whose panics become errors: the command does not report them twice.
pub const GUARDED_THREAD: &str = "vae-gpu reader";
/// Columns, files or rows that a warning names at most.
const NAMED: usize = 5;

/// One kind of data, as a row of the table `FORMATS`.
struct Format {
    /// What the setting `source.format` calls it, and `data` where the data is built in.
    name: &'static str,
    /// One line for the help text and the error message.
    describe: &'static str,
    /// Whether `open` is worth trying: looks at names only, so a damaged file is still detected.
    detect: fn(&str) -> bool,
    open: fn(&str, &Options, Progress) -> Result<Parts>,
}

/// How far a long job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done, such as "reading pictures".
    pub what: &'static str,
    /// How many are done.
    pub done: u64,
    /// How many there are; 0 where that is not known.
    pub total: u64,
}

/// Hears of progress now and then, from any thread.
pub type Progress<'a> = &'a (dyn Fn(Step) + Sync);

/// What a reader gives.
#[derive(Debug)]
struct Parts {
    name: String,
    shape: Shape,
    /// Names of a table's columns; none are empty, or there are none at all.
    columns: Vec<String>,
    /// What the labels are called; empty where they are called by their numbers.
    classes: Vec<String>,
    train: Split,
    test: Option<Split>,
    warnings: Vec<String>,
}

/// A data set, ready to be trained on.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// A short name, fit for a file name: "mnist", or the name of the folder or file.
    pub name: String,
    /// The shape of every datum in both splits.
    pub shape: Shape,
    /// What the model learns from.
    pub train: Split,
    /// What it is judged by, never trained on.
    pub test: Split,
    /// Names of a table's columns; empty where there are none.
    pub columns: Vec<String>,
    /// What the labels are called; empty where they are called by their numbers.
    pub classes: Vec<String>,
    /// How the source's values became those of the splits.
    pub scaling: Option<Scaling>,
    /// The source's own values in the training part, where they are floats.
    pub summary: Option<Summary>,
    /// Whether all values of the training part are in 0..1, so that they can be probabilities.
    pub unit: bool,
    /// What the user should hear of.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// A data set in memory, without names.
    pub fn new(name: &str, shape: Shape, train: Split, test: Split) -> Dataset {
        Dataset {
            name: name.to_owned(),
            shape,
            train,
            test,
            columns: Vec::new(),
            classes: Vec::new(),
            scaling: None,
            summary: None,
            unit: true,
            warnings: Vec::new(),
        }
    }
}

impl Dataset {
    /// Number of classes: one more than the largest label. None where either split has no labels.
    pub fn class_count(&self) -> Option<usize> {
        let largest = |split: &Split| split.labels.as_ref()?.iter().max().copied();
        let largest = largest(&self.train)?.max(largest(&self.test)?);
        Some(largest as usize + 1)
    }

    /// The names of a table's columns; none where all are called by numbers.
    pub fn column_names(&self) -> &[String] {
        let numbered = self.columns.iter().all(|name| name.parse::<u32>().is_ok());
        if numbered { &[] } else { &self.columns }
    }
}

/// The rows of a source as they are in its file, neither split nor scaled, and what their labels are called. Bytes count as
/// v / 255.
///
/// # Errors
/// As [`open_with`]; [`Error::Usage`] for a source of two parts.
pub fn rows(source: &str, options: &Options) -> Result<(Split, Vec<String>)> {
    options.validate()?;
    let parts = read("latents", source, options, &|_| {})?;
    match parts.test {
        None => Ok((parts.train, parts.classes)),
        Some(_) => Err(Error::Usage(format!("{source} has two parts; name a file of rows, such as z.npy"))),
    }
}

/// Whether a source is read as a folder of pictures, by its name or because `format` says so.
pub fn is_folder_of_pictures(source: &str, format: Option<&str>) -> bool {
    is_one_of(source, format, &[pictures::FORMAT.name])
}

/// Whether a source is read as a table whose columns have names.
pub fn has_columns(source: &str, format: Option<&str>) -> bool {
    is_one_of(source, format, &[csv::FORMAT.name, parquet::FORMAT.name])
}

fn is_one_of(source: &str, format: Option<&str>, names: &[&str]) -> bool {
    let found = || FORMATS.iter().find(|format| (format.detect)(source)).map(|format| format.name);
    format.or_else(found).is_some_and(|name| names.contains(&name))
}

/// The values of one picture, 0 to 1, cut and resized to `shape`.
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
    open_with(source, &Options::default(), &|_| {})
}

/// Opens the data set `source`, a built-in name or a path, read as `options` say.
///
/// # Errors
/// [`Error::Setting`] if no format knows the source or it cannot be read as the options say, [`Error::File`] if its files
/// are not what they should be, [`Error::Io`] if they cannot be read.
pub fn open_with(source: &str, options: &Options, progress: Progress) -> Result<Dataset> {
    options.validate()?;
    let mut parts = read("data", source, options, progress)?;
    if let Some(test) = &options.test_data {
        let other = read("source.test_data", test, options, progress)?;
        join_test(source, test, &mut parts, other)?;
    }
    let (train, test) = match (parts.test.take(), options.test_fraction) {
        (Some(_), Some(_)) => {
            let problem = format!(": {source} has a test part of its own; leave it out");
            return Err(Error::setting("source.test_fraction", problem));
        }
        (Some(test), None) => (parts.train, test),
        (None, _) if options.whole => (parts.train.clone(), parts.train),
        (None, _) if parts.train.count < 2 => {
            return Err(Error::file(
                source,
                "has one row, but training and test need one each",
                "name a test part with `source.test_data`, or use more data",
            ));
        }
        (None, fraction) => {
            let (test, train) = parts.train.part(fraction.unwrap_or(TEST_FRACTION), options.split_seed);
            (train, test)
        }
    };
    let parts = Parts { train, ..parts };
    scale(source, options, parts, test, progress)
}

/// Reads `source`, which the setting `key` names.
fn read(key: &'static str, source: &str, options: &Options, progress: Progress) -> Result<Parts> {
    let format = match &options.format {
        Some(name) => FORMATS.iter().find(|format| format.name == name),
        None => FORMATS.iter().find(|format| (format.detect)(source)),
    };
    let format = format.ok_or_else(|| unknown(key, source))?;
    let parts = (format.open)(source, options, progress)?;
    let shape = parts.shape;
    if options.image_size.is_some_and(|size| (size.width, size.height) != (shape.width, shape.height)) {
        let place = "for folders of pictures, and for rows of as many values";
        let problem = format!(": {source} holds data of {shape}; it is {place}");
        return Err(Error::setting("source.image_size", problem));
    }
    if let Some(colour) = options.colour.filter(|_| !std::ptr::eq(format.name, pictures::FORMAT.name)) {
        let next = format_args!("only folders of pictures take it, and {source} is none");
        return Err(Error::value("source.colour", colour.name(), next));
    }
    if options.label_column.is_some() && parts.columns.is_empty() {
        return Err(Error::setting("source.label_column", format!(": {source} has no columns with names")));
    }
    Ok(parts)
}

/// Makes `other` the test part.
fn join_test(source: &str, test: &str, parts: &mut Parts, other: Parts) -> Result<()> {
    let wrong = |problem: String| Err(Error::value("source.test_data", test, problem));
    if parts.test.is_some() {
        return wrong(format!("{source} has a test part of its own"));
    }
    if other.test.is_some() {
        return wrong("it has a training and a test part; name a source of one part".into());
    }
    if other.shape != parts.shape {
        return wrong(format!("it holds data of {}, but {source} of {}", other.shape, parts.shape));
    }
    let differs = other.columns.iter().zip(&parts.columns).find(|(theirs, ours)| theirs != ours);
    if let Some((theirs, ours)) = differs {
        return wrong(format!("it has a column `{theirs}` where {source} has `{ours}`"));
    }
    // A class that only one part has is still one class of both.
    let numbers: Vec<u32> =
        other.classes.iter().map(|name| classes::number(name, &mut parts.classes)).collect();
    parts.warnings.extend(other.warnings);
    let number = |label| numbers.get(label as usize).copied().unwrap_or(label);
    parts.test = Some(other.train.renumbered(number));
    Ok(())
}

/// Learns the scaling, or takes that of the run, and checks that all values are numbers.
fn scale(source: &str, options: &Options, parts: Parts, test: Split, progress: Progress) -> Result<Dataset> {
    let Parts { name, shape, columns, classes, train, mut warnings, .. } = parts;
    let floats = train.element() == Element::Floats;
    let wanted = options.scale.is_some_and(|scale| scale != Scale::None) || options.scaling.is_some();
    let mut seen = None;
    if floats || wanted {
        let learnt = summary::summarise(&train, "looking at the values", progress)?;
        let judged = summary::summarise(&test, "looking at the test values", progress)?;
        let test_source = options.test_data.as_deref().unwrap_or(source);
        for (split, seen, source) in [(&train, &learnt, source), (&test, &judged, test_source)] {
            if let Some((row, column)) = seen.bad {
                return Err(not_finite(source, split.place(row as usize), column, &columns));
            }
        }
        seen = Some((learnt, judged, test_source));
    }
    let summary = seen.as_ref().map(|(learnt, ..)| learnt);
    let scaling = match (&options.scaling, summary) {
        (Some(scaling), _) => Some(scaling.clone()),
        (None, Some(summary)) => {
            let fits = match summary.range() {
                _ if !floats => Scale::None,
                _ if shape.is_table() => Scale::Standard,
                (min, max) if min >= 0.0 && max <= 1.0 => Scale::None,
                _ => Scale::Minmax,
            };
            Scaling::learn(options.scale.unwrap_or(fits), summary, shape)
        }
        (None, None) => None,
    };
    if let Some(scaling) = &scaling {
        scaling.validate(shape.dim())?;
        for (seen, source) in
            seen.iter().flat_map(|(learnt, judged, test)| [(learnt, source), (judged, *test)])
        {
            check_scaled(source, seen, scaling, &columns)?;
        }
    }
    let mut unit = true;
    if let Some(summary) = summary {
        unit = ends(summary, scaling.as_ref()).iter().flatten().all(|x| (0.0..=1.0).contains(x));
        if shape.is_table() {
            warnings.extend(table_warnings(summary, &columns));
        }
    }
    let shared = scaling.clone().map(Arc::new);
    let (train, test) = (train.scaled(shared.clone()), test.scaled(shared));
    let summary = seen.map(|(learnt, ..)| learnt);
    Ok(Dataset { name, shape, train, test, columns, classes, scaling, summary, unit, warnings })
}

/// The least and the largest x of each column of the summarised values.
fn ends(summary: &Summary, scaling: Option<&Scaling>) -> [Vec<f32>; 2] {
    [&summary.min, &summary.max].map(|ends| {
        let mut ends: Vec<f32> = ends.iter().map(|v| *v as f32).collect();
        if let Some(scaling) = scaling {
            scaling.apply(&mut ends);
        }
        ends
    })
}

/// Refuses values so far outside of what the scaling was learnt from that they pass the end of a float.
fn check_scaled(source: &str, summary: &Summary, scaling: &Scaling, columns: &[String]) -> Result<()> {
    for (values, ends) in [&summary.min, &summary.max].into_iter().zip(ends(summary, Some(scaling))) {
        let Some(column) = ends.iter().position(|x| !x.is_finite()) else { continue };
        return Err(Error::file(
            source,
            format!(
                "{}: {:e} is no finite number once it is scaled as the training part was",
                column_name(column, columns),
                values[column] as f32
            ),
            "remove that row, or scale the columns before",
        ));
    }
    Ok(())
}

fn not_finite(source: &str, row: usize, column: usize, columns: &[String]) -> Error {
    Error::file(
        source,
        format!("row {}, {}: no finite number", row + 1, column_name(column, columns)),
        "remove the rows or columns without a value, or fill them in",
    )
}

/// Characters of a column's name in a message at most.
const LONG_NAME: usize = 60;

/// `column 3 (`age`)`, from a number that starts at 0.
fn column_name(column: usize, columns: &[String]) -> String {
    let number = column + 1;
    match columns.get(column) {
        Some(name) if name.chars().count() > LONG_NAME => {
            format!("column {number} (`{}..`)", name.chars().take(LONG_NAME).collect::<String>())
        }
        Some(name) if *name != number.to_string() => format!("column {number} (`{name}`)"),
        _ => format!("column {number}"),
    }
}

/// Columns that will teach a model nothing, or that 32-bit floats cannot tell apart.
fn table_warnings(summary: &Summary, columns: &[String]) -> Vec<String> {
    let list = |wrong: &dyn Fn(usize) -> bool| {
        let found: Vec<usize> = (0..summary.std.len()).filter(|column| wrong(*column)).collect();
        let names: Vec<_> = found.iter().take(NAMED).map(|column| column_name(*column, columns)).collect();
        let more = found.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!found.is_empty()).then(|| format!("{}{more}", names.join(", ")))
    };
    let mut warnings = Vec::new();
    if let Some(names) = list(&|column| summary.std[column] == 0.0) {
        warnings.push(format!("the same value in every training row, so nothing to learn: {names}"));
    }
    let coarse = |column: usize| {
        let std = summary.std[column];
        std > 0.0 && summary.mean[column].abs() > COARSE * std
    };
    if let Some(names) = list(&coarse) {
        warnings.push(format!(
            "values so far from zero that 32-bit floats lose their digits; subtract a constant first: {names}"
        ));
    }
    warnings
}

/// A mean of more deviations than this leaves a float less than 8 bits for the deviation.
const COARSE: f64 = 1e5;

/// What the source's own values in the training part are like: for bytes, of v / 255.
///
/// # Errors
/// [`Error::Io`] if the values are in a file that can no longer be read.
pub fn column_stats(dataset: &Dataset, progress: Progress) -> Result<Summary> {
    match &dataset.summary {
        Some(summary) => Ok(summary.clone()),
        None => summary::summarise(&dataset.train, "looking at the values", progress),
    }
}

/// The source as it can be opened again from another folder: a built-in name as it is, a path made absolute.
pub fn anywhere(source: &str) -> String {
    let built_in = (mnist::FORMAT.detect)(source);
    // The way to the current folder may hold what is no Unicode, and then has no name in TOML.
    match std::path::absolute(source) {
        Ok(path) if !built_in && path.exists() => path.to_str().unwrap_or(source).to_owned(),
        _ => source.to_owned(),
    }
}

/// The formats as (name, description), for a help text.
pub fn sources() -> impl Iterator<Item = (&'static str, &'static str)> {
    FORMATS.iter().map(|format| (format.name, format.describe))
}

fn unknown(key: &'static str, source: &str) -> Error {
    let path = Path::new(source);
    let given = if path.is_dir() {
        "this folder has no data that is known".to_owned()
    } else if path.exists() {
        "this is a single file of no known kind".to_owned()
    } else {
        let near = strsim::damerau_levenshtein(source, mnist::NAME) <= TYPOS;
        let meant = if near { format!(" (did you mean `{}`?)", mnist::NAME) } else { String::new() };
        format!("no built-in data set has this name, and there is no such path{meant}")
    };
    let legal: String = sources().map(|(name, describe)| format!("\n  {name:<8} {describe}")).collect();
    Error::setting(key, format!(" `{source}`: {given}; it takes{legal}"))
}

/// Most bytes that a file of `packed` bytes may become in memory.
fn most_unpacked(packed: u64) -> u64 {
    MAX_BYTES.min(PLENTY.max(packed.saturating_mul(BOMB)))
}

/// Whether a source is a file, or will be missed as one, with one of these endings.
fn has_extension(source: &str, extensions: &[&str]) -> bool {
    let extension = Path::new(source).extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|found| extensions.iter().any(|one| found.eq_ignore_ascii_case(one)))
}

/// A file's name without its ending.
fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
