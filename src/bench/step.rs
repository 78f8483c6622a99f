//! Whole training steps: the plan, submissions and pacing of `train::Trainer`, without evaluation or pictures.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::ceilings::Ceilings;
use super::profile::{KernelTime, Profile};
use super::timing::{Effort, dispatches, median};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::activation::Activation;
use crate::kernels::philox;
use crate::kernels::tuning::Tuning;
use crate::model::init::initial_weights;
use crate::model::{ModelConfig, Network};
use crate::plan::Step;
use crate::train::Stepper;
use crate::train::config::{Precision, TrainSection};

/// Parts of a measurement, whose median is reported.
const CHUNKS: usize = 5;
/// Steps averaged for the first and for the last loss.
const LOSSES: u64 = 10;
/// Steps per submission on the no-op device: as many as one holds.
const HOST_STEPS: u64 = 64;
/// Seconds to time each model's steps for, in a full and a quick run.
const SECONDS: (f64, f64) = (2.0, 0.2);

/// A model in training, with a clock.
pub struct TimedSteps {
    gpu: Arc<Gpu>,
    stepper: Stepper,
    /// Steps submitted.
    done: u64,
}

impl TimedSteps {
    /// Uploads `data` and initialises the weights. Matmul variants are those that `tuning` found fastest; the device
    /// keeps the losses of the last `history` steps.
    pub fn new(
        gpu: &Arc<Gpu>,
        model: &ModelConfig,
        train: &TrainSection,
        tuning: &Tuning,
        data: &Split,
        history: usize,
    ) -> Result<TimedSteps> {
        let network = Network::new(model)?;
        let device = (gpu, &mut Shared::default());
        let stepper = Stepper::new(device, &network, (train, &train.recipe()), tuning, data, history)?;
        stepper.write_parameters(&initial_weights(&network.parameters, train.init, train.seed));
        Ok(TimedSteps { gpu: gpu.clone(), stepper, done: 0 })
    }

    /// A model that learns noise: the time of a step does not depend on the data.
    pub fn on_noise(
        gpu: &Arc<Gpu>,
        model: &ModelConfig,
        train: &TrainSection,
        tuning: &Tuning,
    ) -> Result<TimedSteps> {
        let rows = (16 * train.batch_size).max(1024);
        Self::new(gpu, model, train, tuning, &noise(rows, model.input), HOST_STEPS as usize)
    }

    /// Submits `steps` more steps, in batches set by the pacer, without waiting for the last of them.
    pub fn run(&mut self, steps: u64) -> Result<()> {
        let end = self.done + steps;
        while self.done < end {
            self.done += self.stepper.submit(self.done, end - self.done)?;
        }
        Ok(())
    }

    /// Seconds that `steps` more steps take, from an idle device to an idle device.
    pub fn seconds(&mut self, steps: u64) -> Result<f64> {
        self.gpu.wait()?;
        let begin = Instant::now();
        self.run(steps)?;
        self.gpu.wait()?;
        Ok(begin.elapsed().as_secs_f64())
    }

    /// -ELBO in nats per datum of each step from `first`, counted from 1, to the last. The history must still hold
    /// them.
    fn losses(&self, first: u64) -> Result<Vec<f64>> {
        let ring = self.stepper.ports().history;
        assert!(self.done - first < ring.rows as u64, "the history holds {} steps", ring.rows);
        let terms = self.stepper.program().read_f32(ring)?;
        let loss = |t: u64| {
            let row = &terms[(t as usize % ring.rows) * ring.cols..];
            let (recon, kl) = (f64::from(row[0]), f64::from(row[1]));
            let loss = (kl - recon) / self.stepper.rows_of(t) as f64;
            if loss.is_finite() {
                return Ok(loss);
            }
            let what = if recon.is_finite() { "the KL term" } else { "the reconstruction" };
            Err(Error::Diverged {
                step: t,
                what: what.into(),
                next: "run `vae-gpu check` on this adapter".into(),
            })
        };
        (first..=self.done).map(loss).collect()
    }

