//! What training does when something breaks: a disk that is full, a device that is lost, numbers that are not finite.

use super::checkpoints::checkpoint_of;
use super::flags::message;
use super::next::quoted;
use super::output::talk;
use super::rows;
use super::session::{Session, begin, prepare};
use crate::data::{Row, Split};
use crate::error::{Error, Result};
use crate::run::RunDir;
#[cfg(feature = "faults")]
use crate::train::Trainer;

/// Values beyond this, where ordinary ones are about 1, may make a training diverge.
const FAR: f32 = 1e3;

/// Losses in a row without a step between them, after which the device is given up.
const MOST_LOSSES: u32 = 3;

/// Names a step after which the device is destroyed: for tests of what follows.
#[cfg(feature = "faults")]
const LOSE_DEVICE_AT: &str = "VAE_GPU_TEST_LOSE_DEVICE_AT";

/// What went wrong so far.
pub struct Faults {
    /// Why the last files could not be written.
    unsaved: Option<Error>,
    losses: u32,
    lost_at: u64,
    lose_at: Option<u64>,
}

impl Faults {
    pub fn new() -> Faults {
        #[cfg(feature = "faults")]
        let lose_at = std::env::var(LOSE_DEVICE_AT).ok().and_then(|step| step.parse().ok());
        #[cfg(not(feature = "faults"))]
        let lose_at = None;
        Faults { unsaved: None, losses: 0, lost_at: 0, lose_at }
    }

    /// The step after which training is to pause: for a checkpoint, or for a test.
    pub fn next_break(&self, step: u64, checkpoint_every: u64) -> u64 {
        let checkpoint = (checkpoint_every > 0).then_some(step.saturating_add(checkpoint_every));
        [checkpoint, self.lose_at].into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// Takes note of whether the files of this moment were written. Training goes on without them, and tries again.
    pub fn saved(&mut self, saved: Result<()>, dir: &RunDir) -> Result<()> {
        self.unsaved = match saved {
            Ok(()) => None,
            Err(error @ (Error::Io { .. } | Error::File { .. })) => {
                talk(format_args!("warning: {}", message(&error)));
                let kept = checkpoint_of(dir).map_or("there is no checkpoint yet".into(), |(_, _, state)| {
                    format!("the checkpoint of step {} is whole", state.step)
                });
                talk(format_args!("{kept}; training goes on and saves again after the next epoch"));
                Some(error)
            }
            Err(error) => return Err(error),
        };
        Ok(())
    }

    /// The end of a training whose last files could not be written is a failure.
    pub fn give_up_unsaved(&mut self) -> Result<()> {
        self.unsaved.take().map_or(Ok(()), Err)
    }

    /// Recovers from `error` if that is wished and can be done; otherwise says where the last checkpoint is.
    pub fn handle(&mut self, session: &mut Session, error: Error) -> Result<()> {
        match error {
            Error::Lost { .. } if session.run.recover => self.recover(session, error),
            Error::Diverged { step, what, next } => {
                let what = match first_bad(session, step) {
                    Some(tensor) => format!("{what} (first {tensor})"),
                    None => what,
                };
                let next = match far_row(&session.dataset.train) {
                    Some(row) => format!(
                        "{row}: remove that row or fill it in, or let training scale the data\n  {next}"
                    ),
                    None => next,
                };
                Err(Error::Diverged { step, what, next })
            }
            Error::Lost { .. } | Error::Device { .. } => {
                let place = quoted(session.dir.root());
                match checkpoint_of(&session.dir) {
                    Some((_, _, state)) => talk(format_args!(
                        "the last checkpoint is of step {}; continue with: vae-gpu train --resume {place}",
                        state.step
                    )),
                    None => talk(format_args!(
                        "there is no checkpoint yet; start again with --out {place} --force"
                    )),
                }
                Err(error)
            }
            _ => Err(error),
        }
    }

    /// A new device, and training from the last checkpoint: the same bits as without the loss.
    fn recover(&mut self, session: &mut Session, error: Error) -> Result<()> {
        let checkpoint = checkpoint_of(&session.dir);
        let step = checkpoint.as_ref().map_or(0, |(_, _, state)| state.step);
        self.losses = if step > self.lost_at { 1 } else { self.losses + 1 };
        self.lost_at = step;
        if self.losses > MOST_LOSSES {
            return Err(error);
        }
        talk(format_args!("warning: {}", message(&error)));
        talk(format_args!("opening the device again, and going on after step {step}"));
        let config = session.trainer.config().clone();
        match checkpoint {
            Some((_, arenas, state)) => {
                session.trainer = prepare(&session.team, &session.run, &session.dataset, config)?;
                session.trainer.restore(&arenas, state);
            }
            None => session.trainer = begin(&session.team, &session.run, &session.dataset, config)?,
        }
        let epoch = step / session.trainer.steps_per_epoch();
        session.tracking.forget_after(epoch as u32)
    }

    /// Destroys the device if the environment asks for it.
    #[cfg(feature = "faults")]
    pub fn lose_device_when_asked(&mut self, trainer: &Trainer) {
        if self.lose_at.is_some_and(|at| trainer.state().step >= at) {
            self.lose_at = None;
            trainer.gpu().lose();
        }
    }
}

/// A training row with a value so large that it may be the cause, in words.
fn far_row(split: &Split) -> Option<String> {
    let (mut largest, mut at, mut row) = (0.0f32, 0, 0);
    let look = &mut |values: Row<'_>| {
        if let Row::Floats(values) = values {
            let most = values.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            (largest, at) = if most > largest { (most, row) } else { (largest, at) };
        }
        row += 1;
    };
    split.each(0..split.count, look).ok()?;
    (largest > FAR).then(|| {
        format!("of the training data, {} reaches {largest:e} as the model sees it", rows::name(split, at))
    })
}

/// The first tensor that was not finite in `step`, if it can be found again.
fn first_bad(session: &mut Session, step: u64) -> Option<String> {
    let checkpoint = checkpoint_of(&session.dir).filter(|(_, _, state)| state.step < step);
    let from = checkpoint.as_ref().map(|(_, arenas, state)| (arenas, *state));
    session.trainer.find_first_bad(from, step).ok().flatten()
}
