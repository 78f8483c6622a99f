//! Steps of training on the device: which rows, which scalars, which draws. No evaluation, no pictures, no files.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::config::TrainSection;
use super::division::{Division, Times, part_of};
use super::schedule::ramp;
use crate::data::{Split, epoch_order};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::evaluate::Upload;
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::adam;
use crate::kernels::tuning::Tuning;
use crate::model::Network;
use crate::model::plans::{self, Batch, Recipe, TrainPorts};
use crate::plan::{Plan, Step, Tensor};
use crate::ranks::{Alone, Ranks, Shards};

/// The plan of a step on a device, with its data.
pub struct Stepper {
    /// The whole step or, where batches are divided, all before the optimiser.
    program: Program,
    shards: Shards,
    division: Option<Division>,
    ports: TrainPorts,
    /// Those that move parameters.
    gradients: Tensor,
    feed: Upload,
    train: TrainSection,
    count: u64,
    /// The epoch whose order is set, and the order.
    order_of: Option<u32>,
    order: Vec<u32>,
}

impl Stepper {
    /// [`Stepper::among`] for a process by itself.
    ///
    /// # Errors
    /// As there.
    pub fn new(
        device: (&Arc<Gpu>, &mut Shared),
        network: &Network,
        settings: (&TrainSection, &Recipe),
        tuning: &Tuning,
        data: &Split,
        history: usize,
    ) -> Result<Stepper> {
        Self::among(&Alone::ranks(), device, network, settings, tuning, data, history)
    }

    /// Uploads `data`. The variants of matmul are those that `tuning` found fastest; the device
    /// keeps the terms of the last `history` steps.
    ///
    /// # Errors
    /// As [`TrainSection::check_batch`]; [`Error::Limit`], [`Error::Device`].
    pub fn among(
        ranks: &Arc<dyn Ranks>,
        (gpu, shared): (&Arc<Gpu>, &mut Shared),
        network: &Network,
        (train, recipe): (&TrainSection, &Recipe),
        tuning: &Tuning,
        data: &Split,
        history: usize,
    ) -> Result<Stepper> {
        let (count, size) = (data.count, train.batch_size);
        train.check_batch(network, count)?;
        let shards = train.shards.map_or(0, NonZeroU32::get) as usize;
        let shards = Shards::new(shards, ranks.size(), ranks.rank())?;
        train.check_shards(network, shards.count(), shards.fewest(size))?;
        train.check_sync_norm(network, shards, ranks.size())?;
        let divided = shards.count() > 1;
        let norm_ranks = (divided && train.sync_norm).then(|| ranks.size());
        let recipe = &Recipe { norm_ranks, ..*recipe };
        let size = shards.most(size);
        let target = train.precision.target(gpu)?;
        let rows = Upload::plan(gpu, data, "train", train.binarize(&network.config), size, train.stream);
        let batch = Batch { data: rows, size, samples: train.samples };
        let plan = if divided { plans::gradients } else { plans::train };
        let mut planned = plan(network, target, &batch, recipe, history);
        tuning.apply(&mut planned.plan, &target);
        let ports = planned.ports;
        let words = network.parameters.trained_words();
        let gradients = Tensor { cols: words, stride: words, ..ports.gradients };
        let division = divided.then(|| {
            let update = Program::new(gpu, plans::update(network, target, recipe), shared)?;
            Ok(Division::new((ranks.clone(), shards), update, (&planned.plan, gradients)))
        });
        let division = division.transpose()?;
        let program = Program::new(gpu, planned.plan, shared)?;
        let feed = Upload::new(&program, ports.source, &batch.data, data, size)?;
        let (train, count) = (train.clone(), count as u64);
        let (order_of, order) = (None, Vec::new());
        Ok(Stepper { program, shards, division, ports, gradients, feed, train, count, order_of, order })
    }

    /// Writes all parameters.
    pub fn write_parameters(&self, weights: &[f32]) {
        self.program.write_f32(self.ports.parameters, weights);
    }

    /// The plan on the device.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The same, to run it otherwise.
    pub fn program_mut(&mut self) -> &mut Program {
        &mut self.program
    }

    /// Where batches are divided, the optimiser on the device.
    pub fn update_mut(&mut self) -> Option<&mut Program> {
        self.division.as_mut().map(Division::update)
    }

