//! What a run leaves behind while it is trained.

use std::f64::consts::LN_2;

use super::flags::spelled;
use super::output::{result, talk};
use super::rows;
use super::tracking::{Tracking, tell};
use crate::data::{Dataset, Shape};
use crate::error::Result;
use crate::evaluate::{CodeStatistics, Codes, Rows};
use crate::kernels::likelihood::Data;
use crate::model::ModelConfig;
use crate::run::{EpochMetrics, RunDir, picture};
use crate::train::config::{Keep, LogFormat, RunSection};
use crate::train::{Config, EpochResult, Scores, Trainer, files};

/// Images in a picture of samples, and in one of reconstructions.
pub const SAMPLES: usize = 64;
const RECONSTRUCTIONS: usize = 32;
/// Test data whose codes are looked at after an epoch.
const CODES: usize = 1024;
/// The same in values, which wide rows have many of.
const CODE_VALUES: usize = 8 << 20;
/// Fewer test data than this say little.
const FEW: usize = 32;
/// So many epochs in a row without an active dimension are worth a warning: after the first there often is none yet.
const IDLE: u32 = 3;
/// Images in a row of a picture.
pub const COLUMNS: usize = 8;

/// What the user has been warned of, so that it is said once.
#[derive(Default)]
pub struct Told {
    /// Epochs in a row after which no dimension was active.
    idle: u32,
    collapse: bool,
    outliers: bool,
}

/// Writes what a run leaves behind.
pub struct Saver<'a> {
    pub told: &'a mut Told,
    pub dir: &'a RunDir,
    pub run: &'a RunSection,
    pub tracking: &'a mut Tracking,
}

impl Saver<'_> {
    /// Writes everything that an epoch leaves. The checkpoint comes last: what it says is done is done.
    pub fn epoch(
        &mut self,
        trainer: &mut Trainer,
        dataset: &Dataset,
        (epoch, scores): (&EpochResult, Scores),
    ) -> Result<()> {
        let Scores { test, valid, is_best } = scores;
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
        let epochs = trainer.config().train.epochs;
        let is_drawn = self.run.draws_pictures(epoch.epoch, epochs) || trainer.is_done();
        let pictures = if is_drawn { self.pictures(trainer, dataset, epoch.epoch) } else { Ok(()) };
        let wants_codes = !self.run.quiet || self.tracking.wants_codes();
        let codes = if wants_codes { self.codes(trainer, dataset) } else { Ok(Codes::default()) };
        let active = codes.as_ref().ok().and_then(|codes| active(trainer.model(), codes));
        let tracked = codes.and_then(|codes| self.tracking.epoch(&metrics, &codes.mu, is_drawn));
        let weights = self.weights(trainer, is_best);
        self.report(&metrics, active, trainer, dataset.shape);
        if !self.run.quiet {
            self.warn(&scores, active, trainer, dataset);
        }
        weights.and(tracked).and(pictures)
    }

    fn pictures(&self, trainer: &mut Trainer, dataset: &Dataset, epoch: u32) -> Result<()> {
        let shape = dataset.shape;
        if !shape.is_picture() {
            return Ok(());
        }
        let (seed, classes) = (trainer.config().train.seed, trainer.model().classes);
        let inference = trainer.inference();
        if inference.can_sample() {
            let samples = inference.sample(SAMPLES, seed, 1.0, |i| row_label(i, classes))?;
            picture::grid(&self.dir.sample(epoch), &samples, shape, COLUMNS)?;
        }
        let originals = originals(dataset, RECONSTRUCTIONS)?;
        let reconstructions = inference.reconstruct(with_labels(dataset, &originals, classes))?;
        let path = self.dir.reconstruction(epoch);
        picture::reconstruction_grid(&path, &originals, &reconstructions, shape, COLUMNS)
    }

    /// Codes of test data, or of training data where of that there is hardly any: how many dimensions are active, and
    /// TensorBoard's histogram.
    fn codes(&self, trainer: &mut Trainer, dataset: &Dataset) -> Result<Codes> {
        let split = if dataset.test.count < FEW { &dataset.train } else { &dataset.test };
        let count = CODES.min(CODE_VALUES / dataset.shape.dim()).clamp(1, split.count);
        let labels = split.labels.as_deref().filter(|_| trainer.model().classes > 0);
        let rows = (&split.x(0..count)?[..], labels.map_or(&[][..], |labels| &labels[..count]));
        let (mu, log_var) = trainer.inference().encode(rows.into())?;
        Ok(Codes { mu, log_var, ..Codes::default() })
    }

    /// Says once what the numbers alone would not tell.
    fn warn(&mut self, scores: &Scores, active: Option<usize>, trainer: &Trainer, dataset: &Dataset) {
        let epoch = trainer.state().step / trainer.steps_per_epoch();
        self.told.idle = if active == Some(0) { self.told.idle + 1 } else { 0 };
        let stays = self.told.idle >= IDLE || self.told.idle > 0 && trainer.is_done();
        if stays && !std::mem::replace(&mut self.told.collapse, true) {
            let advice = against_collapse(trainer.config()).join(" or ");
            let table = match dataset.shape.is_table() {
                true => "; where the columns have nothing in common, there is nothing to encode",
                false => "",
            };
            let text = format!(
                "no latent dimension is active after epoch {epoch}: the decoder does not use z, and every {} gets the \
                 same code\n  if it stays so, try {advice}{table}",
                dataset.shape.singular()
            );
            talk(format_args!("warning: {}", spelled(&text)));
        }
        if scores.test.outliers.is_some() && !std::mem::replace(&mut self.told.outliers, true) {
            rows::warn_of(scores.test.outliers, &dataset.test, "test");
        }
    }

    /// The checkpoint, and the model file where it is to have these weights.
    pub fn weights(&self, trainer: &Trainer, is_best: bool) -> Result<()> {
        let (config, parameters, arenas) = (trainer.config(), trainer.parameters(), trainer.arenas()?);
        let mut model = Ok(());
        if is_best || config.train.keep == Keep::Last {
            model = files::save_model(&self.dir.model(), config, parameters, &arenas.parameters);
        }
        let paths = (self.dir.checkpoint(), self.dir.previous_checkpoint());
        files::save_checkpoint((&paths.0, &paths.1), config, parameters, &arenas, &trainer.state()).and(model)
    }

    fn report(&self, m: &EpochMetrics, active: Option<usize>, trainer: &Trainer, shape: Shape) {
        if self.run.quiet {
            return;
        }
        if self.run.log_format == LogFormat::Json {
            let mut line = serde_json::to_value(m).expect("plain numbers");
            if let Some(active) = active {
                line["active_units"] = active.into();
            }
            return tell("epoch", line);
        }
        let (model, train) = (trainer.model(), &trainer.config().train);
        let terms = |elbo: f64, recon: f64, kl: f64| match model.has_kl() {
            false => format!("{recon:.2}"),
            true => format!("{elbo:.2} (recon {recon:.2}, KL {kl:.2})"),
        };
        // Of probabilities of bytes, as papers compare them.
        let of_levels = model.likelihood().is_ok_and(|likelihood| likelihood.data == Data::Levels);
        let bits = |elbo: f64| match of_levels && model.has_kl() {
            true => format!(", {:.3} bits per dimension", -elbo / (model.input as f64 * LN_2)),
            false => String::new(),
        };
        let mut line = format!("epoch {:>3}/{}", m.epoch, train.epochs);
        line += &format!("  train {}", terms(m.train_elbo, m.train_recon, m.train_kl));
        if model.has_kl() && !train.trains_the_elbo(model) {
            line += &format!(", objective {:.2}", m.train_objective);
        }
        if let (Some(elbo), Some(recon), Some(kl)) = (m.valid_elbo, m.valid_recon, m.valid_kl) {
            line += &format!("  valid {}{}", terms(elbo, recon, kl), bits(elbo));
        }
        line += &format!("  test {}{}", terms(m.test_elbo, m.test_recon, m.test_kl), bits(m.test_elbo));
        if let Some(active) = active {
            line += &format!("  active {active}/{}", model.latent);
        }
        result(format_args!("{line}  {:.0} {}/s", m.images_per_second, shape.plural()));
    }
}

