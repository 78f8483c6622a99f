//! What a model is worth: the ELBO and the likelihood of a data set, its codes, and pictures.

mod batches;
mod codes;
mod decoder;
mod direct;
mod feed;
mod importance;
pub mod latent;
mod pca;
mod pictures;
mod report;

pub use codes::{Codes, Encoder};
pub use decoder::Decoder;
pub use direct::{Direct, Rows};
pub use feed::{Feed, packing};
pub use importance::Importance;
pub use pca::Pca;
pub use pictures::Pictures;
pub use report::{CodeStatistics, LabelReport, Measured, Nll, Report};

use std::sync::Arc;

use serde::Serialize;

use crate::data::Split;
use crate::error::Result;
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::gather::Binarize;
use crate::kernels::objective::TERMS;
use crate::model::ModelConfig;
use crate::model::plans::{self, Batch, BatchPlan};
use crate::plan::{PAD, Step, round_up};

/// Added to every stream of the generator, so that evaluation and training never share a draw.
const STREAM: u32 = 16;

/// Rows of a batch of evaluation at most.
const BATCH: usize = 500;
/// Numbers of a layer for a batch at most: 64 MiB of them fit the largest binding of every real adapter.
const OUTPUTS: usize = 16 << 20;

/// A mean over the data, with its standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean, in nats per datum.
    pub mean: f64,
    /// Standard deviation over the data / sqrt(count).
    pub standard_error: f64,
}

impl Estimate {
    /// Of these values.
    pub fn of(values: impl Iterator<Item = f64>) -> Estimate {
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for value in values {
            n += 1.0;
            sum += value;
            squares += value * value;
        }
        let mean = sum / n;
        let variance = (squares / n - mean * mean).max(0.0) * n / (n - 1.0f64).max(1.0);
        Estimate { mean, standard_error: (variance / n).sqrt() }
    }
}

/// One datum's terms of the ELBO, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// log p(x|z) of one sample of z.
    pub recon: f64,
    /// KL(q(z|x) || p(z)); 0 in an autoencoder.
    pub kl: f64,
}

impl Terms {
    /// recon - kl.
    pub fn elbo(&self) -> f64 {
        self.recon - self.kl
    }
}

/// The ELBO of a data set and its two terms, in nats per datum: elbo = recon - kl.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Number of data.
    pub count: usize,
    /// The evidence lower bound.
    pub elbo: Estimate,
    /// E_q[log p(x|z)], with one sample of z a datum.
    pub recon: Estimate,
    /// KL(q(z|x) || p(z)).
    pub kl: Estimate,
}

impl Evaluation {
    /// Of these terms.
    pub fn of(terms: &[Terms]) -> Evaluation {
        Evaluation {
            count: terms.len(),
            elbo: Estimate::of(terms.iter().map(Terms::elbo)),
            recon: Estimate::of(terms.iter().map(|t| t.recon)),
            kl: Estimate::of(terms.iter().map(|t| t.kl)),
        }
    }
}

/// Rows of a batch of evaluation.
fn batch_size(gpu: &Gpu, model: &ModelConfig, count: usize) -> usize {
    BATCH.min(rows_within(gpu, model)).min(count)
}

/// Rows whose widest layer keeps within [`OUTPUTS`] and the adapter's limits.
fn rows_within(gpu: &Gpu, model: &ModelConfig) -> usize {
    let ends = [model.input, 2 * round_up(model.latent, PAD), model.output().columns()];
    let widest = ends.iter().chain(&model.hidden).max().map_or(1, |width| round_up(*width, PAD));
    let rows = (gpu.limits().storage() / 4).min(OUTPUTS as u64) as usize / widest;
    // A tensor has whole groups of rows.
    if rows > PAD { rows / PAD * PAD } else { rows.max(1) }
}

/// Rows of whose terms the device keeps track at once: all, or as many whole batches as it can hold.
fn window(gpu: &Gpu, batch: usize, count: usize) -> usize {
    let most = (gpu.limits().storage() / (4 * TERMS as u64)) as usize;
    if count <= most { count } else { (most / batch).max(1) * batch }
}

/// A step with the draws of `seed`.
fn seeded(seed: u64) -> Step {
    Step { seed_lo: seed as u32, seed_hi: (seed >> 32) as u32, ..Step::default() }
}

