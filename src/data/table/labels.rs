//! The labels of a table, numbered as they are read.

use std::collections::HashMap;

use super::super::classes;

/// The number of a missing label, until its row is left out.
pub const NONE: u32 = u32::MAX;

/// Labels in order of appearance, numbered by name. Names that mean the same, such as 1 and 1.0, are one class.
#[derive(Default)]
pub(in super::super) struct Labels {
    numbers: HashMap<String, u32>,
    /// How the classes are first spelled.
    names: Vec<String>,
    labels: Vec<u32>,
}

impl Labels {
    pub(in super::super) fn push(&mut self, name: &str) {
        let next = self.names.len() as u32;
        let meaning = classes::meaning(name);
        let number = match self.numbers.get(&*meaning) {
            Some(number) => *number,
            None => {
                self.names.push(name.to_owned());
                *self.numbers.entry(meaning.into_owned()).or_insert(next)
            }
        };
        self.labels.push(number);
    }

    /// A row without a label.
    pub(in super::super) fn push_none(&mut self) {
        self.labels.push(NONE);
    }

    /// The labels and the class names. Classes are numbered in the order of their names or, if all names are numbers,
    /// of their values.
    pub(in super::super) fn finish(self) -> (Vec<u32>, Vec<String>) {
        let mut names: Vec<(String, u32)> = self.names.into_iter().zip(0..).collect();
        let value = |name: &str| name.parse::<f64>().ok().filter(|value| value.is_finite());
        if names.iter().all(|(name, _)| value(name).is_some()) {
            names.sort_by(|(a, _), (b, _)| value(a).partial_cmp(&value(b)).expect("finite").then(a.cmp(b)));
        } else {
            names.sort();
        }
        let mut place = vec![0; names.len()];
        names.iter().enumerate().for_each(|(new, (_, old))| place[*old as usize] = new as u32);
        let number = |old: u32| if old == NONE { NONE } else { place[old as usize] };
        let labels = self.labels.into_iter().map(number).collect();
        (labels, names.into_iter().map(|(name, _)| name).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> (Vec<u32>, Vec<String>) {
        let mut labels = Labels::default();
        names.iter().for_each(|name| labels.push(name));
        labels.finish()
    }

    #[test]
    fn classes_are_numbered_by_name_or_by_value() {
        assert_eq!(labels(&["dog", "cat", "dog"]), (vec![1, 0, 1], vec!["cat".into(), "dog".into()]));
        assert_eq!(labels(&["10", "9", "-1"]), (vec![2, 1, 0], vec!["-1".into(), "9".into(), "10".into()]));
        assert_eq!(labels(&["10", "9", "nan"]).1, ["10", "9", "nan"]);
    }

    #[test]
    fn spellings_of_one_class_are_one_class() {
        assert_eq!(labels(&["True", "false", "true"]), (vec![0, 1, 0], vec!["True".into(), "false".into()]));
        assert_eq!(labels(&["1.0", "0", "1", "0.0"]), (vec![1, 0, 1, 0], vec!["0".into(), "1.0".into()]));
        assert_eq!(labels(&["007", "7"]).1.len(), 2);
    }
}
