//! Makes a data set from what a reader gives: the scaling, and the warnings about the values.

use std::sync::Arc;

use super::dataset::Dataset;
use super::missing::{self, Means};
use super::options::{Missing, ReadOptions};
use super::progress::Watch;
use super::reader::{NAMED, Parts, column_name};
use super::scaling::{Scale, Scaling};
use super::shades;
use super::split::{Element, Row, Split};
use super::summarise::summarise;
use super::summary::Summary;
use super::table::{self, setting};
use super::units::{FAR, Known};
use crate::error::{Error, Result};

/// Learns the scaling, or takes the run's, fills in missing values, and checks that all values are finite.
pub(super) fn prepare(
    source: &str,
    options: &ReadOptions,
    mut parts: Parts,
    mut test: Split,
    progress: Watch,
) -> Result<Dataset> {
    in_one_unit(source, options, &mut parts, &mut test, progress)?;
    let is_of_bytes = parts.train.element() == Element::Bytes;
    let floats =
        [&parts.train, &test].into_iter().chain(&parts.valid).any(|split| split.element() == Element::Floats);
    let filled = fill(source, options, &parts)?;
    if let Some(Means { values: fill, .. }) = &filled {
        let filling = Some(Arc::new(Scaling::filling(fill.clone())));
        let filled = |split: Split| split.scaled(filling.clone());
        (parts.train, parts.valid, test) = (filled(parts.train), parts.valid.map(filled), filled(test));
    }
    let Parts {
        name,
        shape,
        columns,
        label,
        classes,
        train,
        valid,
        bits,
        unread,
        notes,
        mut warnings,
        alike,
        ..
    } = parts;
    let wanted = options.scale.is_some_and(|scale| scale != Scale::None) || options.scaling.is_some();
    // Of each part, the training part first.
    let mut seen: Vec<(Summary, &str, Split)> = Vec::new();
    if floats || wanted {
        let test_source = options.test_data.as_deref().unwrap_or(source);
        let valid = valid.as_ref().map(|split| (split, "looking at the validation values", source));
        let judged = (&test, "looking at the test values", test_source);
        let splits = [(&train, "looking at the values", source)].into_iter().chain(valid).chain([judged]);
        for (split, what, source) in splits {
            let summary = summarise(split, what, progress)?;
            let bad = summary.bad;
            seen.push((summary, source, split.clone()));
            if let Some((row, column)) = bad {
                return not_finite(source, options, (split, row as usize), column, &columns);
            }
        }
    }
    // What stands in for a missing value is no value of the column.
    if let (Some((summary, ..)), Some(Means { whole: Some(whole), .. })) = (seen.first_mut(), &filled) {
        summary.whole.clone_from(whole);
    }
    // Tables with columns say so themselves.
    if let Some(Means { missing, .. }) =
        filled.as_ref().filter(|means| means.missing > 0 && columns.is_empty())
    {
        let part = if options.whole { "" } else { " in it" };
        warnings
            .push(format!("missing values filled in with the mean of the training part: {missing}{part}"));
    }
    let fill = filled.map(|means| means.values);
    let summary = seen.first().map(|(summary, ..)| summary);
    let scaling = match (&options.scaling, summary) {
        (Some(scaling), _) => Some(scaling.clone()),
        (None, Some(summary)) => {
            let fits = match summary.range() {
                _ if is_of_bytes => Scale::None,
                _ if shape.is_table() => Scale::Standard,
                (min, max) if min >= 0.0 && max <= 1.0 => Scale::None,
                _ => Scale::Minmax,
            };
            let learnt = Scaling::learn(options.scale.unwrap_or(fits), summary, shape);
            match (learnt, fill) {
                (learnt, None) => learnt,
                (None, Some(fill)) => Some(Scaling::filling(fill)),
                (Some(learnt), Some(fill)) => Some(Scaling { fill, ..learnt }),
            }
        }
        (None, None) => None,
    };
    if let Some(scaling) = &scaling {
        scaling.validate(shape.dim()).map_err(|error| match error {
            Error::Usage(problem) => {
                let over = shape.dim() == scaling.shift.len() + 1 && label.is_none() && !columns.is_empty();
                let more = over.then(|| format!("; {}", table::one_holds_labels(&columns)));
                Error::Usage(format!("{source}: {problem}{}", more.unwrap_or_default()))
            }
            other => other,
        })?;
        // A row to be scored may be as strange as it likes: it gets the score of such.
        for (summary, source, _) in seen.iter().filter(|_| !options.whole) {
            check_scaled(source, summary, scaling, &columns)?;
        }
    }
    if shape.is_table()
        && let Some(scaling) = &scaling
    {
        // What the scaling was learnt from is in its range; of data without parts, both are the same.
        let others = match (&options.scaling, options.whole) {
            (None, _) => &seen[1..],
            (Some(_), true) => &seen[..1],
            (Some(_), false) => &seen[..],
        };
        for (summary, source, split) in others {
            warnings.extend(elsewhere(source, (summary, split), scaling, &columns)?);
        }
    }
    let unit = summary.is_none_or(|summary| {
        ends(summary, scaling.as_ref()).iter().flatten().all(|x| (0.0..=1.0).contains(x))
    });
    // A model that is trained already has learnt what it could.
    if let Some(summary) = summary
        && shape.is_table()
        && options.scaling.is_none()
        && !options.whole
    {
        warnings.extend(table_warnings(summary, &alike, &columns));
        warnings.extend(like_pictures(summary, &columns));
    }
    if scaling.is_none() && (options.scale.is_none() || options.shares) {
        let dark = shades::dark(&train, summary, options.whole)?;
        if let (None, Some(source)) = (&dark, &options.test_data) {
            let summary = seen.last().map(|(summary, ..)| summary);
            warnings.extend(shades::dark_test(source, &test, summary)?);
        }
        warnings.extend(dark);
    }
    let shared = scaling.clone().map(Arc::new);
    let summary = seen.into_iter().next().map(|(summary, ..)| summary);
    let (train, test) = (train.scaled(shared.clone()), test.scaled(shared.clone()));
    let valid = valid.map(|split| split.scaled(shared));
    let named = Dataset::new(&name, shape, train, test);
    Ok(Dataset {
        valid,
        columns,
        label,
        classes,
        scaling,
        summary,
        bits,
        unit,
        unread,
        notes,
        warnings,
        ..named
    })
}