/// Evaluates a model on one data set, again and again with the same draws, so that epochs compare.
pub struct Evaluator {
    program: Program,
    handles: BatchPlan,
    feed: Feed,
    count: usize,
    batch: usize,
    window: usize,
}

impl Evaluator {
    /// Uploads `split` and prepares its plan; the parameters are those in `shared`. Data that is binarised
    /// anew in every epoch is drawn once here.
    pub fn new(
        gpu: &Arc<Gpu>,
        shared: &mut Shared,
        model: &ModelConfig,
        split: &Split,
        name: &str,
        binarize: Binarize,
    ) -> Result<Evaluator> {
        let count = split.count;
        let batch = batch_size(gpu, model, count);
        let window = window(gpu, batch, count);
        let data = Feed::plan(gpu, split, name, binarize.kept(), batch, false);
        let batch_of = Batch { data: data.clone(), size: batch, samples: 1 };
        let handles = plans::evaluate(model, gpu.target(), &batch_of, window);
        let program = Program::new(gpu, handles.plan.clone(), shared)?;
        let feed = Feed::new(&program, &handles, &data, split, batch)?;
        feed.write_order(&program, &handles, &(0..count as u32).collect::<Vec<_>>());
        Ok(Evaluator { program, handles, feed, count, batch, window })
    }

    /// The tensor of all parameters, for [`Program::write_f32`].
    pub fn write_parameters(&self, arena: &[f32]) {
        self.program.write_f32(self.handles.parameters, arena);
    }

    /// Evaluates with the draws of `seed`.
    pub fn run(&mut self, seed: u64) -> Result<Evaluation> {
        Ok(Evaluation::of(&self.terms(seed)?))
    }

    /// Every datum's terms with the draws of `seed`.
    pub fn terms(&mut self, seed: u64) -> Result<Vec<Terms>> {
        self.terms_watched(seed, &mut |_| ())
    }

    /// The same; `progress` hears how many data are done.
    pub fn terms_watched(&mut self, seed: u64, progress: &mut dyn FnMut(usize)) -> Result<Vec<Terms>> {
        let step = |number: usize| {
            let first_row = number * self.batch;
            Step {
                step: number as u32,
                stream: STREAM,
                first_row: first_row as u32,
                valid_rows: self.batch.min(self.count - first_row) as u32,
                history_row: (first_row % self.window) as u32,
                ..seeded(seed)
            }
        };
        let mut steps: Vec<Step> = (0..self.count.div_ceil(self.batch)).map(step).collect();
        let order: Vec<u32> = (0..self.count as u32).collect();
        let mut terms = Vec::with_capacity(self.count);
        for window in steps.chunks_mut(self.window.div_ceil(self.batch)) {
            let mut rest = window;
            while !rest.is_empty() {
                let now = self.program.steps_at_once().min(self.feed.max_steps()).min(rest.len());
                let (now, later) = rest.split_at_mut(now);
                self.feed.submit(&mut self.program, &self.handles, now, &order)?;
                rest = later;
                progress(self.count.min(terms.len() + self.window).saturating_sub(rest.len() * self.batch));
            }
            let rows = self.window.min(self.count - terms.len());
            let rows = self.program.read_f32(self.handles.terms.slice_rows(0, rows))?;
            let of = |row: &[f32]| Terms { recon: f64::from(row[0]), kl: f64::from(row[1]) };
            terms.extend(rows.chunks_exact(TERMS).map(of));
        }
        Ok(terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summarises_means_and_standard_errors() {
        let e =
            Evaluation::of(&[(-3.0, 1.0), (-5.0, 2.0), (-7.0, 3.0)].map(|(recon, kl)| Terms { recon, kl }));
        assert_eq!((e.count, e.elbo.mean, e.recon.mean, e.kl.mean), (3, -7.0, -5.0, 2.0));
        // Sample standard deviations 3, 2 and 1, over sqrt(3).
        for (estimate, deviation) in [(e.elbo, 3.0), (e.recon, 2.0), (e.kl, 1.0)] {
            assert!((estimate.standard_error - deviation / 3f64.sqrt()).abs() < 1e-12);
        }
    }
}
