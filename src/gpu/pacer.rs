//! How much work goes into one submission.

use std::ops::Range;
use std::time::Duration;

use crate::plan::Cost;

/// How long a submission should take: long enough to hide its overhead, short enough for every driver's watchdog and for a
/// prompt answer to Ctrl-C.
const GOAL: Duration = Duration::from_millis(50);

/// The most steps in a submission: the slots of the Step ring.
pub(super) const MAX_STEPS: usize = 64;

/// Parts of the first step, whose duration is not yet known.
const FIRST_PARTS: usize = 8;

/// The weight of a byte, in floating-point operations, when a step is divided: a compromise between software and cards.
const FLOPS_A_BYTE: u64 = 8;

/// The part of a program's steps that a submission holds: whole steps, or a part of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion {
    /// Whether it begins a step.
    pub begins: bool,
    /// Steps that it ends.
    pub ends: usize,
}

/// Adapts the size of submissions to measured time: many short steps, or a part of a long one.
#[derive(Clone, Debug)]
pub(super) struct Pacer {
    steps: usize,
    parts: usize,
    /// Time that the parts of the present step have taken so far.
    partial: Duration,
}

impl Default for Pacer {
    fn default() -> Self {
        Pacer { steps: 1, parts: FIRST_PARTS, partial: Duration::ZERO }
    }
}

impl Pacer {
    /// Steps to put into the next submission.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Submissions that a single step is divided into.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// Learns that a submission took `time`. Submissions grow twofold per call at the most, and shrink at once.
    pub fn learn(&mut self, portion: Portion, time: Duration) {
        self.partial = if portion.begins { time } else { self.partial + time };
        if portion.ends == 0 {
            return;
        }
        let each = self.partial.as_secs_f64() / portion.ends as f64;
        let goal = GOAL.as_secs_f64();
        let fitting = (goal / each.max(1e-9)) as usize;
        self.steps = fitting.min(2 * self.steps).clamp(1, MAX_STEPS);
        self.parts = (each / goal).ceil().max(1.0) as usize;
    }
}

/// The weight of a dispatch of this cost when a step is divided.
pub(super) fn weight(cost: Cost) -> u64 {
    // Even an empty launch costs something.
    1 + cost.flops + FLOPS_A_BYTE * cost.bytes
}

/// Up to `parts` ranges of about equal weight, none empty, that cover `weights` in order.
pub(super) fn divide(weights: &[u64], parts: usize) -> Vec<Range<usize>> {
    let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let mut ranges = Vec::new();
    let (mut begin, mut sum, mut full) = (0, 0, 0);
    for (i, weight) in weights.iter().enumerate() {
        sum += u128::from(*weight);
        // Parts that would be full by now if dispatches could be divided.
        let now = sum * parts as u128 / total;
        if now > full || i + 1 == weights.len() {
            ranges.push(begin..i + 1);
            (begin, full) = (i + 1, now);
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(pacer: &mut Pacer, steps: usize, time: Duration) {
        pacer.learn(Portion { begins: true, ends: steps }, time);
    }

    #[test]
    fn grows_to_the_goal_and_not_past_the_ring() {
        let mut pacer = Pacer::default();
        for _ in 0..10 {
            let steps = pacer.steps();
            learn(&mut pacer, steps, Duration::from_millis(10) * steps as u32);
        }
        assert_eq!(pacer.steps(), 5);
        for _ in 0..10 {
            let steps = pacer.steps();
            learn(&mut pacer, steps, Duration::from_micros(100) * steps as u32);
        }
        assert_eq!(pacer.steps(), MAX_STEPS);
    }

    #[test]
    fn shrinks_at_once_and_never_to_zero() {
        let mut pacer = Pacer { steps: 64, ..Pacer::default() };
        learn(&mut pacer, 64, Duration::from_secs(60));
        assert_eq!((pacer.steps(), pacer.parts()), (1, 19));
    }

    /// However long a step takes, submissions keep to the goal once a step has been measured, as far as single dispatches
    /// allow, and before that to a part of the first step.
    #[test]
    fn no_submission_passes_the_goal() {
        const DISPATCHES: u32 = 100;
        let weights = vec![1; DISPATCHES as usize];
        for each in [1, 900, 40_000, 60_000, 777_000, 4_000_000].map(Duration::from_micros) {
            let (mut pacer, mut longest, mut first) = (Pacer::default(), Duration::ZERO, Duration::ZERO);
            for round in 0..20 {
                let steps = pacer.steps();
                let parts = divide(&weights, if steps == 1 { pacer.parts() } else { 1 });
                for part in parts {
                    let time = each * steps as u32 * part.len() as u32 / DISPATCHES;
                    let ends = if part.end == weights.len() { steps } else { 0 };
                    pacer.learn(Portion { begins: part.start == 0, ends }, time);
                    let of = if round == 0 { &mut first } else { &mut longest };
                    *of = time.max(*of);
                }
            }
            assert!(first <= each / 7, "{each:?} a step: {first:?} at first");
            // A dispatch is not divided.
            assert!(longest <= GOAL + each / DISPATCHES, "{each:?} a step: {longest:?}");
        }
    }

    #[test]
    fn a_step_is_divided_by_weight() {
        assert_eq!(divide(&[1, 1, 1, 1], 2), [0..2, 2..4]);
        assert_eq!(divide(&[1, 1, 1], 8), [0..1, 1..2, 2..3]);
        assert_eq!(divide(&[10, 1, 1, 10], 2), [0..2, 2..4]);
        // A dispatch heavier than a part leaves fewer parts.
        assert_eq!(divide(&[1, 100, 1, 1], 3), [0..2, 2..4]);
        assert_eq!(divide(&[5, 7], 1).first(), Some(&(0..2)));
        assert!(divide(&[], 4).is_empty());
    }
}
