//! The order in which an epoch visits the training data.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Separates these random numbers from others drawn from the same seed.
const STREAM: &[u8; 20] = b"vae-gpu epoch order\0";

/// A permutation of `0..count` that depends only on `seed` and `epoch`, so a resumed run continues it without stored
/// state.
///
/// Fisher-Yates over ChaCha8, whose key is the seed (8 bytes), the epoch (4 bytes), both little endian, and `STREAM`
/// (20 bytes). The shuffle is written out here instead of taken from `rand`, so that a seed keeps its meaning in later
/// releases of that crate.
///
/// # Panics
/// If `count` exceeds a u32; readers cap it far below.
pub fn epoch_order(count: usize, seed: u64, epoch: u32) -> Vec<u32> {
    permutation(count, seed, epoch, STREAM)
}

/// A permutation of `0..count` that depends only on `seed` and `stream`.
pub(super) fn shuffled(count: usize, seed: u64, stream: &[u8; 20]) -> Vec<u32> {
    permutation(count, seed, 0, stream)
}

fn permutation(count: usize, seed: u64, epoch: u32, stream: &[u8; 20]) -> Vec<u32> {
    let count = u32::try_from(count).expect("a data set is capped below 2^32 data");
    let mut rng = ChaCha8Rng::from_seed(key(seed, epoch, stream));

    let mut order: Vec<u32> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last as usize, below(&mut rng, last + 1) as usize);
    }
    order
}

/// The key of a stream of random numbers.
pub(super) fn key(seed: u64, epoch: u32, stream: &[u8; 20]) -> [u8; 32] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..12].copy_from_slice(&epoch.to_le_bytes());
    key[12..].copy_from_slice(stream);
    key
}

/// A uniform number in `0..bound`, by Lemire's multiplication (arXiv 1805.10941), which rejects the few draws that
/// would bias it.
fn below(rng: &mut impl Rng, bound: u32) -> u32 {
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let product = u64::from(rng.next_u32()) * u64::from(bound);
        if product as u32 >= threshold {
            return (product >> 32) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this fails, seeds have changed their meaning, and resumed runs would see different batches.
    ///
    /// The values come from this Python code, which shares nothing with the crates:
    /// ```python
    /// import struct
    /// def chacha8(key):
    ///     for n in range(2**32):
    ///         start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), n, 0, 0, 0]
    ///         x = start[:]
    ///         for i in range(32):
    ///             c, r = i % 4, i // 4 % 2  # column rounds, then diagonal rounds
    ///             a, b, d, e = c, 4 + (c + r) % 4, 8 + (c + 2 * r) % 4, 12 + (c + 3 * r) % 4
    ///             for p, q, t, k in (a, b, e, 16), (d, e, b, 12), (a, b, e, 8), (d, e, b, 7):
    ///                 x[p] = (x[p] + x[q]) % 2**32
    ///                 x[t] = (x[t] ^ x[p]) << k & 0xFFFFFFFF | (x[t] ^ x[p]) >> 32 - k
    ///         yield from ((u + v) % 2**32 for u, v in zip(x, start))
    /// def order(count, seed, epoch):
    ///     words = chacha8(struct.pack("<QI", seed, epoch) + b"vae-gpu epoch order\0")
    ///     o = list(range(count))
    ///     for n in range(count, 1, -1):
    ///         p = next(w * n for w in words if w * n % 2**32 >= 2**32 % n)
    ///         o[n - 1], o[p >> 32] = o[p >> 32], o[n - 1]
    ///     return o
    /// print(order(10, 0, 1), order(60000, 42, 7)[:8])
    /// ```
    #[test]
    fn golden_a_seed_keeps_its_meaning() {
        assert_eq!(epoch_order(10, 0, 1), [8, 4, 2, 6, 1, 5, 3, 9, 7, 0]);
        assert_eq!(epoch_order(60_000, 42, 7)[..8], [35515, 22505, 29494, 24810, 33561, 47465, 22577, 41292]);
    }

    #[test]
    fn every_datum_comes_once_per_epoch() {
        for count in [0, 1, 2, 3, 997] {
            let mut order = epoch_order(count, 5, 3);
            order.sort_unstable();
            assert!(order.iter().enumerate().all(|(index, &datum)| datum as usize == index));
            assert_eq!(order.len(), count);
        }
    }

    #[test]
    fn seed_and_epoch_each_change_the_order() {
        let order = epoch_order(100, 1, 1);
        assert_eq!(order, epoch_order(100, 1, 1));
        assert_ne!(order, epoch_order(100, 1, 2));
        assert_ne!(order, epoch_order(100, 2, 1));
    }

    /// Over 6 x 4,000 shuffles of three, each permutation should occur 4,000 times, give or take 60.
    #[test]
    fn every_permutation_is_as_likely_as_the_others() {
        let mut seen = std::collections::BTreeMap::new();
        for epoch in 0..24_000 {
            *seen.entry(epoch_order(3, 9, epoch)).or_insert(0i32) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|count| (count - 4_000).abs() < 300), "{seen:?}");
    }
}
