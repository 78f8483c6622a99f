//! Which of a file's columns become those of the data.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::super::options::{Index, KEYS, ReadOptions};
use super::super::reader::{NAMED, column_name};
use super::codes;
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

/// Most columns that a message names to be typed.
const TYPED: usize = 20;

/// The columns of each name, found without a look at all others: a table may have very many.
struct ByName<'a> {
    all: &'a [String],
    columns: HashMap<&'a str, Vec<usize>>,
}

impl<'a> ByName<'a> {
    fn new(all: &'a [String]) -> ByName<'a> {
        let mut columns: HashMap<&str, Vec<usize>> = HashMap::with_capacity(all.len());
        for (column, name) in all.iter().enumerate() {
            columns.entry(name).or_default().push(column);
        }
        ByName { all, columns }
    }

    /// The first column of that name.
    fn first(&self, name: &str) -> Option<usize> {
        self.columns.get(name)?.first().copied()
    }

    /// The column of that name or, if none has it, of that number from 1.
    fn find(&self, wanted: &str) -> Option<usize> {
        let numbered = || wanted.parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < self.all.len());
        self.first(wanted).or_else(numbered)
    }

    /// Every column with that name, or with a name that starts so, or the one with that number.
    fn matching(&self, wanted: &str) -> Vec<usize> {
        match (self.columns.get(wanted), wanted.strip_suffix('*')) {
            (Some(named), _) => named.clone(),
            (None, Some(start)) => {
                (0..self.all.len()).filter(|column| self.all[*column].starts_with(start)).collect()
            }
            (None, None) => self.find(wanted).into_iter().collect(),
        }
    }
}

/// A flag for each of `count` columns: whether it is one of these.
fn flags(count: usize, columns: impl IntoIterator<Item = usize>) -> Vec<bool> {
    let mut flags = vec![false; count];
    columns.into_iter().for_each(|column| flags[column] = true);
    flags
}

