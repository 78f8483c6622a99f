//! The names of a data set's labels, and their numbers in a model that numbers them differently.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::dataset::Dataset;
use super::split::Split;

/// Whole numbers up to this size are told apart by 64-bit floats.
const EXACT: f64 = (1u64 << 53) as f64;

/// What a class's name means: the same for `True` and `true`, for `1`, `1.0` and `1e0`. A leading zero makes a number a
/// name, as in 007.
pub(super) fn meaning(name: &str) -> Cow<'_, str> {
    let truth = ["true", "false"].into_iter().find(|word| word.eq_ignore_ascii_case(name));
    if let Some(word) = truth {
        return word.into();
    }
    let digits = name.trim_start_matches(['+', '-']);
    let padded = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    match name.parse::<f64>() {
        Ok(value) if value.abs() < EXACT && !padded => (value + 0.0).to_string().into(),
        _ => name.into(),
    }
}

/// The number of the class in `known` that means the same as `name`. A plain number is that of the class itself, where no
/// class is called as one.
pub fn class_number(name: &str, known: &[String]) -> Option<u32> {
    let exact = known.iter().position(|known| known == name);
    let spelled = spelled_as(vec![name.to_owned()], known);
    let wanted = meaning(&spelled[0]);
    let alike = || known.iter().position(|known| meaning(known) == wanted);
    let own =
        || number(name).filter(|own| (*own as usize) < known.len() && !known.iter().any(|k| is_number(k)));
    exact.or_else(alike).map(|number| number as u32).or_else(own)
}

/// The number that a name is.
fn number(name: &str) -> Option<u32> {
    meaning(name).parse().ok()
}

fn is_number(name: &str) -> bool {
    name.parse::<f64>().is_ok() || ["true", "false"].contains(&&*meaning(name))
}

/// Whether names are some of these alone.
fn are_of(names: &[String], words: [&str; 2]) -> bool {
    !names.is_empty() && names.iter().all(|name| words.contains(&&*meaning(name)))
}

/// What truth values are called as words, and as numbers.
const TRUTHS: [[&str; 2]; 2] = [["false", "true"], ["0", "1"]];

/// The names as `known` spells them where one side has truth values alone and the other has 0 and 1 alone.
pub(super) fn spelled_as(names: Vec<String>, known: &[String]) -> Vec<String> {
    let [words, numbers] = TRUTHS;
    let (from, to) = match () {
        () if are_of(&names, words) && are_of(known, numbers) => (words, numbers),
        () if are_of(&names, numbers) && are_of(known, words) => (numbers, words),
        () => return names,
    };
    let spell = |name: String| {
        let truth = to[usize::from(meaning(&name) == from[1])];
        known.iter().find(|known| meaning(known) == truth).cloned().unwrap_or_else(|| truth.to_owned())
    };
    names.into_iter().map(spell).collect()
}

/// One spelling of all that may be one class: of truth values, their number.
pub(super) fn canonical(name: &str) -> Cow<'_, str> {
    let name = meaning(name);
    let [words, numbers] = TRUTHS;
    match words.iter().position(|word| *word == name) {
        Some(at) => numbers[at].into(),
        None => name,
    }
}

/// The classes of a model or of a part, of which there may be very many, found by name.
pub(super) struct Known {
    names: Vec<String>,
    exact: HashMap<String, u32>,
    alike: HashMap<String, u32>,
}

impl Known {
    pub(super) fn new(names: Vec<String>) -> Known {
        let mut known = Known { names: Vec::new(), exact: HashMap::new(), alike: HashMap::new() };
        names.into_iter().for_each(|name| known.add(name));
        known
    }

    fn add(&mut self, name: String) {
        let number = self.names.len() as u32;
        // The first of several counts.
        self.alike.entry(meaning(&name).into_owned()).or_insert(number);
        self.exact.entry(name.clone()).or_insert(number);
        self.names.push(name);
    }

    /// The number of `name`, as [`class_number`] finds it; a new name is appended.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        let found = self.exact.get(name).or_else(|| self.alike.get(&*meaning(name)));
        found.copied().unwrap_or_else(|| {
            self.add(name.to_owned());
            self.names.len() as u32 - 1
        })
    }

    pub(super) fn names(self) -> Vec<String> {
        self.names
    }
}

