//! How long a dispatch takes.

use std::sync::Arc;

use crate::error::Result;
use crate::gpu::{Gpu, Program, Shared};
use crate::plan::{Element, Plan, Step};

/// Launches in one submission at most: on a slow adapter the driver's watchdog would end a longer one.
const MAX_LAUNCHES: usize = 4096;

/// How much time measurements may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// For numbers to quote: a minute or two.
    Full,
    /// For a look, and for tests: fewer shapes, one short measurement each.
    Quick,
}

impl Effort {
    /// Measurements of which the median counts.
    pub(super) fn samples(self) -> usize {
        if self == Effort::Full { 5 } else { 1 }
    }

    /// Seconds that one measurement of a dispatch should last.
    pub(super) fn seconds(self) -> f64 {
        if self == Effort::Full { 0.03 } else { 0.004 }
    }
}

/// The middle value; of an even number the mean of the two in the middle.
pub(super) fn median(values: &mut [f64]) -> f64 {
    assert!(!values.is_empty(), "a median of nothing");
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}

/// Seconds of each dispatch of a program, alone and in the order of the plan: medians. What the plan's buffers
/// hold afterwards is of no use.
pub(super) fn dispatches(program: &mut Program, step: &Step, effort: Effort) -> Result<Vec<f64>> {
    // A first look tells how many launches last long enough.
    let look = program.profile(step, 1)?;
    let mean = look.iter().sum::<f64>() / look.len() as f64;
    let repeats = ((effort.seconds() / mean.max(1e-7)) as usize).clamp(1, MAX_LAUNCHES);
    let samples = (0..effort.samples()).map(|_| program.profile(step, repeats));
    let samples = samples.collect::<Result<Vec<_>>>()?;
    let at = |index: usize| median(&mut samples.iter().map(|sample| sample[index]).collect::<Vec<_>>());
    Ok((0..look.len()).map(at).collect())
}

/// A plan on a device with something in its buffers, to be launched again and again.
pub struct Timed {
    program: Program,
    step: Step,
}

impl Timed {
    /// Prepares `plan`. Its floats are from (0, 1), so that no root or logarithm goes wrong; its integers are
    /// 0, 1, 2, ..., which suits an order of rows as well as bytes.
    pub fn new(gpu: &Arc<Gpu>, plan: &Plan, step: Step) -> Result<Timed> {
        let program = Program::new(gpu, plan.clone(), &mut Shared::default())?;
        for (index, buffer) in plan.buffers.iter().enumerate() {
            let word = |at: usize| match buffer.element {
                Element::U32 => at as u32,
                Element::F32 => ((at * 7919 % 8191 + 1) as f32 / 8193.0).to_bits(),
            };
            program.write_words(index, &(0..buffer.words).map(word).collect::<Vec<_>>());
        }
        Ok(Timed { program, step })
    }

    /// Seconds that `launches` of the whole plan take.
    pub fn seconds(&mut self, launches: u64) -> Result<f64> {
        let (mut seconds, mut left) = (0.0, launches);
        while left > 0 {
            let now = left.min(MAX_LAUNCHES as u64);
            let each: f64 = self.program.profile(&self.step, now as usize)?.iter().sum();
            seconds += each * now as f64;
            left -= now;
        }
        // The clock's resolution: a caller that divides must not meet a zero.
        Ok(seconds.max(1e-9))
    }

    /// Seconds of one launch of the whole plan: a median.
    pub(super) fn one(&mut self, effort: Effort) -> Result<f64> {
        Ok(dispatches(&mut self.program, &self.step, effort)?.iter().sum::<f64>().max(1e-9))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&mut [7.0]), 7.0);
    }
}
