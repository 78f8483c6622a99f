//! What a reader may be told.

use serde::{Deserialize, Serialize};

use super::division::Division;
use super::scaling::{Scale, Scaling};
use super::shape::Size;
use crate::error::{Error, Result};
#[cfg(feature = "cli")]
use crate::settings::choice;
use crate::settings::{Range, Section, named, section};

/// Share of the rows that become the test part where the source has none and the user does not say.
pub const TEST_FRACTION: f64 = 0.1;

/// Columns by which a table of codes says what its rows are called, and why one has no code.
pub const KEYS: [&str; 3] = [FILE, ROW, REASON];
/// The name of a row's file.
pub const FILE: &str = "file";
/// The number of a row, from 0.
pub const ROW: &str = "row";
/// Why a row cannot be read.
pub const REASON: &str = "reason";

section! {
    /// How a source is read. Its place in a run's `config.toml` is the table `[source]`; none means what fits the source.
    pub struct ReadOptions from "source" {
        /// Format of the data, where its name tells the wrong one
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long)]
        format: Option<String> = None;

        /// Size of the pictures: those of a folder are cut and resized to it, rows of a .npy file are read as it
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_name = "WxH")]
        image_size: Option<Size> = None;

        /// Whether pictures of a folder become grey or coloured; by default as the first one is
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(skip)]
        colour: Option<Colour> = None;

        /// Array of a .npz file that holds the data, where that is not clear
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_name = "NAME")]
        array: Option<String> = None;

        /// Whether bytes that are all 0 or 1 count as such and not as v / 255; a run that is resumed or used takes what it has
        /// learnt
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(skip)]
        bits: Option<bool> = None;

        /// Column of a table with labels, by name or by number from 1
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_name = "NAME")]
        label_column: Option<String> = None;

        /// Columns of a table to read, by name or by number from 1, such as age,height,pixel*; by default all
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[arg(long, value_name = "NAMES")]
        columns: Vec<String> = Vec::new();

        /// Columns of a table to leave out, named as for `source.columns`
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[arg(long, value_name = "NAMES")]
        drop: Vec<String> = Vec::new();

        /// What to do about rows without a value; by default error
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_parser = choice::<Missing>())]
        missing: Option<Missing> = None;

        /// What to do about a nameless column that numbers or names the rows; by default drop
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_parser = choice::<Index>())]
        index: Option<Index> = None;

        /// Whether the first line of a text table has names; by default as it looks
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_parser = choice::<Header>())]
        header: Option<Header> = None;

        /// What separates the cells of a text table; by default what gives each row as many
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_parser = choice::<Delimiter>())]
        delimiter: Option<Delimiter> = None;

        /// The decimal sign of a text table; by default as its numbers look
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_parser = choice::<Decimal>())]
        decimal: Option<Decimal> = None;

        /// Whether the label's column may be missing: labels only name what a trained model says of its rows
        #[serde(skip)]
        #[arg(skip)]
        label_optional: bool = false;

        /// The columns of a trained model: those of a table are found by name, and others ignored
        #[serde(skip)]
        #[arg(skip)]
        expected: Vec<String> = Vec::new();

        /// Of a trained model: that the source is other data than its own, and to be told of what becomes of its pictures
        #[serde(skip)]
        #[arg(skip)]
        foreign: bool = false;

        /// Of a trained model without a scaling: that its x are bytes as v / 255, or in 0..1
        #[serde(skip)]
        #[arg(skip)]
        shares: bool = false;

        /// Of a trained model: that its rows are pictures, as which rows of a table without columns are read
        #[serde(skip)]
        #[arg(skip)]
        pictured: bool = false;

        /// Values of a row of codes: of a table with more columns, those of [`KEYS`] are left out
        #[serde(skip)]
        #[arg(skip)]
        codes: Option<usize> = None;

        /// Another source, which is the test part
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_name = "SOURCE")]
        test_data: Option<String> = None;

        /// Share of the rows that become the test part, where the source has none; by default 0.1
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_name = "SHARE")]
        test_fraction: Option<f64> = None, in Range::share(false, "use a share between 0 and 1, such as 0.1");

        /// Both parts are all rows, where the source has no test part of its own: for a model that is trained already
        #[serde(skip)]
        #[arg(skip)]
        whole: bool = false;

        /// Seed of the choice of test rows
        #[arg(long, value_name = "SEED")]
        split_seed: u64 = 0;

        /// What decides which rows these are; runs of earlier versions shuffle
        #[serde(skip_serializing_if = "Division::is_default")]
        #[arg(skip)]
        division: Division = Division::Rows;

        /// How values become x; by default standard for tables of floats, none for pictures
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long = "scaling", value_parser = choice::<Scale>())]
        scale: Option<Scale> = None;

        /// The scaling that a run has learnt from its training part; a run that is resumed or used takes it as it is
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(skip)]
        scaling: Option<Scaling> = None;
    }
}

