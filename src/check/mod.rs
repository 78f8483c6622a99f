//! Compares every kernel, and every variant of it, with its CPU reference on an adapter.
//!
//! Each case runs one small plan twice from the same inputs, on the device and by `kernels::reference`. The guard words
//! after every buffer are NaN: a read past the end spoils the result, and a write past the end is detected. Words that
//! the reference does not write must keep their bits, except that padding, which is zero, may change its sign.

mod cases;
mod conv;
mod likelihoods;
mod products;
mod run;
#[cfg(test)]
mod tests;

pub use run::{kernels, matmuls, run, run_of};

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::error::Result;
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::matmul;
use crate::kernels::philox;
use crate::kernels::reference::{HostBuffer, Memory};
use crate::plan::{Buffer, BufferId, Element, Plan, Role, Step, Tensor};

/// Errors of log, sin and exp: backends promise about 2^-21 absolute, with no relative bound.
const TRANSCENDENTAL: f64 = 2e-5;

/// Words after each buffer.
const GUARD: usize = 64;
/// A NaN that no kernel writes.
const GUARD_WORD: u32 = 0x7FC0_DEAD;

/// The bits of -0.0.
const NEGATIVE_ZERO: u32 = 1 << 31;

/// The content of a tensor before a case runs.
#[derive(Clone, Debug)]
enum Fill {
    /// Standard normals times a factor.
    Normal(f64),
    /// mu and log_var of this many latent dimensions, normal with this deviation, each padded with zeros.
    Head(usize, f64),
    /// Zero or one.
    Binary,
    /// v / 255 of bytes v.
    Grey,
    /// The squares of normals: Adam's second moment.
    Square,
    /// Random words.
    Words,
    /// The bits of floats around one half.
    FloatBits,
    /// A permutation of 0..cols.
    Permutation,
    /// A value that reveals outputs that were not written.
    Unwritten,
}

/// A small plan with its inputs.
#[derive(Clone)]
struct Case {
    /// The kernel; for matmul also variant and layout.
    kernel: String,
    /// What distinguishes this case from others of the kernel.
    shape: String,
    plan: Plan,
    fills: Vec<(Tensor, Fill)>,
    step: Step,
    tolerance: f64,
}

/// The outcome of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The kernel; for matmul also variant and layout.
    pub kernel: String,
    /// Kernel, variant and shape.
    pub label: String,
    /// Normalised root mean square error of the worst output, over the words that the reference writes; 1 if bits
    /// differ.
    pub error: f64,
    /// The largest error allowed.
    pub tolerance: f64,
    /// Whether it passed: error within tolerance, all values finite, guard words and unwritten words untouched.
    pub passed: bool,
    /// The problem, if there is one.
    pub problem: Option<String>,
}

impl Case {
    fn new(kernel: impl Into<String>, shape: impl Into<String>) -> Self {
        let step = Step {
            seed_lo: 0x1234_5678,
            seed_hi: 0x9ABC_DEF0,
            step: 3,
            learning_rate: 1e-3,
            correction1: 1.3,
            correction2: 1.1,
            kl_weight: 0.75,
            ..Step::default()
        };
        let (kernel, shape) = (kernel.into(), shape.into());
        Case { kernel, shape, plan: Plan::new("check"), fills: Vec::new(), step, tolerance: 2e-6 }
    }

    fn tensor(&mut self, name: &str, rows: usize, cols: usize, fill: Fill) -> Tensor {
        let integers = matches!(fill, Fill::Words | Fill::FloatBits | Fill::Permutation);
        let element = if integers { Element::U32 } else { Element::F32 };
        let tensor = self.plan.matrix(name, rows, cols, element, Role::Private);
        self.fills.push((tensor, fill));
        tensor
    }

    /// Rows of whole words without further padding, as in the data set and in results of four columns.
    fn packed(&mut self, name: &str, rows: usize, cols: usize, fill: Fill) -> Tensor {
        let integers = matches!(fill, Fill::Words | Fill::FloatBits);
        let element = if integers { Element::U32 } else { Element::F32 };
        let buffer = self.plan.buffer(name, rows * cols, element, Role::Private);
        let tensor = Tensor { buffer, offset: 0, rows, cols, stride: cols };
        self.fills.push((tensor, fill));
        tensor
    }

    /// c [m, n] followed by d_bias [1, m], as a layer's gradients are laid out in one buffer.
    fn gradients(&mut self, m: usize, n: usize) -> (Tensor, Tensor) {
        let (c, d_bias) = matmul::gradients(&mut self.plan, m, n);
        self.fills.extend([(c, Fill::Unwritten), (d_bias, Fill::Unwritten)]);
        (c, d_bias)
    }

    fn output(&mut self, name: &str, rows: usize, cols: usize) -> Tensor {
        self.tensor(name, rows, cols, Fill::Unwritten)
    }

