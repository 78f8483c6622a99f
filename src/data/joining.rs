//! Parts that come from several files or sources.

use super::classes::Known;
use super::origin::Part;
use super::reader::Parts;

impl Parts {
    /// Makes other rows of the same source, or its test data, the `part` of these, with their class numbers; they learn the
    /// classes and warnings of the others, and what of them cannot be read.
    pub(super) fn join(&mut self, other: Parts, part: Part) {
        // A class that occurs in one part only is a class of both.
        let mut known = Known::new(std::mem::take(&mut self.classes));
        let numbers: Vec<u32> = other.classes.iter().map(|name| known.number(name)).collect();
        self.classes = known.names();
        let told = |warning: &String| !self.warnings.contains(warning);
        let warnings: Vec<String> = other.warnings.into_iter().filter(told).collect();
        self.warnings.extend(warnings);
        self.unread.iter_mut().for_each(|unread| unread.part = unread.part.or(Some(Part::Train)));
        self.unread.extend(other.unread.into_iter().map(|mut unread| {
            unread.part = Some(part);
            unread
        }));
        let number = |label| numbers.get(label as usize).copied().unwrap_or(label);
        let split = Some(other.train.renumbered(number));
        *(if part == Part::Valid { &mut self.valid } else { &mut self.test }) = split;
    }
}