named! {
    /// Channels of pictures.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Colour {
        /// One channel
        Grey => "grey",
        /// Red, green and blue
        Colour => "colour",
    }
}

named! {
    /// What becomes of rows in which a value or the label is missing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Missing {
        /// Refuse the data, and say where values are missing
        Error => "error",
        /// Leave such rows out
        Drop => "drop",
        /// Put the column's mean in the training part in their place
        Mean => "mean",
    }
}

named! {
    /// What becomes of a column of row numbers or row names.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Index {
        /// Leave it out
        Drop => "drop",
        /// Read it like any other
        Keep => "keep",
    }
}

named! {
    /// Whether the first line of a text table has the names of its columns.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Header {
        /// It has names
        Yes => "yes",
        /// It is a row
        No => "no",
    }
}

named! {
    /// What separates the cells of a text table.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Delimiter {
        /// A comma
        Comma => "comma",
        /// A semicolon
        Semicolon => "semicolon",
        /// A tab
        Tab => "tab",
        /// A vertical bar
        Pipe => "pipe",
        /// One or more blanks or tabs
        Blanks => "blanks",
    }
}

named! {
    /// The sign before the decimals of a number; the other one may stand between thousands.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Decimal {
        /// As in 1,234.5
        Point => "point",
        /// As in 1.234,5
        Comma => "comma",
    }
}

impl ReadOptions {
    /// What to do about something by a flag of how data are read; nothing in commands that use a trained model, which have no
    /// such flags.
    pub(super) fn advice(&self, text: impl FnOnce() -> String) -> String {
        if self.whole || self.codes.is_some() { String::new() } else { text() }
    }

    /// The same for a source that has no columns with names.
    #[doc(hidden)]
    pub fn without_columns(self) -> ReadOptions {
        let ReadOptions { columns, drop, index, header, delimiter, decimal, expected, .. } =
            ReadOptions::default();
        ReadOptions { columns, drop, index, header, delimiter, decimal, expected, label_column: None, ..self }
    }

    /// Checks the ranges of the values, and that they go together.
    ///
    /// # Errors
    /// [`Error::Setting`], which names the key.
    pub fn validate(&self) -> Result<()> {
        self.check_ranges()?;
        if self.test_data.is_some() && self.test_fraction.is_some() {
            let problem = " names the test part: `source.test_fraction` does not go with it";
            return Err(Error::setting("source.test_data", problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(options: ReadOptions) -> String {
        options.validate().unwrap_err().to_string()
    }

    #[test]
    fn values_out_of_range_name_their_key() {
        for fraction in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            let options = ReadOptions { test_fraction: Some(fraction), ..ReadOptions::default() };
            assert!(message(options).starts_with("`source.test_fraction` = "));
        }
        assert!(
            ReadOptions { test_fraction: Some(TEST_FRACTION), ..ReadOptions::default() }.validate().is_ok()
        );
        let both =
            ReadOptions { test_fraction: Some(0.5), test_data: Some("x".into()), ..ReadOptions::default() };
        assert!(message(both).contains("`source.test_fraction` does not go with it"));
    }

    #[test]
    fn toml_round_trips_and_defaults_are_not_written() {
        let options = ReadOptions {
            format: Some("csv".into()),
            image_size: Some(Size { width: 8, height: 9 }),
            colour: Some(Colour::Grey),
            test_fraction: Some(0.25),
            scale: Some(Scale::Minmax),
            scaling: Some(Scaling { shift: vec![0.1, -2e-30], scale: vec![3.0, 1e-7], fill: vec![] }),
            ..ReadOptions::default()
        };
        let text = toml::to_string(&options).unwrap();
        assert!(text.contains("image_size = \"8x9\"") && text.contains("colour = \"grey\""), "{text}");
        assert_eq!(toml::from_str::<ReadOptions>(&text).unwrap(), options);
        assert_eq!(toml::to_string(&ReadOptions::default()).unwrap(), "split_seed = 0\n");
    }
}
