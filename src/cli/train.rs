//! `vae-gpu train`.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::args::{DeviceArgs, TrainArgs, set};
use super::output::{result, talk};
use super::profile;
use super::report;
use super::saved::announce;
use super::tracking::{Tracking, tell};
use super::tune;
use crate::data::{self, Dataset, Shape};
use crate::error::{Error, Result};
use crate::model::Kind;
use crate::run::{EpochMetrics, RunDir, metrics, picture};
use crate::train::config::{Keep, LogFormat, RunSection};
use crate::train::{Config, EpochResult, Judgement, Progress, Trainer, files};

/// Images in a picture of samples, and in one of reconstructions.
pub const SAMPLES: usize = 64;
const RECONSTRUCTIONS: usize = 32;
/// Test data whose codes TensorBoard's histogram shows.
const CODES: usize = 1024;
/// Images in a row of a picture.
pub const COLUMNS: usize = 8;

/// How often a long epoch says where it is when there is no terminal for a bar.
const PLAIN_LINES: Duration = Duration::from_secs(10);

/// Exit code of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

pub fn run(args: &TrainArgs) -> Result<()> {
    let stop = stop_on_interrupt()?;
    let Started { mut trainer, dir, dataset, run } = match &args.resume {
        Some(_) => resume(args)?,
        None => start(args)?,
    };
    if trainer.is_done() {
        let epochs = trainer.config().train.epochs;
        talk(format_args!("all {epochs} epochs are done; train longer with --epochs N"));
    }
    let is_json = run.log_format == Some(LogFormat::Json);
    if is_json && !run.quiet {
        tell("start", start_event(&trainer, &dir));
    }
    let tracking = Tracking::new(&dir, dataset.shape, run.tensorboard, trainer.state().step)?;
    let mut saver = Saver { dir: &dir, shape: dataset.shape, quiet: run.quiet, is_json, tracking };
    while !trainer.is_done() {
        let bar = bar(run.quiet, &trainer);
        // The observer cannot break off an epoch that was one submission, so the wish is also heard here.
        let done = if stop.load(Ordering::Relaxed) {
            None
        } else {
            trainer.epoch(&mut observer(&bar, run.quiet, stop.clone()))?
        };
        match done {
            Some(epoch) => {
                if let Some(bar) = &bar {
                    bar.set_message("evaluating");
                }
                let metrics = saver.epoch(&mut trainer, &dataset, &epoch)?;
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                saver.report(&metrics, &trainer);
            }
            None => {
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                // Before the first epoch ends, these weights are the best there are.
                saver.weights(&trainer, trainer.state().best_epoch == 0)?;
                if is_json {
                    tell("interrupted", json!({ "step": trainer.state().step, "run": dir.root() }));
                }
                talk(format_args!(
                    "interrupted after step {}; continue with: vae-gpu train --resume {}",
                    trainer.state().step,
                    dir.root().display()
                ));
                process::exit(INTERRUPTED);
            }
        }
    }
    report::write(&dir, &trainer, &dataset)?;
    let (state, place) = (trainer.state(), dir.root().display());
    if trainer.is_out_of_patience() {
        talk(format_args!(
            "stopped: {} epochs without a better validation ELBO",
            trainer.config().train.patience
        ));
    }
    let (what, split) = match (trainer.model().kind, trainer.config().train.valid > 0.0) {
        (Kind::Ae, true) => ("reconstruction", "validation"),
        (Kind::Ae, false) => ("reconstruction", "test"),
        (_, true) => ("ELBO", "validation"),
        (_, false) => ("ELBO", "test"),
    };
    if is_json {
        let (best_elbo, best_epoch) = (state.best_elbo, state.best_epoch);
        tell(
            "done",
            json!({ "best_elbo": best_elbo, "best_epoch": best_epoch, "of": split, "run": dir.root() }),
        );
        return Ok(());
    }
    let best =
        format!("best {split} {what} {:.2} nats per image after epoch {}", state.best_elbo, state.best_epoch);
    result(format_args!("{best}; everything is in {place}"));
    Ok(())
}

/// A run that can be trained.
struct Started {
    trainer: Trainer,
    dir: RunDir,
    dataset: Dataset,
    run: RunSection,
}

