//! A model with its training plan, data and weights, on the device or by the reference executor.

use std::sync::Arc;

use vae_gpu::gpu::{Gpu, Program, Shared};
use vae_gpu::kernels::adam;
use vae_gpu::kernels::gather::Binarize;
use vae_gpu::kernels::reference::Memory;
use vae_gpu::model::plans::{self, Batch, DeviceData, Planned, Recipe, TrainPorts};
use vae_gpu::model::{ModelConfig, Network, Parameter, Parameters};
use vae_gpu::plan::{PAD, Plan, Step, Target, Tensor, round_up};

/// Everything that a training step needs.
pub struct Problem {
    /// The layout of the parameters.
    pub parameters: Parameters,
    /// A step's plan and its tensors.
    pub train: Planned<TrainPorts>,
    /// Rows of the data, packed into words.
    pub words: Vec<u32>,
    /// The order in which rows are visited, as long as the data.
    pub order: Vec<u32>,
    /// The class of each row, in a conditional model.
    pub labels: Vec<u32>,
    /// The arena of initial weights.
    pub weights: Vec<f32>,
}

/// B and K of a batch, and how bytes become x.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// B: rows of a batch.
    pub batch: usize,
    /// K: samples per row.
    pub samples: usize,
    /// How bytes become x.
    pub binarize: Binarize,
    /// The training settings that the plan depends on.
    pub recipe: Recipe,
}

impl Shape {
    /// Batches of `batch` rows with one sample each.
    pub fn new(batch: usize, binarize: Binarize) -> Shape {
        Shape { batch, samples: 1, binarize, recipe: Recipe::default() }
    }
}

impl Problem {
    /// A step of `config` on `target` over `bytes` [N, D]. The order starts with `order`.
    pub fn new(
        config: &ModelConfig,
        target: Target,
        shape: Shape,
        history: usize,
        (bytes, order): (&[u8], &[u32]),
        weights: Vec<f32>,
    ) -> Problem {
        config.validate().unwrap();
        let count = bytes.len() / config.input;
        let data = DeviceData::resident("train", count, shape.binarize);
        let batch = Batch { data, size: shape.batch, samples: shape.samples };
        let network = Network::new(config).unwrap();
        let mut order = order.to_vec();
        order.resize(count, 0);
        Problem {
            train: plans::train(&network, target, &batch, &shape.recipe, history),
            parameters: network.parameters,
            words: pack(bytes, config.input),
            order,
            labels: (0..count as u32).map(|i| (7 * i + 1) % config.classes.max(1) as u32).collect(),
            weights,
        }
    }

    /// The problem on a device.
    pub fn device(&self, gpu: &Arc<Gpu>) -> Program {
        let Planned { plan, ports } = &self.train;
        let program = Program::new(gpu, plan.clone(), &mut Shared::default()).unwrap();
        program.write_f32(ports.parameters, &self.weights);
        program.write_u32(ports.source.data, &self.words);
        program.write_u32(ports.source.order, &self.order);
        if let Some(labels) = ports.source.labels {
            program.write_u32(labels, &self.labels);
        }
        program
    }

    /// The problem on the host, in f64.
    pub fn host(&self) -> Host<'_> {
        let Planned { plan, ports } = &self.train;
        let mut memory = Memory::new(plan);
        for (to, from) in memory.floats(ports.parameters).iter_mut().zip(&self.weights) {
            *to = f64::from(*from);
        }
        memory.integers(ports.source.data)[..self.words.len()].copy_from_slice(&self.words);
        memory.integers(ports.source.order)[..self.order.len()].copy_from_slice(&self.order);
        if let Some(labels) = ports.source.labels {
            memory.integers(labels)[..self.labels.len()].copy_from_slice(&self.labels);
        }
        Host { memory, plan }
    }

    /// A tensor [rows, cols] of the plan, by its buffer's name.
    pub fn tensor(&self, name: &str, rows: usize, cols: usize) -> Tensor {
        let buffer = self.train.plan.find(name).unwrap_or_else(|| panic!("the plan has no tensor {name}"));
        Tensor { buffer, offset: 0, rows, cols, stride: round_up(cols, PAD) }
    }

    /// Which words of an arena belong to no parameter.
    pub fn padding(&self) -> Vec<bool> {
        let mut padding = vec![true; self.parameters.words()];
        let values = self.parameters.iter().flat_map(Parameter::positions);
        values.for_each(|at| padding[at] = false);
        padding
    }
}

