//! What tables share: named columns of numbers, one of which may hold labels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::options::{Decimal, Missing, ReadOptions};
use super::origin::Origins;
use super::reader::{Parts, column_name, stem};
use super::shape::{Shape, Size};
use super::split::Split;
use crate::error::{Error, Result};
use crate::settings::Named;

mod choice;
mod codes;
mod labels;
mod tally;
mod text;

pub(super) use choice::{Choice, Found, choose, list, setting};
pub(super) use labels::Labels;
pub use labels::NONE as NO_LABEL;
pub(super) use tally::{Kind, Place, Tally};
pub(super) use text::text;

/// Most bad columns that a message lists.
const LISTED: usize = 20;
/// Classes with these names look like labels that are missing.
const NO_CLASS: [&str; 6] = ["NA", "N/A", "<NA>", "NULL", "None", "?"];
/// Rows from which on a first column that counts is taken for an index.
const COUNTED: usize = 10;

/// What a reader has read of the chosen columns.
pub(super) struct Read {
    /// N x D values; NaN where there is no number.
    pub values: Vec<f32>,
    pub labels: Option<Labels>,
    pub rows: usize,
    /// The numbers of these rows in the file, where others are left out.
    pub kept: Option<Vec<u64>>,
    /// The cells that are no plain numbers, by the columns of the file.
    pub tally: Tally,
    /// Whether the cells of a column are different numbers, however little: D flags.
    pub differ: Vec<bool>,
}

/// The table of what was read, or what is wrong with it.
pub(super) fn parts(path: &Path, options: &ReadOptions, choice: Choice, read: Read) -> Result<Parts> {
    let Read { values, labels, rows, kept, tally, differ } = read;
    let columns = choice.names();
    let dim = columns.len();
    if rows == 0 {
        return Err(Error::file(path, "it has no rows", "name a table with rows of numbers"));
    }
    let label = choice.label;
    let named = label.map(|label| choice.all[label].clone());
    let mut warnings = choice.warnings.clone();
    let missing = options.missing.unwrap_or(Missing::Error);
    let unlabelled = label.and_then(|label| tally.get(label, Kind::Missing));
    let labels = match unlabelled {
        // Of a trained model, labels only name what it says of the rows.
        Some(cells) if options.label_optional => {
            warnings.push(format!("no label in {cells}: labels are left out"));
            None
        }
        _ => labels,
    };
    if let (Some(label), Some(cells), true) = (label, unlabelled, labels.is_some())
        && cells.count == rows as u64
    {
        let problem = format!("{} holds no label in any row", choice.column(label));
        let drop = setting("source.drop", &[label], &choice.all);
        let next = format!("leave `source.label_column` out, and the column with {drop}");
        return Err(Error::file(path, problem, next));
    }
    let fatal =
        missing == Missing::Error || (missing == Missing::Mean && labels.is_some() && unlabelled.is_some());
    let mut faults = tally.faults(rows as u64);
    if fatal {
        for (column, cells) in
            tally.of(Kind::Missing).filter(|(column, _)| labels.is_some() || Some(*column) != label)
        {
            let what = if Some(column) == label { "no label" } else { "no value" };
            faults.entry(column).or_default().push(format!("{what} in {cells}"));
        }
    }
    if !faults.is_empty() {
        return Err(refuse(path, options, &choice, (rows, &tally), faults));
    }
    let Choice { all, values: places, mut notes, .. } = choice;
    if missing == Missing::Mean {
        let gaps: Vec<usize> = tally.of(Kind::Missing).map(|(column, _)| column).collect();
        let count: u64 = tally.of(Kind::Missing).map(|(_, cells)| cells.count).sum();
        if count > 0 {
            warnings.push(format!(
                "missing values filled in with the mean of the training part: {count}, in {}",
                list(&gaps, &all)
            ));
        }
    }
    for (kind, what) in [
        (Kind::Percent, "percent signs left out, so that 5% counts as 5"),
        (Kind::Thousands, "marks between thousands left out"),
        (Kind::Truth, "true and false count as 1 and 0"),
    ] {
        let found: Vec<usize> = tally.of(kind).map(|(column, _)| column).collect();
        if let Some((_, cells)) = tally.of(kind).next() {
            notes.push(format!("{what}: {}, such as `{}`", list(&found, &all), cells.text));
        }
    }
    let same = |place: usize| {
        let mut column = values.iter().skip(place).step_by(dim);
        let first = column.next();
        column.all(|value| Some(value) == first)
    };
    let alike: Vec<usize> = (0..dim).filter(|place| differ[*place] && rows > 1 && same(*place)).collect();
    let counts = |place: usize| {
        let column = values.iter().skip(place).step_by(dim);
        column.enumerate().all(|(row, value)| *value == values[place] + row as f32)
    };
    // A model that is trained already wants its columns, whatever they are.
    let new = !options.whole && options.expected.is_empty();
    if new && rows >= COUNTED && dim > 1 && options.columns.is_empty() && counts(0) {
        let column = [places[0]];
        warnings.push(format!(
            "{} counts the rows: if it says nothing of them, leave it out with {}",
            column_name(places[0], &all),
            setting("source.drop", &column, &all)
        ));
    }
    let (labels, classes) = labels.map(Labels::finish).unzip();
    let classes: Vec<String> = classes.unwrap_or_default();
    warnings.extend(odd_classes(&classes, "empty those cells"));
    let mut train = Split::from_floats(values, dim).with_labels(labels);
    if let Some(kept) = kept {
        train = train.with_origins(Origins::Rows(kept));
    }
    let shape = shape(dim, options.image_size, &mut notes);
    Ok(Parts {
        columns,
        label: named,
        classes,
        notes,
        warnings,
        alike,
        ..Parts::new(stem(path), shape, train)
    })
}

