//! `vae-gpu train`.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::args::{TrainArgs, set};
use super::output::{result, talk};
use super::profile;
use super::saved::announce;
use super::source;
use super::tune;
use crate::data::{self, Dataset, Shape};
use crate::error::{Error, Result};
use crate::run::{EpochMetrics, RunDir, curves, metrics, picture};
use crate::train::{Config, EpochResult, Progress, Trainer, files};

/// Images in a picture of samples, and in one of reconstructions.
const SAMPLES: usize = 64;
const RECONSTRUCTIONS: usize = 32;
/// Images in a row of a picture.
pub const COLUMNS: usize = 8;

/// How often a long epoch says where it is when there is no terminal for a bar.
const PLAIN_LINES: Duration = Duration::from_secs(10);

/// Exit code of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

pub fn run(args: &TrainArgs) -> Result<()> {
    let stop = stop_on_interrupt()?;
    let (mut trainer, dir, dataset) = match &args.resume {
        Some(_) => resume(args)?,
        None => start(args)?,
    };
    if trainer.is_done() {
        let epochs = trainer.config().train.epochs;
        talk(format_args!("all {epochs} epochs are done; train longer with --epochs N"));
    }
    let saver = Saver { dir: &dir, shape: dataset.shape, quiet: args.quiet };
    while !trainer.is_done() {
        let bar = bar(args.quiet, &trainer);
        // The observer cannot break off an epoch that was one submission, so the wish is also heard here.
        let done = if stop.load(Ordering::Relaxed) {
            None
        } else {
            trainer.epoch(&mut observer(&bar, args.quiet, stop.clone()))?
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
                saver.report(&metrics, &epoch, trainer.config().train.epochs);
            }
            None => {
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                saver.weights(&trainer)?;
                talk(format_args!(
                    "interrupted after step {}; continue with: vae-gpu train --resume {}",
                    trainer.state().step,
                    dir.root().display()
                ));
                process::exit(INTERRUPTED);
            }
        }
    }
    result(format_args!(
        "best test ELBO {:.2} nats per image; everything is in {}",
        trainer.state().best_test_elbo,
        dir.root().display()
    ));
    Ok(())
}

/// A new run.
fn start(args: &TrainArgs) -> Result<(Trainer, RunDir, Dataset)> {
    let mut config = args.model.resolve()?;
    set(&mut config.train.epochs, &args.epochs);
    args.recipe.apply(&mut config.train);
    config.validate()?;
    let dataset = source::open(&config.data, &config.source, args.quiet)?;
    config.adopt(&dataset);
    config.check_data(&dataset)?;
    config.data = data::anywhere(&config.data);
    config.source.test_data = config.source.test_data.as_deref().map(data::anywhere);
    let trainer = prepare(args, &dataset, config)?;
    let dir = RunDir::create(args.out.as_deref(), &dataset.name, "vae", args.force)?;
    write_config(&dir, trainer.config())?;
    Ok((trainer, dir, dataset))
}

/// A run that goes on from its checkpoint.
fn resume(args: &TrainArgs) -> Result<(Trainer, RunDir, Dataset)> {
    let path = args.resume.as_deref().unwrap_or_else(|| "".as_ref());
    if args.model.any() || args.recipe.any() {
        return Err(Error::Usage(
            "--resume continues the run as it was configured: only --epochs, --device and --quiet go with it"
                .into(),
        ));
    }
    let dir = RunDir::open(path)?;
    let (mut config, arenas, state) = files::load_checkpoint(&dir.checkpoint())?;
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
    Ok((trainer, dir, dataset))
}

fn write_config(dir: &RunDir, config: &Config) -> Result<()> {
    let path = dir.config();
    crate::run::write_atomic(&path, |out| out.write_all(config.to_toml().as_bytes()))
}

/// Opens the device, and says what will be trained on what.
fn prepare(args: &TrainArgs, dataset: &Dataset, config: Config) -> Result<Trainer> {
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
            "model    {} {activation}, {} decoder, {} parameters",
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
}

impl Saver<'_> {
    /// Evaluates, and writes everything that an epoch leaves. The checkpoint comes last: what it says is done is done.
    fn epoch(&self, trainer: &mut Trainer, dataset: &Dataset, epoch: &EpochResult) -> Result<EpochMetrics> {
        let test = trainer.evaluate()?;
        let metrics = EpochMetrics {
            epoch: epoch.epoch,
            step: trainer.state().step,
            train_elbo: epoch.elbo,
            train_recon: epoch.recon,
            train_kl: epoch.kl,
            test_elbo: test.elbo.mean,
            test_recon: test.recon.mean,
            test_kl: test.kl.mean,
            images_per_second: epoch.images_per_second,
            seconds: epoch.seconds,
        };
        let seed = trainer.config().train.seed;
        if self.shape.is_picture() {
            let samples = trainer.pictures().sample(SAMPLES, seed)?;
            picture::grid(&self.dir.sample(epoch.epoch), &samples, self.shape, COLUMNS)?;
            let originals = originals(dataset, RECONSTRUCTIONS)?;
            let reconstructions = trainer.pictures().reconstruct(&originals)?;
            let path = self.dir.reconstruction(epoch.epoch);
            picture::reconstruction_grid(&path, &originals, &reconstructions, self.shape, COLUMNS)?;
        }
        metrics::append(&self.dir.metrics(), &metrics)?;
        curves::draw(&self.dir.curves(), &metrics::read(&self.dir.metrics())?)?;
        self.weights(trainer)?;
        Ok(metrics)
    }

    fn weights(&self, trainer: &Trainer) -> Result<()> {
        let (config, layout, arenas) = (trainer.config(), trainer.layout(), trainer.arenas()?);
        files::save_model(&self.dir.model(), config, layout, &arenas.parameters)?;
        files::save_checkpoint(&self.dir.checkpoint(), config, layout, &arenas, &trainer.state())
    }

    fn report(&self, m: &EpochMetrics, epoch: &EpochResult, epochs: u32) {
        if self.quiet {
            return;
        }
        let weight = epoch.kl_weight;
        let objective = match weight == 1.0 {
            true => String::new(),
            false => format!("  objective {:.2} (beta {weight:.2})", m.train_recon - weight * m.train_kl),
        };
        result(format_args!(
            "epoch {:>3}/{epochs}  train {:.2} (recon {:.2}, KL {:.2})  test {:.2} (recon {:.2}, KL {:.2})  {:.0} images/s{objective}",
            m.epoch,
            m.train_elbo,
            m.train_recon,
            m.train_kl,
            m.test_elbo,
            m.test_recon,
            m.test_kl,
            m.images_per_second
        ));
    }
}

/// The first test images, as the model sees them.
pub fn originals(dataset: &Dataset, count: usize) -> Result<Vec<f32>> {
    dataset.test.x(0..count.min(dataset.test.count))
}
