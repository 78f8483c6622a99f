//! The training loop.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::Config;
use super::files;
use super::history::{self, History, Sums};
use super::schedule::ramp;
use crate::data::{Dataset, epoch_order};
use crate::error::{Error, Result};
use crate::evaluate::{Evaluation, Evaluator, Feed, Pictures};
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::adam;
use crate::kernels::tuning::Tuning;
use crate::model::init::{fit_output_bias, initial_weights};
use crate::model::plans::{self, Batch, TrainPlan};
use crate::model::{Layout, ModelConfig};
use crate::plan::{Access, Element, Step};

/// How often losses are fetched for a progress line.
const PROGRESS: Duration = Duration::from_millis(200);

/// What a progress line shows.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
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

/// Where training stands: what a checkpoint keeps beside the weights and moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// Sums of the epoch that is under way.
    pub sums: Sums,
    /// Seconds of training in the epoch that is under way.
    pub seconds: f64,
    /// The best ELBO so far, in nats per datum: of the validation data or, where there are none, of the test data.
    pub best_elbo: f64,
    /// The epoch, counted from 1, after which it was reached; 0 before any.
    pub best_epoch: u32,
    /// Rows of the training data: with another number the steps would mean something else.
    pub train_count: u64,
}

impl Default for State {
    fn default() -> Self {
        State {
            step: 0,
            sums: Sums::default(),
            seconds: 0.0,
            best_elbo: f64::NEG_INFINITY,
            best_epoch: 0,
            train_count: 0,
        }
    }
}

/// The weights and Adam's moments: three arenas in the model's layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Arenas {
    /// Parameters.
    pub parameters: Vec<f32>,
    /// First moment.
    pub moment1: Vec<f32>,
    /// Second moment.
    pub moment2: Vec<f32>,
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
pub struct Judgement {
    /// On the test data.
    pub test: Evaluation,
    /// On the validation data, where some were held out.
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
    pub judgement: Judgement,
}

/// Trains one model on one data set.
pub struct Trainer {
    gpu: Arc<Gpu>,
    config: Config,
    model: ModelConfig,
    layout: Layout,
    /// Rows of the training data, and of those the ones that are trained on.
    train_count: u64,
    count: u64,
    program: Program,
    handles: TrainPlan,
    feed: Feed,
    test: Evaluator,
    valid: Option<Evaluator>,
    pictures: Pictures,
    history: History,
    state: State,
    /// The parameters before the first step.
    initial: Vec<f32>,
    /// The epoch whose order is set, and the order.
    order_of: Option<u32>,
    order: Vec<u32>,
}

impl Trainer {
    /// Uploads the data, prepares every plan and initialises the weights from the seed.
    pub fn new(gpu: &Arc<Gpu>, dataset: &Dataset, config: Config) -> Result<Trainer> {
        Self::with_tuning(gpu, dataset, config, &Tuning::default())
    }

