//! Which of a file's columns become those of the data.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::options::{Index, ReadOptions};
use super::super::reader::{NAMED, column_name};
use crate::error::{Error, Result};

/// The columns of a file.
#[derive(Debug, Default)]
pub(in super::super) struct Found {
    /// Their names: numbers from 1 where they have none.
    pub names: Vec<String>,
    /// Whether the file names any.
    pub named: bool,
    /// Columns that number or name the rows, and what they are.
    pub index: Vec<(usize, &'static str)>,
    /// Nameless columns without any value.
    pub empty: Vec<usize>,
}

/// The columns to read.
#[derive(Debug, Default)]
pub(in super::super) struct Choice {
    /// The names of all columns of the file.
    pub all: Vec<String>,
    /// The columns of the file that become those of the data, in that order.
    pub values: Vec<usize>,
    /// The column of labels.
    pub label: Option<usize>,
    /// Nameless columns that must stay empty.
    pub empty: Vec<usize>,
    /// The types of all columns of the file, where it has such.
    pub types: Vec<String>,
    /// The names of the data's columns, where they are not those of the file.
    expanded: Vec<String>,
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

impl Choice {
    /// The names of the chosen columns.
    pub(in super::super) fn names(&self) -> Vec<String> {
        match self.expanded.is_empty() {
            true => self.values.iter().map(|column| self.all[*column].clone()).collect(),
            false => self.expanded.clone(),
        }
    }

    /// Makes several columns of one: the names of all, and the columns of the file that they come from.
    #[cfg_attr(not(feature = "formats"), expect(dead_code, reason = "for the lists of Parquet"))]
    pub(in super::super) fn expand(&mut self, names: Vec<String>, sources: Vec<usize>) {
        (self.expanded, self.values) = (names, sources);
    }

