//! `vae-gpu train`.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::args::{TrainArgs, set};
use super::faults::{self, Faults};
use super::output::{result, talk};
use super::profile;
use super::saved::announce;
use super::source;
use super::tune;
use crate::data::{self, Dataset, Shape};
use crate::error::{Error, Result};
use crate::model::Kind;
use crate::run::{EpochMetrics, RunDir, RunLock, curves, metrics, picture};
use crate::train::config::Keep;
use crate::train::{Config, EpochResult, Judgement, Progress, Trainer, files};

/// Images in a picture of samples, and in one of reconstructions.
pub const SAMPLES: usize = 64;
const RECONSTRUCTIONS: usize = 32;
/// Images in a row of a picture.
pub const COLUMNS: usize = 8;

/// How often a long epoch says where it is when there is no terminal for a bar.
const PLAIN_LINES: Duration = Duration::from_secs(10);

/// Exit code of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// A training that is under way.
pub(super) struct Session {
    pub trainer: Trainer,
    pub dir: RunDir,
    pub dataset: Dataset,
    /// Kept until the end, so that no other process writes into the directory.
    _lock: RunLock,
}

pub fn run(args: &TrainArgs) -> Result<()> {
    let stop = stop_on_interrupt()?;
    let mut session = match &args.resume {
        Some(_) => resume(args)?,
        None => start(args)?,
    };
    if session.trainer.is_done() {
        let epochs = session.trainer.config().train.epochs;
        talk(format_args!("all {epochs} epochs are done; train longer with --epochs N"));
    }
    let mut faults = Faults::new();
    while !session.trainer.is_done() {
        if let Err(error) = advance(&mut session, args, &stop, &mut faults) {
            faults.handle(&mut session, args, error)?;
        }
    }
    faults.give_up_unsaved()?;
    let Session { trainer, dir, .. } = &session;
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
    let best =
        format!("best {split} {what} {:.2} nats per image after epoch {}", state.best_elbo, state.best_epoch);
    result(format_args!("{best}; everything is in {place}"));
    Ok(())
}

