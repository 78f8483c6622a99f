//! The training loop.

mod agreement;
mod first_bad;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::{Config, Precision};
use super::division::Times;
use super::files::{self, Inherited};
use super::history::{self, History, Sums};
use super::state::{Arenas, State};
use super::stepper::Stepper;
use crate::data::Dataset;
use crate::error::Result;
use crate::evaluate::{Evaluation, Evaluator, Inference, Runner};
use crate::gpu::{Gpu, Shared};
use crate::kernels::tuning::Tuning;
use crate::model::{ModelConfig, Network, Parameters};
use crate::ranks::{Alone, Ranks, Shards, any};

/// How often losses are fetched for a progress line.
const PROGRESS: Duration = Duration::from_millis(200);

/// What a progress line shows.
#[derive(Clone, Copy, Debug)]
pub struct EpochProgress {
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// Steps of this epoch that were submitted.
    pub step: u64,
    /// Steps of an epoch.
    pub steps: u64,
    /// Mean ELBO so far in this epoch, in nats per datum; none before the first losses came back.
    pub elbo: Option<f64>,
    /// Data trained on per second in this epoch, since it began or was resumed.
    pub images_per_second: f64,
}

/// An epoch's means, in nats per datum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochResult {
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// Mean ELBO of the training steps.
    pub elbo: f64,
    /// Mean reconstruction term.
    pub recon: f64,
    /// Mean KL term.
    pub kl: f64,
    /// Mean of what was trained: the ELBO, or with its KL weighted, or the importance-weighted bound.
    pub objective: f64,
    /// Data per second of training time.
    pub images_per_second: f64,
    /// Seconds of training, evaluation not counted.
    pub seconds: f64,
}

/// How the model stands after an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// On the test data.
    pub test: Evaluation,
    /// On the validation data: the source's own, or what was held out.
    pub valid: Option<Evaluation>,
    /// Whether no epoch before was better: on the validation data or, where there are none, on the test data.
    pub is_best: bool,
}

/// What [`Trainer::run`] tells after each epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochReport {
    /// How the training went.
    pub result: EpochResult,
    /// How the model stands.
    pub scores: Scores,
}

/// Trains one model on one data set.
pub struct Trainer {
    gpu: Arc<Gpu>,
    ranks: Arc<dyn Ranks>,
    /// Whether the ranks' configurations and parameters have been compared since they were last set.
    compared: bool,
    config: Config,
    /// Rows of the training data, those that are held out included.
    train_count: u64,
    stepper: Stepper,
    test: Evaluator,
    valid: Option<Evaluator>,
    inference: Inference,
    history: History,
    state: State,
    /// The parameters before the first step.
    initial: Vec<f32>,
    parameters: Parameters,
}

impl Trainer {
    /// Uploads the data, prepares every plan and initialises the weights from the seed.
    pub fn new(gpu: &Arc<Gpu>, dataset: &Dataset, config: Config) -> Result<Trainer> {
        // What another run's data looked like says nothing of this one.
        let config = Config { fingerprint: Vec::new(), ..config };
        Self::with_tuning(gpu, dataset, config, &Tuning::default())
    }

    /// The same, with the variants of matmul that a tuning found fastest.
    pub fn with_tuning(
        gpu: &Arc<Gpu>,
        dataset: &Dataset,
        config: Config,
        tuning: &Tuning,
    ) -> Result<Trainer> {
        Self::among(&Alone::ranks(), gpu, dataset, config, tuning)
    }

