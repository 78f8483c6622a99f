//! What is odd about values: what teaches nothing, what looks like something else, and what lies where training saw nothing.

use super::reader::{NAMED, column_name};
use super::scaling::Scaling;
use super::split::Split;
use super::summary::Summary;
use super::table::{self, setting};
use super::units::FAR;
use crate::error::Result;

/// The least and largest x of each summarised column.
pub(super) fn ends(summary: &Summary, scaling: Option<&Scaling>) -> [Vec<f32>; 2] {
    [&summary.min, &summary.max].map(|ends| {
        let mut ends: Vec<f32> = ends.iter().map(|v| *v as f32).collect();
        if let Some(scaling) = scaling {
            scaling.apply(&mut ends);
        }
        ends
    })
}

/// Side, at least, of what could be pictures.
const SIDE: usize = 8;
/// Their greatest value, at least, of 255.
const BRIGHT: f64 = 128.0;

/// What should be said of a table whose values look like the pixels of pictures.
pub(super) fn like_pictures(summary: &Summary, columns: &[String]) -> Option<String> {
    let (min, max) = summary.range();
    if !(summary.whole.iter().all(|whole| *whole) && min >= 0.0 && (BRIGHT..=255.0).contains(&max)) {
        return None;
    }
    let dim = summary.whole.len();
    let side = |dim: usize| {
        let sides = [1, 3].map(|channels| ((dim / channels).isqrt(), channels));
        let fits = |(side, channels): &(usize, usize)| *side >= SIDE && side * side * channels == dim;
        sides.into_iter().find(fits).map(|(side, _)| side)
    };
    let (side, more) = match (side(dim), table::likely_label(columns)) {
        (Some(side), _) => (side, String::new()),
        (None, Some(label)) => {
            (side(dim - 1)?, format!(", with {}", setting("source.label_column", &[label], columns)))
        }
        (None, None) => return None,
    };
    Some(format!(
        "{dim} columns of whole numbers from 0 to 255, as pictures have: `source.image_size` = {side}x{side}{more} reads them as \
         such"
    ))
}

/// Columns of which much lies where training saw nothing, and those that had one value there and have others here.
pub(super) fn elsewhere(
    source: &str,
    (summary, split): (&Summary, &Split),
    scaling: &Scaling,
    columns: &[String],
) -> Result<Vec<String>> {
    let [least, most] = ends(summary, Some(scaling));
    let scale = |column: usize| f64::from(*scaling.scale.get(column).unwrap_or(&scaling.scale[0]));
    let is_constant: Vec<bool> = (0..least.len()).map(|column| scaling.constant(column).is_some()).collect();
    let beyond = |column: usize| !is_constant[column] && (most[column] > FAR || least[column] < -FAR);
    let others = |column: usize| is_constant[column] && (most[column] != 0.0 || least[column] != 0.0);
    let suspects: Vec<usize> = (0..least.len()).filter(|c| beyond(*c) || others(*c)).collect();
    let strays = strays(split, scaling, &suspects)?;
    let aside = |column: usize| {
        let found = strays.iter().find(|stray| stray.column == column);
        beyond(column) && found.is_some_and(|stray| MANY * stray.count >= summary.count)
    };
    let wide = |column: usize| {
        beyond(column)
            && least[column] < -FAR
            && most[column] > FAR
            && summary.std[column] > f64::from(FAR) * scale(column)
    };
    let mut warnings = Vec::new();
    if let Some(names) = list(columns, least.len(), &|column| aside(column) || wide(column)) {
        warnings.push(format!(
            "{source}: values lie more than {FAR} deviations outside the training data or are so much wider, as those of \
             other units are: {names}"
        ));
    }
    let strange: Vec<&Stray> = strays.iter().filter(|stray| others(stray.column)).collect();
    warnings.extend(strange.iter().take(NAMED).map(|Stray { column, count, row }| {
        let name = column_name(*column, columns);
        let (one, first) = (scaling.shift[*column], split.origin(*row));
        let more = if *count > 1 { format!(", the first of {count} rows") } else { String::new() };
        format!("{source}: {name} was {one} in every training row, and is another number in {first}{more}")
    }));
    if let Some(more) = strange.len().checked_sub(NAMED).filter(|more| *more > 0) {
        warnings.push(format!("{source}: {more} more columns had one value in every training row"));
    }
    Ok(warnings)
}

/// Of a column, the rows that lie far outside the training data, or that differ from its one value there.
struct Stray {
    column: usize,
    count: u64,
    /// The first.
    row: usize,
}

/// Those of some columns.
fn strays(split: &Split, scaling: &Scaling, columns: &[usize]) -> Result<Vec<Stray>> {
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let limits = |column: usize| if scaling.constant(column).is_some() { 0.0 } else { FAR };
    let limits: Vec<f32> = columns.iter().map(|column| limits(*column)).collect();
    let mut strays: Vec<Stray> =
        columns.iter().map(|column| Stray { column: *column, count: 0, row: 0 }).collect();
    let (mut row, mut x) = (0, Vec::new());
    split.each(0..split.count, &mut |values| {
        x.clear();
        values.extend(&mut x);
        scaling.apply(&mut x);
        for (stray, _) in strays.iter_mut().zip(&limits).filter(|(s, limit)| x[s.column].abs() > **limit) {
            stray.row = if stray.count == 0 { row } else { stray.row };
            stray.count += 1;
        }
        row += 1;
    })?;
    Ok(strays)
}

/// The names of the columns for which `is` holds, if there are any.
fn list(columns: &[String], count: usize, is: &dyn Fn(usize) -> bool) -> Option<String> {
    let found: Vec<usize> = (0..count).filter(|column| is(*column)).collect();
    (!found.is_empty()).then(|| table::list(&found, columns))
}

