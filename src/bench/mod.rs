//! The limits of this adapter, and the program's speed on it: ceilings, kernels, matmul variants, whole steps.
//!
//! Nothing is timed before it has matched its CPU reference in the same run. Times are medians of several measurements;
//! a share is a kernel's rate over the rate that the adapter reached in `shaders/micro.wgsl`.

mod ceilings;
mod matmul;
mod profile;
mod step;
mod subjects;
mod timing;

pub use ceilings::Ceilings;
pub use matmul::{MatmulTime, Product};
pub use profile::{KernelTime, Profile};
pub use step::{StepRun, StepTime, TimedSteps, host_us_per_step, noise, train_steps};
pub use subjects::{Subject, products, subjects};
pub use timing::{Effort, Timed};

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use crate::check::{self, Outcome};
use crate::error::Result;
use crate::gpu::{AdapterReport, Clock, Gpu};
use crate::kernels::activation::Activation;
use crate::kernels::tuning::Tuning;
use crate::model::plans::{self, Batch, DeviceData, Recipe};
use crate::model::{ModelConfig, Network};
use crate::train::config::{Precision, TrainSection};

/// Values per datum in the measured models: an image of MNIST.
const INPUT: usize = 784;

/// Everything that `vae-gpu bench` measures.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// The crate's version.
    pub version: &'static str,
    /// The adapter.
    pub adapter: AdapterReport,
    /// The clock that timed single dispatches.
    pub clock: Clock,
    /// What the operands of products were rounded to, in steps too.
    pub precision: Precision,
    /// The adapter's limits.
    pub ceilings: Ceilings,
    /// Every dispatch of the default model's training step, in order.
    pub kernels: Vec<KernelTime>,
    /// Every variant of matmul that fits the adapter, in the shapes of the default model.
    pub matmul: Vec<MatmulTime>,
    /// Training steps of a few models.
    pub steps: Vec<StepTime>,
    /// Checks that ran before anything was timed.
    pub checked: usize,
    /// Checks that failed. If a kernel of the training step is among them, nothing of the step was timed.
    pub wrong: Vec<Outcome>,
}

/// Called with the number of parts done and of all parts.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Counts the parts of the work.
struct Meter<'a> {
    done: AtomicUsize,
    total: usize,
    progress: Progress<'a>,
}

impl Meter<'_> {
    fn tick(&self) {
        (self.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1, self.total);
    }
}

/// Measures the adapter, and kernels and models on it, with products of this precision. Steps use the matmul variants
/// that `tuning` found fastest.
pub fn measure(
    gpu: &Arc<Gpu>,
    precision: Precision,
    tuning: &Tuning,
    effort: Effort,
    progress: Progress,
) -> Result<BenchReport> {
    let target = precision.target(gpu)?;
    let train = TrainSection { precision, ..TrainSection::default() };
    let (default, models) = (default_model(), models(effort));
    let pairs = matmul::pairs(&target);
    let cells = matmul::cells(&target, effort);
    // The other three are the ceilings, the check of the step's kernels and the step's profile.
    let total = 3 + pairs.len() + cells.len() + models.len();
    let meter = Meter { done: AtomicUsize::new(0), total, progress };

    let ceilings = Ceilings::measure(gpu)?;
    meter.tick();

    let names = step_kernels(&default, gpu);
    let outcomes = check::run_of(gpu, |kernel| names.contains(kernel), &|_| ())?;
    let checked = outcomes.len() + pairs.len();
    let mut wrong = failures(outcomes);
    let step_is_right = wrong.is_empty();
    meter.tick();

    let outcomes = check::matmuls(gpu, &pairs, &|_| meter.tick())?;
    let checks = pairs.iter().zip(&outcomes);
    let failed: Vec<_> = checks.filter(|(_, outcome)| !outcome.passed).map(|(pair, _)| *pair).collect();
    let matmul = matmul::measure(gpu, &target, &failed, &cells, &ceilings, effort, &|| meter.tick())?;
    wrong.extend(failures(outcomes));

    let (mut kernels, mut steps) = (Vec::new(), Vec::new());
    if step_is_right {
        kernels = profile(gpu, &default, &train, tuning, &ceilings, effort)?.kernels;
        meter.tick();
        for (model, batch_size) in &models {
            let train = TrainSection { batch_size: *batch_size, ..train.clone() };
            steps.push(StepTime::measure(gpu, model, &train, tuning, &ceilings, effort)?);
            meter.tick();
        }
    }
    let (version, adapter) = (env!("CARGO_PKG_VERSION"), gpu.report().clone());
    let clock = gpu.clock();
    Ok(BenchReport { version, adapter, clock, precision, ceilings, kernels, matmul, steps, checked, wrong })
}

fn failures(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    outcomes.into_iter().filter(|outcome| !outcome.passed).collect()
}

/// The model that `vae-gpu train` makes without flags.
pub fn default_model() -> ModelConfig {
    ModelConfig { input: INPUT, ..ModelConfig::default() }
}

/// The models whose steps are timed, with their batches.
fn models(effort: Effort) -> Vec<(ModelConfig, usize)> {
    let small = default_model();
    if effort == Effort::Quick {
        return vec![(small, 128)];
    }
    let deep =
        ModelConfig { hidden: vec![200, 200], latent: 50, activation: Activation::Tanh, ..default_model() };
    vec![(small.clone(), 128), (small, 1024), (deep.clone(), 20), (deep, 1024)]
}

/// The labels of the kernels in a model's training step, without matmul, which has its own check.
fn step_kernels(model: &ModelConfig, gpu: &Gpu) -> BTreeSet<String> {
    let data = DeviceData::resident("train", 1, TrainSection::default().binarize(model));
    let batch = Batch { data, size: 1, samples: 1 };
    let network = Network::new(model).expect("a model of ours");
    let plan = plans::train(&network, gpu.target(), &batch, &Recipe::default(), 1).plan;
    plan.dispatches.iter().map(|dispatch| dispatch.kernel.label()).collect()
}

/// Times every dispatch of a training step of `model`, on buffers of its own.
pub fn profile(
    gpu: &Arc<Gpu>,
    model: &ModelConfig,
    train: &TrainSection,
    tuning: &Tuning,
    ceilings: &Ceilings,
    effort: Effort,
) -> Result<Profile> {
    TimedSteps::on_noise(gpu, model, train, tuning)?.profile(ceilings, effort)
}
