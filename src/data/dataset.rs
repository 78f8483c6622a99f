//! The data set that every reader produces.

use super::fingerprint::Raw;
use super::scaling::Scaling;
use super::shape::Shape;
use super::split::Split;
use super::summary::Summary;

/// A data set, ready to be trained on.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// A short name, fit for a file name: "mnist", or the name of the folder or file.
    pub name: String,
    /// The shape of every datum in both splits.
    pub shape: Shape,
    /// The data to learn from.
    pub train: Split,
    /// The data for evaluation, never trained on.
    pub test: Split,
    /// Names of a table's columns; empty where there are none.
    pub columns: Vec<String>,
    /// The names of the labels; empty if they only have numbers.
    pub classes: Vec<String>,
    /// How the source's values were scaled to those of the splits.
    pub scaling: Option<Scaling>,
    /// Statistics of the unscaled training values, if they are floats.
    pub summary: Option<Summary>,
    /// Whether all training values are in 0..1, so that they can be probabilities.
    pub unit: bool,
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
            test,
            columns: Vec::new(),
            classes: Vec::new(),
            scaling: None,
            summary: None,
            unit: true,
            warnings: Vec::new(),
            raw: Raw { parts, classes: Vec::new() },
        }
    }

    /// Number of classes: the largest label plus one. None if either split lacks labels.
    pub fn class_count(&self) -> Option<usize> {
        let largest = |split: &Split| split.labels.as_ref()?.iter().max().copied();
        let largest = largest(&self.train)?.max(largest(&self.test)?);
        Some(largest as usize + 1)
    }

    /// The names of a table's columns; empty if they only have numbers.
    pub fn column_names(&self) -> &[String] {
        let numbered = self.columns.iter().all(|name| name.parse::<u32>().is_ok());
        if numbered { &[] } else { &self.columns }
    }
}
