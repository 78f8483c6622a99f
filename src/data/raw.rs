//! Rows as a source has them, before they are divided and scaled.

use super::reader::Parts;
use super::split::Split;

/// The name of the one part of a source without parts.
pub(super) const ALL: &str = "all";

/// The rows as the source has them.
#[derive(Clone, Debug)]
pub struct Raw {
    /// Each part with its name.
    pub parts: Vec<(&'static str, Split)>,
    /// What the labels of these rows are called.
    pub classes: Vec<String>,
    /// Whether pictures were cut or resized to the size of the others.
    pub cut: bool,
}

impl Raw {
    /// What a reader gave.
    pub(super) fn of(parts: &Parts) -> Raw {
        let (train, classes, cut) = (parts.train.clone(), parts.classes.clone(), parts.cut);
        let first = if parts.test.is_some() || parts.valid.is_some() { "train" } else { ALL };
        let others = [("valid", &parts.valid), ("test", &parts.test)];
        let others = others.into_iter().filter_map(|(name, rows)| Some((name, rows.clone()?)));
        let parts = [(first, train)].into_iter().chain(others).collect();
        Raw { parts, classes, cut }
    }
}
