//! How long submissions took, as a driver's watchdog sees it.

use std::time::Duration;

/// Upper ends of the buckets, in milliseconds; one more bucket counts longer ones.
const ENDS: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/// A histogram of submissions by the time that the device was busy with each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    counts: [u64; ENDS.len() + 1],
    longest: Duration,
}

impl Durations {
    /// Counts one submission.
    pub fn add(&mut self, time: Duration) {
        let bucket = ENDS.iter().position(|end| time < Duration::from_millis(*end)).unwrap_or(ENDS.len());
        self.counts[bucket] += 1;
        self.longest = self.longest.max(time);
    }

    /// The longest of all.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// The number of submissions.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// From the first to the last bucket that is not empty: its lower end, its upper end if it has one, both in milliseconds, and
    /// its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, Option<u64>, u64)> + '_ {
        let first = self.counts.iter().position(|count| *count > 0).unwrap_or(0);
        let last = self.counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        (first..last).map(|i| {
            let from = if i == 0 { 0 } else { ENDS[i - 1] };
            (from, ENDS.get(i).copied(), self.counts[i])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_bucket() {
        let mut durations = Durations::default();
        assert_eq!((durations.buckets().count(), durations.count()), (0, 0));
        for ms in [3, 5, 9, 60, 4000] {
            durations.add(Duration::from_millis(ms));
        }
        let buckets: Vec<_> = durations.buckets().filter(|(.., count)| *count > 0).collect();
        assert_eq!(buckets, [(2, Some(5), 1), (5, Some(10), 2), (50, Some(100), 1), (1000, None, 1)]);
        assert_eq!((durations.count(), durations.longest()), (5, Duration::from_secs(4)));
        assert_eq!(durations.buckets().map(|(.., count)| count).sum::<u64>(), 5);
    }
}