/// Brings rows of other types into the unit of those that are learnt from, and says so.
fn in_one_unit(
    source: &str,
    options: &ReadOptions,
    parts: &mut Parts,
    test: &mut Split,
    progress: Watch,
) -> Result<()> {
    let (shape, bits) = (parts.shape, parts.bits);
    let mut fit = |known: Known, split: &mut Split, bits, source: &str| -> Result<()> {
        let (fitted, warning) = known.fit(source, split.clone(), bits, shape, progress)?;
        *split = fitted;
        let warning = warning.filter(|warning| !parts.warnings.contains(warning));
        parts.warnings.extend(warning);
        Ok(())
    };
    if options.whole {
        let Some(known) = Known::of_run(options) else { return Ok(()) };
        let is_one = parts.train.is_same(test);
        fit(known, &mut parts.train, bits, source)?;
        parts.valid.as_mut().map(|valid| fit(known, valid, bits, source)).transpose()?;
        match is_one {
            true => *test = parts.train.clone(),
            false => fit(known, test, bits, source)?,
        }
        return Ok(());
    }
    let is_other = |split: &Split| split.element() != parts.train.element();
    let test_differs = options.test_data.is_some() || is_other(test);
    let valid_differs = parts.valid.as_ref().is_some_and(is_other);
    if !test_differs && !valid_differs {
        return Ok(());
    }
    let known = Known::of_part(&parts.train, bits, shape, progress)?;
    if let Some(valid) = parts.valid.as_mut().filter(|_| valid_differs) {
        fit(known, valid, None, source)?;
    }
    if test_differs {
        fit(known, test, None, options.test_data.as_deref().unwrap_or(source))?;
    }
    Ok(())
}

/// The least and largest x of each summarised column.
fn ends(summary: &Summary, scaling: Option<&Scaling>) -> [Vec<f32>; 2] {
    [&summary.min, &summary.max].map(|ends| {
        let mut ends: Vec<f32> = ends.iter().map(|v| *v as f32).collect();
        if let Some(scaling) = scaling {
            scaling.apply(&mut ends);
        }
        ends
    })
}

/// Refuses values that overflow a float once scaled, because they lie so far outside the training range.
fn check_scaled(source: &str, summary: &Summary, scaling: &Scaling, columns: &[String]) -> Result<()> {
    for (values, ends) in [&summary.min, &summary.max].into_iter().zip(ends(summary, Some(scaling))) {
        let Some(column) = ends.iter().position(|x| x.abs() == f32::MAX) else { continue };
        return Err(Error::file(
            source,
            format!(
                "{}: {:e} is not a finite number once scaled like the training data",
                column_name(column, columns),
                values[column] as f32
            ),
            "remove that row, or scale the columns beforehand",
        ));
    }
    Ok(())
}

