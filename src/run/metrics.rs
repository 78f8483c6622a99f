//! `metrics.csv` and `metrics.jsonl`: one row per epoch, for spreadsheets, scripts and the curves.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::write_atomic;
use crate::error::{Error, Result};

/// One row. Terms of the bound are in nats per datum, averaged over the split: `elbo` is
/// `recon - kl`, and `recon` is the mean log-likelihood log p(x|z), so higher is better for both.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Counted from 1.
    pub epoch: u32,
    /// Optimiser steps since the start of the run.
    pub step: u64,
    /// The bound on the training data, accumulated over the epoch's steps.
    pub train_elbo: f64,
    /// Its reconstruction term.
    pub train_recon: f64,
    /// Its KL term.
    pub train_kl: f64,
    /// The objective: the bound itself, with a weighted KL, or of several samples.
    pub train_objective: f64,
    /// The bound on the test data after the epoch.
    pub test_elbo: f64,
    /// Its reconstruction term.
    pub test_recon: f64,
    /// Its KL term.
    pub test_kl: f64,
    /// The bound on the validation data, if any was held out.
    pub valid_elbo: Option<f64>,
    /// Its reconstruction term.
    pub valid_recon: Option<f64>,
    /// Its KL term.
    pub valid_kl: Option<f64>,
    /// Training data per second of training.
    pub images_per_second: f64,
    /// Seconds of training by the wall clock, without evaluation and files.
    pub seconds: f64,
}

/// Appends `row` to the file at `path`; a new file gets the column names first.
///
/// # Errors
/// [`Error::Io`].
pub fn append(path: &Path, row: &EpochMetrics) -> Result<()> {
    let write = || {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let new = file.metadata()?.len() == 0;
        // A single write for the whole row: a crash between two could leave half of it.
        file.write_all(&to_csv(std::slice::from_ref(row), new)?)
    };
    write().map_err(|error| Error::io("write", path, error))
}

/// Every row of the file, in order. A last line without its newline was cut off by a crash, and is left out.
///
/// # Errors
/// [`Error::File`] with the malformed line; [`Error::Io`].
pub fn read(path: &Path) -> Result<Vec<EpochMetrics>> {
    let mut text = fs::read(path).map_err(|error| Error::io("read", path, error))?;
    let whole_lines = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    text.truncate(whole_lines);
    csv::Reader::from_reader(text.as_slice())
        .deserialize()
        .map(|row| {
            row.map_err(|error| {
                let next = "repair or delete the file; training does not need it";
                Error::file(path, format!("not a table of metrics: {error}"), next)
            })
        })
        .collect()
}

/// Removes the rows after `epoch`, since resuming from a checkpoint of that epoch writes them again, and returns the
/// rest. A missing file counts as empty.
///
/// # Errors
/// As [`read`]; [`Error::Io`] if the file cannot be written, in which case it is unchanged.
pub fn truncate_after(path: &Path, epoch: u32) -> Result<Vec<EpochMetrics>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut rows = read(path)?;
    rows.retain(|row| row.epoch <= epoch);
    write_atomic(path, |out| out.write_all(&to_csv(&rows, true)?))?;
    Ok(rows)
}

/// Appends `row` to the file at `path` as a line of JSON with the columns' names; values that are not finite are null.
///
/// # Errors
/// [`Error::Io`].
pub fn append_json(path: &Path, row: &EpochMetrics) -> Result<()> {
    let write = || {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        file.write_all(&line)
    };
    write().map_err(|error| Error::io("write", path, error))
}

/// Removes the lines after `epoch`, and broken lines left by a crash or another program. A missing file counts as
/// empty.
///
/// # Errors
/// [`Error::Io`]; the file is then unchanged.
pub fn truncate_json_after(path: &Path, epoch: u32) -> Result<()> {
    #[derive(Deserialize)]
    struct Row {
        epoch: u32,
    }
    if !path.exists() {
        return Ok(());
    }
    let bytes = fs::read(path).map_err(|error| Error::io("read", path, error))?;
    let is_kept = |line: &&[u8]| serde_json::from_slice::<Row>(line).is_ok_and(|row| row.epoch <= epoch);
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let kept: Vec<u8> = whole.filter(is_kept).flatten().copied().collect();
    write_atomic(path, |out| out.write_all(&kept))
}