    /// The same as one of several ranks, which train one model together: each with its own device, and the same data and
    /// configuration. [`Trainer::epoch`], [`Trainer::evaluate`] and [`Trainer::run`] are calls that all of them make together.
    pub fn among(
        ranks: &Arc<dyn Ranks>,
        gpu: &Arc<Gpu>,
        dataset: &Dataset,
        mut config: Config,
        tuning: &Tuning,
    ) -> Result<Trainer> {
        config.adopt(dataset)?;
        config.validate()?;
        config.check_data(dataset)?;
        config.train.check_valid(dataset)?;
        let asked = config.train.precision;
        config.train.precision = asked.worthwhile(gpu.report());
        if asked != config.train.precision {
            log::warn!(
                "32 bits are kept: with operands of 16, {} is not expected to be faster; benchmarks measure them all the same",
                gpu.report().title()
            );
        }
        let model = config.model_config(dataset.shape);
        let network = Network::new(&model)?;
        let (train, valid) = config.training_rows(dataset)?;
        let mut shared = Shared::default();
        let (device, rows) = ((gpu, &mut shared), history::ROWS as usize);
        // Before anything is made, the plan is checked against the adapter's limits.
        let recipe = config.recipe(dataset.shape);
        let settings = (&config.train, &recipe);
        let stepper = Stepper::among(ranks, device, &network, settings, tuning, &train, rows)?;
        let convolves =
            stepper.program().plan().dispatches().iter().any(|d| d.kernel.name.starts_with("conv/"));
        if convolves && config.train.precision == Precision::F16 && !gpu.target().gains_by_smaller_tiles() {
            log::warn!(
                "convolutions keep 32 bits: no matrices multiply them, and {} is not expected to gain by smaller tiles alone",
                gpu.report().title()
            );
        }
        let parameters = network.parameters.clone();
        let weights = config.train.first_weights(&network, &train)?;
        stepper.write_parameters(&weights);
        let binarize = config.train.binarize(&model);
        let mut runner = Runner::of(gpu, network, shared);
        let test = Evaluator::new(&mut runner, &dataset.test, "test", binarize)?;
        let valid = valid.map(|split| Evaluator::new(&mut runner, &split, "valid", binarize)).transpose()?;
        Ok(Trainer {
            gpu: gpu.clone(),
            ranks: ranks.clone(),
            compared: false,
            config,
            train_count: dataset.train.count as u64,
            stepper,
            test,
            valid,
            inference: Inference::new(runner),
            history: History::default(),
            state: State::default(),
            initial: weights,
            parameters,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The model.
    pub fn model(&self) -> &ModelConfig {
        self.inference.model()
    }

    /// Where the parameters lie.
    #[doc(hidden)]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Whether there are validation data, the source's own or held out.
    pub fn has_valid(&self) -> bool {
        self.valid.is_some()
    }

    /// Steps of an epoch; the last one's batch may be short.
    pub fn steps_per_epoch(&self) -> u64 {
        self.stepper.steps_per_epoch()
    }

    /// Where training stands.
    #[doc(hidden)]
    pub fn state(&self) -> State {
        State { sums: self.history.sums, train_count: self.train_count, ..self.state }
    }

    /// Whether all epochs are done, or patience has run out.
    pub fn is_done(&self) -> bool {
        self.state.step >= self.steps_per_epoch() * u64::from(self.config.train.epochs)
            || self.is_out_of_patience()
    }

    /// Whether too many epochs went by without a better one.
    pub fn is_out_of_patience(&self) -> bool {
        let patience = u64::from(self.config.train.patience);
        let epochs = self.state.step / self.steps_per_epoch();
        patience > 0 && epochs >= u64::from(self.state.best_epoch) + patience
    }

    /// Reads weights and moments from the device.
    #[doc(hidden)]
    pub fn arenas(&self) -> Result<Arenas> {
        let (program, ports) = (self.stepper.program(), self.stepper.ports());
        Ok(Arenas {
            parameters: program.read_f32(ports.parameters)?,
            moment1: program.read_f32(ports.moment1)?,
            moment2: program.read_f32(ports.moment2)?,
        })
    }

    /// Continues from a checkpoint: the same bits as if training had not stopped.
    #[doc(hidden)]
    pub fn restore(&mut self, arenas: &Arenas, state: State) {
        let (program, ports) = (self.stepper.program(), self.stepper.ports());
        program.write_f32(ports.parameters, &arenas.parameters);
        program.write_f32(ports.moment1, &arenas.moment1);
        program.write_f32(ports.moment2, &arenas.moment2);
        self.history = History::restart(state.step, state.sums);
        self.state = state;
        self.compared = false;
    }

    /// Begins with the weights of another model: those tensors of the file whose name and shape this model has too. Adam
    /// starts anew.
    ///
    /// # Errors
    /// [`crate::error::Error::File`] if there are none, or the file cannot be read.
    #[doc(hidden)]
    pub fn begin_with(&mut self, path: &Path) -> Result<Inherited> {
        let inherited = files::inherit(path, &self.config, &self.parameters, &mut self.initial)?;
        self.stepper.write_parameters(&self.initial);
        self.compared = false;
        Ok(inherited)
    }

    /// Trains to the end of the epoch. `observe` is called after each submission; when it breaks, training stops
    /// between two steps and the result is none. Of several ranks, one that breaks stops all of them after the next step.
    pub fn epoch(
        &mut self,
        observe: &mut dyn FnMut(&EpochProgress) -> ControlFlow<()>,
    ) -> Result<Option<EpochResult>> {
        self.epoch_until(u64::MAX, observe)
    }

    /// The same, but no further than step `last`, counted from 1 over all epochs, and one step at least. Several ranks name the
    /// same.
    #[doc(hidden)]
    pub fn epoch_until(
        &mut self,
        last: u64,
        observe: &mut dyn FnMut(&EpochProgress) -> ControlFlow<()>,
    ) -> Result<Option<EpochResult>> {
        let steps = self.steps_per_epoch();
        let epoch = (self.state.step / steps) as u32 + 1;
        let first = u64::from(epoch - 1) * steps;
        if self.state.step == first {
            self.history = History::restart(first, Sums::default());
            self.state.seconds = 0.0;
        }
        let (ring, size) = (self.stepper.ports().history, self.config.train.batch_size as u64);
        let (begin, begin_step) = (Instant::now(), self.state.step);
        let mut fetched = begin;
        let end = (first + steps).min(last.max(self.state.step.saturating_add(1)));
        self.stepper.forget_stop();
        while self.state.step < end {
            self.compare_ranks()?;
            if self.history.room(self.state.step) < self.stepper.steps_at_once() {
                self.drain()?;
            }
            self.state.step += self.stepper.submit(self.state.step, end - self.state.step)?;
            self.history.poll(|step| self.stepper.rows_of(step))?;
            if fetched.elapsed() > PROGRESS {
                fetched = Instant::now();
                self.history.request(self.stepper.program(), ring, self.state.step)?;
            }
            let trained = (self.state.step - begin_step) * size;
            let progress = EpochProgress {
                epoch,
                step: self.state.step - first,
                steps,
                elbo: (self.history.sums.rows > 0).then(|| self.history.sums.means().0),
                images_per_second: trained as f64 / begin.elapsed().as_secs_f64(),
            };
            let breaks = observe(&progress).is_break();
            if breaks {
                self.stepper.ask_to_stop();
            }
            let breaks = if self.ranks.size() == 1 { breaks } else { self.stepper.take_stop() };
            if breaks {
                break;
            }
        }
        self.drain()?;
        self.state.seconds += begin.elapsed().as_secs_f64();
        if self.state.step < first + steps {
            return Ok(None);
        }
        let (elbo, recon, kl) = self.history.sums.means();
        let seconds = self.state.seconds;
        let images_per_second = self.history.sums.rows as f64 / seconds;
        let objective = self.history.sums.mean_objective();
        Ok(Some(EpochResult { epoch, elbo, recon, kl, objective, images_per_second, seconds }))
    }

    /// Waits for the terms of all steps so far.
    fn drain(&mut self) -> Result<()> {
        let (program, ring) = (self.stepper.program(), self.stepper.ports().history);
        self.history.drain(program, ring, self.state.step, |step| self.stepper.rows_of(step))
    }

    /// Trains all epochs that are left, and evaluates after each. Ends early when `on_epoch` breaks, on one of several ranks too,
    /// or when patience runs out.
    ///
    /// # Errors
    /// [`crate::error::Error::Diverged`] if the loss is no number any more, [`crate::error::Error::Device`].
    pub fn run(&mut self, mut on_epoch: impl FnMut(&EpochReport) -> ControlFlow<()>) -> Result<()> {
        while !self.is_done() {
            // Nothing breaks the epoch off, so there is a result.
            let Some(result) = self.epoch(&mut |_| ControlFlow::Continue(()))? else { break };
            let scores = self.evaluate()?;
            if any(&*self.ranks, on_epoch(&EpochReport { result, scores }).is_break())? {
                break;
            }
        }
        Ok(())
    }

    /// Writes the present weights to `path` as a `model.safetensors`, for [`crate::Vae::load`] and every other reader of
    /// that format.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`], [`crate::error::Error::Device`].
    pub fn save_model(&self, path: &Path) -> Result<()> {
        files::save_model(
            path,
            &self.config,
            &self.parameters,
            &self.stepper.program().read_f32(self.stepper.ports().parameters)?,
        )
    }

    /// Evaluates on the test and the validation data, and remembers the best ELBO.
    pub fn evaluate(&mut self) -> Result<Scores> {
        let seed = self.config.train.seed;
        let ranks = &*self.ranks;
        let test = self.test.run_among(ranks, seed)?;
        let valid = self.valid.as_mut().map(|valid| valid.run_among(ranks, seed)).transpose()?;
        let elbo = valid.unwrap_or(test).elbo.mean;
        let is_best = elbo > self.state.best_elbo;
        if is_best {
            self.state.best_elbo = elbo;
            self.state.best_epoch = (self.state.step / self.steps_per_epoch()) as u32;
        }
        Ok(Scores { test, valid, is_best })
    }

    /// Uses the model with its present weights.
    #[doc(hidden)]
    pub fn inference(&mut self) -> &mut Inference {
        &mut self.inference
    }

    /// The shards of a batch.
    #[doc(hidden)]
    pub fn shards(&self) -> Shards {
        self.stepper.shards()
    }

    /// Where the time of divided steps went; none where batches are not divided.
    #[doc(hidden)]
    pub fn times(&self) -> Option<Times> {
        self.stepper.times()
    }

    /// Lets the gradients of divided batches travel between ranks in buckets of `most` words, for tests: the same bits with any number.
    #[doc(hidden)]
    pub fn cut_gradients(&mut self, most: usize) {
        self.stepper.cut_gradients(most);
    }

    /// The device.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }
}
