//! Which rank computes which rows of a batch.

use std::ops::Range;

use crate::error::{Error, Result};

/// A batch cut into parts, of which each rank computes as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards {
    count: usize,
    each: usize,
    rank: usize,
}

impl Shards {
    /// `count` shards among `ranks`, as `rank` sees them; 0 means one a rank.
    ///
    /// # Errors
    /// [`Error::Setting`] if the tree in which shards are added cannot be cut into equal parts, one a rank: each rank needs a power
    /// of two of them.
    pub fn new(count: usize, ranks: usize, rank: usize) -> Result<Shards> {
        assert!(rank < ranks, "rank {rank} of {ranks}");
        let count = if count == 0 { ranks } else { count };
        if !fits(count, ranks) {
            let halves = (0..=count.trailing_zeros()).rev().map(|times| count >> times);
            let halves = halves.filter(|n| *n > 1 && fits(count, *n));
            let fitting: Vec<_> = [1].into_iter().chain(halves).map(|n| n.to_string()).collect();
            return Err(Error::value(
                "train.shards",
                count,
                format_args!(
                    "they cannot be divided among {ranks} ranks; start {} of them, or take 1, 2, 4 or 8 times as many \
                     shards as ranks",
                    fitting.join(" or ")
                ),
            ));
        }
        Ok(Shards { count, each: count / ranks, rank })
    }

    /// How many there are, over all ranks.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Those that this rank computes.
    pub fn own(&self) -> Range<usize> {
        self.rank * self.each..(self.rank + 1) * self.each
    }

    /// The rows that shard `number` has of a batch of `rows`: as many as the others, or one more; none where there are fewer rows than
    /// shards.
    pub fn rows(&self, number: usize, rows: usize) -> Range<usize> {
        number * rows / self.count..(number + 1) * rows / self.count
    }

    /// The most rows that a shard of a batch of `rows` has.
    pub fn most(&self, rows: usize) -> usize {
        rows.div_ceil(self.count)
    }

    /// The fewest.
    pub fn fewest(&self, rows: usize) -> usize {
        rows / self.count
    }
}

/// Whether each rank's shards are whole subtrees of one size.
fn fits(count: usize, ranks: usize) -> bool {
    count.is_multiple_of(ranks) && (ranks == 1 || (count / ranks).is_power_of_two())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_a_batch_is_in_one_shard() {
        for (count, rows) in [(1, 7), (4, 128), (8, 100), (8, 3), (6, 32), (3, 65_536)] {
            let shards = Shards::new(count, 1, 0).unwrap();
            let all: Vec<usize> = (0..count).flat_map(|shard| shards.rows(shard, rows)).collect();
            assert_eq!(all, (0..rows).collect::<Vec<_>>(), "{count} {rows}");
            let sizes = (0..count).map(|shard| shards.rows(shard, rows).len());
            assert!(sizes.clone().max() <= Some(shards.most(rows)), "{count} {rows}");
            assert_eq!(sizes.min(), Some(shards.fewest(rows)), "{count} {rows}");
        }
    }

    #[test]
    fn ranks_share_what_divides() {
        for (count, ranks) in [(8, 1), (8, 2), (8, 4), (8, 8), (6, 1), (6, 3), (12, 3), (0, 5)] {
            let own = |rank| Shards::new(count, ranks, rank).unwrap().own();
            let all: Vec<usize> = (0..ranks).flat_map(own).collect();
            let count = if count == 0 { ranks } else { count };
            assert_eq!(all, (0..count).collect::<Vec<_>>(), "{count} {ranks}");
        }
        for (count, ranks) in [(8, 3), (6, 2), (4, 8), (1, 2)] {
            let error = Shards::new(count, ranks, 0).unwrap_err().to_string();
            assert!(error.contains(&format!("among {ranks} ranks")), "{error}");
        }
        assert!(Shards::new(6, 2, 0).unwrap_err().to_string().contains("start 1 or 3 or 6 of them"));
    }
}