/// An engine that runs steps of a plan, and whose tensors can be read.
pub trait Engine {
    /// Runs the plan once.
    fn run(&mut self, step: &Step);
    /// A tensor's values, row by row, without padding.
    fn read(&mut self, tensor: Tensor) -> Vec<f64>;
}

impl Engine for Program {
    fn run(&mut self, step: &Step) {
        self.submit(&[*step]).unwrap();
    }

    fn read(&mut self, tensor: Tensor) -> Vec<f64> {
        self.read_f32(tensor).unwrap().into_iter().map(f64::from).collect()
    }
}

/// The reference executor with a plan.
#[derive(Clone)]
pub struct Host<'a> {
    /// The plan's buffers.
    pub memory: Memory,
    /// The plan.
    pub plan: &'a Plan,
}

impl Engine for Host<'_> {
    fn run(&mut self, step: &Step) {
        self.memory.run(self.plan, step);
    }

    fn read(&mut self, tensor: Tensor) -> Vec<f64> {
        let rows = self.memory.floats(tensor).chunks(tensor.stride).take(tensor.rows);
        rows.flat_map(|row| row[..tensor.cols].to_vec()).collect()
    }
}

/// The scalars of step `t`, counted from 1, for a batch of `rows` rows from row 0.
pub fn step(seed: u64, t: u32, rows: usize, learning_rate: f32) -> Step {
    let (correction1, correction2) = adam::corrections(u64::from(t));
    Step {
        seed_lo: seed as u32,
        seed_hi: (seed >> 32) as u32,
        step: t,
        valid_rows: rows as u32,
        history_row: t - 1,
        learning_rate,
        correction1,
        correction2,
        kl_weight: 1.0,
        ..Step::default()
    }
}

/// A parameter's values from an arena.
pub fn values(parameter: &Parameter, arena: &[f64]) -> Vec<f64> {
    parameter.positions().map(|at| arena[at]).collect()
}

/// Rows of `dim` bytes, packed four per word and padded with zeros.
fn pack(bytes: &[u8], dim: usize) -> Vec<u32> {
    let word = |b: &[u8]| b.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    bytes.chunks_exact(dim).flat_map(|row| row.chunks(4).map(word)).collect()
}

/// ||got - want|| / ||want||, the root of the normalised mean square error. NaN, which passes no bound, if `got`
/// contains one.
pub fn relative_error(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len(), "number of values");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut got.iter().zip(want).map(|(a, b)| a - b));
    difference / norm(&mut want.iter().copied()).max(f64::MIN_POSITIVE)
}

/// Collects comparisons, so that a failure names every wrong tensor.
#[derive(Default)]
pub struct Report {
    failures: Vec<String>,
    worst: Vec<(String, f64)>,
}

impl Report {
    /// Compares the tensor `name` of `case` by relative error. `kind` groups the worst errors for printing.
    pub fn compare(&mut self, case: &str, kind: &str, name: &str, (got, want): (&[f64], &[f64]), bound: f64) {
        let error = relative_error(got, want);
        match self.worst.iter_mut().find(|(k, _)| k == kind) {
            Some((_, worst)) => *worst = worst.max(error),
            None => self.worst.push((kind.to_owned(), error)),
        }
        self.require(error <= bound, || {
            format!("{case}: {kind} {name}: error {error:.1e}, at most {bound:.0e}")
        });
    }

    /// Records a failure unless `holds`.
    pub fn require(&mut self, holds: bool, failure: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(failure());
        }
    }

    /// Panics if there were failures, else prints the worst errors.
    pub fn finish(self) {
        for (kind, worst) in &self.worst {
            println!("{kind}: worst relative error {worst:.1e}");
        }
        assert!(self.failures.is_empty(), "{} failures:\n{}", self.failures.len(), self.failures.join("\n"));
    }
}
