//! What `vae-gpu train` tells other programs: metrics as CSV and JSON, events for TensorBoard, lines of JSON.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::output::result;
use crate::data::Shape;
use crate::error::{Error, Result};
use crate::run::tensorboard::{EventFile, Scalars};
use crate::run::{EpochMetrics, RunDir, curves, metrics};

/// The metrics of a run that is under way.
pub struct Tracking {
    dir: RunDir,
    shape: Shape,
    /// The rows of `metrics.csv`, which is only appended to.
    rows: Vec<EpochMetrics>,
    events: Option<EventFile>,
}

impl Tracking {
    /// Goes on after `step`, with which `epoch` epochs were done.
    pub fn new(dir: &RunDir, shape: Shape, tensorboard: bool, step: u64, epoch: u32) -> Result<Self> {
        let events = tensorboard.then(|| EventFile::create(&dir.events(), step)).transpose()?;
        let mut tracking = Tracking { dir: dir.clone(), shape, rows: Vec::new(), events };
        tracking.forget_after(epoch)?;
        Ok(tracking)
    }

    /// Forgets what was written of later epochs: training goes on after `epoch`, and will write them again.
    pub fn forget_after(&mut self, epoch: u32) -> Result<()> {
        metrics::truncate_json_after(&self.dir.metrics_json(), epoch)?;
        self.rows = metrics::truncate_after(&self.dir.metrics(), epoch)?;
        Ok(())
    }

    /// Whether codes of test data are written down.
    pub fn wants_codes(&self) -> bool {
        self.events.is_some()
    }

    /// Adds an epoch, and draws the curves if it has pictures, which are written already; `mu` are codes of test data.
    pub fn epoch(&mut self, row: &EpochMetrics, mu: &[f32], has_pictures: bool) -> Result<()> {
        self.rows.push(*row);
        metrics::append(&self.dir.metrics(), row)?;
        metrics::append_json(&self.dir.metrics_json(), row)?;
        if has_pictures {
            curves::draw(&self.dir.curves(), &self.rows)?;
        }
        let Some(events) = &mut self.events else { return Ok(()) };
        let mut scalars = Scalars::default();
        for (tag, value) in by_tag(row) {
            scalars.scalar(tag, value);
        }
        for (tag, path) in
            [("samples", self.dir.sample(row.epoch)), ("reconstructions", self.dir.reconstruction(row.epoch))]
        {
            if path.exists() {
                scalars.image(tag, read(&path)?, self.shape);
            }
        }
        scalars.histogram("latent/mu", mu);
        events.add(row.step, scalars)
    }
}

pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| Error::io("read", path, error))
}

/// The numbers of an epoch under TensorBoard's names: what is before the `/` is a group.
fn by_tag(row: &EpochMetrics) -> Vec<(&'static str, f64)> {
    let always = [
        ("elbo/train", row.train_elbo),
        ("elbo/test", row.test_elbo),
        ("reconstruction/train", row.train_recon),
        ("reconstruction/test", row.test_recon),
        ("kl/train", row.train_kl),
        ("kl/test", row.test_kl),
        ("objective/train", row.train_objective),
        ("speed/images_per_second", row.images_per_second),
        ("epoch", f64::from(row.epoch)),
    ];
    let valid = [
        ("elbo/valid", row.valid_elbo),
        ("reconstruction/valid", row.valid_recon),
        ("kl/valid", row.valid_kl),
    ];
    always.into_iter().chain(valid.into_iter().filter_map(|(tag, value)| Some((tag, value?)))).collect()
}

/// Prints an object with its `event` on a line of stdout.
pub fn tell(event: &str, mut fields: Value) {
    fields["event"] = json!(event);
    result(format_args!("{fields}"));
}
