//! `vae-gpu data`: what a source is, and what training would do with it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::args::DataSourceArgs;
use super::flags;
use super::output::{self, result, talk};
use super::source;
use crate::data::columns::Column;
use crate::data::shapes::{self, Factors};
use crate::data::{Dataset, Element, ReadOptions, Shape, Split, Summary, column_stats};
use crate::error::{Error, Result};
use crate::run::picture;
use crate::train::Config;

/// Columns and classes that the text shows; the JSON has all.
const SHOWN: usize = 20;
/// Width of the longest bar of the histogram.
const BAR: usize = 40;

pub fn run(args: &DataSourceArgs) -> Result<()> {
    if let Some(path) = &args.picture {
        output::check_picture("--picture", path)?;
    }
    let mut options = ReadOptions::default();
    args.source.apply(&mut options);
    let factors = args.factors.as_deref();
    if let (Some(_), false) = (factors, shapes::is_named(&args.data)) {
        return Err(Error::Usage(format!("--factors: of {} none are known; use shapes", args.data)));
    }
    if factors.is_some_and(output::is_stdout) {
        return Err(Error::Usage("--factors -: the text is on stdout; name a file".into()));
    }
    let parquet = factors.map(|out| output::is_parquet("--factors", out, "factors are")).transpose()?;
    let dataset = source::open(&args.data, &options, true)?;
    let summary = column_stats(&dataset, &|_| {})?;
    let plan = plan(&args.data, &dataset)?;
    if let Some(path) = &args.picture {
        mean_picture(path, dataset.shape, &summary, &dataset)?;
    }
    if let Some(out) = factors {
        output::table(out, parquet == Some(true), &table_of_factors(&options))?;
    }
    if args.json {
        result(format_args!("{:#}", describe(&dataset, &summary, &plan)));
        return Ok(());
    }
    print(&dataset, &summary, &plan);
    if let Some(path) = &args.picture {
        result(format_args!("the mean picture is in {}", path.display()));
    }
    if let Some(out) = factors {
        output::told(out, "what each picture shows is");
    }
    Ok(())
}

/// What each of the shapes is, a row a picture: those of the training part, then those of the test part.
fn table_of_factors(options: &ReadOptions) -> Vec<(&'static str, Column)> {
    let parts = shapes::factors(options);
    let rows = || parts.iter().flatten();
    let parts_of = ["train", "test"].into_iter().zip(&parts);
    let parts_of = parts_of.flat_map(|(name, part)| vec![name.to_owned(); part.len()]).collect();
    let numbers = parts.iter().flat_map(|part| 0..part.len() as i64).collect();
    let real = |of: fn(&Factors) -> f64| Column::Real(rows().map(of).collect());
    vec![
        ("part", Column::Text(parts_of)),
        ("row", Column::Whole(numbers)),
        ("shape", Column::Text(rows().map(|of| shapes::KINDS[of.shape].to_owned()).collect())),
        ("colour", real(|of| of.colour)),
        ("size", real(|of| of.size)),
        ("x", real(|of| of.x)),
        ("y", real(|of| of.y)),
        ("angle", real(|of| of.angle)),
    ]
}

fn kind(shape: Shape) -> &'static str {
    if shape.is_table() { "table" } else { "pictures" }
}

fn element(split: &Split) -> &'static str {
    match split.element() {
        Element::Bytes => "bytes",
        Element::Floats => "floats",
    }
}

/// What the defaults will do with the data.
fn plan(source: &str, dataset: &Dataset) -> Result<Vec<String>> {
    let scaling = match (&dataset.scaling, dataset.train.element()) {
        (None, Element::Bytes) if dataset.bits == Some(true) => "0 and 1 are taken as they are".to_owned(),
        (None, Element::Bytes) => "bytes v count as v / 255".to_owned(),
        (None, Element::Floats) => "values are taken as they are".to_owned(),
        (Some(scaling), _) => {
            let each = if scaling.shift.len() == 1 { "all values alike" } else { "each column by itself" };
            format!("x = (v - shift) / scale, {each}, learnt from the training part and undone on output")
        }
    };
    let config = Config { data: source.to_owned(), ..Config::default() };
    if let Err(error) = config.check_size(dataset) {
        return Ok(vec![scaling, flags::message(&error).replace("\n  ", ": ")]);
    }
    let fitting = config.fitting(dataset)?;
    let likelihood =
        fitting.map(|fitting| format!("{} fits: {}", source::fitting_flags(&fitting), fitting.why));
    let batch = Config::default().fit_batch(dataset).ok().flatten();
    let batch = batch.map(|rows| format!("batches of {}", flags::spelled(&rows)));
    Ok([Some(scaling), likelihood, batch].into_iter().flatten().collect())
}