    /// The same, with the variants of matmul that a tuning found fastest.
    pub fn with_tuning(
        gpu: &Arc<Gpu>,
        dataset: &Dataset,
        mut config: Config,
        tuning: &Tuning,
    ) -> Result<Trainer> {
        config.adopt(dataset)?;
        config.validate()?;
        config.check_data(dataset)?;
        let model = config.model_config(dataset.shape);
        model.validate()?;
        let seed = config.train.seed;
        if config.train.valid > 0.0 && dataset.train.count < 2 {
            return Err(Error::setting("train.valid", ": the training data has only one row"));
        }
        let held_out = (config.train.valid > 0.0).then(|| dataset.train.hold_out(config.train.valid, seed));
        let (train, valid) =
            held_out.as_ref().map_or((&dataset.train, None), |(kept, held)| (kept, Some(held)));
        let count = train.count;
        let size = config.train.batch_size;
        if size > count {
            let next = format_args!("the training data has only {count} rows");
            return Err(Error::value("train.batch_size", size, next));
        }
        let target = config.train.precision.target(gpu)?;
        let mut shared = Shared::default();
        let binarize = config.train.binarize(&model);
        let data = Feed::plan(gpu, train, "train", binarize, size, config.train.stream);
        let batch = Batch { data: data.clone(), size, samples: config.train.samples };
        let mut handles =
            plans::train(&model, target, &batch, &config.train.recipe(), history::ROWS as usize);
        tuning.apply(&mut handles.batch.plan, &target);
        let program = Program::new(gpu, handles.batch.plan.clone(), &mut shared)?;
        let feed = Feed::new(&program, &handles.batch, &data, train, size)?;
        let test = Evaluator::new(gpu, &mut shared, &model, &dataset.test, "test", binarize)?;
        let valid = valid
            .map(|split| Evaluator::new(gpu, &mut shared, &model, split, "valid", binarize))
            .transpose()?;
        let pictures = Pictures::new(gpu, &mut shared, &model)?;
        let layout = Layout::new(&model);
        let mut weights = initial_weights(&layout, config.train.init, seed);
        if config.train.output_bias {
            fit_output_bias(&model, &layout, &mut weights, &train.marginals()?);
        }
        program.write_f32(handles.batch.parameters, &weights);
        Ok(Trainer {
            gpu: gpu.clone(),
            config,
            model,
            layout,
            train_count: dataset.train.count as u64,
            count: count as u64,
            program,
            handles,
            feed,
            test,
            valid,
            pictures,
            history: History::default(),
            state: State::default(),
            initial: weights,
            order_of: None,
            order: Vec::new(),
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The model.
    pub fn model(&self) -> &ModelConfig {
        &self.model
    }

    /// Where the parameters lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Steps of an epoch; the last one's batch may be short.
    pub fn steps_per_epoch(&self) -> u64 {
        self.count.div_ceil(self.config.train.batch_size as u64)
    }

    /// Where training stands.
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
    pub fn arenas(&self) -> Result<Arenas> {
        let TrainPlan { batch, moment1, moment2, .. } = &self.handles;
        Ok(Arenas {
            parameters: self.program.read_f32(batch.parameters)?,
            moment1: self.program.read_f32(*moment1)?,
            moment2: self.program.read_f32(*moment2)?,
        })
    }

    /// Continues from a checkpoint: the same bits as if training had not stopped.
    pub fn restore(&mut self, arenas: &Arenas, state: State) {
        let TrainPlan { batch, moment1, moment2, .. } = &self.handles;
        self.program.write_f32(batch.parameters, &arenas.parameters);
        self.program.write_f32(*moment1, &arenas.moment1);
        self.program.write_f32(*moment2, &arenas.moment2);
        self.history = History::restart(state.step, state.sums);
        self.state = state;
    }

    /// Trains to the end of the epoch. `observe` is called after each submission; when it breaks, training stops
    /// between two steps and the result is none.
    pub fn epoch(
        &mut self,
        observe: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Option<EpochResult>> {
        let steps = self.steps_per_epoch();
        let epoch = (self.state.step / steps) as u32 + 1;
        let first = u64::from(epoch - 1) * steps;
        if self.state.step == first {
            self.history = History::restart(first, Sums::default());
            self.state.seconds = 0.0;
        }
        self.write_order(epoch);
        let (count, size) = (self.count, self.config.train.batch_size as u64);
        let rows_of = move |step: u64| size.min(count - (step - 1) % steps * size);
        let ring = self.handles.batch.terms;

        let (begin, begin_step) = (Instant::now(), self.state.step);
        let mut fetched = begin;
        let mut interrupted = false;
        while self.state.step < first + steps {
            if self.history.room(self.state.step) < self.program.steps_at_once() as u64 {
                self.history.drain(&self.program, ring, self.state.step, rows_of)?;
            }
            let left = (first + steps - self.state.step) as usize;
            let now = self.program.steps_at_once().min(self.feed.max_steps()).min(left);
            let mut batch: Vec<Step> =
                (1..=now as u64).map(|i| self.step(self.state.step + i, first)).collect();
            self.feed.submit(&mut self.program, &self.handles.batch, &mut batch, &self.order)?;
            self.state.step += now as u64;
            self.history.poll(rows_of)?;
            if fetched.elapsed() > PROGRESS {
                fetched = Instant::now();
                self.history.request(&self.program, ring, self.state.step)?;
            }
            let trained = (self.state.step - begin_step) * size;
            let progress = Progress {
                epoch,
                step: self.state.step - first,
                steps,
                elbo: (self.history.sums.rows > 0).then(|| self.history.sums.means().0),
                images_per_second: trained as f64 / begin.elapsed().as_secs_f64(),
            };
            if observe(&progress).is_break() && self.state.step < first + steps {
                interrupted = true;
                break;
            }
        }
        self.history.drain(&self.program, ring, self.state.step, rows_of)?;
        self.state.seconds += begin.elapsed().as_secs_f64();
        if interrupted {
            return Ok(None);
        }
        let (elbo, recon, kl) = self.history.sums.means();
        let seconds = self.state.seconds;
        let images_per_second = self.history.sums.rows as f64 / seconds;
        let objective = self.history.sums.mean_objective();
        Ok(Some(EpochResult { epoch, elbo, recon, kl, objective, images_per_second, seconds }))
    }

    /// Looks for the first tensor that was not finite in step `bad`: trains again from `state`, whose arenas are given or are
    /// those of the start, and reads what that step wrote. None where it does not happen again. Training cannot go on
    /// after this but by [`Trainer::restore`].
    pub fn find_first_bad(&mut self, from: Option<(&Arenas, State)>, bad: u64) -> Result<Option<String>> {
        let mut state = State::default();
        match from {
            Some((arenas, before)) => {
                self.restore(arenas, before);
                state = before;
            }
            None => {
                let zeros = vec![0.0; self.layout.words];
                let parameters = self.initial.clone();
                self.restore(&Arenas { parameters, moment1: zeros.clone(), moment2: zeros }, state);
            }
        }
        let steps = self.steps_per_epoch();
        for t in state.step + 1..=bad {
            let epoch = (t - 1) / steps;
            self.write_order(epoch as u32 + 1);
            let mut step = [self.step(t, epoch * steps)];
            self.feed.submit(&mut self.program, &self.handles.batch, &mut step, &self.order)?;
        }
        let plan = self.program.plan().clone();
        for dispatch in &plan.dispatches {
            let slots = dispatch.kernel.slots.iter().zip(&dispatch.tensors);
            let written =
                slots.filter(|(slot, _)| slot.access == Access::Write && slot.element == Element::F32);
            for (_, tensor) in written {
                if self.program.read_f32(*tensor)?.iter().any(|value| !value.is_finite()) {
                    let name = &plan.buffers[tensor.buffer.0].name;
                    let (rows, cols) = (tensor.rows, tensor.cols);
                    return Ok(Some(format!("{name} [{rows}, {cols}], written by `{}`", dispatch.label)));
                }
            }
        }
        Ok(None)
    }

    /// Trains all epochs that are left, and evaluates after each. Ends early when `on_epoch` breaks, or when patience runs
    /// out.
    ///
    /// # Errors
    /// [`Error::Diverged`] if the loss is no number any more, [`Error::Device`].
    pub fn run(&mut self, mut on_epoch: impl FnMut(&EpochReport) -> ControlFlow<()>) -> Result<()> {
        while !self.is_done() {
            // Nothing breaks the epoch off, so there is a result.
            let Some(result) = self.epoch(&mut |_| ControlFlow::Continue(()))? else { break };
            let judgement = self.evaluate()?;
            if on_epoch(&EpochReport { result, judgement }).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Writes the present weights to `path` as a `model.safetensors`, for [`crate::Vae::load`] and every other reader of
    /// that format.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Device`].
    pub fn save_model(&self, path: &Path) -> Result<()> {
        files::save_model(
            path,
            &self.config,
            &self.layout,
            &self.program.read_f32(self.handles.batch.parameters)?,
        )
    }

    /// Evaluates on the test and the validation data, and remembers the best ELBO.
    pub fn evaluate(&mut self) -> Result<Judgement> {
        let seed = self.config.train.seed;
        let test = self.test.run(seed)?;
        let valid = self.valid.as_mut().map(|valid| valid.run(seed)).transpose()?;
        let elbo = valid.unwrap_or(test).elbo.mean;
        let is_best = elbo > self.state.best_elbo;
        if is_best {
            self.state.best_elbo = elbo;
            self.state.best_epoch = (self.state.step / self.steps_per_epoch()) as u32;
        }
        Ok(Judgement { test, valid, is_best })
    }

    /// Makes pictures with the present weights.
    pub fn pictures(&mut self) -> &mut Pictures {
        &mut self.pictures
    }

    /// The device.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    fn write_order(&mut self, epoch: u32) {
        if self.order_of != Some(epoch) {
            self.order = epoch_order(self.count as usize, self.config.train.seed, epoch);
            self.feed.write_order(&self.program, &self.handles.batch, &self.order);
            self.order_of = Some(epoch);
        }
    }

    /// The scalars of step `t`, counted from 1; the epoch's steps begin after `first`.
    fn step(&self, t: u64, first: u64) -> Step {
        let size = self.config.train.batch_size as u64;
        let first_row = (t - 1 - first) * size;
        let (correction1, correction2) = adam::corrections(t);
        let train = &self.config.train;
        let seed = train.seed;
        // Epochs before this step, and with it.
        let epochs = |steps: u64| steps as f64 / self.steps_per_epoch() as f64;
        let rate = train.lr_schedule.factor(epochs(t - 1), train.epochs) * ramp(epochs(t), train.lr_warmup);
        Step {
            seed_lo: seed as u32,
            seed_hi: (seed >> 32) as u32,
            step: t as u32,
            stream: 0,
            first_row: first_row as u32,
            valid_rows: size.min(self.count - first_row) as u32,
            history_row: (t % history::ROWS) as u32,
            learning_rate: (f64::from(train.lr) * rate) as f32,
            correction1,
            correction2,
            kl_weight: (train.beta * ramp(epochs(t), train.kl_warmup)) as f32,
            round: 0,
        }
    }
}
