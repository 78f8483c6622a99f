//! Parts that come from several files or sources.

use super::classes;
use super::reader::Parts;
use super::split::Split;

impl Parts {
    /// The rows of other parts of the same source or of its test data, with the class numbers of these parts, which learn
    /// the classes and warnings of the others.
    pub(super) fn join_classes(&mut self, other: Parts) -> Split {
        // A class that occurs in one part only is a class of both.
        let numbers: Vec<u32> =
            other.classes.iter().map(|name| classes::number(name, &mut self.classes)).collect();
        self.warnings.extend(
            other.warnings.into_iter().filter(|warning| !self.warnings.contains(warning)).collect::<Vec<_>>(),
        );
        let number = |label| numbers.get(label as usize).copied().unwrap_or(label);
        other.train.renumbered(number)
    }
}