/// Columns that teach a model nothing, or whose values 32-bit floats cannot distinguish.
pub(super) fn table_warnings(summary: &Summary, alike: &[usize], columns: &[String]) -> Vec<String> {
    let list = |wrong: &dyn Fn(usize) -> bool| list(columns, summary.std.len(), wrong);
    let mut warnings = Vec::new();
    let mut is_alike = vec![false; summary.std.len()];
    alike.iter().for_each(|column| is_alike[*column] = true);
    // Smaller deviations are none to a float.
    let size = |column: usize| summary.min[column].abs().max(summary.max[column].abs());
    let is_tiny = |column: usize| {
        size(column) < SMALL
            && (is_alike[column] || summary.std[column] > 0.0 && !(summary.std[column] as f32).is_normal())
    };
    if let Some(names) = list(&is_tiny) {
        warnings.push(format!(
            "values too small for 32-bit floats, so nothing to learn; multiply them first, or leave the column out: {names}"
        ));
    }
    if let Some(names) = list(&|column| is_alike[column] && !is_tiny(column)) {
        warnings.push(format!(
            "values that differ by less than 32-bit floats can tell, so nothing to learn; subtract a constant first, or \
             leave the column out: {names}"
        ));
    }
    let same = |column: usize| summary.std[column] == 0.0 && !is_alike[column];
    // Of other whole numbers than these, a float does not have every digit.
    let exact = |column: usize| summary.mean[column].abs() < EXACT;
    if let Some(names) = list(&|column| same(column) && !exact(column)) {
        warnings.push(format!(
            "the same value in every training row as far as 32-bit floats can tell, so nothing to learn: {names}"
        ));
    }
    if let Some(names) = list(&|column| same(column) && exact(column)) {
        warnings.push(format!("the same value in every training row, so nothing to learn: {names}"));
    }
    if let Some(names) = list(&|column| is_mark(summary, column)) {
        warnings.push(format!(
            "values that look like marks for missing ones, such as -9999 or 1e20, and squeeze the others once scaled; \
             remove those rows or fill them in: {names}"
        ));
    }
    let coarse = |column: usize| {
        let std = summary.std[column];
        std > 0.0 && summary.mean[column].abs() > COARSE * std
    };
    if let Some(names) = list(&coarse) {
        warnings.push(format!(
            "values so far from zero that 32-bit floats lose their digits; subtract a constant first: {names}"
        ));
    }
    warnings
}

/// Pictures that teach a model nothing, or hold marks for missing values; of bytes, there is no summary.
pub(super) fn picture_warnings(train: &Split, summary: Option<&Summary>) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    let pooled = summary.map(Summary::pooled);
    if let Some(pooled) = pooled.filter(|pooled| is_mark(pooled, 0)) {
        let mark = if MARKS.contains(&-pooled.max[0]) || pooled.max[0] >= HUGE {
            pooled.max[0]
        } else {
            pooled.min[0]
        };
        warnings.push(format!(
            "values that look like marks for missing ones, such as {}, and squeeze the others once scaled; give those pixels \
             another value first",
            mark as f32
        ));
    }
    // Of black ones, more is said.
    if let Some(one) = same_row(train)?
        && one.iter().any(|x| *x != 0.0)
    {
        warnings.push("all pictures of the training part are the same: there is nothing to learn".to_owned());
    }
    Ok(warnings)
}

/// What all rows are, of two or more, if they are the same.
fn same_row(split: &Split) -> Result<Option<Vec<f32>>> {
    // Nearly always, the first few tell.
    const FEW: usize = 8;
    if split.count < 2 {
        return Ok(None);
    }
    let first = split.x([0])?;
    for rows in [split.count.min(FEW), split.count] {
        let (mut same, mut x) = (true, Vec::new());
        split.each(1..rows, &mut |row| {
            x.clear();
            row.extend(&mut x);
            same = same && x == first;
        })?;
        if !same {
            return Ok(None);
        }
    }
    Ok(Some(first))
}

/// Numbers smaller than this are close to the least that floats hold, 1.2e-38 with all their digits.
const SMALL: f64 = 1e-30;
/// A column is of another kind if one value of so many is.
const MANY: u64 = 4;

/// Numbers by which programs mark missing values; beyond [`HUGE`], any is one.
const MARKS: [f64; 4] = [-999.0, -9999.0, -99999.0, -999999.0];
const HUGE: f64 = 1e15;
/// One that is a number as well: a mark if it is so many deviations out.
const SHORT_MARK: (f64, f64) = (-99.0, 5.0);

/// 32-bit floats have every whole number up to this.
const EXACT: f64 = 16_777_216.0;

/// Whether the smallest or largest value of a column looks like a mark, and not like the others.
fn is_mark(summary: &Summary, column: usize) -> bool {
    let (mean, std) = (summary.mean[column], summary.std[column]);
    let (min, max) = (summary.min[column], summary.max[column]);
    let huge =
        |v: f64| v.abs() >= HUGE && (v - mean).abs() > 0.5 * std && (min.abs() < HUGE || max.abs() < HUGE);
    // Of the other numbers, few or none lie as far out: where most values are marks, the mean does too.
    MARKS.contains(&min) && min < max
        || min == SHORT_MARK.0 && min < mean - SHORT_MARK.1 * std
        || MARKS.contains(&-max) && max > mean + 3.0 * std
        || huge(min)
        || huge(max)
}

/// If a mean exceeds this many deviations, a float has less than 8 bits left for the deviation.
const COARSE: f64 = 1e5;
