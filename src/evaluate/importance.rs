//! The likelihood of data, estimated by importance sampling.

use std::ops::{ControlFlow, Range};

use super::runner::{Fed, Runner, seeded};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::kernels::gather::Binarize;
use crate::kernels::objective::TERMS;
use crate::model::plans;
use crate::plan::Step;
use crate::ranks::Ranks;

/// Added to every stream of the generator, so that draws differ from those of training and of the ELBO.
const STREAM: u32 = 32;

/// Rows of z per pass of the decoder on a software adapter: enough to fill its cores.
const SOFTWARE_ROWS: usize = 1024;
/// The same on a real card.
const CARD_ROWS: usize = 8192;
/// Most samples per datum in one round.
const ROUND: usize = 512;
/// Most samples per datum: the sums are 32-bit floats.
const MAX_SAMPLES: usize = 100_000;

/// Estimates log p(x) of each datum from samples of q(z|x) (Burda et al. 2015, section 5.1).
pub struct Importance {
    fed: Fed<plans::TermPorts>,
    window: usize,
    samples: usize,
    rounds: usize,
}

impl Importance {
    /// Uploads `split` and prepares the plan for `samples` samples per datum. They are taken in rounds, so memory does
    /// not grow with them.
    ///
    /// # Errors
    /// [`Error::Usage`] for an autoencoder, which has no p(x), and for too many samples; [`Error::Device`].
    pub fn new(
        runner: &mut Runner,
        split: (&Split, &str),
        binarize: Binarize,
        samples: usize,
    ) -> Result<Importance> {
        if !runner.model().has_kl() {
            return Err(Error::Usage("an autoencoder does not model p(x): leave out `nll_samples`".into()));
        }
        if !(1..=MAX_SAMPLES).contains(&samples) {
            return Err(Error::Usage(format!("`nll_samples` = {samples}: use 1 to {MAX_SAMPLES}")));
        }
        let (target, count) = (runner.gpu().target(), split.0.count);
        let rows = if target.software { SOFTWARE_ROWS } else { CARD_ROWS };
        let rows = rows.min(runner.rows_within());
        // As few rounds as possible, all equally full.
        let rounds = samples.div_ceil(ROUND.min(rows));
        let round = samples.div_ceil(rounds);
        let batch = (rows / round).clamp(1, count);
        let window = runner.window(batch, count);
        let plan = |network: &_, batch: &_| plans::importance(network, target, batch, window, samples);
        let fed = runner.feed(split, binarize, (batch, round), plan, |ports| ports.source)?;
        Ok(Importance { fed, window, samples, rounds })
    }

    /// -log p(x) of each datum, in nats, with the draws of `seed`. `progress` gets the number of data done; if it
    /// breaks, the result is None.
    pub fn run(
        &mut self,
        seed: u64,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f64>>> {
        self.run_batches(self.fed.batches(), seed, progress)
    }

    /// The same with the batches divided among ranks, for all of them. None of them may break: the others would wait for it.
    ///
    /// # Errors
    /// As [`Importance::run`]; [`Error::Ranks`].
    pub fn run_among(
        &mut self,
        ranks: &dyn Ranks,
        seed: u64,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f64>>> {
        if ranks.size() == 1 {
            return self.run(seed, progress);
        }
        let own = self.fed.share(ranks, self.rounds)?;
        let Some(nll) = self.run_batches(own, seed, progress)? else { return Ok(None) };
        let all = ranks.gather(bytemuck::cast_slice(&nll))?.concat();
        Ok(Some(bytemuck::pod_collect_to_vec(&all)))
    }

    fn run_batches(
        &mut self,
        batches: Range<usize>,
        seed: u64,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f64>>> {
        let batch = self.fed.batch;
        let rows = self.fed.rows_of(&batches);
        let (before, count) = (rows.start, rows.len());
        let log_samples = (self.samples as f64).ln();
        let of = |row: &[f32]| log_samples - f64::from(row[0]) - f64::from(row[1]).ln();
        let mut nll = Vec::with_capacity(count);
        let mut next = batches.start * self.rounds;
        while nll.len() < count {
            let rows = self.window.min(count - nll.len());
            let end = next + rows.div_ceil(batch) * self.rounds;
            while next < end {
                // Streamed rows arrive with the submission of their batch.
                let most = self.fed.steps_at_once().min(end - next);
                let mut steps: Vec<Step> = (next..next + most).map(|i| self.step(i, before, seed)).collect();
                self.fed.submit(&mut steps)?;
                let done = next / self.rounds * batch - before;
                next += most;
                if progress(done.min(count)).is_break() {
                    return Ok(None);
                }
            }
            let prepared = &self.fed.prepared;
            let rows = prepared.program.read_f32(prepared.ports.rows.slice_rows(0, rows))?;
            nll.extend(rows.chunks_exact(TERMS).map(of));
        }
        Ok(Some(nll))
    }

    /// `before` are the rows before those of this call, whose results come first in the window.
    fn step(&self, number: usize, before: usize, seed: u64) -> Step {
        let first_row = number / self.rounds * self.fed.batch;
        Step {
            step: number as u32,
            stream: STREAM,
            first_row: first_row as u32,
            valid_rows: self.fed.batch.min(self.fed.count() - first_row) as u32,
            history_row: ((first_row - before) % self.window) as u32,
            round: (number % self.rounds) as u32,
            ..seeded(seed)
        }
    }
}