impl Split {
    /// The same rows, with each label mapped through `number`.
    pub(super) fn renumbered(self, number: impl Fn(u32) -> u32) -> Split {
        let labels = self.labels.as_ref().map(|labels| labels.iter().map(|label| number(*label)).collect());
        self.with_labels(labels)
    }
}

impl Dataset {
    /// Renumbers the labels as in a model that knows the classes `known`, matched by name; classes that the model does
    /// not know get the numbers after those. If only one side has names, the other's numbers serve as names.
    pub fn with_classes(self, known: &[String]) -> Dataset {
        let labels = self.splits().map(|split| split.labels.as_deref().unwrap_or(&[]));
        let used: BTreeSet<u32> = labels.flatten().copied().collect();
        let mut classes = known.to_vec();
        let counts = self.counts(known);
        let numbers: Option<BTreeMap<u32, u32>> = match (known.is_empty(), self.classes.is_empty()) {
            (true, true) => None,
            // The model's classes are numbers, so these names must be numbers too.
            (true, false) => {
                used.iter().map(|label| Some((*label, number(&self.class_name(*label))?))).collect()
            }
            _ if counts => {
                let own = |label: &u32| Some((*label, number(&self.class_name(*label))?));
                used.iter().map(own).collect()
            }
            (false, _) => {
                let names = spelled_as(used.iter().map(|label| self.class_name(*label)).collect(), known);
                let mut named = Known::new(std::mem::take(&mut classes));
                let numbers =
                    used.iter().zip(&names).map(|(label, name)| (*label, named.number(name))).collect();
                classes = named.names();
                Some(numbers)
            }
        };
        let Some(numbers) = numbers else { return self };
        let mut raw = self.raw;
        if counts {
            // What they are called as the model knows them.
            let called =
                |name: &String| number(name).map_or_else(|| name.clone(), |own| class_name(known, own));
            raw.classes = match raw.classes.is_empty() {
                true => known.to_vec(),
                false => raw.classes.iter().map(called).collect(),
            };
        }
        let renumber = |split: Split| split.renumbered(|label| numbers[&label]);
        let (train, valid, test) = (renumber(self.train), self.valid.map(renumber), renumber(self.test));
        Dataset { train, valid, test, classes, raw, ..self }
    }

    /// Whether its labels are plain numbers where a model's classes `known` have other names: they count as the numbers of
    /// those classes.
    #[doc(hidden)]
    pub fn counts(&self, known: &[String]) -> bool {
        let numbers = || self.classes.iter().all(|name| number(name).is_some());
        let none_is = |is: fn(&str) -> bool| !known.is_empty() && !known.iter().any(|name| is(name));
        match self.classes.is_empty() {
            true => {
                !known.is_empty()
                    && !known.iter().all(|name| number(name).is_some())
                    && !are_of(known, TRUTHS[0])
            }
            false => numbers() && none_is(is_number),
        }
    }

    /// The name of a label.
    pub fn class_name(&self, label: u32) -> String {
        class_name(&self.classes, label)
    }
}