/// The columns to read.
#[derive(Debug, Default)]
pub(in super::super) struct Choice {
    /// The names of all columns of the file.
    pub all: Vec<String>,
    /// Whether the file names them.
    pub named: bool,
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
    let mut choice = Choice { all, named, empty, ..Choice::default() };
    let all = &choice.all;
    let named_so = ByName::new(all);
    choice.label = match &options.label_column {
        None => None,
        Some(wanted) => match (named_so.find(wanted), options.label_optional) {
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
    let numbers_rows = flags(all.len(), index.iter().map(|(column, _)| *column));
    let is_index = |column: usize| !keep && numbers_rows[column];
    let is_empty = flags(all.len(), choice.empty.iter().copied());
    let plain = |column: &usize| Some(*column) != choice.label && !is_empty[*column];
    if named && !options.expected.is_empty() {
        choice.values = expected(path, &named_so, &options.expected)?;
        let is_read = flags(all.len(), choice.values.iter().copied());
        let extra: Vec<usize> =
            (0..all.len()).filter(plain).filter(|column| !is_read[*column] && !is_index(*column)).collect();
        if !extra.is_empty() {
            choice.warnings.push(format!("ignored, as the model has no such columns: {}", list(&extra, all)));
        }
        return Ok(choice);
    }
    let codes = match options.codes.filter(|_| named) {
        Some(codes) => codes::columns(path, all, codes)?,
        None => None,
    };
    if let Some(values) = codes {
        let is_read = flags(all.len(), values.iter().copied());
        let other = |column: &usize| !is_read[*column] && !KEYS.contains(&all[*column].as_str());
        let extra: Vec<usize> = (0..all.len()).filter(plain).filter(other).collect();
        if !extra.is_empty() {
            choice.warnings.push(format!("ignored, as they are no codes: {}", list(&extra, all)));
        }
        choice.values = values;
        return Ok(choice);
    }
    // Columns without names that are as many as the model's are those, whatever was picked of the run's own data.
    let usual = (0..all.len()).filter(|column| !is_index(*column));
    let ordered = !named && !options.expected.is_empty();
    let as_many = ordered && usual.clone().filter(plain).count() == options.expected.len();
    let (columns, drop) =
        if as_many { (&[][..], &[][..]) } else { (&options.columns[..], &options.drop[..]) };
    // Names of a run's columns mean nothing here.
    let known = |items: &[String]| !ordered || resolve("source.columns", path, items, &named_so).is_ok();
    let (columns, drop) = (if known(columns) { columns } else { &[] }, if known(drop) { drop } else { &[] });
    let picked = resolve("source.columns", path, columns, &named_so)?;
    let dropped = flags(all.len(), resolve("source.drop", path, drop, &named_so)?);
    let from: Vec<usize> = if columns.is_empty() { usual.collect() } else { picked };
    choice.values = from.into_iter().filter(plain).filter(|column| !dropped[*column]).collect();
    if options.codes.is_some() {
        choice.values.retain(|column| !KEYS.contains(&all[*column].as_str()));
    }
    for (column, what) in &index {
        if !keep && options.columns.is_empty() && !dropped[*column] && Some(*column) != choice.label {
            choice.warnings.push(format!(
                "{} {what} the rows and is left out{}",
                column_name(*column, all),
                options.advice(|| "; `source.index` = keep reads it".into())
            ));
        }
    }
    if choice.values.is_empty() {
        let next = "name a table with rows of numbers";
        return Err(Error::file(path, "it has no column of numbers", next));
    }
    let is_read = flags(all.len(), choice.values.iter().copied());
    if (0..all.len()).filter(plain).any(|column| !is_read[column]) {
        let are = if choice.values.len() == 1 { "is" } else { "are" };
        choice.notes.push(format!("{} of {} columns {are} read", choice.values.len(), all.len()));
    }
    if !choice.empty.is_empty() {
        choice.notes.push(format!("nameless and empty, left out: {}", list(&choice.empty, all)));
    }
    if named {
        refuse_twins(path, options, &choice.values, choice.label, &named_so)?;
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
fn expected(path: &Path, all: &ByName, wanted: &[String]) -> Result<Vec<usize>> {
    let missing: Vec<&str> =
        wanted.iter().map(String::as_str).filter(|name| all.first(name).is_none()).collect();
    if !missing.is_empty() {
        let problem = format!(
            "it lacks {} of the {} columns that the model was trained on: {}",
            missing.len(),
            wanted.len(),
            shorten(missing.iter().copied(), 4 * NAMED)
        );
        let known = shorten(all.all.iter().map(String::as_str), 4 * NAMED);
        return Err(Error::file(path, problem, format!("name them so; it has {known}")));
    }
    let twice = wanted.iter().filter_map(|name| all.columns.get(name.as_str())).find(|same| same.len() > 1);
    if let Some([first, second, ..]) = twice.map(Vec::as_slice) {
        let name = &all.all[*first];
        let problem = format!("columns {} and {} are both called `{name}`", first + 1, second + 1);
        let next = "leave only the one that the model was trained on with that name";
        return Err(Error::file(path, problem, next));
    }
    Ok(wanted.iter().filter_map(|name| all.first(name)).collect())
}

/// Refuses columns that another has the name of.
fn refuse_twins(
    path: &Path,
    options: &ReadOptions,
    values: &[usize],
    label: Option<usize>,
    all: &ByName,
) -> Result<()> {
    let before = |column: &usize| all.first(&all.all[*column]).filter(|first| first < column);
    let twice: BTreeSet<usize> =
        values.iter().chain(&label).copied().filter(|column| before(column).is_some()).collect();
    let Some(first) = twice.first() else { return Ok(()) };
    let (name, count) = (&all.all[*first], twice.len());
    let more = if count > 1 { format!(", and {} more names", count - 1) } else { String::new() };
    let twin = before(first).map_or(0, |column| column + 1);
    let problem = format!("columns {twin} and {} are both called `{name}`{more}", first + 1);
    let names: Vec<usize> = twice.into_iter().collect();
    let dropped: HashSet<&str> = names.iter().map(|column| all.all[*column].as_str()).collect();
    let left = values.iter().any(|column| !dropped.contains(all.all[*column].as_str()));
    let or_drop = match left {
        true => {
            options.advice(|| format!(", or leave them out with {}", setting("source.drop", &names, all.all)))
        }
        false => String::new(),
    };
    let next = format!("give each column a name of its own{or_drop}");
    Err(Error::file(path, problem, next))
}

/// The columns that a list names: each item a name, a number, the start of names before a `*`, or several with commas.
fn resolve(key: &'static str, path: &Path, items: &[String], all: &ByName) -> Result<Vec<usize>> {
    let mut columns = Vec::new();
    let mut seen = vec![false; all.all.len()];
    let mut add = |found: Vec<usize>| {
        columns.extend(found.into_iter().filter(|column| !std::mem::replace(&mut seen[*column], true)));
    };
    for item in items {
        match all.matching(item) {
            found if !found.is_empty() => add(found),
            _ => {
                for one in item.split(',').map(str::trim) {
                    match all.matching(one) {
                        found if found.is_empty() => return Err(unknown(key, path, one, all.all)),
                        found => add(found),
                    }
                }
            }
        }
    }
    Ok(columns)
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
fn shorten<S: std::borrow::Borrow<str>>(names: impl ExactSizeIterator<Item = S>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let shown: Vec<S> = names.take(most).collect();
    format!("{}{}", shown.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
}

/// The first of these columns by number and name, and how many more there are.
pub(in super::super) fn list(columns: &[usize], all: &[String]) -> String {
    shorten(columns.iter().map(|column| column_name(*column, all)), NAMED)
}

/// A setting with these columns, as it can be typed: by name where no name is strange, else by number. Of very many, the
/// first.
pub(in super::super) fn setting(key: &str, columns: &[usize], all: &[String]) -> String {
    let simple = |name: &str| {
        let sound = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
        !name.is_empty() && !name.starts_with('-') && name.chars().all(sound)
    };
    let number = |column: &usize| (column + 1).to_string();
    let more = columns.len().saturating_sub(TYPED);
    let columns = &columns[..columns.len() - more];
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
    let names = if by_name || by_number { names } else { format!("'{names}'") };
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("`{key}` = {names}{more}")
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
        // Without names, by place, even where columns were picked by name.
        let picked =
            ReadOptions { columns: vec!["b".into(), "a".into()], drop: vec!["x".into()], ..options.clone() };
        let unnamed = |names: &[&str]| {
            self::choose(Path::new("t.csv"), Found { named: false, ..found(names) }, &picked)
        };
        assert_eq!(unnamed(&["1", "2"]).unwrap().values, [0, 1]);
        let error = unnamed(&["1", "2", "3"]).unwrap_err().to_string();
        assert!(error.contains("3 columns without names, but the model has 2: b, a"), "{error}");
        let choice = choose(&["1", "2"], false).unwrap();
        assert_eq!((choice.names(), choice.warnings.len()), (vec!["b".to_owned(), "a".into()], 1));
        assert!(choose(&["1", "2", "3"], false).is_err());
    }

    #[test]
    fn what_rows_of_codes_are_called_is_left_out_where_it_is_no_code() {
        let options = ReadOptions { codes: Some(2), ..ReadOptions::default() };
        let choose = |names: &[&str]| choose(Path::new("t.csv"), found(names), &options).unwrap().values;
        assert_eq!(choose(&["row", "mu_0", "mu_1"]), [1, 2]);
        assert_eq!(choose(&["file", "mu_0", "mu_1", "reason"]), [1, 2]);
        assert_eq!(choose(&["row", "a", "b"]), [1, 2]);
        assert_eq!(choose(&["row", "score"]), [1]);
        assert_eq!(choose(&["a", "b", "c"]), [0, 1, 2]);
    }

    #[test]
    fn a_column_of_the_model_that_occurs_twice_is_refused() {
        let options = ReadOptions { expected: vec!["a".into()], ..ReadOptions::default() };
        let choose = |names: &[&str]| choose(Path::new("t.csv"), found(names), &options);
        let error = choose(&["x", "a", "a"]).unwrap_err().to_string();
        assert!(error.contains("columns 2 and 3 are both called `a`") && !error.contains("drop"), "{error}");
        // Others may.
        assert_eq!(choose(&["x", "a", "x"]).unwrap().values, [1]);
    }

    /// Minutes, if each column were looked for among all.
    #[test]
    fn a_hundred_thousand_columns_are_chosen_from_at_once() {
        let names: Vec<String> = (0..100_000).map(|column| format!("column {column}")).collect();
        let empty = ReadOptions::default;
        let of = |options: &ReadOptions, index: Vec<(usize, &'static str)>, empty: Vec<usize>| {
            choose(Path::new("t.csv"), Found { names: names.clone(), named: true, index, empty }, options)
        };
        let all = ReadOptions { expected: names.clone(), ..empty() };
        assert_eq!(of(&all, vec![], vec![]).unwrap().values.len(), names.len());
        let half = ReadOptions { expected: names[..50_000].to_vec(), ..empty() };
        assert!(of(&half, vec![], vec![]).unwrap().warnings[0].ends_with("and 49995 more"));
        let listed = ReadOptions { columns: names.clone(), drop: vec![names[1..].join(",")], ..empty() };
        assert_eq!(of(&listed, vec![], vec![]).unwrap().values, [0]);
        let index = (0..50_000).map(|column| (column, "numbers")).collect();
        let choice = of(&empty(), index, (50_000..99_999).collect()).unwrap();
        assert_eq!(choice.values, [99_999]);
        let twice = Found { names: [&names[..], &names].concat(), named: true, ..Found::default() };
        let error = choose(Path::new("t.csv"), twice, &empty()).unwrap_err().to_string();
        assert!(error.contains("and 99999 more names") && error.len() < 1000, "{error}");
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
