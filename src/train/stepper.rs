//! Steps of training on the device: which rows, which scalars, which draws. No evaluation, no pictures, no files.

use std::sync::Arc;

use super::config::TrainSection;
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
use crate::plan::{Plan, Step};

/// The plan of a step on a device, with its data.
pub struct Stepper {
    program: Program,
    ports: TrainPorts,
    feed: Upload,
    train: TrainSection,
    count: u64,
    /// The epoch whose order is set, and the order.
    order_of: Option<u32>,
    order: Vec<u32>,
}

impl Stepper {
    /// Uploads `data`. The variants of matmul are those that `tuning` found fastest; the device
    /// keeps the terms of the last `history` steps.
    ///
    /// # Errors
    /// As [`TrainSection::check_batch`]; [`Error::Limit`], [`Error::Device`].
    pub fn new(
        (gpu, shared): (&Arc<Gpu>, &mut Shared),
        network: &Network,
        (train, recipe): (&TrainSection, &Recipe),
        tuning: &Tuning,
        data: &Split,
        history: usize,
    ) -> Result<Stepper> {
        let (count, size) = (data.count, train.batch_size);
        train.check_batch(network, count)?;
        let target = train.precision.target(gpu)?;
        let rows = Upload::plan(gpu, data, "train", train.binarize(&network.config), size, train.stream);
        let batch = Batch { data: rows, size, samples: train.samples };
        let mut planned = plans::train(network, target, &batch, recipe, history);
        tuning.apply(&mut planned.plan, &target);
        let ports = planned.ports;
        let program = Program::new(gpu, planned.plan, shared)?;
        let feed = Upload::new(&program, ports.source, &batch.data, data, size)?;
        let (train, count) = (train.clone(), count as u64);
        Ok(Stepper { program, ports, feed, train, count, order_of: None, order: Vec::new() })
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

    /// Steps that the next submission may have.
    pub fn steps_at_once(&self) -> u64 {
        self.program.steps_at_once().min(self.feed.max_steps()) as u64
    }

    /// Submits the steps after `done`, as many at once as the pacer says, but no more than `most` and none of the next
    /// epoch; says how many. Does not wait for them.
    ///
    /// # Errors
    /// Those of reading the data; [`Error::Device`].
    pub fn submit(&mut self, done: u64, most: u64) -> Result<u64> {
        let left = self.steps_per_epoch() - done % self.steps_per_epoch();
        let now = self.steps_at_once().min(left).min(most);
        self.write_order(done);
        let mut steps: Vec<Step> = (1..=now).map(|i| self.step(done + i)).collect();
        self.feed.load(&self.program, &mut steps, &self.order)?;
        self.program.submit(&steps)?;
        Ok(now)
    }

    /// Makes the data of the one step after `done` ready, and gives its scalars.
    ///
    /// # Errors
    /// Those of reading the data.
    pub fn ready(&mut self, done: u64) -> Result<Step> {
        self.write_order(done);
        let mut step = [self.step(done + 1)];
        self.feed.load(&self.program, &mut step, &self.order)?;
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
            round: 0,
        }
    }
}
