//! Divides rows at random: test rows from training rows, and validation rows from those.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::order::{key, shuffled};
use super::split::Split;
use crate::settings::named;

/// Separates the choice of test rows from other random numbers drawn from the same seed.
const TEST: &[u8; 20] = b"vae-gpu test part \0\0";
/// The same, for validation rows.
const HELD_OUT: &[u8; 20] = b"vae-gpu held out \0\0\0";

named! {
    /// What decides which part a row belongs to.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Division, default Rows {
        /// Its number and the seed: rows that are added at the end move no other
        Rows => "rows",
        /// A shuffle of all rows, as runs of configurations before format 3 have it: another number of rows moves most
        Shuffle => "shuffle",
    }
}

impl Division {
    /// Whether it is what new runs have.
    pub(super) fn is_default(&self) -> bool {
        *self == Division::default()
    }

    /// A random share of the rows to test with, and the others, each in order. Each gets at least one row.
    ///
    /// # Panics
    /// If there are fewer than two rows.
    pub fn test_part(self, rows: &Split, fraction: f64, seed: u64) -> (Split, Split) {
        self.part(rows, fraction, seed, TEST)
    }

    /// The rows to train on, then a random share of validation rows, which guide training in place of test data. The
    /// choice does not depend on that of [`Division::test_part`].
    ///
    /// # Panics
    /// If there are fewer than two rows.
    pub fn hold_out(self, rows: &Split, fraction: f64, seed: u64) -> (Split, Split) {
        let (held, kept) = self.part(rows, fraction, seed, HELD_OUT);
        (kept, held)
    }

    fn part(self, rows: &Split, fraction: f64, seed: u64, stream: &[u8; 20]) -> (Split, Split) {
        assert!(rows.count > 1, "{} rows in two parts", rows.count);
        let (part, rest) = match self {
            Division::Rows if fraction <= 0.5 => by_row(rows.count, fraction, seed, stream),
            Division::Rows => {
                let (rest, part) = by_row(rows.count, 1.0 - fraction, seed, stream);
                (part, rest)
            }
            Division::Shuffle => shuffle(rows.count, fraction, seed, stream),
        };
        (rows.select(&part), rows.select(&rest))
    }
}

/// One row, drawn at random, of every 1 / `fraction` rows, and the others; `fraction` is at most a half. Of the first
/// stretch it is one of the first two rows, so that both parts have a row, however few there are.
fn by_row(count: usize, fraction: f64, seed: u64, stream: &[u8; 20]) -> (Vec<u32>, Vec<u32>) {
    let mut rng = ChaCha8Rng::from_seed(key(seed, 0, stream));
    let stretch = 1.0 / fraction;
    let mut chosen = vec![false; count];
    for number in 0u32.. {
        let uniform = f64::from(rng.next_u32()) / (f64::from(u32::MAX) + 1.0);
        let row = match number {
            0 => (2.0 * uniform) as usize,
            _ => ((f64::from(number) + uniform) * stretch) as usize,
        };
        // Where stretches end within a row, two may have chosen the same.
        let row = if chosen.get(row) == Some(&true) { row + 1 } else { row };
        if let Some(chosen) = chosen.get_mut(row) {
            *chosen = true;
        }
        if f64::from(number + 1) * stretch >= count as f64 {
            break;
        }
    }
    (0..count as u32).partition(|row| chosen[*row as usize])
}

fn shuffle(count: usize, fraction: f64, seed: u64, stream: &[u8; 20]) -> (Vec<u32>, Vec<u32>) {
    let taken = ((count as f64 * fraction).round() as usize).clamp(1, count - 1);
    let mut part = shuffled(count, seed, stream);
    let mut rest = part.split_off(taken);
    part.sort_unstable();
    rest.sort_unstable();
    (part, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(division: Division, count: usize, fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
        let rows = Split::new(vec![0; count], 1, None);
        let (part, rest) = division.test_part(&rows, fraction, seed);
        let places = |split: &Split| (0..split.count).map(|row| split.place(row)).collect();
        (places(&part), places(&rest))
    }

    #[test]
    fn every_row_is_in_one_part_and_both_have_one() {
        for division in [Division::Rows, Division::Shuffle] {
            for count in [2, 3, 9, 10, 11, 100, 1234] {
                for fraction in [1e-9, 0.01, 0.1, 0.3, 0.5, 0.7, 0.99] {
                    let (part, rest) = parts(division, count, fraction, 3);
                    assert!(!part.is_empty() && !rest.is_empty(), "{count} rows, {fraction}");
                    assert!(part.is_sorted() && rest.is_sorted());
                    let mut all = [part, rest].concat();
                    all.sort_unstable();
                    assert!(all.into_iter().eq(0..count), "{count} rows, {fraction}");
                }
            }
        }
    }

    #[test]
    fn the_share_is_what_was_asked_for() {
        for fraction in [0.01, 0.1, 0.25, 0.3, 0.45, 0.5, 0.8] {
            let share = parts(Division::Rows, 20_000, fraction, 1).0.len() as f64 / 20_000.0;
            assert!((share / fraction - 1.0).abs() < 0.005, "{share} of {fraction}");
        }
    }

    #[test]
    fn rows_that_are_added_move_no_other() {
        for (fraction, seed) in [(0.1, 0), (0.1, 9), (0.3, 2), (0.75, 1)] {
            let (all, _) = parts(Division::Rows, 1000, fraction, seed);
            for count in 2..200 {
                let (part, _) = parts(Division::Rows, count, fraction, seed);
                let same: Vec<usize> = all.iter().copied().take_while(|row| *row < count).collect();
                assert_eq!(part, same, "{count} rows, {fraction}");
            }
        }
        // A shuffle moves them, which is why it is left to old runs.
        let (long, short) =
            (parts(Division::Shuffle, 110, 0.1, 0).0, parts(Division::Shuffle, 100, 0.1, 0).0);
        assert!(short.iter().filter(|row| long.contains(row)).count() < short.len());
    }

    #[test]
    fn the_seed_chooses_and_neighbours_do_not_follow_each_other() {
        assert_ne!(parts(Division::Rows, 1000, 0.1, 1).0, parts(Division::Rows, 1000, 0.1, 2).0);
        // Data whose classes take turns, ten rows each, must not give one class.
        let (part, _) = parts(Division::Rows, 1000, 0.1, 0);
        let classes: std::collections::BTreeSet<usize> = part.iter().map(|row| row % 10).collect();
        assert_eq!(classes.len(), 10);
        let rows = Split::new(vec![0; 1000], 1, None);
        let (_, held) = Division::Rows.hold_out(&rows, 0.1, 0);
        let held: Vec<usize> = (0..held.count).map(|row| held.place(row)).collect();
        assert_ne!(part, held);
    }
}
