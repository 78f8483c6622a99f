//! What rows of data are called in messages.

use super::output::talk;
use crate::data::Split;
use crate::evaluate::Outliers;

/// Rows that a message names.
const NAMED: usize = 5;

/// The names of some rows: `rows 18, 40 and 3 more`.
pub fn named(split: &Split, rows: &[usize]) -> String {
    let names: Vec<String> = rows.iter().take(NAMED).map(|row| name(split, *row)).collect();
    let more = rows.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// What the source calls a row.
pub fn name(split: &Split, row: usize) -> String {
    format!("row {}", split.source_row(row) + 1)
}

/// Says which rows of a part are far outside the others.
pub fn warn_of(outliers: Option<Outliers>, split: &Split, part: &str) {
    let Some(Outliers { count, beyond, worst, score, median }) = outliers else { return };
    let worst = name(split, worst);
    let others = if count > 1 { format!(", the first of {count}") } else { String::new() };
    let means = match beyond {
        0 => "they rule the means".to_owned(),
        _ if beyond == split.count => "all are beyond measure".to_owned(),
        _ => format!("{beyond} beyond measure, and left out of the means"),
    };
    talk(format_args!(
        "warning: {part} data far outside the others: {worst} (-ELBO {score:.3e} nats; the median is {median:.3}){others}; \
         {means}\n  `vae-gpu score` lists such rows; look there for marks of missing values"
    ));
}