fn print(dataset: &Dataset, summary: &Summary, plan: &[String]) {
    let Dataset { name, shape, train, valid, test, .. } = dataset;
    let (min, max) = summary.range();
    let place = if train.is_in_file() { ", read from the file as needed" } else { "" };
    result(format_args!("{name}: {} of {shape}, {}{place}", kind(*shape), element(train)));
    let chosen = valid.as_ref().map(|valid| format!("{} for validation, ", valid.count)).unwrap_or_default();
    result(format_args!("rows      {} for training, {chosen}{} for test", train.count, test.count));
    result(format_args!("values    from {} to {} in the training part", short(min), short(max)));
    for note in &dataset.notes {
        result(format_args!("found     {}", flags::spelled(note)));
    }
    for line in plan {
        result(format_args!("training  {line}"));
    }
    if shape.is_table() {
        table(dataset, summary);
    }
    if let Some(labels) = histogram(dataset) {
        let most = labels.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
        let classes = output::many(labels.len(), "class", "classes");
        result(format_args!("labels    of the training part, {classes}"));
        for (name, count) in labels.iter().take(SHOWN) {
            let name = output::word(name);
            result(format_args!("  {name:<20} {count:>8} {}", "#".repeat(count * BAR / most)));
        }
        more(labels.len());
    }
    for warning in &dataset.warnings {
        talk(format_args!("warning: {}", flags::spelled(warning)));
    }
}

fn table(dataset: &Dataset, summary: &Summary) {
    result(format_args!("  {:<20} {:>12} {:>12} {:>12} {:>12}", "column", "mean", "std", "min", "max"));
    let columns = summary.mean.len();
    for column in 0..columns.min(SHOWN) {
        let number = (column + 1).to_string();
        let name = output::word(dataset.columns.get(column).unwrap_or(&number));
        let of = |values: &[f64]| short(values[column]);
        let Summary { mean, std, min, max, .. } = summary;
        let [mean, std, min, max] = [mean, std, min, max].map(|values| of(values));
        result(format_args!("  {name:<20} {mean:>12} {std:>12} {min:>12} {max:>12}"));
    }
    more(columns);
}

fn more(of: usize) {
    if of > SHOWN {
        result(format_args!("  .. and {} more (--json has all)", of - SHOWN));
    }
}

/// A number in a few digits.
fn short(value: f64) -> String {
    let plain = value == 0.0 || (1e-3..1e6).contains(&value.abs());
    if !plain {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Each class with its number of training rows.
fn histogram(dataset: &Dataset) -> Option<Vec<(String, usize)>> {
    let labels = dataset.train.labels.as_deref()?;
    // A class that only the test part has is still one.
    let mut counts: BTreeMap<u32, usize> =
        (0..dataset.classes.len() as u32).map(|class| (class, 0)).collect();
    labels.iter().for_each(|label| *counts.entry(*label).or_insert(0) += 1);
    let name = |label: u32| dataset.classes.get(label as usize).cloned().unwrap_or(label.to_string());
    Some(counts.into_iter().map(|(label, count)| (name(label), count)).collect())
}

fn describe(dataset: &Dataset, summary: &Summary, plan: &[String]) -> Value {
    let Dataset { name, shape, train, valid, test, columns, scaling, unread, notes, warnings, .. } = dataset;
    let (min, max) = summary.range();
    let labels = histogram(dataset).map(|labels| {
        labels.into_iter().map(|(name, count)| json!({ "name": name, "count": count })).collect::<Vec<_>>()
    });
    let mut described = json!({
        "name": name,
        "kind": kind(*shape),
        "shape": [shape.width, shape.height, shape.channels],
        "train": train.count,
        "valid": valid.as_ref().map(|valid| valid.count),
        "test": test.count,
        "element": element(train),
        "in_file": train.is_in_file(),
        "min": min,
        "max": max,
        "labels": labels,
        "scaling": scaling,
        "defaults": plan,
        "notes": notes,
        "unread": unread.iter().map(|one| json!({ "file": one.file, "reason": one.reason })).collect::<Vec<_>>(),
        "warnings": warnings,
    });
    if shape.is_table() {
        let Summary { mean, std, min, max, .. } = summary;
        let column = |i: usize| {
            let number = (i + 1).to_string();
            let name = columns.get(i).unwrap_or(&number);
            json!({ "name": name, "mean": mean[i], "std": std[i], "min": min[i], "max": max[i] })
        };
        described["columns"] = (0..mean.len()).map(column).collect();
    }
    described
}

/// The mean of the training part as a PNG, on the scale of the values that there are.
fn mean_picture(path: &Path, shape: Shape, summary: &Summary, dataset: &Dataset) -> Result<()> {
    if !shape.is_picture() {
        let name = &dataset.name;
        return Err(Error::Usage(format!("--picture: {name} holds data of {shape}, which is no picture")));
    }
    let (low, high) = match dataset.train.element() {
        Element::Bytes => (0.0, 1.0),
        Element::Floats => summary.range(),
    };
    let spread = if high > low { high - low } else { 1.0 };
    let mean: Vec<f32> = summary.mean.iter().map(|v| ((v - low) / spread) as f32).collect();
    picture::grid(path, &mean, shape, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(0.0, "0"), (1.0, "1"), (-0.25, "-0.25"), (1e-4, "1.000e-4"), (3e9, "3.000e9")]
        {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn floats_beyond_one_ask_for_a_gaussian() {
        let train = Split::from_floats(vec![0.0, 2.0], 1);
        let mut dataset = Dataset::new("x", Shape::table(1), train.clone(), train);
        dataset.unit = false;
        assert!(
            plan("x", &dataset).unwrap()[1].contains("gaussian-learned --variance optimal fits: columns")
        );
        let train = Split::from_floats(vec![0.0, 1.0], 1);
        dataset = Dataset::new("x", Shape::table(1), train.clone(), train);
        assert!(plan("x", &dataset).unwrap()[1].contains("bernoulli fits: every value is 0 or 1"));
        assert_eq!(kind(dataset.shape), "table");
    }
}