    /// Times each dispatch of the plan alone, and of the optimiser's where batches are divided. Weights keep their values; activations do not.
    pub fn profile(&mut self, ceilings: &Ceilings, effort: Effort) -> Result<Profile> {
        let step = Step { learning_rate: 0.0, ..self.stepper.ready(0)? };
        let mut kernels = Vec::new();
        let mut time = |program: &mut Program| -> Result<()> {
            let seconds = dispatches(program, &step, effort)?;
            let timed = program.plan().dispatches.iter().zip(seconds);
            kernels.extend(timed.map(|(dispatch, seconds)| KernelTime::new(dispatch, seconds, ceilings)));
            Ok(())
        };
        time(self.stepper.program_mut())?;
        // Where batches are divided, the optimiser has a plan of its own.
        self.stepper.update_mut().map(time).transpose()?;
        Ok(Profile { kernels })
    }
}

/// `rows` data of `dim` random bytes, always the same.
pub fn noise(rows: usize, dim: usize) -> Split {
    let words = (0..(rows * dim).div_ceil(16)).flat_map(|i| philox::philox([i as u32, 0, 0, 0], [0, 0]));
    let mut values: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    values.truncate(rows * dim);
    Split::new(values, dim, None)
}

/// The time of a model's steps.
#[derive(Clone, Debug, Serialize)]
pub struct StepTime {
    /// Widths of the encoder's hidden layers.
    pub hidden: Vec<usize>,
    /// Dimensions of the latent space.
    pub latent: usize,
    /// Activation of the hidden layers.
    pub activation: Activation,
    /// Data in a batch.
    pub batch: usize,
    /// Milliseconds per step, by the wall clock over many steps.
    pub ms_per_step: f64,
    /// Data per second.
    pub images_per_second: f64,
    /// The share of a step spent on matrix products, by the times of single dispatches.
    pub matmul_share: f64,
    /// The host's work per step, in microseconds: see [`host_us_per_step`].
    pub host_us_per_step: f64,
}

impl StepTime {
    /// Times the steps of a model that learns noise.
    pub(super) fn measure(
        gpu: &Arc<Gpu>,
        model: &ModelConfig,
        train: &TrainSection,
        tuning: &Tuning,
        ceilings: &Ceilings,
        effort: Effort,
    ) -> Result<StepTime> {
        let batch = train.batch_size;
        let mut stepper = TimedSteps::on_noise(gpu, model, train, tuning)?;
        // The first step pays for lazy drivers; the next ones show how long to measure, and set the pace.
        stepper.seconds(1)?;
        let look = stepper.seconds(2)? / 2.0;
        let seconds = if effort == Effort::Full { SECONDS.0 } else { SECONDS.1 };
        let steps = ((seconds / CHUNKS as f64 / look.max(1e-7)) as u64).max(1);
        stepper.seconds(steps)?;
        let mut chunks = Vec::new();
        for _ in 0..CHUNKS {
            chunks.push(stepper.seconds(steps)? / steps as f64);
        }
        let each = median(&mut chunks);
        Ok(StepTime {
            hidden: model.hidden.clone(),
            latent: model.latent,
            activation: model.activation,
            batch,
            ms_per_step: each * 1e3,
            images_per_second: batch as f64 / each,
            matmul_share: stepper.profile(ceilings, effort)?.matmul_share(),
            host_us_per_step: host_us_per_step(model, train)?,
        })
    }
}

/// Microseconds of host work per step, to encode and submit it: the median over submissions to a device that does
/// nothing.
pub fn host_us_per_step(model: &ModelConfig, train: &TrainSection) -> Result<f64> {
    // The no-op device lacks 16-bit floats, which make no difference to the host.
    let train = TrainSection { precision: Precision::F32, ..train.clone() };
    let mut host = TimedSteps::on_noise(&Gpu::noop(), model, &train, &Tuning::default())?;
    let step = host.stepper.ready(0)?;
    let mut times = Vec::new();
    // The first submissions create wgpu's internal buffers.
    for number in 0..16 {
        let begin = Instant::now();
        host.stepper.program_mut().submit(&[step; HOST_STEPS as usize])?;
        if number >= 5 {
            times.push(begin.elapsed().as_secs_f64() / HOST_STEPS as f64 * 1e6);
        }
    }
    Ok(median(&mut times))
}

