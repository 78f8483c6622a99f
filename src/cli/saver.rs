//! What a run leaves behind while it is trained.

use super::output::result;
use super::tracking::{Tracking, tell};
use crate::data::{Dataset, Shape};
use crate::error::Result;
use crate::model::Kind;
use crate::run::{EpochMetrics, RunDir, picture};
use crate::train::config::{Keep, LogFormat, RunSection};
use crate::train::{EpochResult, Judgement, Trainer, files};

/// Images in a picture of samples, and in one of reconstructions.
pub const SAMPLES: usize = 64;
const RECONSTRUCTIONS: usize = 32;
/// Test data whose codes TensorBoard's histogram shows.
const CODES: usize = 1024;
/// Images in a row of a picture.
pub const COLUMNS: usize = 8;

/// Writes what a run leaves behind.
pub struct Saver<'a> {
    pub dir: &'a RunDir,
    pub run: &'a RunSection,
    pub tracking: &'a mut Tracking,
}

impl Saver<'_> {
    /// Evaluates, and writes everything that an epoch leaves. The checkpoint comes last: what it says is done is done.
    pub fn epoch(&mut self, trainer: &mut Trainer, dataset: &Dataset, epoch: &EpochResult) -> Result<()> {
        let judgement = trainer.evaluate()?;
        let Judgement { test, valid, is_best } = judgement;
        let metrics = EpochMetrics {
            epoch: epoch.epoch,
            step: trainer.state().step,
            train_elbo: epoch.elbo,
            train_recon: epoch.recon,
            train_kl: epoch.kl,
            train_objective: epoch.objective,
            test_elbo: test.elbo.mean,
            test_recon: test.recon.mean,
            test_kl: test.kl.mean,
            valid_elbo: valid.map(|valid| valid.elbo.mean),
            valid_recon: valid.map(|valid| valid.recon.mean),
            valid_kl: valid.map(|valid| valid.kl.mean),
            images_per_second: epoch.images_per_second,
            seconds: epoch.seconds,
        };
        // What can be written is written, whatever else fails: the weights above all.
        let pictures = self.pictures(trainer, dataset, epoch.epoch);
        let tracked = self.codes(trainer, dataset).and_then(|mu| self.tracking.epoch(&metrics, &mu));
        let weights = self.weights(trainer, is_best);
        self.report(&metrics, trainer, dataset.shape);
        weights.and(tracked).and(pictures)
    }

    fn pictures(&self, trainer: &mut Trainer, dataset: &Dataset, epoch: u32) -> Result<()> {
        let shape = dataset.shape;
        if !shape.is_picture() {
            return Ok(());
        }
        let (seed, classes) = (trainer.config().train.seed, trainer.model().classes);
        let pictures = trainer.pictures();
        if pictures.can_sample() {
            let samples = pictures.sample(SAMPLES, seed, |i| row_label(i, classes))?;
            picture::grid(&self.dir.sample(epoch), &samples, shape, COLUMNS)?;
        }
        let originals = originals(dataset, RECONSTRUCTIONS)?;
        let labels = dataset.test.labels.as_deref().unwrap_or(&[]);
        let reconstructions = pictures.reconstruct(&originals, labels)?;
        let path = self.dir.reconstruction(epoch);
        picture::reconstruction_grid(&path, &originals, &reconstructions, shape, COLUMNS)
    }

    /// Codes of test data, where TensorBoard wants them.
    fn codes(&self, trainer: &mut Trainer, dataset: &Dataset) -> Result<Vec<f32>> {
        if !self.tracking.wants_codes() {
            return Ok(Vec::new());
        }
        let labels = dataset.test.labels.as_deref().unwrap_or(&[]);
        trainer.pictures().codes(&originals(dataset, CODES)?, labels)
    }

    /// The checkpoint, and the model file where it is to have these weights.
    pub fn weights(&self, trainer: &Trainer, is_best: bool) -> Result<()> {
        let (config, layout, arenas) = (trainer.config(), trainer.layout(), trainer.arenas()?);
        let mut model = Ok(());
        if is_best || config.train.keep == Keep::Last {
            model = files::save_model(&self.dir.model(), config, layout, &arenas.parameters);
        }
        let paths = (self.dir.checkpoint(), self.dir.previous_checkpoint());
        files::save_checkpoint((&paths.0, &paths.1), config, layout, &arenas, &trainer.state()).and(model)
    }

    fn report(&self, m: &EpochMetrics, trainer: &Trainer, shape: Shape) {
        if self.run.quiet {
            return;
        }
        if self.run.log_format == LogFormat::Json {
            return tell("epoch", serde_json::to_value(m).expect("plain numbers"));
        }
        let (kind, train) = (trainer.model().kind, &trainer.config().train);
        let terms = |elbo: f64, recon: f64, kl: f64| match kind {
            Kind::Ae => format!("{recon:.2}"),
            Kind::Vae | Kind::Iwae => format!("{elbo:.2} (recon {recon:.2}, KL {kl:.2})"),
        };
        let mut line = format!("epoch {:>3}/{}", m.epoch, train.epochs);
        line += &format!("  train {}", terms(m.train_elbo, m.train_recon, m.train_kl));
        if kind != Kind::Ae && !train.trains_the_elbo(kind) {
            line += &format!(", objective {:.2}", m.train_objective);
        }
        if let (Some(elbo), Some(recon), Some(kl)) = (m.valid_elbo, m.valid_recon, m.valid_kl) {
            line += &format!("  valid {}", terms(elbo, recon, kl));
        }
        line += &format!("  test {}", terms(m.test_elbo, m.test_recon, m.test_kl));
        result(format_args!("{line}  {:.0} {}/s", m.images_per_second, shape.plural()));
    }
}

/// The class of image `i` of a picture with a row of images a label.
pub fn row_label(i: usize, classes: usize) -> usize {
    (i / COLUMNS) % classes.max(1)
}

/// The first test images, as the model sees them.
pub fn originals(dataset: &Dataset, count: usize) -> Result<Vec<f32>> {
    dataset.test.x(0..count.min(dataset.test.count))
}
