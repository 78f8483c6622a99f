//! `vae-gpu train`.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::args::DeviceArgs;
use super::faults::{self, Faults};
use super::model_args::set;
use super::output::{result, talk};
use super::profile;
use super::report;
use super::saved::announce;
use super::saver::Saver;
use super::source;
use super::tracking::{Tracking, tell};
use super::train_args::TrainArgs;
use super::tune;
use crate::data::{self, Dataset};
use crate::error::{Error, Result};
use crate::run::{RunDir, RunLock};
use crate::train::config::{LogFormat, RunSection};
use crate::train::{Config, Progress, Trainer};

/// How often a long epoch says where it is when there is no terminal for a bar.
const PLAIN_LINES: Duration = Duration::from_secs(10);

/// Exit code of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// A training that is under way.
pub(super) struct Session {
    pub trainer: Trainer,
    pub dir: RunDir,
    pub dataset: Dataset,
    pub run: RunSection,
    pub tracking: Tracking,
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
    let is_json = session.run.log_format == Some(LogFormat::Json);
    if is_json && !session.run.quiet {
        tell("start", start_event(&session.trainer, &session.dir));
    }
    let mut faults = Faults::new();
    while !session.trainer.is_done() {
        if let Err(error) = advance(&mut session, &stop, &mut faults) {
            faults.handle(&mut session, error)?;
        }
    }
    faults.give_up_unsaved()?;
    let Session { trainer, dir, dataset, run, .. } = &mut session;
    report::write(dir, trainer, dataset)?;
    if run.profile {
        profile::submissions(trainer.gpu());
    }
    let (state, place) = (trainer.state(), dir.root().display());
    if trainer.is_out_of_patience() {
        talk(format_args!(
            "stopped: {} epochs without a better validation ELBO",
            trainer.config().train.patience
        ));
    }
    let (what, split) = match (trainer.model().has_kl(), trainer.config().train.valid > 0.0) {
        (false, true) => ("reconstruction", "validation"),
        (false, false) => ("reconstruction", "test"),
        (true, true) => ("ELBO", "validation"),
        (true, false) => ("ELBO", "test"),
    };
    if is_json {
        let (best_elbo, best_epoch) = (state.best_elbo, state.best_epoch);
        tell(
            "done",
            json!({ "best_elbo": best_elbo, "best_epoch": best_epoch, "of": split, "run": name_of(dir) }),
        );
        return Ok(());
    }
    let best = format!(
        "best {split} {what} {:.2} nats per {} after epoch {}",
        state.best_elbo,
        dataset.shape.singular(),
        state.best_epoch
    );
    result(format_args!("{best}; everything is in {place}"));
    Ok(())
}

