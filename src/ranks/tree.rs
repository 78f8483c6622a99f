//! Sums in a fixed binary tree: neighbours are added, then neighbouring sums, and one that is left over waits for the next level.

/// Floats of each summand that are added before the next ones: small enough to stay in a core's cache.
const STRIP: usize = 2048;

/// Adds blocks that come one after the other. Of n blocks it holds no more than log2(n) + 1.
#[derive(Default)]
pub struct Tree {
    /// Sums of whole subtrees, the largest first, with the level of each.
    sums: Vec<(u32, Vec<f32>)>,
    /// Memory of blocks that were added to others.
    free: Vec<Vec<f32>>,
}

impl Tree {
    /// Adds the next block.
    pub fn push(&mut self, block: Vec<f32>) {
        let mut top = (0, block);
        while self.sums.last().is_some_and(|(level, _)| *level == top.0) {
            top = self.join(top);
        }
        self.sums.push(top);
    }

    /// The sum of all blocks, and none of them are left.
    ///
    /// # Panics
    /// If there was none.
    pub fn finish(&mut self) -> Vec<f32> {
        let mut top = self.sums.pop().expect("a sum has summands");
        while !self.sums.is_empty() {
            top = self.join(top);
        }
        top.1
    }

    /// Memory for the next block: its content is of no account.
    pub fn spare(&mut self) -> Vec<f32> {
        self.free.pop().unwrap_or_default()
    }

    /// Forgets the blocks of a sum that was broken off.
    pub fn clear(&mut self) {
        self.free.extend(self.sums.drain(..).map(|(_, block)| block));
    }

    /// Takes back the memory of a sum.
    pub fn reuse(&mut self, block: Vec<f32>) {
        self.free.push(block);
    }

    /// The last sum plus `right`, which comes behind it.
    fn join(&mut self, (level, right): (u32, Vec<f32>)) -> (u32, Vec<f32>) {
        let (before, mut left) = self.sums.pop().expect("a sum to join");
        add(&mut left, &right);
        self.free.push(right);
        (before.max(level) + 1, left)
    }
}

/// Adds blocks of `len` words, which lie one behind the other, into the first of them.
pub(super) fn add_all(blocks: &mut [f32], len: usize) {
    let count = blocks.len() / len.max(1);
    for first in (0..len).step_by(STRIP) {
        let end = len.min(first + STRIP);
        let mut apart = 1;
        while apart < count {
            for left in (0..count - apart).step_by(2 * apart) {
                let (before, behind) = blocks.split_at_mut((left + apart) * len);
                add(&mut before[left * len..][first..end], &behind[first..end]);
            }
            apart *= 2;
        }
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    assert_eq!(to.len(), from.len(), "blocks of one length");
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Ranks, Shards, threads};
    use super::*;

    /// Numbers whose sum depends on the order.
    fn block(number: usize, len: usize) -> Vec<f32> {
        (0..len)
            .map(|i| ((number * 7919 + i * 104_729) % 1000) as f32 * 10f32.powi(number as i32 % 9 - 4))
            .collect()
    }

    /// The tree as it is defined, level by level.
    fn expected(count: usize, len: usize) -> Vec<f32> {
        let mut level: Vec<Vec<f32>> = (0..count).map(|number| block(number, len)).collect();
        while level.len() > 1 {
            let pair = |pair: &[Vec<f32>]| match pair {
                [a, b] => a.iter().zip(b).map(|(a, b)| a + b).collect(),
                one => one[0].clone(),
            };
            level = level.chunks(2).map(pair).collect();
        }
        level.remove(0)
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn blocks_are_added_in_the_tree_however_they_come() {
        const LEN: usize = 2 * STRIP + 5;
        for count in 1..=13 {
            let mut tree = Tree::default();
            (0..count).for_each(|number| tree.push(block(number, LEN)));
            assert_eq!(bits(&tree.finish()), bits(&expected(count, LEN)), "{count} one by one");
            let mut all: Vec<f32> = (0..count).flat_map(|number| block(number, LEN)).collect();
            add_all(&mut all, LEN);
            assert_eq!(bits(&all[..LEN]), bits(&expected(count, LEN)), "{count} at once");
        }
        let in_order = (0..8).fold(vec![0.0; 9], |mut sum, number| {
            add(&mut sum, &block(number, 9));
            sum
        });
        assert_ne!(bits(&in_order), bits(&expected(8, 9)), "the order does not matter to these numbers");
    }

    #[test]
    fn any_number_of_ranks_gives_the_bits_of_one() {
        const LEN: usize = 24;
        for (shards, sizes) in [(8, vec![1, 2, 4, 8]), (12, vec![1, 3, 6, 12]), (5, vec![1, 5])] {
            for size in sizes {
                let sums = threads(size, |ranks| {
                    let mut tree = Tree::default();
                    let own = Shards::new(shards, size, ranks.rank()).unwrap().own();
                    own.for_each(|shard| tree.push(block(shard, LEN)));
                    ranks.sum(tree.finish()).unwrap()
                });
                for sum in sums {
                    assert_eq!(bits(&sum), bits(&expected(shards, LEN)), "{shards} among {size}");
                }
            }
        }
    }
}
