//! What a model is worth: the ELBO of a data set, and pictures.

mod feed;
mod pictures;

pub use feed::{Feed, packing};
pub use pictures::Pictures;

use std::sync::Arc;

use serde::Serialize;

use crate::data::Split;
use crate::error::Result;
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::gather::Binarize;
use crate::model::ModelConfig;
use crate::model::plans::{self, Batch, BatchPlan};
use crate::plan::Step;

/// Added to every stream of the generator, so that evaluation and training never share a draw.
const STREAM: u32 = 16;

/// Rows of a batch of evaluation at most.
const BATCH: usize = 500;
/// Numbers that the decoder gives for a batch at most: 64 MiB of them fit every adapter's largest binding.
const OUTPUTS: usize = 16 << 20;

/// A mean over the data, with its standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean, in nats per datum.
    pub mean: f64,
    /// Standard deviation over the data / sqrt(count).
    pub standard_error: f64,
}

/// The ELBO of a data set and its two terms, in nats per datum: elbo = recon - kl.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
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

/// Evaluates a model on one data set, again and again with the same draws, so that epochs compare.
pub struct Evaluator {
    program: Program,
    handles: BatchPlan,
    feed: Feed,
    count: usize,
    batch: usize,
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
        let binarize = if binarize == Binarize::Dynamic { Binarize::Fixed } else { binarize };
        let count = split.count;
        let batch = BATCH.min(OUTPUTS / model.output().columns()).max(1).min(count);
        let data = Feed::plan(gpu, split, name, binarize, batch, false);
        let batch_of = Batch { data: data.clone(), size: batch, samples: 1 };
        let handles = plans::evaluate(model, gpu.target(), &batch_of, count);
        let program = Program::new(gpu, handles.plan.clone(), shared)?;
        let feed = Feed::new(&program, &handles, &data, split, batch)?;
        feed.write_order(&program, &handles, &(0..count as u32).collect::<Vec<_>>());
        Ok(Evaluator { program, handles, feed, count, batch })
    }

    /// The tensor of all parameters, for [`Program::write_f32`].
    pub fn write_parameters(&self, arena: &[f32]) {
        self.program.write_f32(self.handles.parameters, arena);
    }

    /// Evaluates with the draws of `seed`.
    pub fn run(&mut self, seed: u64) -> Result<Evaluation> {
        let step = |number: usize| {
            let first_row = number * self.batch;
            Step {
                seed_lo: seed as u32,
                seed_hi: (seed >> 32) as u32,
                step: number as u32,
                stream: STREAM,
                first_row: first_row as u32,
                valid_rows: self.batch.min(self.count - first_row) as u32,
                history_row: first_row as u32,
                ..Step::default()
            }
        };
        let mut steps: Vec<Step> = (0..self.count.div_ceil(self.batch)).map(step).collect();
        let order: Vec<u32> = (0..self.count as u32).collect();
        let mut rest = &mut steps[..];
        while !rest.is_empty() {
            let now = self.program.pacer.steps().min(self.feed.max_steps()).min(rest.len());
            let (now, later) = rest.split_at_mut(now);
            self.feed.submit(&mut self.program, &self.handles, now, &order)?;
            rest = later;
        }
        let terms = self.program.read_f32(self.handles.terms)?;
        Ok(summarise(terms.chunks_exact(4).map(|row| (f64::from(row[0]), f64::from(row[1])))))
    }
}

/// Means and standard errors of (recon, kl) rows.
fn summarise(rows: impl Iterator<Item = (f64, f64)>) -> Evaluation {
    let (mut count, mut sums, mut squares) = (0usize, [0.0; 3], [0.0; 3]);
    for (recon, kl) in rows {
        count += 1;
        for (i, value) in [recon - kl, recon, kl].into_iter().enumerate() {
            sums[i] += value;
            squares[i] += value * value;
        }
    }
    let n = count as f64;
    let [elbo, recon, kl] = [0, 1, 2].map(|i| {
        let mean = sums[i] / n;
        let variance = (squares[i] / n - mean * mean).max(0.0) * n / (n - 1.0).max(1.0);
        Estimate { mean, standard_error: (variance / n).sqrt() }
    });
    Evaluation { count, elbo, recon, kl }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summarises_means_and_standard_errors() {
        let e = summarise([(-3.0, 1.0), (-5.0, 2.0), (-7.0, 3.0)].into_iter());
        assert_eq!((e.count, e.elbo.mean, e.recon.mean, e.kl.mean), (3, -7.0, -5.0, 2.0));
        // Sample standard deviations 3, 2 and 1, over sqrt(3).
        for (estimate, deviation) in [(e.elbo, 3.0), (e.recon, 2.0), (e.kl, 1.0)] {
            assert!((estimate.standard_error - deviation / 3f64.sqrt()).abs() < 1e-12);
        }
    }
}