/// The name of a label in `classes`: its number, if they have no names.
pub fn class_name(classes: &[String], label: u32) -> String {
    classes.get(label as usize).cloned().unwrap_or_else(|| label.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use super::*;

    fn dataset(labels: &[u32], classes: &[&str]) -> Dataset {
        let split = Split::new(vec![0; labels.len()], 1, None).with_labels(Some(labels.to_vec()));
        let mut dataset = Dataset::new("data", Shape::table(1), split.clone(), split);
        dataset.classes = names(classes);
        dataset
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[track_caller]
    fn numbered((labels, classes): (&[u32], &[&str]), known: &[&str], expected: (&[u32], &[&str])) {
        let got = dataset(labels, classes).with_classes(&names(known));
        assert_eq!(got.train.labels.as_deref(), Some(expected.0));
        assert_eq!((got.test.labels, got.classes), (got.train.labels, names(expected.1)));
    }

    #[test]
    fn a_class_gets_the_models_number_for_its_name() {
        numbered((&[0, 1], &["6", "7"]), &["3", "4", "5", "6", "7"], (&[3, 4], &["3", "4", "5", "6", "7"]));
        numbered((&[0, 1, 0], &["cow", "dog"]), &["cat", "dog"], (&[2, 1, 2], &["cat", "dog", "cow"]));
        numbered((&[0, 1], &["cat", "dog"]), &["cat", "dog"], (&[0, 1], &["cat", "dog"]));
    }

    #[test]
    fn names_that_mean_the_same_are_one_class() {
        numbered((&[0, 1], &["False", "True"]), &["false", "true"], (&[0, 1], &["false", "true"]));
        numbered((&[0, 1], &["1.0", "3.0"]), &["0", "1", "2", "3"], (&[1, 3], &["0", "1", "2", "3"]));
        numbered((&[0, 1], &["3.0", "7.0"]), &[], (&[3, 7], &[]));
        for (a, b) in [("-0", "0"), ("1e2", "100"), ("+5", "5"), ("TRUE", "True"), ("2.50", "2.5")] {
            assert_eq!(meaning(a), meaning(b));
        }
        for (a, b) in [("007", "7"), ("9007199254740993", "9007199254740992"), ("nan", "NaN"), ("a", "A")] {
            assert_ne!(meaning(a), meaning(b));
        }
    }

    #[test]
    fn truth_values_are_0_and_1_where_the_other_side_has_those_alone() {
        numbered((&[0, 1], &["False", "True"]), &["0", "1"], (&[0, 1], &["0", "1"]));
        numbered((&[0, 1], &["0.0", "1.0"]), &["True", "false"], (&[1, 0], &["True", "false"]));
        numbered((&[0, 1], &[]), &["True", "false"], (&[1, 0], &["True", "false"]));
        numbered(
            (&[0, 1], &["False", "True"]),
            &["0", "1", "2"],
            (&[3, 4], &["0", "1", "2", "False", "True"]),
        );
        assert_eq!((class_number("true", &names(&["0", "1"])), canonical("True")), (Some(1), "1".into()));
    }

    #[test]
    fn plain_numbers_are_those_of_classes_with_other_names() {
        let known = names(&["cat", "dog"]);
        numbered((&[1, 0], &["0", "1"]), &["cat", "dog"], (&[1, 0], &["cat", "dog"]));
        numbered((&[0, 1], &["1", "7"]), &["cat", "dog"], (&[1, 7], &["cat", "dog"]));
        assert_eq!((class_number("1", &known), class_number("2", &known)), (Some(1), None));
        assert_eq!(class_number("1", &names(&["3", "cat"])), None);
    }

    /// Minutes, if each were looked for among all.
    #[test]
    fn very_many_classes_are_matched_at_once() {
        let names: Vec<String> = (0..50_000).map(|class| format!("class {class}")).collect();
        let labels: Vec<u32> = (0..50_000).collect();
        let split = Split::new(vec![0; labels.len()], 1, None).with_labels(Some(labels.clone()));
        let mut dataset = Dataset::new("data", Shape::table(1), split.clone(), split);
        dataset.classes = names.iter().rev().cloned().collect();
        let got = dataset.with_classes(&names);
        assert!(got.train.labels.unwrap().iter().copied().eq(labels.into_iter().rev()));
    }

    #[test]
    fn numbers_are_names_where_the_other_side_has_such() {
        numbered((&[0, 1], &["3", "7"]), &[], (&[3, 7], &[]));
        numbered((&[3, 4], &[]), &["3", "4", "6"], (&[0, 1], &["3", "4", "6"]));
        numbered((&[u32::MAX, 4], &[]), &["3", "4"], (&[2, 1], &["3", "4", "4294967295"]));
        numbered((&[1, 0], &[]), &["cat", "dog"], (&[1, 0], &["cat", "dog"]));
        numbered((&[0, 1], &["cat", "dog"]), &[], (&[0, 1], &["cat", "dog"]));
        numbered((&[5, 1], &[]), &[], (&[5, 1], &[]));
    }
}
