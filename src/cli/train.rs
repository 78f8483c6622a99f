//! `vae-gpu train`.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::faults::Faults;
use super::next;
use super::output::{result, talk};
use super::profile;
use super::report;
use super::saver::Saver;
use super::session::{Ready, Session};
use super::team::Team;
use super::tracking::tell;
use super::train_args::TrainArgs;
use crate::error::{Error, Result};
use crate::ranks::agree;
use crate::run::RunDir;
use crate::train::config::{LogFormat, RunSection};
use crate::train::{EpochProgress, Trainer};

/// How often a long epoch says where it is when there is no terminal for a bar.
const PLAIN_LINES: Duration = Duration::from_secs(10);

/// Exit code of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

pub fn run(args: &TrainArgs, team: &Team) -> Result<()> {
    let stop = team.settle(stop_on_interrupt())?;
    let mut ready = team.settle(Ready::new(args, team))?;
    // Before anything is asked or written that hangs on their being the same.
    team.fail_alone(ready.trainer.compare_ranks())?;
    let next = "start all of them with the same `run.checkpoint_every`";
    agree(&*team.ranks, ready.run.checkpoint_every, "the steps between checkpoints", next)?;
    if team.leads() {
        let session = team.settle(ready.begin(team))?;
        return team.fail_alone(lead(session, &stop));
    }
    team.settle(Ok(()))?;
    team.fail_alone(follow(ready.trainer, &ready.run, team, &stop))
}

/// Trains to the end beside the process that leads: the same calls that are everyone's, in the same order.
fn follow(mut trainer: Trainer, run: &RunSection, team: &Team, stop: &Arc<AtomicBool>) -> Result<()> {
    let faults = Faults::new();
    while !trainer.is_done() {
        let mut done = None;
        if !team.any(stop.load(Ordering::Relaxed))? {
            let last = faults.next_break(trainer.state().step, run.checkpoint_every);
            done = trainer.epoch_until(last, &mut observer(&None, true, "", stop.clone()))?;
        }
        if done.is_some() {
            trainer.evaluate()?;
        } else if team.any(stop.load(Ordering::Relaxed))? {
            team.leave();
            process::exit(INTERRUPTED);
        }
    }
    Ok(())
}

/// Trains to the end, and writes the run.
fn lead(mut session: Session, stop: &Arc<AtomicBool>) -> Result<()> {
    if session.trainer.is_done() {
        let epochs = session.trainer.config().train.epochs;
        talk(format_args!("all {epochs} epochs are done; train longer with --epochs N"));
    }
    let is_json = session.run.log_format == LogFormat::Json;
    if is_json && !session.run.quiet {
        tell("start", start_event(&session.trainer, &session.dir));
    }
    let mut faults = Faults::new();
    while !session.trainer.is_done() {
        if let Err(error) = advance(&mut session, stop, &mut faults) {
            faults.handle(&mut session, error)?;
        }
    }
    faults.give_up_unsaved()?;
    let Session { trainer, dir, dataset, run, .. } = &mut session;
    report::write(dir, trainer, dataset)?;
    if run.profile {
        profile::submissions(trainer.gpu());
        if let Some(times) = trainer.times() {
            profile::division(&times);
        }
    }
    let (state, place) = (trainer.state(), dir.root().display());
    if trainer.is_out_of_patience() {
        talk(format_args!(
            "stopped: {} epochs without a better validation ELBO",
            trainer.config().train.patience
        ));
    }
    let (what, split) = match (trainer.model().has_kl(), trainer.has_valid()) {
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
        "best {split} {what} {} nats per {} after epoch {}",
        super::output::number(state.best_elbo, 2),
        dataset.shape.singular(),
        state.best_epoch
    );
    result(format_args!("{best}; everything is in {place}"));
    if !run.quiet {
        next::tell(dir.root(), trainer.model(), dataset.shape);
    }
    Ok(())
}

/// Trains to the end of the epoch, or until a checkpoint is due, and saves.
fn advance(session: &mut Session, stop: &Arc<AtomicBool>, faults: &mut Faults) -> Result<()> {
    let Session { team, trainer, dir, dataset, run, tracking, told, .. } = session;
    let bar = bar(run.quiet, trainer);
    // The observer cannot break off an epoch that was one submission, so the wish is also heard here.
    let done = if team.any(stop.load(Ordering::Relaxed))? {
        None
    } else {
        let last = faults.next_break(trainer.state().step, run.checkpoint_every);
        trainer.epoch_until(last, &mut observer(&bar, run.quiet, dataset.shape.plural(), stop.clone()))?
    };
    let mut saver = Saver { told, dir, run, tracking };
    let saved = match &done {
        Some(epoch) => {
            if let Some(bar) = &bar {
                bar.set_message("evaluating");
            }
            // Ranks evaluate together: that is not among the files which may fail.
            let scores = trainer.evaluate()?;
            saver.epoch(trainer, dataset, (epoch, scores))
        }
        // Before the first epoch ends, these weights are the best there are.
        None => saver.weights(trainer, trainer.state().best_epoch == 0),
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    faults.saved(saved, dir)?;
    if done.is_none() && team.any(stop.load(Ordering::Relaxed))? {
        faults.give_up_unsaved()?;
        if run.log_format == LogFormat::Json {
            tell("interrupted", json!({ "step": trainer.state().step, "run": name_of(dir) }));
        }
        talk(format_args!(
            "interrupted after step {}; continue with: vae-gpu train --resume {}",
            trainer.state().step,
            next::quoted(dir.root())
        ));
        team.leave();
        process::exit(INTERRUPTED);
    }
    #[cfg(feature = "faults")]
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
) -> impl FnMut(&EpochProgress) -> ControlFlow<()> + 'a {
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
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
