//! `vae-gpu compare`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::output::{self, talk};
use super::runs::{self, Opened, table};
use crate::error::Result;
use crate::run::{EpochMetrics, comparison, write_atomic};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu compare runs/mnist-vae-1 runs/mnist-vae-2      # a table, and compare.png
  vae-gpu compare runs/* --out elbo.png

ELBO and its terms are in nats per datum; best is by the validation data or, where none were held out, the test data.")]
pub struct CompareArgs {
    /// Run directories
    #[arg(required = true, num_args = 2..)]
    pub runs: Vec<PathBuf>,
    /// The picture
    #[arg(long, default_value = "compare.png", value_name = "FILE")]
    pub out: PathBuf,
}

pub fn run(args: &CompareArgs) -> Result<()> {
    output::check_picture("--out", &args.out)?;
    let opened = args.runs.iter().map(|path| runs::open(path)).collect::<Result<Vec<_>>>()?;
    let names: Vec<String> = args.runs.iter().map(|path| name_of(path, &args.runs)).collect();
    let mut rows = differences(&opened);
    rows.extend(measured(&opened));
    let headings: Vec<&str> = [""].into_iter().chain(names.iter().map(String::as_str)).collect();
    table(&headings, &rows);
    let curves: Vec<(String, Vec<EpochMetrics>)> =
        names.iter().cloned().zip(opened.into_iter().map(|run| run.rows)).collect();
    let png = comparison::comparison_png(&curves)?;
    write_atomic(&args.out, |out| out.write_all(&png))?;
    talk(format_args!("the ELBO by epoch is in {}", args.out.display()));
    Ok(())
}

/// The last part of a path, or all of it where two runs would have one name.
fn name_of(path: &Path, all: &[PathBuf]) -> String {
    let last = |path: &Path| path.file_name().map(|name| name.to_owned());
    let is_alone = all.iter().filter(|other| last(other) == last(path)).count() == 1;
    match last(path) {
        Some(name) if is_alone => name.display().to_string(),
        _ => path.display().to_string(),
    }
}

/// Parts of a configuration that follow from the data, and nobody sets.
const FOLLOWS: [&str; 3] = ["fingerprint", "schema.", "source.scaling."];

/// A row for each setting in which the runs differ.
fn differences(opened: &[Opened]) -> Vec<Vec<String>> {
    let settings: Vec<BTreeMap<String, String>> = opened
        .iter()
        .map(|run| {
            let mut found = BTreeMap::new();
            // As the file has it: an f32 with its own few digits.
            let table: Value = toml::from_str(&run.config.to_toml()).expect("what was written can be read");
            flatten("", &table, &mut found);
            // What follows from the data is long, and the data's name and fingerprint tell that it differs.
            found.retain(|key, _| !FOLLOWS.iter().any(|part| key.starts_with(part)));
            let parts = run.config.fingerprint.iter().map(|part| &part.hash[..]);
            found.insert("data's fingerprint".into(), parts.collect::<Vec<_>>().join(", "));
            found
        })
        .collect();
    let keys: BTreeSet<&String> = settings.iter().flat_map(BTreeMap::keys).collect();
    let values = |key: &String| -> Vec<String> {
        settings.iter().map(|run| run.get(key).cloned().unwrap_or_else(|| "-".into())).collect()
    };
    let rows = keys.into_iter().map(|key| (key, values(key)));
    let different = rows.filter(|(_, values)| values.iter().any(|value| *value != values[0]));
    different.map(|(key, values)| [vec![key.clone()], values].concat()).collect()
}

/// Every value under the names of its parts: `model.latent`.
fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(parts) => {
            for (name, part) in parts {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, part, into);
            }
        }
        Value::String(text) => {
            into.insert(path.to_owned(), text.clone());
        }
        other => {
            into.insert(path.to_owned(), other.to_string());
        }
    }
}

/// What came of the runs.
fn measured(opened: &[Opened]) -> Vec<Vec<String>> {
    let row = |name: &str, of: &dyn Fn(&Opened) -> Option<String>| {
        let values = opened.iter().map(|run| of(run).unwrap_or_else(|| "-".into()));
        [name.to_owned()].into_iter().chain(values).collect()
    };
    let last =
        |of: fn(&EpochMetrics) -> f64| move |run: &Opened| Some(format!("{:.2}", of(run.rows.last()?)));
    let speed = |run: &Opened| Some(format!("{:.0}", run.rows.last()?.images_per_second));
    vec![
        row("epochs done", &|run| Some(run.summary.epochs.to_string())),
        row("best ELBO", &|run| Some(format!("{:.2}", run.summary.best_elbo?))),
        row("best epoch", &|run| Some(run.summary.best_epoch?.to_string())),
        row("last test ELBO", &last(|row| row.test_elbo)),
        row("last test reconstruction", &last(|row| row.test_recon)),
        row("last test KL", &last(|row| row.test_kl)),
        row("images/s", &speed),
    ]
}