/// Trains to the end of the epoch, or until a checkpoint is due, and saves.
fn advance(session: &mut Session, stop: &Arc<AtomicBool>, faults: &mut Faults) -> Result<()> {
    let Session { trainer, dir, dataset, run, tracking, .. } = session;
    let bar = bar(run.quiet, trainer);
    // The observer cannot break off an epoch that was one submission, so the wish is also heard here.
    let done = if stop.load(Ordering::Relaxed) {
        None
    } else {
        let breaks = faults.next_break(trainer.state().step, run.checkpoint_every);
        trainer.epoch(&mut observer(&bar, run.quiet, dataset.shape.plural(), stop.clone(), breaks))?
    };
    let mut saver = Saver { dir, run, tracking };
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
        if run.log_format == Some(LogFormat::Json) {
            tell("interrupted", json!({ "step": trainer.state().step, "run": name_of(dir) }));
        }
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

/// The run's folder in JSON, which has no words for a name that is no Unicode.
fn name_of(dir: &RunDir) -> String {
    dir.root().to_string_lossy().into_owned()
}

/// What the first line of JSON says.
fn start_event(trainer: &Trainer, dir: &RunDir) -> serde_json::Value {
    let (model, train) = (trainer.model(), &trainer.config().train);
    json!({
        "run": name_of(dir),
        "data": trainer.config().data,
        "model": model.title(),
        "widths": model.widths(),
        "likelihood": model.decoder(),
        "parameters": trainer.parameters().count(),
        "epochs": train.epochs,
        "steps_per_epoch": trainer.steps_per_epoch(),
        "step": trainer.state().step,
        "seed": train.seed,
        "adapter": trainer.gpu().report().title(),
    })
}

/// A new run.
fn start(args: &TrainArgs) -> Result<Session> {
    let mut config = args.model.resolve()?;
    set(&mut config.train.epochs, &args.epochs);
    args.recipe.apply(&mut config.train);
    let run = args.run_section(&std::mem::take(&mut config.run))?;
    config.validate()?;
    if let Some(out) = &run.out {
        RunDir::check(out, run.force)?;
    }
    let dataset = source::open(&config.data, &config.source, run.quiet)?;
    config.adopt(&dataset)?;
    config.check_data(&dataset)?;
    config.data = data::anywhere(&config.data);
    config.source.test_data = config.source.test_data.as_deref().map(data::anywhere);
    let trainer = prepare(&run, &dataset, config)?;
    let model = &trainer.model().kind;
    let (dir, lock) = RunDir::create(run.out.as_deref(), &dataset.name, model, run.force)?;
    write_config(&dir, trainer.config())?;
    let tracking = Tracking::new(&dir, dataset.shape, run.tensorboard, 0, 0)?;
    Ok(Session { trainer, dir, dataset, run, tracking, _lock: lock })
}

/// A run that goes on from its checkpoint.
fn resume(args: &TrainArgs) -> Result<Session> {
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
    let lock = dir.lock()?;
    let (mut config, arenas, state) = faults::last_checkpoint(&dir)?;
    set(&mut config.train.epochs, &args.epochs);
    config.validate()?;
    let dataset = source::open(&config.data, &config.source, run.quiet)?;
    let expected = config.image_shape();
    if expected != Some(dataset.shape) {
        return Err(Error::Usage(format!(
            "{} now holds {} of {}, but the run was trained on another size",
            config.data,
            dataset.shape.plural(),
            dataset.shape
        )));
    }
    let dataset = config.align(dataset)?;
    let (classes, now) = (config.classes, dataset.class_count());
    if classes.is_some() && config.class_names.is_empty() && now != classes {
        return Err(Error::Usage(format!(
            "{} now holds {} classes, but the run was trained on {}",
            config.data,
            now.unwrap_or(0),
            classes.unwrap_or(0)
        )));
    }
    let mut trainer = prepare(&run, &dataset, config)?;
    let steps = trainer.steps_per_epoch();
    let (begun, epoch) = (state.step.div_ceil(steps), (state.step / steps) as u32);
    let epochs = trainer.config().train.epochs;
    if state.train_count != dataset.train.count as u64 {
        return Err(Error::Usage(format!(
            "{} now holds {} training {}, but the run was trained on {}",
            trainer.config().data,
            dataset.train.count,
            dataset.shape.plural(),
            state.train_count
        )));
    }
    if u64::from(epochs) < begun {
        return Err(Error::Usage(format!(
            "--epochs {epochs}: the run is in epoch {begun} already; use --epochs {begun} or more"
        )));
    }
    trainer.restore(&arenas, state);
    let tracking = Tracking::new(&dir, dataset.shape, run.tensorboard, state.step, epoch)?;
    write_config(&dir, trainer.config())?;
    if !run.quiet {
        talk(format_args!(
            "resumed  {} after step {} (epoch {epoch} done)",
            dir.root().display(),
            state.step
        ));
    }
    Ok(Session { trainer, dir, dataset, run, tracking, _lock: lock })
}

fn write_config(dir: &RunDir, config: &Config) -> Result<()> {
    let path = dir.config();
    crate::run::write_atomic(&path, |out| out.write_all(config.to_toml().as_bytes()))
}

/// Opens the device, and says what will be trained on what.
pub(super) fn prepare(run: &RunSection, dataset: &Dataset, config: Config) -> Result<Trainer> {
    let device = DeviceArgs { device: run.device.clone(), checked_shaders: run.checked_shaders };
    let gpu = device.open()?;
    if !run.quiet {
        announce(&gpu);
        talk(format_args!(
            "data     {}: {} training and {} test {} of {}",
            dataset.name,
            dataset.train.count,
            dataset.test.count,
            dataset.shape.plural(),
            dataset.shape
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
            trainer.parameters().count()
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

/// Shows progress, and stops where the user or a step asks for it.
fn observer<'a>(
    bar: &'a Option<ProgressBar>,
    quiet: bool,
    data: &'static str,
    stop: Arc<AtomicBool>,
    break_at: Option<u64>,
) -> impl FnMut(&Progress) -> ControlFlow<()> + 'a {
    let mut last_line = Instant::now();
    move |p| {
        let elbo = p.elbo.map_or("ELBO".into(), |elbo| format!("ELBO {elbo:.2}"));
        let speed = p.images_per_second;
        if let Some(bar) = bar {
            bar.set_prefix(format!("epoch {}", p.epoch));
            bar.set_message(format!("{elbo} {speed:.0} {data}/s"));
            bar.set_position(p.step);
        } else if !quiet && last_line.elapsed() > PLAIN_LINES {
            last_line = Instant::now();
            talk(format_args!("epoch {} step {}/{} {elbo} {speed:.0} {data}/s", p.epoch, p.step, p.steps));
        }
        let step = u64::from(p.epoch - 1) * p.steps + p.step;
        if stop.load(Ordering::Relaxed) || break_at.is_some_and(|at| step >= at) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}
