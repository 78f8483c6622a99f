//! How many steps go into one submission.

use std::time::Duration;

/// What a submission should take: long enough that its overhead vanishes, short enough for every driver's
/// watchdog and for a prompt answer to Ctrl-C.
const GOAL: Duration = Duration::from_millis(50);

/// Steps in a submission at most: the slots of the Step ring.
pub(super) const MAX_STEPS: usize = 64;

/// Adapts the size of submissions to measured time.
#[derive(Clone, Debug)]
pub struct Pacer {
    steps: usize,
}

impl Default for Pacer {
    fn default() -> Self {
        Pacer { steps: 1 }
    }
}

impl Pacer {
    /// Steps to put into the next submission.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Learns that `steps` steps took `time`. Grows at most twofold at once, shrinks at once.
    pub fn learn(&mut self, steps: usize, time: Duration) {
        let each = time.as_secs_f64() / steps as f64;
        let fitting = (GOAL.as_secs_f64() / each.max(1e-9)) as usize;
        self.steps = fitting.min(2 * self.steps).clamp(1, MAX_STEPS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_goal_and_not_past_the_ring() {
        let mut pacer = Pacer::default();
        for _ in 0..10 {
            pacer.learn(pacer.steps(), Duration::from_millis(10) * pacer.steps() as u32);
        }
        assert_eq!(pacer.steps(), 5);
        for _ in 0..10 {
            pacer.learn(pacer.steps(), Duration::from_micros(100) * pacer.steps() as u32);
        }
        assert_eq!(pacer.steps(), MAX_STEPS);
    }

    #[test]
    fn shrinks_at_once_and_never_to_zero() {
        let mut pacer = Pacer { steps: 64 };
        pacer.learn(64, Duration::from_secs(60));
        assert_eq!(pacer.steps(), 1);
    }
}
