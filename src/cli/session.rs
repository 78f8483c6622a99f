//! A training: a new one, or one that goes on.

use std::path::Path;

use super::checkpoints::last_checkpoint;
use super::common_args::open_device;
use super::flags::spelled;
use super::next::quoted;
use super::output::{many, talk};
use super::profile;
use super::rows;
use super::saved::{announce, model_of};
use super::saver::Told;
use super::team::Team;
use super::tracking::Tracking;
use super::train_args::{RESUMABLE, TrainArgs, resumable_flags};
use super::tune;
use super::{source, suit};
use crate::data::{self, Dataset, ReadOptions};
use crate::error::{Error, Result};
use crate::run::{RunDir, RunLock};
use crate::settings::Named;
use crate::train::config::RunSection;
use crate::train::{Config, Trainer};

/// A training that is under way, in the process that leads.
pub struct Session {
    pub team: Team,
    pub trainer: Trainer,
    pub dir: RunDir,
    pub dataset: Dataset,
    pub run: RunSection,
    pub tracking: Tracking,
    pub told: Told,
    /// Kept until the end, so that no other process writes into the directory.
    _lock: RunLock,
}

/// What every process has before a training begins; nothing is written yet.
pub struct Ready {
    pub trainer: Trainer,
    pub run: RunSection,
    dataset: Dataset,
    /// The run that goes on, in the process that leads.
    resumed: Option<(RunDir, RunLock)>,
}

impl Ready {
    /// # Errors
    /// Those of the arguments, the data, the device and the checkpoint.
    pub fn new(args: &TrainArgs, team: &Team) -> Result<Ready> {
        let Some(path) = &args.resume else { return started(args, team) };
        check_resumable(args, path)?;
        let dir = RunDir::open(path)?;
        let lock = team.leads().then(|| dir.lock()).transpose()?;
        let (trainer, dataset, run) = returned(args, &dir, team)?;
        Ok(Ready { trainer, run, dataset, resumed: lock.map(|lock| (dir, lock)) })
    }

    /// Makes the run's folder, or goes on in it.
    pub fn begin(self, team: &Team) -> Result<Session> {
        let Ready { trainer, run, dataset, resumed } = self;
        let goes_on = resumed.is_some();
        let (dir, lock) = match resumed {
            Some(run) => run,
            None => RunDir::create(run.out.as_deref(), &dataset.name, &trainer.model().kind, run.force)?,
        };
        write_config(&dir, trainer.config())?;
        let step = trainer.state().step;
        let epoch = (step / trainer.steps_per_epoch()) as u32;
        if goes_on && !run.quiet {
            talk(format_args!("resumed  {} after step {step} (epoch {epoch} done)", dir.root().display()));
        }
        let tracking = Tracking::new(&dir, dataset.shape, run.tensorboard, step, epoch)?;
        let (team, told) = (team.clone(), Told::default());
        Ok(Session { team, trainer, dir, dataset, run, tracking, told, _lock: lock })
    }
}

/// Before the first step of a new run.
fn started(args: &TrainArgs, team: &Team) -> Result<Ready> {
    let mut config = args.model.resolve(&args.train)?;
    let run = args.run_section(std::mem::take(&mut config.run), team)?;
    config.validate()?;
    if let (Some(out), true) = (&run.out, team.leads()) {
        RunDir::check(out, run.force)?;
        source::check_apart(out, &config)?;
    }
    if let Some(from) = &config.train.init_from {
        model_of(&RunDir::open(Path::new(from))?)?;
        config.train.init_from = Some(data::anywhere(from));
    }
    let dataset = source::open(&config.data, &config.source, run.quiet)?;
    suit::suit(&mut config, &dataset, args.train.has("batch_size"), run.quiet)?;
    config.remember(&dataset)?;
    config.data = data::anywhere(&config.data);
    config.source.test_data = config.source.test_data.as_deref().map(data::anywhere);
    let trainer = begin(team, &run, &dataset, config)?;
    Ok(Ready { trainer, run, dataset, resumed: None })
}

/// A trainer before its first step, with the weights of another run if the configuration names one.
pub fn begin(team: &Team, run: &RunSection, dataset: &Dataset, config: Config) -> Result<Trainer> {
    let mut trainer = prepare(team, run, dataset, config)?;
    let Some(from) = trainer.config().train.init_from.clone() else { return Ok(trainer) };
    let path = model_of(&RunDir::open(Path::new(&from))?)?;
    let inherited = trainer.begin_with(&path)?;
    if !run.quiet {
        talk(format_args!("weights  {inherited} of {from}"));
        if !inherited.differs.is_empty() {
            let differs = inherited.differs.join("; ");
            talk(format_args!("warning: these weights were learnt for something else: {differs}"));
        }
    }
    Ok(trainer)
}

/// Refuses flags that a run has had from its beginning.
fn check_resumable(args: &TrainArgs, path: &Path) -> Result<()> {
    let fixed: Vec<_> =
        args.model.given_but_data().into_iter().chain(args.train.given_but(RESUMABLE)).collect();
    if !fixed.is_empty() {
        return Err(Error::Usage(format!(
            "--resume continues the run as it was configured: {} cannot change\n  {} can; for the rest, begin a new run \
             with --init-from {}",
            fixed.join(", "),
            resumable_flags(),
            quoted(path)
        )));
    }
    Ok(())
}

