//! Makes a data set from what a reader gives: the scaling, and the warnings about the values.

use std::sync::Arc;

use super::dataset::Dataset;
use super::missing::{self, Means};
use super::options::{Missing, ReadOptions};
use super::progress::Watch;
use super::reader::{Parts, column_name};
use super::scaling::{Scale, Scaling};
use super::shades;
use super::split::{Element, Split};
use super::summarise::summarise;
use super::summary::Summary;
use super::table::{self, setting};
use super::units::Known;
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
    let mut seen: Vec<(Summary, &str)> = Vec::new();
    if floats || wanted {
        let test_source = options.test_data.as_deref().unwrap_or(source);
        let valid = valid.as_ref().map(|split| (split, "looking at the validation values", source));
        let judged = (&test, "looking at the test values", test_source);
        let splits = [(&train, "looking at the values", source)].into_iter().chain(valid).chain([judged]);
        for (split, what, source) in splits {
            seen.push((summarise(split, what, progress)?, source));
            let (summary, _) = &seen[seen.len() - 1];
            if let Some((row, column)) = summary.bad {
                return not_finite(source, options, (split, row as usize), column, &columns);
            }
        }
    }
    // What stands in for a missing value is no value of the column.
    if let (Some((summary, _)), Some(Means { whole: Some(whole), .. })) = (seen.first_mut(), &filled) {
        summary.whole.clone_from(whole);
    }
    let fill = filled.map(|means| means.values);
    let summary = seen.first().map(|(summary, _)| summary);
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
        scaling.validate(shape.dim())?;
        // A row to be scored may be as strange as it likes: it gets the score of such.
        for (summary, source) in seen.iter().filter(|_| !options.whole) {
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
        let others = others.iter();
        warnings.extend(others.filter_map(|(summary, source)| elsewhere(source, summary, scaling, &columns)));
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
    }
    if scaling.is_none() && (options.scale.is_none() || options.shares) {
        warnings.extend(shades::dark(&train, summary, options.whole)?);
    }
    let shared = scaling.clone().map(Arc::new);
    let summary = seen.into_iter().next().map(|(summary, _)| summary);
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
            return Ok(Some(Means { values: scaling.fill.clone(), whole: None }));
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

/// Columns that lie wholly where training saw nothing.
fn elsewhere(source: &str, summary: &Summary, scaling: &Scaling, columns: &[String]) -> Option<String> {
    let [least, most] = ends(summary, Some(scaling));
    let scale = |column: usize| f64::from(*scaling.scale.get(column).unwrap_or(&scaling.scale[0]));
    let aside = |column: usize| least[column] > FAR || most[column] < -FAR;
    let wide = |column: usize| {
        least[column] < -FAR && most[column] > FAR && summary.std[column] > f64::from(FAR) * scale(column)
    };
    let names = list(columns, least.len(), &|column| aside(column) || wide(column))?;
    Some(format!(
        "{source}: values lie more than {FAR} deviations outside the training data or are so much wider, as those of \
         other units are: {names}"
    ))
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
    if let Some(names) = list(&|column| summary.std[column] == 0.0 && !is_alike[column]) {
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

/// Values x beyond this are of another kind than those that a scaling was learnt from.
const FAR: f32 = 30.0;

/// Numbers by which programs mark missing values; beyond [`HUGE`], any is one.
const MARKS: [f64; 4] = [-999.0, -9999.0, -99999.0, -999999.0];
const HUGE: f64 = 1e15;

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
