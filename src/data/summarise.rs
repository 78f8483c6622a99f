//! Summarises the rows of a split, with several threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::progress::{Progress, Watch};
use super::split::{Row, Split};
use super::summary::Summary;
use crate::error::Result;

/// Bytes of rows that a thread summarises in one go.
const CHUNK: usize = 4 << 20;

/// Summarises the rows of a split as the model sees them, on several threads; the bits do not depend on how many.
pub(super) fn summarise(split: &Split, what: &'static str, progress: Watch) -> Result<Summary> {
    let rows = (CHUNK / (4 * split.dim().max(1))).max(256);
    let chunks = split.count.div_ceil(rows);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(chunks);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    // Chunks are joined in order; those done early wait.
    let joined = Mutex::new((Summary::new(split.dim()), 0, BTreeMap::new()));
    let work = || -> Result<()> {
        loop {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            if chunk >= chunks || failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let first = chunk * rows;
            let mut summary = Summary::new(split.dim());
            let mut grey = Vec::new();
            let read = split.each(first..split.count.min(first + rows), &mut |row| match row {
                Row::Floats(values) => summary.add(values),
                Row::Bytes(values) => {
                    grey.clear();
                    grey.extend(values.iter().map(|v| f32::from(*v) / 255.0));
                    summary.add(&grey);
                }
            });
            if let Err(error) = read {
                failed.store(true, Ordering::Relaxed);
                return Err(error);
            }
            let mut guard = joined.lock().unwrap_or_else(PoisonError::into_inner);
            let (all, turn, waiting) = &mut *guard;
            waiting.insert(chunk, summary.finish());
            while let Some(summary) = waiting.remove(turn) {
                all.join(summary);
                *turn += 1;
            }
            progress(Progress { what, done: all.count, total: split.count as u64 });
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let results = workers.into_iter().map(|w| w.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        results.collect::<Vec<_>>().into_iter().collect::<Result<Vec<()>>>()
    })?;
    let (all, _, _) = joined.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(rows: usize, dim: usize, value: impl Fn(usize, usize) -> f32) -> Split {
        let values = (0..rows * dim).map(|i| value(i / dim, i % dim)).collect();
        Split::from_floats(values, dim)
    }

    #[test]
    fn many_chunks_give_what_plain_sums_give() {
        let (rows, dim) = (3000, 1500);
        let value = |row: usize, col: usize| (((row * 31 + col * 17) % 101) as f32 - 50.0) * 0.25 + 1e3;
        let split = split(rows, dim, value);
        let summary = summarise(&split, "", &|_| {}).unwrap();
        assert_eq!((summary.count, summary.bad), (rows as u64, None));
        for col in [0, 7, dim - 1] {
            let values: Vec<f64> = (0..rows).map(|row| f64::from(value(row, col))).collect();
            let mean = values.iter().sum::<f64>() / rows as f64;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / rows as f64;
            assert!((summary.mean[col] - mean).abs() < 1e-9 * mean.abs());
            assert!((summary.std[col] - variance.sqrt()).abs() < 1e-9);
            let min = values.iter().copied().fold(f64::INFINITY, f64::min);
            assert_eq!(summary.min[col], min);
        }
        assert_eq!(summary, summarise(&split, "", &|_| {}).unwrap());
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_found() {
        let bad = |at: (usize, usize), value| {
            let split = split(2000, 1100, |row, col| if (row, col) == at { value } else { 1.0 });
            summarise(&split, "", &|_| {}).unwrap().bad
        };
        assert_eq!(bad((1990, 3), f32::NAN), Some((1990, 3)));
        assert_eq!(bad((0, 1099), f32::INFINITY), Some((0, 1099)));
    }

    #[test]
    fn a_constant_column_has_no_deviation() {
        let summary = summarise(&split(999, 3, |_, _| 0.1), "", &|_| {}).unwrap();
        assert_eq!(summary.std, [0.0; 3]);
    }

    #[test]
    fn bytes_count_as_grey() {
        let split = Split::new(vec![0, 255, 255, 255], 2, None);
        let summary = summarise(&split, "", &|_| {}).unwrap();
        assert_eq!((&summary.mean[..], summary.range()), (&[0.5, 1.0][..], (0.0, 1.0)));
        assert_eq!((summary.pooled().mean[0], summary.pooled().count), (0.75, 4));
    }
}
