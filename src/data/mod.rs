//! Data sets: one reader a file, all giving the same [`Dataset`].
//!
//! A new format is one file beside this one, whose `FORMAT` says what it recognises and how it is
//! read, and one line in the table `FORMATS`. The words after `--data`, the error message and the
//! help text follow from the table.

mod folder;
mod idx;
mod mnist;
mod order;

pub use order::epoch_order;

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};

/// Every kind of data that [`open`] knows; the first whose `detect` says yes reads the source.
const FORMATS: &[Format] = &[mnist::FORMAT, folder::FORMAT];

/// One kind of data, as a row of the table `FORMATS`.
struct Format {
    /// What the user writes after `--data`, or a word for it.
    name: &'static str,
    /// One line for the help text and the error message.
    describe: &'static str,
    /// Whether `open` is worth trying: looks at names only, so a damaged file is still detected.
    detect: fn(&str) -> bool,
    open: fn(&str) -> Result<Dataset>,
}

/// The shape of one datum. Its values lie row by row, the channels of a pixel together: value
/// `c` of the pixel in column `x` of row `y` is number `(y * width + x) * channels + c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Values a pixel: 1 for grey, 3 for red, green and blue.
    pub channels: usize,
}

impl Shape {
    /// D, the number of values of one datum. A product that no `usize` holds, which only a damaged or hostile
    /// file claims, becomes the largest one, so that every check of D refuses it.
    pub fn dim(self) -> usize {
        self.width.saturating_mul(self.height).saturating_mul(self.channels)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)?;
        if self.channels == 1 { Ok(()) } else { write!(f, "x{}", self.channels) }
    }
}

/// One part of a data set: N data of D values each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// N.
    pub count: usize,
    /// N x D values, 0 to 255, row major.
    pub values: Vec<u8>,
    /// N class numbers, where the source has them. Training never looks at them.
    pub labels: Option<Vec<u8>>,
}

impl Split {
    /// A split of `values`, N x `dim`.
    ///
    /// # Panics
    /// If `values` is no whole number of rows, or `labels` are not N: a reader checks its file first.
    pub fn new(values: Vec<u8>, dim: usize, labels: Option<Vec<u8>>) -> Split {
        assert!(dim > 0 && values.len().is_multiple_of(dim), "{} values in rows of {dim}", values.len());
        let count = values.len() / dim;
        assert!(labels.as_ref().is_none_or(|labels| labels.len() == count), "one label a row");
        Split { count, values, labels }
    }

    /// D, the number of values in a row; 0 for an empty split.
    pub fn dim(&self) -> usize {
        self.values.len().checked_div(self.count).unwrap_or(0)
    }

    /// The data of these numbers.
    pub fn select(&self, rows: &[u32]) -> Split {
        let values = rows.iter().flat_map(|row| self.row(*row as usize)).copied().collect();
        let labels =
            self.labels.as_ref().map(|labels| rows.iter().map(|row| labels[*row as usize]).collect());
        Split { count: rows.len(), values, labels }
    }

    /// The data without a seeded share of them, and that share: what training is judged by where the test data must
    /// choose nothing.
    pub fn hold_out(&self, share: f64, seed: u64) -> (Split, Split) {
        let held = ((self.count as f64 * share).round() as usize).clamp(1, self.count.max(1));
        let mut order = epoch_order(self.count, seed, HOLD_OUT);
        let (held, kept) = order.split_at_mut(held.min(self.count));
        // In the order of the file.
        held.sort_unstable();
        kept.sort_unstable();
        (self.select(kept), self.select(held))
    }

    /// What number `d` of a datum is over the data, in [0, 1]: each value with its count.
    pub fn values_of(&self, d: usize) -> Vec<(f64, u64)> {
        let mut counts = [0u64; 256];
        let dim = self.dim();
        self.values.iter().skip(d).step_by(dim.max(1)).for_each(|v| counts[usize::from(*v)] += 1);
        let values = counts.iter().enumerate().filter(|(_, n)| **n > 0);
        values.map(|(v, n)| (v as f64 / 255.0, *n)).collect()
    }