    /// Runs the case on `gpu` and compares the results.
    fn run(&self, gpu: &Arc<Gpu>) -> Result<Outcome> {
        let mut plan = self.plan.clone();
        for buffer in &mut plan.buffers {
            buffer.guard = GUARD;
        }
        let mut memory = self.inputs();
        let inputs: Vec<Vec<u32>> = memory.buffers.iter().map(words_of).collect();
        let mut program = Program::new(gpu, plan, &mut Shared::default())?;
        for (index, words) in inputs.iter().enumerate() {
            program.write_words(index, &[words, &[GUARD_WORD; GUARD][..]].concat());
        }
        memory.run(&self.plan, &self.step);
        program.submit(&[self.step])?;
        let read = |(index, buffer): (usize, &Buffer)| program.read_words(index, 0, buffer.words + GUARD);
        let results = self.plan.buffers.iter().enumerate().map(read).collect::<Result<Vec<_>>>()?;
        let (mut worst, mut problem) = (0.0f64, None);
        for (index, (buffer, got)) in self.plan.buffers.iter().zip(&results).enumerate() {
            let name = &buffer.name;
            let (got, guard) = got.split_at(buffer.words);
            if guard.iter().any(|w| *w != GUARD_WORD) {
                problem.get_or_insert(format!("{name}: wrote past its end"));
            }
            let before = &inputs[index];
            let expected =
                Expected { before, after: &memory.buffers[index], written: &memory.written[index] };
            for output in self.outputs(index) {
                let (error, what) = expected.compare(output, got, self.tolerance);
                worst = worst.max(error);
                if let Some(what) = what {
                    problem.get_or_insert(format!("{name}: {what}"));
                } else if error > self.tolerance {
                    problem.get_or_insert(format!("{name}: error {error:.1e}"));
                }
            }
        }
        let passed = problem.is_none();
        Ok(Outcome {
            kernel: self.kernel.clone(),
            label: format!("{} {}", self.kernel, self.shape),
            error: worst,
            tolerance: self.tolerance,
            passed,
            problem,
        })
    }

    /// The words of each tensor in a buffer, so that the error of each tensor is measured against its own norm.
    fn outputs(&self, buffer: usize) -> Vec<Range<usize>> {
        let bound = self.plan.dispatches.iter().flat_map(|dispatch| &dispatch.tensors);
        // A binding may cover several tensors: a bias's gradient lies after its weight's.
        let tensors = bound.chain(self.fills.iter().map(|(tensor, _)| tensor));
        let offsets = tensors.filter(|tensor| tensor.buffer == BufferId(buffer)).map(|tensor| tensor.offset);
        let bounds = BTreeSet::from_iter(offsets.chain([0, self.plan.buffers[buffer].words]));
        bounds.iter().zip(bounds.iter().skip(1)).map(|(start, end)| *start..*end).collect()
    }

    /// The filled buffers, rounded to the device's precision.
    fn inputs(&self) -> Memory {
        let mut memory = Memory::new(&self.plan);
        for (number, (tensor, fill)) in self.fills.iter().enumerate() {
            for row in 0..tensor.rows {
                for col in 0..tensor.cols {
                    let words = philox::philox([row as u32, (col / 4) as u32, number as u32, 0], [7, 11]);
                    let normal = philox::normals(words)[col % 4];
                    let at = row * tensor.stride + col;
                    let value = match fill {
                        Fill::Normal(scale) => scale * normal,
                        Fill::Head(latent, _) if col % (tensor.cols / 2) >= *latent => 0.0,
                        Fill::Head(_, scale) => scale * normal,
                        Fill::Square => normal * normal,
                        Fill::Binary => f64::from(u8::from(normal > 0.0)),
                        Fill::Grey => f64::from(words[col % 4] & 0xFF) / 255.0,
                        Fill::Unwritten => -77.0,
                        Fill::Words => {
                            memory.integers(*tensor)[at] = words[col % 4];
                            continue;
                        }
                        Fill::FloatBits => {
                            memory.integers(*tensor)[at] = (0.5 + 0.5 * normal as f32).to_bits();
                            continue;
                        }
                        Fill::Permutation => {
                            memory.integers(*tensor)[at] = ((col * 7 + 3) % tensor.cols) as u32;
                            continue;
                        }
                    };
                    memory.floats(*tensor)[at] = f64::from(value as f32);
                }
            }
        }
        memory
    }
}

fn words_of(buffer: &HostBuffer) -> Vec<u32> {
    match buffer {
        HostBuffer::F32(values) => values.iter().map(|v| (*v as f32).to_bits()).collect(),
        HostBuffer::U32(values) => values.clone(),
    }
}

/// The expected content of a buffer after a case.
struct Expected<'a> {
    /// Its words before the case.
    before: &'a [u32],
    /// Its content after the reference.
    after: &'a HostBuffer,
    /// The words that the reference wrote.
    written: &'a [bool],
}

impl Expected<'_> {
    /// The normalised root mean square error of the written words of `output`, and any other problem.
    fn compare(&self, output: Range<usize>, got: &[u32], tolerance: f64) -> (f64, Option<String>) {
        // The largest value that rounding may make of an exact zero, where relu lets a tiny sum through.
        let zero = (10.0 * tolerance).max(1e-4);
        let (mut difference, mut norm) = (0.0, 0.0);
        for at in output {
            let (before, word) = (self.before[at], got[at]);
            if !self.written[at] {
                // Padding is zero and stays zero. A kernel that stores four values at once may flip its sign.
                let is_zero =
                    matches!(self.after, HostBuffer::F32(_)) && before == 0 && word == NEGATIVE_ZERO;
                if word != before && !is_zero {
                    return (
                        1.0,
                        Some(format!("word {at} was {before:#x}, which nothing writes: {word:#x}")),
                    );
                }
                continue;
            }
            let want = match self.after {
                HostBuffer::F32(values) => values[at],
                HostBuffer::U32(values) if values[at] == word => continue,
                HostBuffer::U32(values) => {
                    return (1.0, Some(format!("word {at} is {word:#x}, expected {:#x}", values[at])));
                }
            };
            let value = f64::from(f32::from_bits(word));
            if !value.is_finite() {
                return (f64::INFINITY, Some(format!("element {at} is {value}, expected {want}")));
            }
            if want == 0.0 && value.abs() > zero {
                return (1.0, Some(format!("element {at} is {value}, expected zero")));
            }
            difference += (value - want) * (value - want);
            norm += want * want;
        }
        ((difference / norm.max(f64::MIN_POSITIVE)).sqrt(), None)
    }
}