/// The warning about classes whose names look as if there were no label, and what to do about those.
pub(super) fn odd_classes(classes: &[String], next: &str) -> Option<String> {
    let is_odd = |class: &&str| NO_CLASS.iter().any(|word| word.eq_ignore_ascii_case(class));
    let odd: Vec<&str> = classes.iter().map(String::as_str).filter(is_odd).collect();
    (!odd.is_empty()).then(|| {
        let odd = odd.join(", ");
        format!("labels {} count as a class; if they mean that there is none, {next}", odd.escape_debug())
    })
}

/// What columns of labels are often called.
const LABELS: [&str; 5] = ["label", "labels", "class", "target", "y"];

/// The column that is called as labels often are.
pub(super) fn likely_label(columns: &[String]) -> Option<usize> {
    columns.iter().position(|name| LABELS.iter().any(|label| name.eq_ignore_ascii_case(label)))
}

/// What to do about a column too many, which may hold labels.
pub(super) fn one_holds_labels(columns: &[String]) -> String {
    let named = match likely_label(columns) {
        Some(column) => setting("source.label_column", &[column], columns),
        None => "`source.label_column`".to_owned(),
    };
    format!("if one of them holds labels, name it with {named}")
}

/// The shape of rows that are pictures, if they are to be.
fn shape(dim: usize, size: Option<Size>, notes: &mut Vec<String>) -> Shape {
    let shape = size.and_then(|size| size.of_rows(dim)).unwrap_or(Shape::table(dim));
    if shape.channels > 1 {
        notes.push("each pixel is three columns in a row: red, green, blue".into());
    }
    shape
}