    /// The D values of datum `index`, counted from 0.
    ///
    /// # Panics
    /// If `index` is not below `count`.
    pub fn row(&self, index: usize) -> &[u8] {
        let dim = self.dim();
        &self.values[index * dim..(index + 1) * dim]
    }
}

/// A data set in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// A short name, fit for a file name: "mnist", or the name of the folder.
    pub name: String,
    /// The shape of every datum in both splits.
    pub shape: Shape,
    /// What the model learns from.
    pub train: Split,
    /// What it is judged by, never trained on.
    pub test: Split,
}

impl Dataset {
    /// Number of classes: one more than the largest label. None where either split has no labels.
    pub fn classes(&self) -> Option<usize> {
        let largest = |split: &Split| split.labels.as_ref()?.iter().max().copied();
        let largest = largest(&self.train)?.max(largest(&self.test)?);
        Some(usize::from(largest) + 1)
    }
}

/// The epoch whose order chooses what is held out: no epoch of training, which count from 1.
const HOLD_OUT: u32 = 0;

/// Opens the data that `--data SOURCE` names: a built-in name or a path.
///
/// # Errors
/// [`Error::Usage`] if no format knows the source, [`Error::File`] if its files are not what they
/// should be, [`Error::Io`] if they cannot be read.
pub fn open(source: &str) -> Result<Dataset> {
    match FORMATS.iter().find(|format| (format.detect)(source)) {
        Some(format) => (format.open)(source),
        None => Err(unknown(source)),
    }
}

/// The source as it can be opened again from another folder: a built-in name as it is, a path made absolute.
pub fn anywhere(source: &str) -> String {
    let built_in = FORMATS.iter().any(|format| format.name == source);
    match std::path::absolute(source) {
        Ok(path) if !built_in && path.exists() => path.to_string_lossy().into_owned(),
        _ => source.to_owned(),
    }
}

/// The legal sources as (word, description), for a help text.
pub fn sources() -> impl Iterator<Item = (&'static str, &'static str)> {
    FORMATS.iter().map(|format| (format.name, format.describe))
}

fn unknown(source: &str) -> Error {
    let path = Path::new(source);
    let given = if path.is_dir() {
        "this folder has no data that is known"
    } else if path.exists() {
        "this is a single file of no known kind"
    } else {
        "no built-in data set has this name, and there is no such path"
    };
    let legal: String = sources().map(|(name, describe)| format!("\n  {name:<8} {describe}")).collect();
    Error::Usage(format!("--data `{source}`: {given}; it takes{legal}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_source_names_the_flag_and_every_legal_value() {
        let error = open("fashon").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let message = error.to_string();
        assert!(message.starts_with("--data `fashon`: no built-in"), "{message}");
        for (name, describe) in sources() {
            assert!(message.contains(name) && message.contains(describe), "{message}");
        }
    }

    #[test]
    fn a_folder_or_file_of_another_kind_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let message = open(folder.path().to_str().unwrap()).unwrap_err().to_string();
        assert!(message.contains("this folder has no data"), "{message}");

        let file = folder.path().join("notes.txt");
        std::fs::write(&file, "x").unwrap();
        let message = open(file.to_str().unwrap()).unwrap_err().to_string();
        assert!(message.contains("single file"), "{message}");
    }

    #[test]
    fn no_source_at_all_is_unknown_and_not_the_current_folder() {
        assert!(matches!(open(""), Err(Error::Usage(_))));
    }

    #[test]
    fn rows_are_slices_of_the_values() {
        let split = Split::new(vec![1, 2, 3, 4, 5, 6], 3, Some(vec![7, 8]));
        assert_eq!((split.count, split.dim(), split.row(1)), (2, 3, &[4, 5, 6][..]));
        assert_eq!(Split::new(Vec::new(), 3, None).dim(), 0);
    }

    #[test]
    fn a_shape_prints_its_channels_only_where_there_are_several() {
        assert_eq!(Shape { width: 28, height: 20, channels: 1 }.to_string(), "28x20");
        assert_eq!(Shape { width: 32, height: 32, channels: 3 }.to_string(), "32x32x3");
    }
}
