//! The likelihood of data, by importance sampling.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Feed, rows_within, seeded, window};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::gather::Binarize;
use crate::kernels::objective::TERMS;
use crate::model::plans::{self, Batch, BatchPlan};
use crate::model::{Kind, ModelConfig};
use crate::plan::Step;

/// Added to every stream of the generator: other draws than those of training and of the ELBO.
const STREAM: u32 = 32;

/// Rows of z that pass through the decoder at once on a software adapter: enough to fill its cores.
const SOFTWARE_ROWS: usize = 1024;
/// The same on a real card.
const CARD_ROWS: usize = 8192;
/// Samples of a datum in one round at most.
const ROUND: usize = 512;
/// Samples a datum at most: the sums are 32-bit floats.
const MAX_SAMPLES: usize = 100_000;

/// Estimates log p(x) of each datum from samples of q(z|x) (Burda et al. 2015, section 5.1).
pub struct Importance {
    program: Program,
    handles: BatchPlan,
    feed: Feed,
    count: usize,
    batch: usize,
    window: usize,
    samples: usize,
    rounds: usize,
}

impl Importance {
    /// Uploads `split` and prepares the plan for `samples` samples a datum; the parameters are those in `shared`.
    /// Memory does not grow with the samples: they come in rounds.
    ///
    /// # Errors
    /// [`Error::Usage`] for an autoencoder, which has no likelihood of data, and for too many samples; [`Error::Device`].
    pub fn new(
        gpu: &Arc<Gpu>,
        shared: &mut Shared,
        model: &ModelConfig,
        (split, name): (&Split, &str),
        binarize: Binarize,
        samples: usize,
    ) -> Result<Importance> {
        if model.kind == Kind::Ae {
            return Err(Error::Usage("an autoencoder is no model of p(x): leave out `nll_samples`".into()));
        }
        if !(1..=MAX_SAMPLES).contains(&samples) {
            return Err(Error::Usage(format!("`nll_samples` = {samples}: use 1 to {MAX_SAMPLES}")));
        }
        let binarize = binarize.kept();
        let rows = if gpu.target().software { SOFTWARE_ROWS } else { CARD_ROWS };
        let rows = rows.min(rows_within(gpu, model));
        // As few rounds as may be, each as full as the others.
        let rounds = samples.div_ceil(ROUND.min(rows));
        let round = samples.div_ceil(rounds);
        let batch = (rows / round).clamp(1, split.count);
        let window = window(gpu, batch, split.count);
        let data = Feed::plan(gpu, split, name, binarize, batch, false);
        let batch_of = Batch { data: data.clone(), size: batch, samples: round };
        let handles = plans::importance(model, gpu.target(), &batch_of, window, samples);
        let program = Program::new(gpu, handles.plan.clone(), shared)?;
        let feed = Feed::new(&program, &handles, &data, split, batch)?;
        feed.write_order(&program, &handles, &(0..split.count as u32).collect::<Vec<_>>());
        Ok(Importance { program, handles, feed, count: split.count, batch, window, samples, rounds })
    }

    /// Writes the parameters.
    pub fn write_parameters(&self, arena: &[f32]) {
        self.program.write_f32(self.handles.parameters, arena);
    }

    /// -log p(x) of each datum, in nats, with the draws of `seed`. `progress` hears how many data are done; none if it
    /// breaks.
    pub fn run(
        &mut self,
        seed: u64,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f64>>> {
        let order: Vec<u32> = (0..self.count as u32).collect();
        let log_samples = (self.samples as f64).ln();
        let of = |row: &[f32]| log_samples - f64::from(row[0]) - f64::from(row[1]).ln();
        let mut nll = Vec::with_capacity(self.count);
        let mut next = 0;
        while nll.len() < self.count {
            let rows = self.window.min(self.count - nll.len());
            let end = next + rows.div_ceil(self.batch) * self.rounds;
            while next < end {
                let batch = next / self.rounds;
                // Rows that are streamed come with the submission of their batch.
                let most = self.program.steps_at_once().min(self.feed.max_steps()).min(end - next);
                let mut steps: Vec<Step> = (next..next + most).map(|i| self.step(i, seed)).collect();
                self.feed.submit(&mut self.program, &self.handles, &mut steps, &order)?;
                next += most;
                if progress((batch * self.batch).min(self.count)).is_break() {
                    return Ok(None);
                }
            }
            let rows = self.program.read_f32(self.handles.terms.slice_rows(0, rows))?;
            nll.extend(rows.chunks_exact(TERMS).map(of));
        }
        Ok(Some(nll))
    }

    fn step(&self, number: usize, seed: u64) -> Step {
        let first_row = number / self.rounds * self.batch;
        Step {
            step: number as u32,
            stream: STREAM,
            first_row: first_row as u32,
            valid_rows: self.batch.min(self.count - first_row) as u32,
            history_row: (first_row % self.window) as u32,
            round: (number % self.rounds) as u32,
            ..seeded(seed)
        }
    }
}