/// How many dimensions are active; none where the model has no distribution of codes, or too few of them say anything: one
/// has no variance.
fn active(model: &ModelConfig, codes: &Codes) -> Option<usize> {
    let mut statistics = CodeStatistics::new(model.latent);
    if model.has_kl() {
        statistics.add_measured(codes);
    }
    (statistics.count() > 1).then(|| statistics.active_units())
}

/// What may keep this model from ignoring its code: settings that it takes.
fn against_collapse(config: &Config) -> Vec<&'static str> {
    let mut floored = config.clone();
    floored.train.free_bits = 0.2;
    let fixed = config.model.likelihood == "gaussian";
    let fixed = fixed.then_some("`model.likelihood` = gaussian-learned");
    let floor = floored.validate().is_ok().then_some("`train.free_bits` = 0.2");
    fixed.into_iter().chain(["`train.beta` = 0.1", "`train.kl_warmup` = 10"]).chain(floor).collect()
}

/// The class of image `i` of a picture with a row of images a label.
pub fn row_label(i: usize, classes: usize) -> usize {
    (i / COLUMNS) % classes.max(1)
}

/// The first rows of the test data with their classes, for a model that reads them.
pub fn with_labels<'a>(dataset: &'a Dataset, values: &'a [f32], classes: usize) -> Rows<'a> {
    let labels = dataset.test.labels.as_deref().filter(|_| classes > 0).unwrap_or(&[]);
    Rows { values, labels: &labels[..labels.len().min(values.len() / dataset.shape.dim())] }
}

/// The first test images, as the model sees them.
pub fn originals(dataset: &Dataset, count: usize) -> Result<Vec<f32>> {
    dataset.test.x(0..count.min(dataset.test.count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_against_a_collapse_goes_with_the_model() {
        let advice = |text: &str| against_collapse(&Config::parse(text).unwrap()).join(", ");
        let common = "`train.beta` = 0.1, `train.kl_warmup` = 10";
        assert_eq!(advice(""), format!("{common}, `train.free_bits` = 0.2"));
        assert_eq!(advice("[model]\nkind = \"iwae\"\n"), common);
        let fixed = advice("[model]\nlikelihood = \"gaussian\"\n");
        assert!(fixed.starts_with("`model.likelihood` = gaussian-learned, `train.beta`"), "{fixed}");
    }

    #[test]
    fn codes_that_overflow_are_no_collapse() {
        let model = ModelConfig { latent: 2, ..ModelConfig::default() };
        let codes = |mu: &[f32]| Codes { mu: mu.to_vec(), log_var: vec![0.0; mu.len()], ..Codes::default() };
        assert_eq!(active(&model, &codes(&[1.0, 0.0, -1.0, 0.0])), Some(1));
        assert_eq!(active(&model, &codes(&[1.0, 0.0, -1.0, 0.0, f32::INFINITY, f32::NAN])), Some(1));
        assert_eq!(active(&model, &codes(&[1.0, 0.0, f32::NAN, 0.0])), None);
        assert_eq!(active(&model, &codes(&[])), None);
        let plain = ModelConfig { kind: "ae".into(), ..model };
        assert_eq!(active(&plain, &codes(&[1.0, 0.0, -1.0, 0.0])), None);
    }
}
