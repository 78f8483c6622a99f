//! How long a dispatch takes.

use std::sync::Arc;
use std::time::Instant;

use crate::error::Result;
use crate::gpu::{Gpu, Program, Shared};
use crate::plan::{Element, Plan, Step};

/// Launches in one submission at most: on a slow adapter the driver's watchdog would end a longer one.
const MAX_LAUNCHES: usize = 4096;

/// Launches of a measurement at least, so that it is longer than the launch that it is compared with.
const LEAST: usize = 4;
/// Measurements that are tried for each that is wanted.
const TRIES: usize = 3;
/// How much longer than planned the measurements of a plan may take before they are cut short.
const SLACK: f64 = 2.0;

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
        if self == Effort::Full { 0.03 } else { 0.005 }
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
    let count = program.plan().dispatches.len();
    let budget = SLACK * (effort.samples() * count) as f64 * effort.seconds();
    let (start, mut repeats) = (Instant::now(), LEAST);
    let (first, bound) = loop {
        // The clock around a profile, with its submissions and its three launches to warm up, is more than the launches
        // take: so the next try never lasts longer than it should, whatever else the machine does.
        let begin = Instant::now();
        let sample = program.profile(step, repeats)?;
        let bound = begin.elapsed().as_secs_f64() / (count * (repeats + 3)) as f64;
        let enough = (effort.seconds() / bound) as usize;
        if enough < 2 * repeats || repeats == MAX_LAUNCHES {
            break (sample, bound);
        }
        repeats = enough.min(MAX_LAUNCHES);
    };
    // On a busy machine the short run may take longer than the long one, which tells nothing.
    let usable = |seconds: &f64| *seconds > 0.0;
    let mut samples: Vec<Vec<f64>> =
        first.into_iter().map(|s| Vec::from_iter(Some(s).filter(usable))).collect();
    for _ in 0..TRIES * effort.samples() {
        // What is slow is measured less often.
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

    /// Seconds that `launches` of the whole plan take.
    pub fn seconds(&mut self, launches: u64) -> Result<f64> {
        let (mut seconds, mut left) = (0.0, launches);
        while left > 0 {
            let now = left.min(MAX_LAUNCHES as u64);
            let begin = Instant::now();
            let each: f64 = self.program.profile(&self.step, now as usize)?.iter().sum();
            // A difference of nothing is the noise of a busy machine: the clock around it is more, but something.
            let bound = begin.elapsed().as_secs_f64() / (now + 3) as f64;
            seconds += if each > 0.0 { each } else { bound } * now as f64;
            left -= now;
        }
        Ok(seconds)
    }

    /// Seconds of one launch of the whole plan: the median of several measurements that are as long as need be.
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