/// What stands in for missing values: the run's, or the means of the training part if they are asked for.
fn fill(source: &str, options: &ReadOptions, parts: &Parts) -> Result<Option<Means>> {
    match &options.scaling {
        Some(scaling) if scaling.fill.len() == parts.shape.dim() => {
            // Tables with columns count by themselves.
            let missing = if parts.columns.is_empty() { missing::count(&parts.train)? } else { 0 };
            return Ok(Some(Means { values: scaling.fill.clone(), whole: None, missing }));
        }
        None if options.missing == Some(Missing::Mean) && parts.train.element() == Element::Floats => {}
        _ => return Ok(None),
    }
    let fill = missing::means(&parts.train)?;
    match fill.values.iter().position(|mean| mean.is_nan()) {
        None => Ok(Some(fill)),
        Some(column) => {
            let problem =
                format!("{}: no row of the training part has a value", column_name(column, &parts.columns));
            let next = match parts.columns.is_empty() {
                true => "leave that column out".to_owned(),
                false => format!("leave it out with {}", setting("source.drop", &[column], &parts.columns)),
            };
            Err(Error::file(source, problem, next))
        }
    }
}

/// Refuses a value that is no finite number.
fn not_finite<T>(
    source: &str,
    options: &ReadOptions,
    (split, row): (&Split, usize),
    column: usize,
    columns: &[String],
) -> Result<T> {
    let missing = split.x([row])?.get(column).is_some_and(|value| value.is_nan());
    let (what, next) = match (missing, options.whole) {
        (true, false) => (
            "the value is missing",
            "leave rows without a value out with `source.missing` = drop, or fill them in with `source.missing` = mean",
        ),
        (true, true) => ("the value is missing", "leave out the rows without a value, or fill them in"),
        (false, _) => (
            "infinite, or beyond 3.4e38, the most that 32-bit floats hold",
            "leave out such rows, or scale the data beforehand",
        ),
    };
    let place = format!("{}, {}", split.origin(row), column_name(column, columns));
    Err(Error::file(source, format!("{place}: {what}"), next))
}

/// Side, at least, of what could be pictures.
const SIDE: usize = 8;
/// Their greatest value, at least, of 255.
const BRIGHT: f64 = 128.0;

/// What should be said of a table whose values look like the pixels of pictures.
fn like_pictures(summary: &Summary, columns: &[String]) -> Option<String> {
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
fn elsewhere(
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
        match values {
            Row::Bytes(values) => x.extend(values.iter().map(|v| f32::from(*v) / 255.0)),
            Row::Floats(values) => x.extend_from_slice(values),
        }
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
fn table_warnings(summary: &Summary, alike: &[usize], columns: &[String]) -> Vec<String> {
    let list = |wrong: &dyn Fn(usize) -> bool| list(columns, summary.std.len(), wrong);
    let mut warnings = Vec::new();
    let mut is_alike = vec![false; summary.std.len()];
    alike.iter().for_each(|column| is_alike[*column] = true);
    if let Some(names) = list(&|column| is_alike[column]) {
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

/// A column is of another kind if one value of so many is.
const MANY: u64 = 4;

/// Numbers by which programs mark missing values; beyond [`HUGE`], any is one.
const MARKS: [f64; 4] = [-999.0, -9999.0, -99999.0, -999999.0];
const HUGE: f64 = 1e15;

/// 32-bit floats have every whole number up to this.
const EXACT: f64 = 16_777_216.0;

/// Whether the smallest or largest value of a column looks like a mark, and not like the others.
fn is_mark(summary: &Summary, column: usize) -> bool {
    let (mean, std) = (summary.mean[column], summary.std[column]);
    let (min, max) = (summary.min[column], summary.max[column]);
    let huge =
        |v: f64| v.abs() >= HUGE && (v - mean).abs() > 0.5 * std && (min.abs() < HUGE || max.abs() < HUGE);
    MARKS.contains(&min) && min < mean - std
        || MARKS.contains(&-max) && max > mean + 3.0 * std
        || huge(min)
        || huge(max)
}

/// If a mean exceeds this many deviations, a float has less than 8 bits left for the deviation.
const COARSE: f64 = 1e5;

/// Statistics of the source's own values in the training part: for bytes, of v / 255.
///
/// # Errors
/// [`Error::Io`] if the values are in a file that can no longer be read.
pub fn column_stats(dataset: &Dataset, progress: Watch) -> Result<Summary> {
    match &dataset.summary {
        Some(summary) => Ok(summary.clone()),
        None => summarise(&dataset.train, "looking at the values", progress),
    }
}