/// What the first line of JSON says.
fn start_event(trainer: &Trainer, dir: &RunDir) -> serde_json::Value {
    let (model, train) = (trainer.model(), &trainer.config().train);
    json!({
        "run": dir.root(),
        "data": trainer.config().data,
        "model": model.title(),
        "widths": model.widths(),
        "likelihood": model.decoder(),
        "parameters": trainer.layout().count(),
        "epochs": train.epochs,
        "steps_per_epoch": trainer.steps_per_epoch(),
        "step": trainer.state().step,
        "seed": train.seed,
        "adapter": trainer.gpu().report().title(),
    })
}

/// A new run.
fn start(args: &TrainArgs) -> Result<Started> {
    let mut config = args.model.resolve()?;
    set(&mut config.train.epochs, &args.epochs);
    args.recipe.apply(&mut config.train);
    let run = args.run_section(&std::mem::take(&mut config.run))?;
    config.validate()?;
    let dataset = data::open(&config.data)?;
    config.adopt(&dataset)?;
    config.data = data::anywhere(&config.data);
    let trainer = prepare(&run, &dataset, config)?;
    let dir = RunDir::create(run.out.as_deref(), &dataset.name, trainer.model().kind.name(), run.force)?;
    write_config(&dir, trainer.config())?;
    Ok(Started { trainer, dir, dataset, run })
}

/// A run that goes on from its checkpoint.
fn resume(args: &TrainArgs) -> Result<Started> {
    let path = args.resume.as_deref().unwrap_or_else(|| "".as_ref());
    if args.model.any() || args.recipe.any() {
        return Err(Error::Usage(
            "--resume continues the run as it was configured: no flag of the model or its training goes with it \
             but --epochs"
                .into(),
        ));
    }
    let run = args.run_section(&RunSection::default())?;
    let dir = RunDir::open(path)?;
    let (mut config, arenas, state) = files::load_checkpoint(&dir.checkpoint())?;
    set(&mut config.train.epochs, &args.epochs);
    config.validate()?;
    let dataset = data::open(&config.data)?;
    let expected = config.image_shape();
    if expected != Some(dataset.shape) {
        return Err(Error::Usage(format!(
            "{} now holds images of {}, but the run was trained on another size",
            config.data, dataset.shape
        )));
    }
    let mut trainer = prepare(&run, &dataset, config)?;
    let steps = trainer.steps_per_epoch();
    let (begun, epoch) = (state.step.div_ceil(steps), (state.step / steps) as u32);
    let epochs = trainer.config().train.epochs;
    if state.train_count != dataset.train.count as u64 {
        return Err(Error::Usage(format!(
            "{} now holds {} training images, but the run was trained on {}",
            trainer.config().data,
            dataset.train.count,
            state.train_count
        )));
    }
    if u64::from(epochs) < begun {
        return Err(Error::Usage(format!("--epochs {epochs}: the run is in epoch {begun} already")));
    }
    trainer.restore(&arenas, state);
    metrics::truncate_after(&dir.metrics(), epoch)?;
    metrics::truncate_json_after(&dir.metrics_json(), epoch)?;
    write_config(&dir, trainer.config())?;
    if !run.quiet {
        talk(format_args!(
            "resumed  {} after step {} (epoch {epoch} done)",
            dir.root().display(),
            state.step
        ));
    }
    Ok(Started { trainer, dir, dataset, run })
}

fn write_config(dir: &RunDir, config: &Config) -> Result<()> {
    let path = dir.config();
    crate::run::write_atomic(&path, |out| out.write_all(config.to_toml().as_bytes()))
}

/// Opens the device, and says what will be trained on what.
fn prepare(run: &RunSection, dataset: &Dataset, config: Config) -> Result<Trainer> {
    let device = DeviceArgs { device: run.device.clone(), checked_shaders: run.checked_shaders };
    let gpu = device.open()?;
    if !run.quiet {
        announce(&gpu);
        talk(format_args!(
            "data     {}: {} training and {} test images of {}",
            dataset.name, dataset.train.count, dataset.test.count, dataset.shape
        ));
    }
    let tuning = if run.tune { tune::measured(&gpu, &config, dataset)? } else { tune::known(&gpu) };
    let trainer = Trainer::with_tuning(&gpu, dataset, config, &tuning)?;
    if !run.quiet {
        let (model, train) = (trainer.model(), &trainer.config().train);
        let activation = format!("{:?}", model.activation).to_lowercase();
        talk(format_args!(
            "model    {} {} {activation}, {} decoder, {} parameters",
            model.title(),
            model.widths(),
            model.decoder(),
            trainer.layout().count()
        ));
        talk(format_args!(
            "training {} epochs of {} steps, batch {}, Adam {}, seed {}",
            train.epochs,
            trainer.steps_per_epoch(),
            train.batch_size,
            train.lr,
            train.seed
        ));
    }
    if let Some(warning) = trainer.config().warning() {
        talk(format_args!("warning: {warning}"));
    }
    if run.profile {
        profile::run(&gpu, trainer.model(), &trainer.config().train, &tuning)?;
    }
    Ok(trainer)
}