fn to_csv(rows: &[EpochMetrics], header: bool) -> io::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().has_headers(header).from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    writer.into_inner().map_err(|error| error.into_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: u32) -> EpochMetrics {
        EpochMetrics {
            epoch,
            step: u64::from(epoch) * 469,
            train_elbo: -100.1 - 1.0 / f64::from(epoch),
            train_recon: -75.0,
            train_kl: 25.1,
            train_objective: -87.5,
            test_elbo: f64::NAN,
            test_recon: f64::NEG_INFINITY,
            test_kl: 1e-300,
            valid_elbo: (epoch == 2).then_some(-101.5),
            valid_recon: None,
            valid_kl: None,
            images_per_second: 41_234.5,
            seconds: 1.5,
        }
    }

    /// Rows as text, because a NaN does not equal itself.
    fn show(rows: &[EpochMetrics]) -> String {
        format!("{rows:?}")
    }

    #[test]
    fn rows_come_back_exactly_even_when_not_finite() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        for epoch in 1..=3 {
            append(&path, &row(epoch)).unwrap();
        }
        assert_eq!(show(&read(&path).unwrap()), show(&[row(1), row(2), row(3)]));
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("epoch,step,train_elbo,train_recon,train_kl,train_objective,test_elbo,"),
            "{text}"
        );
        assert_eq!(text.matches("epoch").count(), 1);
    }

    #[test]
    fn resuming_forgets_the_epochs_after_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        truncate_after(&path, 2).unwrap();
        assert!(!path.exists());

        for epoch in 1..=4 {
            append(&path, &row(epoch)).unwrap();
        }
        assert_eq!(show(&truncate_after(&path, 2).unwrap()), show(&[row(1), row(2)]));
        append(&path, &row(3)).unwrap();
        assert_eq!(show(&read(&path).unwrap()), show(&[row(1), row(2), row(3)]));

        // Nothing is left, not even column names; the next row writes them again.
        truncate_after(&path, 0).unwrap();
        append(&path, &row(1)).unwrap();
        assert_eq!(show(&read(&path).unwrap()), show(&[row(1)]));
    }

    #[test]
    fn a_row_cut_off_by_a_crash_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        append(&path, &row(1)).unwrap();
        append(&path, &row(2)).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        assert_eq!(read(&path).unwrap().len(), 1);
        truncate_after(&path, 2).unwrap();
        append(&path, &row(2)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn lines_of_json_have_the_columns_and_are_forgotten_in_the_same_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        truncate_json_after(&path, 2).unwrap();
        assert!(!path.exists());
        for epoch in 1..=3 {
            append_json(&path, &row(epoch)).unwrap();
        }
        let whole = fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let header = String::from_utf8(to_csv(&[row(1)], true).unwrap()).unwrap();
        let columns: Vec<&str> = header.lines().next().unwrap().split(',').collect();
        for line in &lines {
            let line = line.as_object().unwrap();
            assert_eq!(line.len(), columns.len());
            assert!(columns.iter().all(|name| line.contains_key(*name)), "{line:?}");
            assert!(line["test_elbo"].is_null() && line["train_recon"] == -75.0, "{line:?}");
        }
        fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        truncate_json_after(&path, 3).unwrap();
        append_json(&path, &row(3)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        truncate_json_after(&path, 1).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap().lines().collect::<Vec<_>>(),
            [whole.lines().next().unwrap()]
        );
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        append(&path, &row(1)).unwrap();
        let text = fs::read_to_string(&path).unwrap().replace("41234.5", "fast");
        fs::write(&path, text).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("line: 2") && message.contains("delete the file"), "{message}");
    }
}
