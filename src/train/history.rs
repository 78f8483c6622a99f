//! The losses of the steps, collected from the device without stopping it.

use crate::error::{Error, Result};
use crate::gpu::{Program, Reading};
use crate::kernels::objective::TERMS;
use crate::plan::Tensor;

/// Rows of the ring of losses on the device: steps that may be submitted before it must be read.
pub const ROWS: u64 = 4096;

/// Reconstruction and KL summed over data, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Sum of log p(x|z).
    pub recon: f64,
    /// Sum of the KL terms.
    pub kl: f64,
    /// Sum of what was trained: the ELBO itself, or with its KL weighted, or the importance-weighted bound.
    pub objective: f64,
    /// Number of data.
    pub rows: u64,
}

impl Sums {
    /// (elbo, recon, kl) in nats per datum.
    pub fn means(&self) -> (f64, f64, f64) {
        let n = self.rows.max(1) as f64;
        ((self.recon - self.kl) / n, self.recon / n, self.kl / n)
    }

    /// What was trained, in nats per datum.
    pub fn mean_objective(&self) -> f64 {
        self.objective / self.rows.max(1) as f64
    }
}

/// Reads the ring and adds up, step by step and in order, so that the sums are the same however often it is read.
#[derive(Default)]
pub struct History {
    /// Sums since the start of the epoch.
    pub sums: Sums,
    /// Steps whose losses are in `sums` or before it.
    collected: u64,
    /// A copy on its way, and the step up to which it is valid.
    pending: Option<(Reading, u64)>,
}

impl History {
    /// Continues after `step` with the sums so far of its epoch.
    pub fn restart(step: u64, sums: Sums) -> History {
        History { sums, collected: step, pending: None }
    }

    /// Steps that may still be submitted before the ring must be read.
    pub fn room(&self, submitted: u64) -> u64 {
        ROWS - (submitted - self.collected)
    }

    /// Starts a copy of the losses up to `submitted`, unless one is on its way.
    pub fn request(&mut self, program: &Program, ring: Tensor, submitted: u64) -> Result<()> {
        if self.pending.is_none() && submitted > self.collected {
            let reading = program.begin_read(ring.buffer.0, ring.offset, ring.words())?;
            self.pending = Some((reading, submitted));
        }
        Ok(())
    }

    /// Adds what has arrived. `rows_of(step)` is the number of data in a step, counted from 1.
    pub fn poll(&mut self, rows_of: impl Fn(u64) -> u64) -> Result<()> {
        let Some((reading, up_to)) = &mut self.pending else { return Ok(()) };
        let Some(words) = reading.try_finish()? else { return Ok(()) };
        let up_to = *up_to;
        self.pending = None;
        self.add(&words, up_to, rows_of)
    }

    /// Waits, and adds everything up to `submitted`.
    pub fn drain(
        &mut self,
        program: &Program,
        ring: Tensor,
        submitted: u64,
        rows_of: impl Fn(u64) -> u64,
    ) -> Result<()> {
        self.pending = None;
        let words = program.read_words(ring.buffer.0, ring.offset, ring.words())?;
        self.add(&words, submitted, rows_of)
    }

    fn add(&mut self, words: &[u32], up_to: u64, rows_of: impl Fn(u64) -> u64) -> Result<()> {
        for step in self.collected + 1..=up_to {
            let row = &words[(step % ROWS) as usize * TERMS..][..TERMS];
            let [recon, kl, objective] = [row[0], row[1], row[2]].map(|w| f64::from(f32::from_bits(w)));
            check_finite(step, [recon, kl, objective])?;
            self.sums.recon += recon;
            self.sums.kl += kl;
            self.sums.objective += objective;
            self.sums.rows += rows_of(step);
            self.collected = step;
        }
        Ok(())
    }
}

/// Checks the reconstruction, the KL term and the objective of a step.
///
/// # Errors
/// [`Error::Diverged`], which names the first that is not finite.
pub(super) fn check_finite(step: u64, terms: [f64; 3]) -> Result<()> {
    for (what, value) in ["the reconstruction", "the KL term", "the objective"].into_iter().zip(terms) {
        if !value.is_finite() {
            return Err(Error::Diverged {
                step,
                what: what.into(),
                next: "start again with a smaller `train.lr` or with `train.clip_norm`; what whole epochs wrote is kept".into(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(values: &[(u64, f32, f32)]) -> Vec<u32> {
        let mut words = vec![0; ROWS as usize * TERMS];
        for (step, recon, kl) in values {
            let at = (step % ROWS) as usize * TERMS;
            words[at] = recon.to_bits();
            words[at + 1] = kl.to_bits();
            words[at + 2] = (recon - 0.5 * kl).to_bits();
        }
        words
    }

    #[test]
    fn adds_each_step_once_across_the_end_of_the_ring() {
        let mut history = History::restart(ROWS - 2, Sums::default());
        history.add(&ring(&[(ROWS - 1, -5.0, 1.0), (ROWS, -7.0, 2.0)]), ROWS, |_| 4).unwrap();
        history.add(&ring(&[(ROWS, 99.0, 99.0), (ROWS + 1, -9.0, 3.0)]), ROWS + 1, |_| 2).unwrap();
        assert_eq!(history.sums, Sums { recon: -21.0, kl: 6.0, objective: -24.0, rows: 10 });
        assert_eq!(history.sums.means(), (-2.7, -2.1, 0.6));
        assert_eq!(history.sums.mean_objective(), -2.4);
    }

    #[test]
    fn names_the_first_step_that_is_not_finite() {
        let mut history = History::default();
        let words = ring(&[(1, -5.0, 1.0), (2, -5.0, f32::NAN), (3, f32::INFINITY, 0.0)]);
        let error = history.add(&words, 3, |_| 1).unwrap_err();
        assert!(matches!(&error, Error::Diverged { step: 2, what, .. } if what == "the KL term"), "{error}");
    }
}
