//! What tables share: named columns of numbers, one of which may hold labels.

use std::collections::HashMap;
use std::path::Path;

use super::reader::{NAMED, Parts, stem};
use super::shape::Shape;
use super::split::Split;
use crate::error::{Error, Result};

/// Labels in order of appearance, numbered by name.
#[derive(Default)]
pub(super) struct Labels {
    numbers: HashMap<String, u32>,
    labels: Vec<u32>,
}

impl Labels {
    pub(super) fn push(&mut self, name: &str) {
        let next = self.numbers.len() as u32;
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => *self.numbers.entry(name.to_owned()).or_insert(next),
        };
        self.labels.push(number);
    }

    /// The labels and the class names. Classes are numbered in the order of their names or, if all names are numbers,
    /// of their values.
    pub(super) fn finish(self) -> (Vec<u32>, Vec<String>) {
        let mut names: Vec<(String, u32)> = self.numbers.into_iter().collect();
        let value = |name: &str| name.parse::<f64>().ok().filter(|value| value.is_finite());
        if names.iter().all(|(name, _)| value(name).is_some()) {
            names.sort_by(|(a, _), (b, _)| value(a).partial_cmp(&value(b)).expect("finite").then(a.cmp(b)));
        } else {
            names.sort();
        }
        let mut place = vec![0; names.len()];
        names.iter().enumerate().for_each(|(new, (_, old))| place[*old as usize] = new as u32);
        let labels = self.labels.into_iter().map(|old| place[old as usize]).collect();
        (labels, names.into_iter().map(|(name, _)| name).collect())
    }
}

/// The column of the setting `source.label_column`: by name or, if no column has that name, by number from 1.
pub(super) fn label_column(path: &Path, wanted: Option<&str>, columns: &[String]) -> Result<Option<usize>> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let named = columns.iter().position(|name| name == wanted);
    let number = || wanted.parse::<usize>().ok()?.checked_sub(1).filter(|column| *column < columns.len());
    match named.or_else(number) {
        Some(column) => Ok(Some(column)),
        None => {
            let known: Vec<_> = columns.iter().take(2 * NAMED).map(String::as_str).collect();
            let more = if columns.len() > known.len() { ", .." } else { "" };
            let problem = format!("{} has the columns {}{more}", path.display(), known.join(", "));
            Err(Error::value("source.label_column", wanted, problem))
        }
    }
}

/// The table with `values` [N, columns].
pub(super) fn parts(
    path: &Path,
    columns: Vec<String>,
    values: Vec<f32>,
    labels: Option<Labels>,
) -> Result<Parts> {
    let empty = |problem: &str| Err(Error::file(path, problem, "name a table with rows of numbers"));
    if columns.is_empty() {
        return empty("it has no column of numbers");
    }
    if values.is_empty() {
        return empty("it has no rows");
    }
    let dim = columns.len();
    let (labels, classes) = labels.map(Labels::finish).unzip();
    let train = Split::from_floats(values, dim).with_labels(labels);
    let classes = classes.unwrap_or_default();
    Ok(Parts { columns, classes, ..Parts::new(stem(path), Shape::table(dim), train) })
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
    fn a_label_column_is_named_or_numbered() {
        let columns = ["a".to_owned(), "2".to_owned(), "1".to_owned()];
        let find = |wanted| label_column(Path::new("t.csv"), Some(wanted), &columns);
        assert_eq!(find("a").unwrap(), Some(0));
        assert_eq!(find("1").unwrap(), Some(2));
        assert_eq!(find("3").unwrap(), Some(2));
        for wrong in ["b", "0", "4", "", "-1"] {
            let error = find(wrong).unwrap_err();
            assert!(
                error.exit_code() == 2 && error.to_string().ends_with("has the columns a, 2, 1"),
                "{error}"
            );
        }
    }
}
