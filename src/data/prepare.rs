//! Makes a data set from what a reader gives: the scaling, and the warnings about the values.

use std::sync::Arc;

use super::dataset::Dataset;
use super::missing::{self, Means};
use super::oddities::{elsewhere, ends, like_pictures, picture_warnings, table_warnings};
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
    let is_table = is_table(&parts, options);
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
    if is_table && let Some(scaling) = &scaling {
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
    if options.scaling.is_none() && !options.whole {
        warnings.extend(match summary.filter(|_| is_table) {
            Some(summary) => table_warnings(summary, &alike, &columns),
            None => picture_warnings(&train, summary.filter(|_| !is_table))?,
        });
        warnings.extend(summary.filter(|_| is_table).and_then(|summary| like_pictures(summary, &columns)));
    }
    if scaling.is_none() && (options.scale.is_none() || options.shares) {
        let dark = shades::dark(&train, summary, options.whole)?;
        if dark.is_none() && !test.is_beside(&train) {
            let summary = seen.last().map(|(summary, ..)| summary);
            warnings.extend(shades::dark_test(&test_source(source, options), &test, summary)?);
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
    let (is_table, bits) = (is_table(parts, options), parts.bits);
    let mut fit = |known: Known, split: &mut Split, bits, source: &str| -> Result<()> {
        let (fitted, warning) = known.fit(source, split.clone(), bits, is_table, progress)?;
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
    // Parts of their own, and not some rows of one.
    let is_other = |split: &Split| {
        !split.is_beside(&parts.train) && (!is_table || split.element() != parts.train.element())
    };
    let test_differs = is_other(test);
    let valid_differs = parts.valid.as_ref().is_some_and(is_other);
    if !test_differs && !valid_differs {
        return Ok(());
    }
    let known = Known::of_part(&parts.train, bits, is_table, progress)?;
    if let Some(valid) = parts.valid.as_mut().filter(|_| valid_differs) {
        fit(known, valid, None, &format!("the validation part of {source}"))?;
    }
    if test_differs {
        fit(known, test, None, &test_source(source, options))?;
    }
    Ok(())
}

/// What a test part of its own is called.
fn test_source(source: &str, options: &ReadOptions) -> String {
    options.test_data.clone().unwrap_or_else(|| format!("the test part of {source}"))
}

/// Whether rows are a table's to the model, too.
fn is_table(parts: &Parts, options: &ReadOptions) -> bool {
    parts.shape.is_table() && !options.pictured
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