    /// Where batches are divided, lets gradients travel in buckets of `most` words: the same bits with any number.
    pub(super) fn cut_gradients(&mut self, most: usize) {
        if let Some(division) = &mut self.division {
            division.cut((self.program.plan(), self.gradients), most);
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        self.program.plan()
    }

    /// What the host writes and reads.
    pub fn ports(&self) -> TrainPorts {
        self.ports
    }

    /// Steps of an epoch; the last one's batch may be short.
    pub fn steps_per_epoch(&self) -> u64 {
        self.count.div_ceil(self.train.batch_size as u64)
    }

    /// Data in step `t`, counted from 1.
    pub fn rows_of(&self, t: u64) -> u64 {
        let size = self.train.batch_size as u64;
        size.min(self.count - (t - 1) % self.steps_per_epoch() * size)
    }

    /// The shards of a batch that this rank computes.
    pub fn shards(&self) -> Shards {
        self.shards
    }

    /// Asks for a stop between two steps: all ranks hear of it together, at the end of the next step.
    pub fn ask_to_stop(&mut self) {
        if let Some(division) = &mut self.division {
            division.ask_to_stop();
        }
    }

    /// Whether a rank has asked for a stop, since the last call.
    pub fn take_stop(&mut self) -> bool {
        self.division.as_mut().is_some_and(Division::take_stop)
    }

    /// Forgets wishes to stop of an epoch that is over.
    pub fn forget_stop(&mut self) {
        if let Some(division) = &mut self.division {
            division.forget_stop();
        }
    }

    /// Where the time of divided steps went; none where a step is not divided.
    pub fn times(&self) -> Option<Times> {
        self.division.as_ref().map(Division::times)
    }

    /// Steps that the next submission may have.
    pub fn steps_at_once(&self) -> u64 {
        if self.division.is_some() {
            return 1;
        }
        self.program.steps_at_once().min(self.feed.max_steps()) as u64
    }

    /// Submits the steps after `done`, as many at once as the pacer says, but no more than `most` and none of the next
    /// epoch; says how many. Does not wait for them, unless batches are divided: then it is one step, done when all ranks are.
    ///
    /// # Errors
    /// Those of reading the data; [`Error::Device`]; of a divided batch [`Error::Ranks`] and [`Error::Diverged`].
    pub fn submit(&mut self, done: u64, most: u64) -> Result<u64> {
        let left = self.steps_per_epoch() - done % self.steps_per_epoch();
        let now = self.steps_at_once().min(left).min(most);
        self.write_order(done);
        if now > 0 && self.division.is_some() {
            let whole = self.step(done + 1);
            let Stepper { program, ports, feed, order, division: Some(division), .. } = self else {
                unreachable!()
            };
            division.step((program, feed), ports, order, whole)?;
            return Ok(1);
        }
        let mut steps: Vec<Step> = (1..=now).map(|i| self.step(done + i)).collect();
        self.feed.load(&self.program, &mut steps, &self.order)?;
        self.program.submit(&steps)?;
        Ok(now)
    }

    /// Makes the data of the one step after `done` ready, and gives its scalars: of the first shard, where its batch is divided.
    ///
    /// # Errors
    /// Those of reading the data.
    pub fn ready(&mut self, done: u64) -> Result<Step> {
        self.ready_shard(done, self.shards.own().start)
    }

    /// The same of a shard.
    ///
    /// # Errors
    /// As [`Stepper::ready`].
    pub fn ready_shard(&mut self, done: u64, shard: usize) -> Result<Step> {
        self.write_order(done);
        let mut step = [part_of(&self.step(done + 1), self.shards, shard)];
        if step[0].valid_rows > 0 {
            self.feed.load(&self.program, &mut step, &self.order)?;
        }
        Ok(step[0])
    }

    /// Sets the order of the epoch that the step after `done` is in.
    fn write_order(&mut self, done: u64) {
        let epoch = (done / self.steps_per_epoch()) as u32 + 1;
        if self.order_of != Some(epoch) {
            self.order = epoch_order(self.count as usize, self.train.seed, epoch);
            self.feed.write_order(&self.program, &self.order);
            self.order_of = Some(epoch);
        }
    }

    /// The scalars of step `t`, counted from 1.
    pub fn step(&self, t: u64) -> Step {
        let an_epoch = self.steps_per_epoch();
        let (correction1, correction2) = adam::corrections(t);
        let TrainSection { seed, lr, lr_warmup, beta, kl_warmup, .. } = self.train;
        // Epochs before this step, and with it.
        let epochs = |steps: u64| steps as f64 / an_epoch as f64;
        let schedule = self.train.lr_schedule.factor(epochs(t - 1), self.train.epochs);
        let rate = schedule * ramp(epochs(t), lr_warmup);
        Step {
            seed_lo: seed as u32,
            seed_hi: (seed >> 32) as u32,
            step: t as u32,
            stream: 0,
            first_row: ((t - 1) % an_epoch * self.train.batch_size as u64) as u32,
            valid_rows: self.rows_of(t) as u32,
            history_row: (t % self.ports.history.rows as u64) as u32,
            learning_rate: (f64::from(lr) * rate) as f32,
            correction1,
            correction2,
            kl_weight: (beta * ramp(epochs(t), kl_warmup)) as f32,
            ..Step::default()
        }
    }
}