/// Trains to the end of the epoch, or until a checkpoint is due, and saves.
fn advance(
    session: &mut Session,
    args: &TrainArgs,
    stop: &Arc<AtomicBool>,
    faults: &mut Faults,
) -> Result<()> {
    let Session { trainer, dir, dataset, .. } = session;
    let saver = Saver { dir, shape: dataset.shape, quiet: args.quiet };
    let bar = bar(args.quiet, trainer);
    // The observer cannot break off an epoch that was one submission, so the wish is also heard here.
    let done = if stop.load(Ordering::Relaxed) {
        None
    } else {
        let breaks = faults.next_break(trainer.state().step, args.checkpoint_every);
        trainer.epoch(&mut observer(&bar, args.quiet, stop.clone(), breaks))?
    };
    let saved = match &done {
        Some(epoch) => {
            if let Some(bar) = &bar {
                bar.set_message("evaluating");
            }
            saver.epoch(trainer, dataset, epoch)
        }
        // Before the first epoch ends, these weights are the best there are.
        None => saver.weights(trainer, trainer.state().best_epoch == 0),
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    faults.saved(saved, dir)?;
    if done.is_none() && stop.load(Ordering::Relaxed) {
        faults.give_up_unsaved()?;
        talk(format_args!(
            "interrupted after step {}; continue with: vae-gpu train --resume {}",
            trainer.state().step,
            dir.root().display()
        ));
        process::exit(INTERRUPTED);
    }
    faults.lose_device_when_asked(trainer);
    Ok(())
}

/// A new run.
fn start(args: &TrainArgs) -> Result<Session> {
    let mut config = args.model.resolve()?;
    set(&mut config.train.epochs, &args.epochs);
    args.recipe.apply(&mut config.train);
    config.validate()?;
    let dataset = source::open(&config.data, &config.source, args.quiet)?;
    config.adopt(&dataset)?;
    config.check_data(&dataset)?;
    config.data = data::anywhere(&config.data);
    config.source.test_data = config.source.test_data.as_deref().map(data::anywhere);
    let trainer = prepare(args, &dataset, config)?;
    let model = trainer.model().kind.name();
    let (dir, lock) = RunDir::create(args.out.as_deref(), &dataset.name, model, args.force)?;
    write_config(&dir, trainer.config())?;
    Ok(Session { trainer, dir, dataset, _lock: lock })
}

/// A run that goes on from its checkpoint.
fn resume(args: &TrainArgs) -> Result<Session> {
    let path = args.resume.as_deref().unwrap_or_else(|| "".as_ref());
    if args.model.any() || args.recipe.any() {
        return Err(Error::Usage(
            "--resume continues the run as it was configured: only --epochs, --device and --quiet go with it"
                .into(),
        ));
    }
    let dir = RunDir::open(path)?;
    let lock = dir.lock()?;
    let (mut config, arenas, state) = faults::last_checkpoint(&dir)?;
    set(&mut config.train.epochs, &args.epochs);
    config.validate()?;
    let dataset = source::open(&config.data, &config.source, args.quiet)?;
    let expected = config.image_shape();
    if expected != Some(dataset.shape) {
        return Err(Error::Usage(format!(
            "{} now holds images of {}, but the run was trained on another size",
            config.data, dataset.shape
        )));
    }
    let mut trainer = prepare(args, &dataset, config)?;
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
    write_config(&dir, trainer.config())?;
    if !args.quiet {
        talk(format_args!(
            "resumed  {} after step {} (epoch {epoch} done)",
            dir.root().display(),
            state.step
        ));
    }
    Ok(Session { trainer, dir, dataset, _lock: lock })
}

fn write_config(dir: &RunDir, config: &Config) -> Result<()> {
    let path = dir.config();
    crate::run::write_atomic(&path, |out| out.write_all(config.to_toml().as_bytes()))
}

/// Opens the device, and says what will be trained on what.
pub(super) fn prepare(args: &TrainArgs, dataset: &Dataset, config: Config) -> Result<Trainer> {
    let gpu = args.device.open()?;
    if !args.quiet {
        announce(&gpu);
        talk(format_args!(
            "data     {}: {} training and {} test images of {}",
            dataset.name, dataset.train.count, dataset.test.count, dataset.shape
        ));
    }
    let tuning = if args.tune { tune::measured(&gpu, &config, dataset)? } else { tune::known(&gpu) };
    let trainer = Trainer::with_tuning(&gpu, dataset, config, &tuning)?;
    if !args.quiet {
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
    if args.profile {
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

/// Shows progress, and stops where the user or a step asks for it.
fn observer<'a>(
    bar: &'a Option<ProgressBar>,
    quiet: bool,
    stop: Arc<AtomicBool>,
    break_at: Option<u64>,
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
        let step = u64::from(p.epoch - 1) * p.steps + p.step;
        if stop.load(Ordering::Relaxed) || break_at.is_some_and(|at| step >= at) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Writes what a run leaves behind.
struct Saver<'a> {
    dir: &'a RunDir,
    shape: Shape,
    quiet: bool,
}

impl Saver<'_> {
    /// Evaluates, and writes everything that an epoch leaves. The checkpoint comes last: what it says is done is done.
    fn epoch(&self, trainer: &mut Trainer, dataset: &Dataset, epoch: &EpochResult) -> Result<()> {
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
        let curves = metrics::append(&self.dir.metrics(), &metrics)
            .and_then(|()| curves::draw(&self.dir.curves(), &metrics::read(&self.dir.metrics())?));
        let weights = self.weights(trainer, is_best);
        self.report(&metrics, trainer);
        weights.and(curves).and(pictures)
    }

    fn pictures(&self, trainer: &mut Trainer, dataset: &Dataset, epoch: u32) -> Result<()> {
        if !self.shape.is_picture() {
            return Ok(());
        }
        let (seed, classes) = (trainer.config().train.seed, trainer.model().classes);
        let pictures = trainer.pictures();
        if pictures.can_sample() {
            let samples = pictures.sample(SAMPLES, seed, |i| row_label(i, classes))?;
            picture::grid(&self.dir.sample(epoch), &samples, self.shape, COLUMNS)?;
        }
        let originals = originals(dataset, RECONSTRUCTIONS)?;
        let labels = dataset.test.labels.as_deref().unwrap_or(&[]);
        let reconstructions = pictures.reconstruct(&originals, labels)?;
        let path = self.dir.reconstruction(epoch);
        picture::reconstruction_grid(&path, &originals, &reconstructions, self.shape, COLUMNS)
    }

    /// The checkpoint, and the model file where it is to have these weights.
    fn weights(&self, trainer: &Trainer, is_best: bool) -> Result<()> {
        let (config, layout, arenas) = (trainer.config(), trainer.layout(), trainer.arenas()?);
        let mut model = Ok(());
        if is_best || config.train.keep == Keep::Last {
            model = files::save_model(&self.dir.model(), config, layout, &arenas.parameters);
        }
        let paths = (self.dir.checkpoint(), self.dir.previous_checkpoint());
        files::save_checkpoint((&paths.0, &paths.1), config, layout, &arenas, &trainer.state()).and(model)
    }

    fn report(&self, m: &EpochMetrics, trainer: &Trainer) {
        if self.quiet {
            return;
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

/// The first test images, as the model sees them.
pub fn originals(dataset: &Dataset, count: usize) -> Result<Vec<f32>> {
    dataset.test.x(0..count.min(dataset.test.count))
}
