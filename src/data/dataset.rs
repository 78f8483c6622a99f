//! The data set that every reader produces.

use super::origin::Unread;
use super::raw::Raw;
use super::scaling::Scaling;
use super::shape::Shape;
use super::split::Split;
use super::summary::Summary;

/// A data set, ready to be trained on.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// A short name, fit for a file name: "mnist", or the name of the folder or file.
    pub name: String,
    /// The shape of every datum in all splits.
    pub shape: Shape,
    /// The data to learn from.
    pub train: Split,
    /// The source's own data to choose by while training, if it has such.
    pub valid: Option<Split>,
    /// The data for evaluation, never trained on.
    pub test: Split,
    /// Names of a table's columns; empty where there are none.
    pub columns: Vec<String>,
    /// The name of a table's column of labels; its number, if it has none.
    pub label: Option<String>,
    /// The names of the labels; empty if they only have numbers.
    pub classes: Vec<String>,
    /// How the source's values were scaled to those of the splits.
    pub scaling: Option<Scaling>,
    /// Statistics of the unscaled training values, if they are floats.
    pub summary: Option<Summary>,
    /// Of bytes that could be binary data, 0 and 1 alone, whether they are.
    pub bits: Option<bool>,
    /// Whether all training values are in 0..1, so that they can be probabilities.
    pub unit: bool,
    /// What the source has but could not be read, in its order.
    pub unread: Vec<Unread>,
    /// What was found in the source and how it is read, where that does not go without saying.
    pub notes: Vec<String>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// The rows as the source has them.
    pub raw: Raw,
}

impl Dataset {
    /// A data set in memory, without names.
    pub fn new(name: &str, shape: Shape, train: Split, test: Split) -> Dataset {
        let parts = vec![("train", train.clone()), ("test", test.clone())];
        Dataset {
            name: name.to_owned(),
            shape,
            train,
            valid: None,
            test,
            columns: Vec::new(),
            label: None,
            classes: Vec::new(),
            scaling: None,
            summary: None,
            bits: None,
            unit: true,
            unread: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
            raw: Raw { parts, classes: Vec::new(), cut: false },
        }
    }

    /// The training part, the validation part if there is one, and the test part.
    pub fn splits(&self) -> impl Iterator<Item = &Split> {
        [&self.train].into_iter().chain(&self.valid).chain([&self.test])
    }

    /// Number of classes: the largest label plus one. None if a split lacks labels.
    pub fn class_count(&self) -> Option<usize> {
        let largest = |split: &Split| split.labels.as_ref()?.iter().max().copied();
        let largest: Option<Vec<u32>> = self.splits().map(largest).collect();
        Some(largest?.into_iter().max()? as usize + 1)
    }

    /// The names of a table's columns; empty if they only have numbers.
    pub fn column_names(&self) -> &[String] {
        if numbered(&self.columns) { &[] } else { &self.columns }
    }
}

/// Whether columns have numbers in place of names.
pub(super) fn numbered(columns: &[String]) -> bool {
    columns.iter().all(|name| name.parse::<u32>().is_ok())
}
