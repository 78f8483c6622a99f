//! What rows of data are called in messages.

use super::output::{self, talk};
use crate::data::columns::Column;
use crate::data::{FILE, Origin, REASON, ROW, Split, Unread};
use crate::evaluate::Outliers;

/// Rows that a message names.
const NAMED: usize = 5;

/// The names of some rows: `row 18 (from 0), row 40 (from 0) and 3 more`.
pub fn named(split: &Split, rows: &[usize]) -> String {
    let names: Vec<String> = rows.iter().take(NAMED).map(|row| name(split, *row)).collect();
    let more = rows.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// What a message calls a row: as the columns of [`column`] do, which count from 0.
pub fn name(split: &Split, row: usize) -> String {
    match split.origin(row) {
        Origin::File(file) => output::word(file),
        Origin::Row(row) => format!("row {row} (from 0)"),
    }
}

/// A column with what the source calls each of these rows: their files or, counted from 0, their numbers. What could not be
/// read follows.
pub fn column(split: &Split, rows: &[u32], unread: &[&Unread]) -> (&'static str, Column) {
    let files: Option<Vec<&str>> = rows
        .iter()
        .map(|row| match split.origin(*row as usize) {
            Origin::File(file) => Some(file),
            Origin::Row(_) => None,
        })
        .collect();
    match files {
        Some(files) if !(files.is_empty() && unread.is_empty()) => {
            let unread = unread.iter().map(|unread| unread.file.as_str());
            (FILE, Column::Text(files.into_iter().chain(unread).map(str::to_owned).collect()))
        }
        _ => {
            let number = |row: &u32| match split.origin(*row as usize) {
                Origin::Row(row) => row as i64,
                Origin::File(_) => i64::from(*row),
            };
            (ROW, Column::Whole(rows.iter().map(number).collect()))
        }
    }
}

/// Where something cannot be read, a column with the reasons behind `rows` that can; says that they lack `what`.
pub fn reasons(rows: usize, unread: &[&Unread], what: &str) -> Option<(&'static str, Column)> {
    if unread.is_empty() {
        return None;
    }
    talk(format_args!("warning: {} without a {what}, at the end, each with its reason", unread.len()));
    let reasons = unread.iter().map(|unread| unread.reason.clone());
    Some((REASON, Column::Text(vec![String::new(); rows].into_iter().chain(reasons).collect())))
}

/// Says which rows of a part are far outside the others.
pub fn warn_of(outliers: Option<Outliers>, split: &Split, part: &str) {
    let Some(Outliers { count, beyond, worst, score, median }) = outliers else { return };
    let part = if part == "all" { String::new() } else { format!("{part} ") };
    let worst = name(split, worst);
    let others = if count > 1 { format!(", the first of {count}") } else { String::new() };
    let means = match beyond {
        0 => "they rule the means".to_owned(),
        _ if beyond == split.count => "all are beyond measure".to_owned(),
        _ => format!("{beyond} beyond measure, and left out of the means"),
    };
    talk(format_args!(
        "warning: {part}data far outside the others: {worst} (-ELBO {score:.3e} nats; the median is {}){others}; \
         {means}\n  `vae-gpu score` lists such rows; look there for marks of missing values",
        output::number(median, 3)
    ));
}