    /// A column's number and name, with its type if the file has such.
    pub(in super::super) fn column(&self, column: usize) -> String {
        let name = column_name(column, &self.all);
        match self.types.get(column) {
            Some(kind) => format!("{name}, {kind}"),
            None => name,
        }
    }
}

/// Chooses by the options.
pub(in super::super) fn choose(path: &Path, found: Found, options: &ReadOptions) -> Result<Choice> {
    let Found { names: all, named, index, empty } = found;
    let mut choice = Choice { all, empty, ..Choice::default() };
    let all = &choice.all;
    choice.label = match &options.label_column {
        None => None,
        Some(wanted) => match (find(wanted, all), options.label_optional) {
            (None, true) => {
                choice.notes.push(format!("no column `{wanted}`: the rows have no labels"));
                None
            }
            (None, false) => return Err(unknown("source.label_column", path, wanted, all)),
            (found, _) => found,
        },
    };
    // A number names another column where the labels are not.
    let is_value = |label: usize| options.expected.contains(&all[label]);
    if named && options.label_optional && choice.label.is_some_and(is_value) {
        choice.label = None;
    }
    let keep = options.index == Some(Index::Keep);
    let is_index = |column: usize| !keep && index.iter().any(|(found, _)| *found == column);
    let is_empty = |column: usize| choice.empty.contains(&column);
    let plain = |column: &usize| Some(*column) != choice.label && !is_empty(*column);
    if named && !options.expected.is_empty() {
        choice.values = expected(path, all, &options.expected)?;
        let extra: Vec<usize> = (0..all.len())
            .filter(plain)
            .filter(|column| !choice.values.contains(column) && !is_index(*column))
            .collect();
        if !extra.is_empty() {
            choice.warnings.push(format!("ignored, as the model has no such columns: {}", list(&extra, all)));
        }
        return Ok(choice);
    }
    let picked = resolve("source.columns", path, &options.columns, all)?;
    let dropped = resolve("source.drop", path, &options.drop, all)?;
    let usual = (0..all.len()).filter(|column| !is_index(*column));
    let from: Vec<usize> = if options.columns.is_empty() { usual.collect() } else { picked };
    choice.values = from.into_iter().filter(plain).filter(|column| !dropped.contains(column)).collect();
    for (column, what) in &index {
        if !keep && options.columns.is_empty() && !dropped.contains(column) && Some(*column) != choice.label {
            choice.warnings.push(format!(
                "{} {what} the rows and is left out; `source.index` = keep reads it",
                column_name(*column, all)
            ));
        }
    }
    if choice.values.is_empty() {
        let next = "name a table with rows of numbers";
        return Err(Error::file(path, "it has no column of numbers", next));
    }
    let mut is_read = vec![false; all.len()];
    choice.values.iter().for_each(|column| is_read[*column] = true);
    if (0..all.len()).filter(plain).any(|column| !is_read[column]) {
        choice.notes.push(format!("{} of {} columns are read", choice.values.len(), all.len()));
    }
    if !choice.empty.is_empty() {
        choice.notes.push(format!("nameless and empty, left out: {}", list(&choice.empty, all)));
    }
    if named {
        refuse_twins(path, &choice.values, choice.label, all)?;
    } else if !options.expected.is_empty() {
        if choice.values.len() != options.expected.len() {
            let problem = format!(
                "{} columns without names, but the model has {}: {}",
                choice.values.len(),
                options.expected.len(),
                shorten(options.expected.iter().map(String::as_str), 2 * NAMED)
            );
            return Err(Error::file(path, problem, "give it a first line with the columns' names"));
        }
        choice.warnings.push("the columns have no names: they are taken in the model's order".into());
        for (column, name) in choice.values.iter().zip(&options.expected) {
            choice.all[*column].clone_from(name);
        }
    }
    Ok(choice)
}

/// The model's columns, found by name.
fn expected(path: &Path, all: &[String], wanted: &[String]) -> Result<Vec<usize>> {
    let find = |wanted: &String| all.iter().position(|name| name == wanted);
    let missing: Vec<&str> = wanted.iter().filter(|name| find(name).is_none()).map(String::as_str).collect();
    if !missing.is_empty() {
        let problem = format!(
            "it lacks {} of the {} columns that the model was trained on: {}",
            missing.len(),
            wanted.len(),
            shorten(missing.iter().copied(), 4 * NAMED)
        );
        let next = format!("name them so; it has {}", shorten(all.iter().map(String::as_str), 4 * NAMED));
        return Err(Error::file(path, problem, next));
    }
    let values: Vec<usize> = wanted.iter().filter_map(find).collect();
    refuse_twins(path, &values, None, all)?;
    Ok(values)
}

/// Refuses columns that another has the name of.
fn refuse_twins(path: &Path, values: &[usize], label: Option<usize>, all: &[String]) -> Result<()> {
    let twice: BTreeSet<usize> = values
        .iter()
        .chain(&label)
        .copied()
        .filter(|column| all.iter().enumerate().any(|(other, name)| other < *column && *name == all[*column]))
        .collect();
    let Some(first) = twice.first() else { return Ok(()) };
    let (name, count) = (&all[*first], twice.len());
    let more = if count > 1 { format!(", and {} more names", count - 1) } else { String::new() };
    let twin = all.iter().position(|other| other == name).map_or(0, |column| column + 1);
    let problem = format!("columns {twin} and {} are both called `{name}`{more}", first + 1);
    let names: Vec<usize> = twice.into_iter().collect();
    let next = format!(
        "give each column a name of its own, or leave them out with {}",
        setting("source.drop", &names, all)
    );
    Err(Error::file(path, problem, next))
}

/// The column of that name or, if none has it, of that number from 1.
fn find(wanted: &str, all: &[String]) -> Option<usize> {
    let named = all.iter().position(|name| name == wanted);
    named.or_else(|| wanted.parse::<usize>().ok()?.checked_sub(1).filter(|column| *column < all.len()))
}

/// The columns that a list names: each item a name, a number, the start of names before a `*`, or several with commas.
fn resolve(key: &'static str, path: &Path, items: &[String], all: &[String]) -> Result<Vec<usize>> {
    let mut columns = Vec::new();
    let mut add = |found: Vec<usize>| {
        found.into_iter().for_each(|column| {
            if !columns.contains(&column) {
                columns.push(column)
            }
        });
    };
    for item in items {
        match matching(item, all) {
            found if !found.is_empty() => add(found),
            _ => {
                for one in item.split(',').map(str::trim) {
                    match matching(one, all) {
                        found if found.is_empty() => return Err(unknown(key, path, one, all)),
                        found => add(found),
                    }
                }
            }
        }
    }
    Ok(columns)
}

/// Every column with that name, or with a name that starts so, or the one with that number.
fn matching(wanted: &str, all: &[String]) -> Vec<usize> {
    let which = |is: &dyn Fn(&String) -> bool| (0..all.len()).filter(|column| is(&all[*column])).collect();
    let named: Vec<usize> = which(&|name| name == wanted);
    match (named.is_empty(), wanted.strip_suffix('*')) {
        (true, Some(start)) => which(&|name| name.starts_with(start)),
        (true, None) => find(wanted, all).into_iter().collect(),
        (false, _) => named,
    }
}

fn unknown(key: &'static str, path: &Path, wanted: &str, all: &[String]) -> Error {
    let distance = |name: &&String| strsim::damerau_levenshtein(name, wanted);
    let near = all.iter().filter(|name| name.len() < 60).min_by_key(distance);
    let near = near.filter(|name| distance(name) <= 2 && wanted.len() > 2);
    let meant = near.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
    let known = shorten(all.iter().map(String::as_str), 2 * NAMED);
    Error::value(key, wanted, format!("{} has the columns {known}{meant}", path.display()))
}

/// The first `most` of these, and how many more there are.
fn shorten<'a>(names: impl ExactSizeIterator<Item = &'a str>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let shown: Vec<&str> = names.take(most).collect();
    format!("{}{}", shown.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
}

/// The first of these columns by number and name, and how many more there are.
pub(in super::super) fn list(columns: &[usize], all: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|column| column_name(*column, all)).collect();
    shorten(names.iter().map(String::as_str), NAMED)
}

/// A setting with these columns, as it can be typed: by name where no name is strange, else by number.
pub(in super::super) fn setting(key: &str, columns: &[usize], all: &[String]) -> String {
    let simple = |name: &str| {
        let sound = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
        !name.is_empty() && !name.starts_with('-') && name.chars().all(sound)
    };
    let number = |column: &usize| (column + 1).to_string();
    let by_name = columns.iter().all(|column| simple(&all[*column]));
    let by_number = columns.iter().all(|column| {
        let found = all.iter().position(|name| *name == number(column));
        found.is_none_or(|found| found == *column)
    });
    let names: Vec<String> = match (by_name, by_number) {
        (false, true) => columns.iter().map(number).collect(),
        _ => columns.iter().map(|column| all[*column].clone()).collect(),
    };
    let names = names.join(",");
    if by_name || by_number { format!("`{key}` = {names}") } else { format!("`{key}` = '{names}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Found {
        Found {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            named: true,
            ..Found::default()
        }
    }

    fn pick(names: &[&str], columns: &[&str], drop: &[&str]) -> Result<Vec<usize>> {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        let options = ReadOptions { columns: list(columns), drop: list(drop), ..ReadOptions::default() };
        choose(Path::new("t.csv"), found(names), &options).map(|choice| choice.values)
    }

    #[test]
    fn columns_are_picked_by_name_number_and_start() {
        let names = ["a", "b, c", "p0", "p1", "2"];
        assert_eq!(pick(&names, &[], &[]).unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(pick(&names, &["p*,a"], &[]).unwrap(), [2, 3, 0]);
        assert_eq!(pick(&names, &["b, c", "1"], &[]).unwrap(), [1, 0]);
        // A name goes before a number.
        assert_eq!(pick(&names, &["2"], &[]).unwrap(), [4]);
        assert_eq!(pick(&names, &["p*"], &["p1"]).unwrap(), [2]);
        let error = pick(&["height", "b"], &[], &["heigt"]).unwrap_err().to_string();
        assert!(
            error.contains("`source.drop` = heigt") && error.contains("did you mean `height`?"),
            "{error}"
        );
        assert!(pick(&names, &[], &["p*", "1,b*,2"]).unwrap_err().to_string().contains("no column"));
    }

    #[test]
    fn names_that_occur_twice_are_refused_unless_left_out() {
        let error = pick(&["a", "b", "a"], &[], &[]).unwrap_err().to_string();
        assert!(error.contains("columns 1 and 3 are both called `a`"), "{error}");
        assert!(error.contains("`source.drop` = a"), "{error}");
        assert_eq!(pick(&["a", "b", "a"], &[], &["a"]).unwrap(), [1]);
    }

    #[test]
    fn a_models_columns_are_found_by_name_and_others_ignored() {
        let options = ReadOptions { expected: vec!["b".into(), "a".into()], ..ReadOptions::default() };
        let choose =
            |names: &[&str], named| choose(Path::new("t.csv"), Found { named, ..found(names) }, &options);
        let numbered =
            ReadOptions { label_column: Some("2".into()), label_optional: true, ..options.clone() };
        assert_eq!(self::choose(Path::new("t.csv"), found(&["a", "b"]), &numbered).unwrap().label, None);
        let choice = choose(&["a", "x", "b"], true).unwrap();
        assert_eq!((&choice.values[..], choice.warnings.len()), (&[2, 0][..], 1));
        assert!(choice.warnings[0].contains("column 2 (`x`)"), "{:?}", choice.warnings);
        let error = choose(&["a", "x"], true).unwrap_err().to_string();
        assert!(error.contains("it lacks 1 of the 2 columns") && error.contains(": b"), "{error}");
        // Without names, by place.
        let choice = choose(&["1", "2"], false).unwrap();
        assert_eq!((choice.names(), choice.warnings.len()), (vec!["b".to_owned(), "a".into()], 1));
        assert!(choose(&["1", "2", "3"], false).is_err());
    }

    #[test]
    fn advice_can_be_typed() {
        let names = ["a", "b c", "3"].map(str::to_owned);
        assert_eq!(setting("source.drop", &[0], &names), "`source.drop` = a");
        assert_eq!(setting("source.drop", &[0, 1], &names), "`source.drop` = 1,2");
        let twisted = ["2", "b c"].map(str::to_owned);
        assert_eq!(setting("source.drop", &[1], &twisted), "`source.drop` = 'b c'");
    }
}