/// The JSON of `vae-gpu bench --step`.
#[derive(Clone, Debug, Serialize)]
pub struct StepRun {
    /// This program's name among others that report the same.
    pub peer: &'static str,
    /// The crate's version.
    pub version: &'static str,
    /// Adapter and backend.
    pub device: String,
    /// Milliseconds per step: the median over equal parts of the run, each measured from an idle to an idle device.
    pub ms_per_step: f64,
    /// Data per second.
    pub images_per_second: f64,
    /// Mean -ELBO of the first ten steps, in nats per datum.
    pub loss_first: f64,
    /// Mean -ELBO of the last ten steps.
    pub loss_last: f64,
}

/// Trains a model for `warmup` steps, then times `steps` more, rounded down to a multiple of five if at least five.
pub fn train_steps(
    gpu: &Arc<Gpu>,
    model: &ModelConfig,
    train: &TrainSection,
    tuning: &Tuning,
    data: &Split,
    (warmup, steps): (u64, u64),
    progress: &dyn Fn(u64),
) -> Result<StepRun> {
    assert!(steps > 0, "no steps to time");
    let chunks = steps.min(CHUNKS as u64);
    let each = steps / chunks;
    let history = warmup.max(each).max(LOSSES);
    let mut stepper = TimedSteps::new(gpu, model, train, tuning, data, history as usize)?;
    let mut losses = Vec::new();
    let mut times = Vec::new();
    for (length, timed) in [(warmup, false)].into_iter().chain((0..chunks).map(|_| (each, true))) {
        let before = stepper.done;
        let seconds = stepper.seconds(length)?;
        if timed {
            times.push(seconds / length as f64);
        }
        if length > 0 {
            losses.extend(stepper.losses(before + 1)?);
        }
        progress(stepper.done);
    }
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let some = losses.len().min(LOSSES as usize);
    let seconds = median(&mut times);
    Ok(StepRun {
        peer: "vae-gpu",
        version: env!("CARGO_PKG_VERSION"),
        device: format!("{} ({})", gpu.report().name, gpu.report().backend),
        ms_per_step: seconds * 1e3,
        images_per_second: train.batch_size as f64 / seconds,
        loss_first: mean(&losses[..some]),
        loss_last: mean(&losses[losses.len() - some..]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::default_model;

    #[test]
    fn noise_is_whole_rows_and_the_same_always() {
        let split = noise(3, 5);
        assert_eq!((split.count, split.dim()), (3, 5));
        let values = split.x(0..3).unwrap();
        assert_eq!(values, noise(3, 5).x(0..3).unwrap());
        assert!(values.iter().any(|v| *v != values[0]));
    }

    #[test]
    fn the_last_batch_of_an_epoch_is_short() {
        let (model, train) = (default_model(), TrainSection { batch_size: 4, ..TrainSection::default() });
        let gpu = Gpu::noop();
        let timed =
            TimedSteps::new(&gpu, &model, &train, &Tuning::default(), &noise(10, model.input), 64).unwrap();
        let rows = |t| {
            let step = timed.stepper.step(t);
            (step.first_row, step.valid_rows)
        };
        assert_eq!([1, 2, 3, 4].map(rows), [(0, 4), (4, 4), (8, 2), (0, 4)]);
        assert_eq!(timed.stepper.rows_of(6), 2);
    }

    #[test]
    fn a_batch_larger_than_the_data_is_misuse() {
        let train = TrainSection { batch_size: 11, ..TrainSection::default() };
        let made =
            TimedSteps::new(&Gpu::noop(), &default_model(), &train, &Tuning::default(), &noise(10, 784), 64);
        assert_eq!(made.err().map(|error| error.exit_code()), Some(2));
    }

    #[test]
    fn the_host_needs_some_time() {
        let us = host_us_per_step(&default_model(), &TrainSection::default()).unwrap();
        assert!(us > 0.0 && us < 1e5, "{us} us");
    }
}