/// The error that lists all bad columns, and what helps.
fn refuse(
    path: &Path,
    options: &ReadOptions,
    choice: &Choice,
    (rows, tally): (usize, &Tally),
    faults: BTreeMap<usize, Vec<String>>,
) -> Error {
    let (all, label) = (&choice.all[..], choice.label);
    let lines: Vec<String> = faults
        .iter()
        .take(LISTED)
        .map(|(column, problems)| format!("{}: {}", choice.column(*column), problems.join("; ")))
        .collect();
    let more = faults.len().saturating_sub(LISTED);
    // Columns without any value cannot be filled in, and leave no row that is whole.
    let void =
        |column: &usize| tally.get(*column, Kind::Missing).is_some_and(|cells| cells.count == rows as u64);
    let is_void = |column: &usize| void(column) && Some(*column) != label;
    let sound = tally.faults(rows as u64);
    let useless: BTreeSet<usize> =
        faults.keys().copied().filter(|column| sound.contains_key(column) || is_void(column)).collect();
    let gaps = faults.keys().any(|column| !useless.contains(column));
    let some = choice.values.iter().any(|column| !useless.contains(column));
    let rows_of_text = rows_of_text(tally, &useless, rows as u64, all);
    let next = match options.whole {
        _ if options.codes.is_some() => "leave those rows or columns out".into(),
        true if rows_of_text.is_some() => rows_of_text.unwrap_or_default(),
        true if !useless.is_empty() => {
            let label =
                if label.is_none() { ", name a column of labels with `source.label_column`" } else { "" };
            format!("leave columns out that the model does not know{label}, and give the others numbers")
        }
        true => {
            "leave those rows out, or write their values as the data that the model was trained on has them"
                .into()
        }
        false => {
            let mut ways = Vec::new();
            if tally.of(Kind::Text).any(|(_, cells)| cells.text.contains("\\n")) {
                ways.push("look for a quote that is never closed: a cell spans several lines".to_owned());
            }
            let text = tally.of(Kind::Text).any(|(column, _)| useless.contains(&column));
            let is_row = rows_of_text.is_some();
            ways.extend(rows_of_text);
            if is_row && !some {
                // Every column has numbers but for that row.
            } else if !some {
                ways.push("give it a column that has numbers, such as one of numbers for words".into());
            } else if !useless.is_empty() {
                let columns: Vec<usize> = useless.iter().copied().collect();
                ways.push(format!("leave columns out with {}", setting("source.drop", &columns, all)));
            }
            if text && !choice.named && !is_row {
                ways.push("if its first line has the names of the columns, say `source.header` = yes".into());
            }
            if text && some && label.is_none() && !is_row {
                ways.push("name a column of classes with `source.label_column`".into());
            }
            // A number with the other decimal sign.
            let other = tally
                .of(Kind::Text)
                .filter(|_| choice.types.is_empty())
                .find_map(|(_, cells)| other_sign(&cells.text));
            if let Some(decimal) = other {
                ways.push(format!("read the numbers with `source.decimal` = {}", decimal.name()));
            }
            if gaps {
                let unlabelled = label.is_some_and(|label| faults.contains_key(&label));
                let fill = if unlabelled { "" } else { ", or fill them in with `source.missing` = mean" };
                ways.push(format!("leave rows without a value out with `source.missing` = drop{fill}"));
            }
            ways.join("; ")
        }
    };
    match &lines[..] {
        [only] => Error::file(path, only, next),
        _ => {
            let head = format!("{} of {} columns are not numbers throughout", faults.len(), all.len());
            let more = (more > 0).then(|| format!("and {more} more"));
            Error::listing(path, &head, lines.into_iter().chain(more), next)
        }
    }
}

/// What to do where the columns that are of no use are so for a row or two of text among numbers: units below the names, the
/// names once more, or a total at the end.
fn rows_of_text(tally: &Tally, useless: &BTreeSet<usize>, rows: u64, all: &[String]) -> Option<String> {
    let mut first: Option<Place> = None;
    let mut repeated = true;
    for column in useless {
        let cells = tally.get(*column, Kind::Text)?;
        let is_name = cells.text == all[*column];
        if 2 * cells.count >= rows || cells.count > 2 && !is_name {
            return None;
        }
        repeated &= is_name;
        first = first.filter(|first| first.row <= cells.place.row).or(Some(cells.place));
    }
    let (first, what) = (first?, if repeated { "the names of the columns" } else { "text" });
    Some(format!("remove {first}, and any other row that has {what} where the others have numbers"))
}

/// The decimal sign that makes a number of a text.
fn other_sign(text: &str) -> Option<Decimal> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.,".contains(&byte));
    match (number && !text.is_empty(), text.matches(',').count(), text.matches('.').count()) {
        (true, 1, 0) => Some(Decimal::Comma),
        (true, 0, 1) => Some(Decimal::Point),
        _ => None,
    }
}
