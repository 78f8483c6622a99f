//! The ELBO of a data set.

use std::ops::Range;

use super::runner::{Fed, Runner, STREAM, seeded};
use super::terms::{Evaluation, Terms};
use crate::data::Split;
use crate::error::Result;
use crate::kernels::gather::Binarize;
use crate::kernels::objective::TERMS;
use crate::model::plans;
use crate::plan::Step;
use crate::ranks::Ranks;

/// Evaluates a model on one data set repeatedly, with the same draws each time, so that epochs compare.
pub struct Evaluator {
    fed: Fed<plans::TermPorts>,
    window: usize,
}

impl Evaluator {
    /// Uploads `split` and prepares its plan. Data that training binarises anew each epoch is drawn once here.
    ///
    /// # Errors
    /// [`crate::error::Error::Limit`], [`crate::error::Error::Device`].
    pub fn new(runner: &mut Runner, split: &Split, name: &str, binarize: Binarize) -> Result<Evaluator> {
        let batch = runner.batch_size(split.count);
        let window = runner.window(batch, split.count);
        let target = runner.gpu().target();
        let plan = |network: &_, batch: &_| plans::evaluate(network, target, batch, window);
        let fed = runner.feed((split, name), binarize, (batch, 1), plan, |ports| ports.source)?;
        Ok(Evaluator { fed, window })
    }

    /// Evaluates with the draws of `seed`.
    ///
    /// # Errors
    /// [`crate::error::Error::Device`].
    pub fn run(&mut self, seed: u64) -> Result<Evaluation> {
        Ok(Evaluation::of(&self.terms(seed)?))
    }

    /// [`Evaluator::run`] with the batches divided among ranks: the same bits, for all of them.
    ///
    /// # Errors
    /// As [`Evaluator::run`]; [`crate::error::Error::Ranks`].
    pub fn run_among(&mut self, ranks: &dyn Ranks, seed: u64) -> Result<Evaluation> {
        Ok(Evaluation::of(&self.terms_among(ranks, seed)?))
    }

    /// [`Evaluator::terms`] in the same way.
    ///
    /// # Errors
    /// As [`Evaluator::run_among`].
    pub fn terms_among(&mut self, ranks: &dyn Ranks, seed: u64) -> Result<Vec<Terms>> {
        if ranks.size() == 1 {
            return self.terms(seed);
        }
        let own = self.fed.share(ranks, 1)?;
        let mut words: Vec<f64> = Vec::new();
        for Terms { recon, kl } in self.terms_of(own, seed, &mut |_| ())? {
            words.extend([recon, kl]);
        }
        let all = ranks.gather(bytemuck::cast_slice(&words))?.concat();
        let all: Vec<f64> = bytemuck::pod_collect_to_vec(&all);
        Ok(all.chunks_exact(2).map(|of| Terms { recon: of[0], kl: of[1] }).collect())
    }

    /// Every datum's terms, with the draws of `seed`.
    ///
    /// # Errors
    /// As [`Evaluator::run`].
    pub fn terms(&mut self, seed: u64) -> Result<Vec<Terms>> {
        self.terms_watched(seed, &mut |_| ())
    }

    /// [`Evaluator::terms`], with the number of data done passed to `progress`.
    ///
    /// # Errors
    /// As [`Evaluator::run`].
    pub fn terms_watched(&mut self, seed: u64, progress: &mut dyn FnMut(usize)) -> Result<Vec<Terms>> {
        self.terms_of(self.fed.batches(), seed, progress)
    }

    /// The terms of the data in these batches.
    fn terms_of(
        &mut self,
        batches: Range<usize>,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Terms>> {
        let (batch, window) = (self.fed.batch, self.window);
        let rows = self.fed.rows_of(&batches);
        let (before, count) = (rows.start, rows.len());
        let step = |number: usize| {
            let first_row = number * batch;
            Step {
                step: number as u32,
                stream: STREAM,
                first_row: first_row as u32,
                valid_rows: batch.min(before + count - first_row) as u32,
                history_row: ((first_row - before) % window) as u32,
                ..seeded(seed)
            }
        };
        let mut steps: Vec<Step> = batches.map(step).collect();
        let mut terms = Vec::with_capacity(count);
        for part in steps.chunks_mut(window.div_ceil(batch)) {
            let mut rest = part;
            while !rest.is_empty() {
                let now = self.fed.steps_at_once().min(rest.len());
                let (now, later) = rest.split_at_mut(now);
                self.fed.submit(now)?;
                rest = later;
                progress(count.min(terms.len() + window).saturating_sub(rest.len() * batch));
            }
            let rows = self.fed.prepared.ports.rows.slice_rows(0, window.min(count - terms.len()));
            let rows = self.fed.prepared.program.read_f32(rows)?;
            let of = |row: &[f32]| Terms { recon: f64::from(row[0]), kl: f64::from(row[1]) };
            terms.extend(rows.chunks_exact(TERMS).map(of));
        }
        Ok(terms)
    }
}