/// The first Ctrl-C asks for a stop between two submissions, the second stops at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            process::exit(INTERRUPTED);
        }
    })
    .map_err(|e| Error::Usage(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(stop)
}

fn bar(quiet: bool, trainer: &Trainer) -> Option<ProgressBar> {
    if quiet || !std::io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {msg} ETA {eta}")
        .expect("the template is well-formed");
    let bar = ProgressBar::new(trainer.steps_per_epoch()).with_style(style);
    Some(bar)
}

/// Shows progress and passes on the wish to stop.
fn observer<'a>(
    bar: &'a Option<ProgressBar>,
    quiet: bool,
    stop: Arc<AtomicBool>,
) -> impl FnMut(&Progress) -> ControlFlow<()> + 'a {
    let mut last_line = Instant::now();
    move |p| {
        let elbo = p.elbo.map_or("ELBO".into(), |elbo| format!("ELBO {elbo:.2}"));
        let speed = p.images_per_second;
        if let Some(bar) = bar {
            bar.set_prefix(format!("epoch {}", p.epoch));
            bar.set_message(format!("{elbo} {speed:.0} images/s"));
            bar.set_position(p.step);
        } else if !quiet && last_line.elapsed() > PLAIN_LINES {
            last_line = Instant::now();
            talk(format_args!("epoch {} step {}/{} {elbo} {speed:.0} images/s", p.epoch, p.step, p.steps));
        }
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Writes what a run leaves behind.
struct Saver<'a> {
    dir: &'a RunDir,
    shape: Shape,
    quiet: bool,
    is_json: bool,
    tracking: Tracking<'a>,
}

impl Saver<'_> {
    /// Evaluates, and writes everything that an epoch leaves. The checkpoint comes last: what it says is done is done.
    fn epoch(
        &mut self,
        trainer: &mut Trainer,
        dataset: &Dataset,
        epoch: &EpochResult,
    ) -> Result<EpochMetrics> {
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
        let seed = trainer.config().train.seed;
        let classes = trainer.model().classes;
        let pictures = trainer.pictures();
        if pictures.can_sample() {
            let samples = pictures.sample(SAMPLES, seed, |i| row_label(i, classes))?;
            picture::grid(&self.dir.sample(epoch.epoch), &samples, self.shape, COLUMNS)?;
        }
        let originals = originals(dataset, RECONSTRUCTIONS);
        let labels = dataset.test.labels.as_deref().unwrap_or(&[]);
        let reconstructions = pictures.reconstruct(&originals, labels)?;
        let path = self.dir.reconstruction(epoch.epoch);
        picture::reconstruction_grid(&path, &originals, &reconstructions, self.shape, COLUMNS)?;
        let codes = match self.tracking.wants_codes() {
            true => pictures.codes(&self::originals(dataset, CODES), labels)?,
            false => Vec::new(),
        };
        self.tracking.epoch(&metrics, &codes)?;
        self.weights(trainer, is_best)?;
        Ok(metrics)
    }

    /// The checkpoint, and the model file where it is to have these weights.
    fn weights(&self, trainer: &Trainer, is_best: bool) -> Result<()> {
        let (config, layout, arenas) = (trainer.config(), trainer.layout(), trainer.arenas()?);
        if is_best || config.train.keep == Keep::Last {
            files::save_model(&self.dir.model(), config, layout, &arenas.parameters)?;
        }
        files::save_checkpoint(&self.dir.checkpoint(), config, layout, &arenas, &trainer.state())
    }

    fn report(&self, m: &EpochMetrics, trainer: &Trainer) {
        if self.quiet {
            return;
        }
        if self.is_json {
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
        result(format_args!("{line}  {:.0} images/s", m.images_per_second));
    }
}

/// The class of image `i` of a picture with a row of images a label.
pub fn row_label(i: usize, classes: usize) -> usize {
    (i / COLUMNS) % classes.max(1)
}

/// The first test images, as values in [0, 1].
pub fn originals(dataset: &Dataset, count: usize) -> Vec<f32> {
    let count = count.min(dataset.test.count);
    (0..count).flat_map(|i| dataset.test.row(i)).map(|v| f32::from(*v) / 255.0).collect()
}