/// A training where its run's last checkpoint is.
fn returned(args: &TrainArgs, dir: &RunDir, team: &Team) -> Result<(Trainer, Dataset, RunSection)> {
    let path = dir.root();
    let run = args.run_section(RunSection::default(), team)?;
    let (mut config, arenas, state) = last_checkpoint(dir)?;
    args.train.apply(&mut config.train);
    config.validate()?;
    locate(&mut config, dir, args)?;
    config.source.label_optional = config.classes.is_none();
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
    if let Some(change) = config.changed(&dataset)? {
        let problem = format!("the data has changed since the run was trained on it: {change}");
        let next = format!(
            "bring the data back, or name where it is with `data`; to train on these, begin a new run with \
             `train.init_from` = {}",
            quoted(path)
        );
        return Err(Error::file(&config.data, problem, next));
    }
    if config.fingerprint.is_empty() {
        config.remember(&dataset)?;
    }
    // What a new run would be advised to add goes with no run that is resumed.
    if config.train.lacks_valid(&dataset) {
        let problem = format!(
            " and `train.keep` = best choose by validation data, and the run has none: begin a new run with \
             `train.valid` = 0.1 `train.init_from` = {}",
            quoted(path)
        );
        return Err(Error::setting("train.patience", problem));
    }
    let (classes, now) = (config.classes, dataset.class_count());
    if classes.is_some() && config.class_names.is_empty() && now != classes {
        return Err(Error::Usage(format!(
            "{} now holds {} classes, but the run was trained on {}",
            config.data,
            now.unwrap_or(0),
            classes.unwrap_or(0)
        )));
    }
    let mut trainer = prepare(team, &run, &dataset, config)?;
    let begun = state.step.div_ceil(trainer.steps_per_epoch());
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
    Ok((trainer, dataset, run))
}

/// Finds the run's data: where flags say, or where the run's configuration does; a checkpoint names no folders.
fn locate(config: &mut Config, dir: &RunDir, args: &TrainArgs) -> Result<()> {
    if let Ok(here) = Config::read(&dir.config()) {
        (config.data, config.source.test_data) = (here.data, here.source.test_data);
        config.train.init_from = here.train.init_from;
    }
    let mut moved = ReadOptions::default();
    args.model.source.apply(&mut moved);
    if let Some(data) = &args.model.data {
        config.data = data::anywhere(data);
    }
    if let Some(test) = &moved.test_data {
        config.source.test_data = Some(data::anywhere(test));
    }
    source::check_present(&config.data, "name where it is now with `data`")?;
    match &config.source.test_data {
        Some(test) => source::check_present(test, "name where it is now with `source.test_data`"),
        None => Ok(()),
    }
}

fn write_config(dir: &RunDir, config: &Config) -> Result<()> {
    let path = dir.config();
    crate::run::write_atomic(&path, |out| out.write_all(config.to_toml().as_bytes()))
}

/// Opens the device, and says what will be trained on what.
pub fn prepare(team: &Team, run: &RunSection, dataset: &Dataset, config: Config) -> Result<Trainer> {
    let gpu = open_device(run, team.local())?;
    if !run.quiet {
        announce(&gpu);
        let valid = dataset.valid.as_ref().map(|valid| format!(", {} validation", valid.count));
        talk(format_args!(
            "data     {}: {} training{} and {} test {} of {}",
            dataset.name,
            dataset.train.count,
            valid.unwrap_or_default(),
            dataset.test.count,
            dataset.shape.noun(dataset.test.count),
            dataset.shape
        ));
    }
    let tuning = if run.tune {
        tune::measured(&gpu, &config, config.train.precision.worthwhile(gpu.report()), dataset)?
    } else {
        tune::known(&gpu)
    };
    let trainer = Trainer::among(&team.ranks, &gpu, dataset, config, &tuning)?;
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
            "training {} of {}, batch {}, Adam {}, seed {}",
            many(train.epochs as usize, "epoch", "epochs"),
            many(trainer.steps_per_epoch() as usize, "step", "steps"),
            train.batch_size,
            train.lr,
            train.seed
        ));
        let (ranks, shards) = (team.ranks.size(), trainer.shards());
        if shards.count() > 1 {
            let (most, each) = (shards.most(train.batch_size), shards.own().len());
            talk(format_args!(
                "ranks    {ranks}, each with {each} of {} shards of up to {most} rows",
                shards.count()
            ));
        }
    }
    if let Some(warning) = trainer.config().warning() {
        talk(format_args!("warning: {}", spelled(&warning)));
    }
    warn_of_strays(trainer.config(), dataset)?;
    if run.profile {
        let (model, train) = (trainer.model(), &trainer.config().train);
        profile::run(&gpu, model, train, trainer.shards(), &tuning)?;
    }
    Ok(trainer)
}

/// Says which rows of the other parts the model has no measure of. Their ELBO says little.
fn warn_of_strays(config: &Config, dataset: &Dataset) -> Result<()> {
    if !config.wants_unit(dataset.shape)? {
        return Ok(());
    }
    let parts = dataset.valid.iter().map(|valid| ("validation", valid)).chain([("test", &dataset.test)]);
    for (part, split) in parts {
        let found = split.outside_unit()?;
        if !found.is_empty() {
            let (count, what) = (split.count, dataset.shape.plural());
            let have = if found.len() == 1 { "has" } else { "have" };
            talk(format_args!(
                "warning: {} of {count} {part} {what} {have} values outside 0..1, where those of the training part lie, and {}: \
                 {}\n  {}",
                found.len(),
                spelled(&config.why_unit(dataset.shape)?),
                rows::named(split, &found),
                spelled(Config::TAKES_ALL)
            ));
        }
    }
    Ok(())
}
