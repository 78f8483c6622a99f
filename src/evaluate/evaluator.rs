//! The ELBO of a data set.

use super::runner::{Fed, Runner, STREAM, seeded};
use super::terms::{Evaluation, Terms};
use crate::data::Split;
use crate::error::Result;
use crate::kernels::gather::Binarize;
use crate::kernels::objective::TERMS;
use crate::model::plans;
use crate::plan::Step;

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
        let (count, batch, window) = (self.fed.count(), self.fed.batch, self.window);
        let step = |number: usize| {
            let first_row = number * batch;
            Step {
                step: number as u32,
                stream: STREAM,
                first_row: first_row as u32,
                valid_rows: batch.min(count - first_row) as u32,
                history_row: (first_row % window) as u32,
                ..seeded(seed)
            }
        };
        let mut steps: Vec<Step> = (0..count.div_ceil(batch)).map(step).collect();
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
