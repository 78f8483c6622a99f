//! Parts that come from several files or sources.

use std::collections::{BTreeMap, BTreeSet};

use super::classes::{Known, spelled_as};
use super::origin::Part;
use super::reader::Parts;
use super::table::NO_LABEL;

impl Parts {
    /// Makes other rows of the same source, or its test data, the `part` of these, with their class numbers; they learn the
    /// classes and warnings of the others, and what of them cannot be read.
    pub(super) fn join(&mut self, mut other: Parts, part: Part) {
        if !(self.classes.is_empty() && other.classes.is_empty()) {
            self.name_classes();
            other.name_classes();
        }
        other.classes = spelled_as(other.classes, &self.classes);
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

    /// Makes the numbers of classes their names, if they have no others.
    fn name_classes(&mut self) {
        if !self.classes.is_empty() {
            return;
        }
        let splits = || [&self.train].into_iter().chain(&self.valid).chain(&self.test);
        let labels = splits().flat_map(|split| split.labels.as_deref().unwrap_or(&[]));
        let used: BTreeSet<u32> = labels.copied().filter(|label| *label != NO_LABEL).collect();
        if used.is_empty() {
            return;
        }
        let classes = used.iter().map(u32::to_string).collect();
        let numbers: BTreeMap<u32, u32> = used.into_iter().zip(0..).collect();
        let number = |label| numbers.get(&label).copied().unwrap_or(NO_LABEL);
        self.train = self.train.clone().renumbered(number);
        for split in [&mut self.valid, &mut self.test] {
            *split = split.take().map(|split| split.renumbered(number));
        }
        self.classes = classes;
    }
}
