//! `vae-gpu runs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use serde::Serialize;

use super::flags::message;
use super::output::{self, result, talk};
use crate::error::{Error, Result};
use crate::run::{EpochMetrics, RunDir, metrics, time};
use crate::train::Config;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu runs                                           # the runs in the folder runs
  vae-gpu runs ~/experiments --json

The best ELBO is that of the validation data or, where none were held out, of the test data, in nats per datum; of an
autoencoder it is the reconstruction term.")]
pub struct RunsArgs {
    /// A folder of run directories, or one of these
    #[arg(default_value = "runs")]
    pub dir: PathBuf,
    /// Print JSON: a list with run, model, data, likelihood, widths, best_elbo, best_epoch, epochs, of_epochs, when
    #[arg(long)]
    pub json: bool,
}

/// A run in a line.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Its directory; JSON has no words for a name that is no Unicode.
    pub run: String,
    model: String,
    data: String,
    likelihood: String,
    widths: String,
    /// The best ELBO of all epochs, and the epoch.
    pub best_elbo: Option<f64>,
    /// That epoch, counted from 1.
    pub best_epoch: Option<u32>,
    /// Epochs done.
    pub epochs: u32,
    of_epochs: u32,
    /// When the last epoch ended, or else the run began: UTC.
    when: String,
}

/// A run's configuration and its epochs.
pub struct Opened {
    pub config: Config,
    pub rows: Vec<EpochMetrics>,
    pub summary: Summary,
}

/// Reads a run; one without any finished epoch has no rows.
pub fn open(path: &Path) -> Result<Opened> {
    let dir = RunDir::open(path)?;
    let config = Config::read(&dir.config())?;
    let table = dir.metrics();
    let rows = if table.exists() { metrics::read(&table)? } else { Vec::new() };
    let elbo = |row: &EpochMetrics| row.valid_elbo.unwrap_or(row.test_elbo);
    let best = rows.iter().filter(|row| elbo(row).is_finite()).max_by(|a, b| elbo(a).total_cmp(&elbo(b)));
    let stamp = |file: PathBuf| fs::metadata(file).and_then(|found| found.modified()).ok();
    let when = stamp(table).or_else(|| stamp(dir.config())).unwrap_or(SystemTime::UNIX_EPOCH);
    let model = config.model_config(config.image_shape().unwrap_or(crate::data::Shape {
        width: 0,
        height: 0,
        channels: 0,
    }));
    let summary = Summary {
        run: path.to_string_lossy().into_owned(),
        model: model.title(),
        data: config.data.clone(),
        likelihood: model.decoder(),
        widths: model.widths(),
        best_elbo: best.map(elbo),
        best_epoch: best.map(|row| row.epoch),
        epochs: rows.last().map_or(0, |row| row.epoch),
        of_epochs: config.train.epochs,
        when: time::to_minute(when),
    };
    Ok(Opened { config, rows, summary })
}

pub fn run(args: &RunsArgs) -> Result<()> {
    let entries = fs::read_dir(&args.dir).map_err(|error| Error::io("read", &args.dir, error))?;
    let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    let is_run = |folder: &Path| RunDir::open(folder).is_ok();
    folders.retain(|folder| is_run(folder));
    folders.sort();
    if folders.is_empty() && is_run(&args.dir) {
        folders.push(args.dir.clone());
    }
    let mut summaries = Vec::new();
    for folder in &folders {
        match open(folder) {
            Ok(opened) => summaries.push(opened.summary),
            // One damaged run must not hide the others.
            Err(error) => talk(format_args!("left out: {}", message(&error))),
        }
    }
    if args.json {
        let json = serde_json::to_string_pretty(&summaries).expect("plain text and numbers");
        result(format_args!("{json}"));
        return Ok(());
    }
    if summaries.is_empty() {
        talk(format_args!("no runs in {}", args.dir.display()));
    }
    let cells: Vec<Vec<String>> = summaries.iter().map(cells).collect();
    table(&["run", "model", "data", "likelihood", "best ELBO", "epochs", "when (UTC)"], &cells);
    Ok(())
}

fn cells(summary: &Summary) -> Vec<String> {
    let last = |path: &Path| {
        output::word(&path.file_name().map_or(path.to_string_lossy(), |name| name.to_string_lossy()))
    };
    vec![
        last(summary.run.as_ref()),
        format!("{} {}", summary.model, summary.widths),
        last(summary.data.as_ref()),
        summary.likelihood.clone(),
        summary.best_elbo.map_or_else(|| "-".into(), |elbo| format!("{elbo:.2}")),
        format!("{}/{}", summary.epochs, summary.of_epochs),
        summary.when.clone(),
    ]
}

/// Prints rows of cells below their headings, in columns as wide as they need.
pub fn table(headings: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let print = |cells: &[&str]| {
        let line: String =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        result(format_args!("{}", line.trim_end()));
    };
    print(headings);
    rows.iter().for_each(|row| print(&row.iter().map(String::as_str).collect::<Vec<_>>()));
}
