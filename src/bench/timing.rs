//! The time of a dispatch.

use std::sync::Arc;
use std::time::Instant;

use crate::error::Result;
use crate::gpu::{Gpu, Program, Shared};
use crate::plan::{Element, Plan, Step};

/// Most launches in one submission: on a slow adapter the driver's watchdog would kill a longer one.
const MAX_LAUNCHES: usize = 4096;

/// Fewest launches per measurement, so that it is longer than the launch subtracted from it.
const LEAST: usize = 4;
/// Tries per measurement wanted.
const TRIES: usize = 3;
/// How much longer than planned the measurements of a plan may take before they are cut short.
const SLACK: f64 = 2.0;

/// The time to spend on measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// For figures to quote: a minute or two.
    Full,
    /// For a look, and for tests: fewer shapes, one short measurement each.
    Quick,
}

impl Effort {
    /// Measurements to take the median of.
    pub(super) fn samples(self) -> usize {
        if self == Effort::Full { 5 } else { 1 }
    }

    /// Target seconds per measurement of a dispatch.
    pub(super) fn seconds(self) -> f64 {
        if self == Effort::Full { 0.03 } else { 0.005 }
    }
}

/// The middle value; for an even number of values, the mean of the middle two.
pub(super) fn median(values: &mut [f64]) -> f64 {
    assert!(!values.is_empty(), "a median of nothing");
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}

/// Seconds of each dispatch, timed alone, in the order of the plan: medians. The plan's buffers hold no meaningful
/// values afterwards.
pub(super) fn dispatches(program: &mut Program, step: &Step, effort: Effort) -> Result<Vec<f64>> {
    let count = program.plan().dispatches.len();
    let budget = SLACK * (effort.samples() * count) as f64 * effort.seconds();
    let (start, mut repeats) = (Instant::now(), LEAST);
    let (first, bound) = loop {
        // The time around a profile, which includes submissions and three warm-up launches, exceeds that of the
        // launches alone, so the next try never runs longer than it should, even on a busy machine.
        let begin = Instant::now();
        let sample = program.profile(step, repeats)?;
        let bound = begin.elapsed().as_secs_f64() / (count * (repeats + 3)) as f64;
        let enough = (effort.seconds() / bound) as usize;
        if enough < 2 * repeats || repeats == MAX_LAUNCHES {
            break (sample, bound);
        }
        repeats = enough.min(MAX_LAUNCHES);
    };
    // On a busy machine the short run may take longer than the long one; such a sample is useless.
    let usable = |seconds: &f64| *seconds > 0.0;
    let mut samples: Vec<Vec<f64>> =
        first.into_iter().map(|s| Vec::from_iter(Some(s).filter(usable))).collect();
    for _ in 0..TRIES * effort.samples() {
        // Slow plans are measured less often.
        let wanted = if start.elapsed().as_secs_f64() > budget { 1 } else { effort.samples() };
        if samples.iter().all(|times| times.len() >= wanted) {
            break;
        }
        for (times, seconds) in samples.iter_mut().zip(program.profile(step, repeats)?) {
            times.extend(Some(seconds).filter(usable));
        }
    }
    Ok(samples.iter_mut().map(|times| if times.is_empty() { bound } else { median(times) }).collect())
}

/// A plan with filled buffers on a device, ready to be launched repeatedly.
pub struct Timed {
    program: Program,
    step: Step,
}

impl Timed {
    /// Prepares `plan`. Its floats are in (0, 1), so that roots and logarithms stay finite; its integers are 0, 1, 2,
    /// ..., which works as an order of rows and as bytes.
    pub fn new(gpu: &Arc<Gpu>, plan: &Plan, step: Step) -> Result<Timed> {
        let program = Program::new(gpu, plan.clone(), &mut Shared::default())?;
        let floats: Vec<u32> = (1..8192).map(|i| ((i * 7919 % 8191 + 1) as f32 / 8193.0).to_bits()).collect();
        for (index, buffer) in plan.buffers.iter().enumerate() {
            let words: Vec<u32> = match buffer.element {
                Element::U32 => (0..buffer.words as u32).collect(),
                Element::F32 => floats.iter().copied().cycle().take(buffer.words).collect(),
            };
            program.write_words(index, &words);
        }
        Ok(Timed { program, step })
    }

    /// Seconds of `launches` of the whole plan.
    pub fn seconds(&mut self, launches: u64) -> Result<f64> {
        let (mut seconds, mut left) = (0.0, launches);
        while left > 0 {
            let now = left.min(MAX_LAUNCHES as u64);
            let begin = Instant::now();
            let each: f64 = self.program.profile(&self.step, now as usize)?.iter().sum();
            // A difference of zero or less is noise of a busy machine; the time around it is an upper bound.
            let bound = begin.elapsed().as_secs_f64() / (now + 3) as f64;
            seconds += if each > 0.0 { each } else { bound } * now as f64;
            left -= now;
        }
        Ok(seconds)
    }

    /// Seconds of one launch of the whole plan: the median of several sufficiently long measurements.
    pub fn one(&mut self, effort: Effort) -> Result<f64> {
        Ok(dispatches(&mut self.program, &self.step, effort)?.iter().sum())
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
