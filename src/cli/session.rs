//! A training: a new one, or one that goes on.

use std::path::Path;

use super::checkpoints::last_checkpoint;
use super::common_args::open_device;
use super::flags::spelled;
use super::output::talk;
use super::profile;
use super::saved::announce;
use super::source;
use super::tracking::Tracking;
use super::train_args::TrainArgs;
use super::tune;
use crate::data::{self, Dataset};
use crate::error::{Error, Result};
use crate::run::{RunDir, RunLock};
use crate::settings::Named;
use crate::train::config::RunSection;
use crate::train::{Config, Trainer};

/// A training that is under way.
pub struct Session {
    pub trainer: Trainer,
    pub dir: RunDir,
    pub dataset: Dataset,
    pub run: RunSection,
    pub tracking: Tracking,
    /// Kept until the end, so that no other process writes into the directory.
    _lock: RunLock,
}

/// A new run.
pub fn start(args: &TrainArgs) -> Result<Session> {
    let mut config = args.model.resolve(&args.train)?;
    let run = args.run_section(std::mem::take(&mut config.run))?;
    config.validate()?;
    if let Some(out) = &run.out {
        RunDir::check(out, run.force)?;
    }
    let dataset = source::open(&config.data, &config.source, run.quiet)?;
    config.adopt(&dataset)?;
    config.check_data(&dataset)?;
    config.train.check_valid(&dataset)?;
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
pub fn resume(args: &TrainArgs, path: &Path) -> Result<Session> {
    if args.model.any() || args.train.any_but(&["epochs"]) {
        return Err(Error::Usage(
            "--resume continues the run as it was configured: no flag of the model or its training goes with it \
             but --epochs"
                .into(),
        ));
    }
    let run = args.run_section(RunSection::default())?;
    let dir = RunDir::open(path)?;
    let lock = dir.lock()?;
    let (mut config, arenas, state) = last_checkpoint(&dir)?;
    args.train.apply(&mut config.train);
    config.validate()?;
    let dataset = source::open(&config.data, &config.source_again(), run.quiet)?;
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
    write_config(&dir, trainer.config())?;
    if !run.quiet {
        talk(format_args!(
            "resumed  {} after step {} (epoch {epoch} done)",
            dir.root().display(),
            state.step
        ));
    }
    let tracking = Tracking::new(&dir, dataset.shape, run.tensorboard, state.step, epoch)?;
    Ok(Session { trainer, dir, dataset, run, tracking, _lock: lock })
}

fn write_config(dir: &RunDir, config: &Config) -> Result<()> {
    let path = dir.config();
    crate::run::write_atomic(&path, |out| out.write_all(config.to_toml().as_bytes()))
}

/// Opens the device, and says what will be trained on what.
pub fn prepare(run: &RunSection, dataset: &Dataset, config: Config) -> Result<Trainer> {
    let gpu = open_device(run)?;
    if !run.quiet {
        announce(&gpu);
        let valid = dataset.valid.as_ref().map(|valid| format!(", {} validation", valid.count));
        talk(format_args!(
            "data     {}: {} training{} and {} test {} of {}",
            dataset.name,
            dataset.train.count,
            valid.unwrap_or_default(),
            dataset.test.count,
            dataset.shape.plural(),
            dataset.shape
        ));
    }
    let tuning = if run.tune { tune::measured(&gpu, &config, dataset)? } else { tune::known(&gpu) };
    let trainer = Trainer::with_tuning(&gpu, dataset, config, &tuning)?;
    if !run.quiet {
        let (model, train) = (trainer.model(), &trainer.config().train);
        let activation = model.activation.name();
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
        talk(format_args!("warning: {}", spelled(&warning)));
    }
    if run.profile {
        profile::run(&gpu, trainer.model(), &trainer.config().train, &tuning)?;
    }
    Ok(trainer)
}
