//! Runs cases on several threads.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Case, Outcome, cases, conv, products};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernels::matmul::{Layout, Variant};

/// Runs every case for the adapter: each kernel, each variant that fits it, in ragged shapes. Most of the time goes
/// into compiling pipelines, so there is one thread per core. Outcomes are in the order of the cases; `progress` is
/// called after each, with the number of all cases.
pub fn run(gpu: &Arc<Gpu>, progress: &(dyn Fn(usize) + Sync)) -> Result<Vec<Outcome>> {
    run_of(gpu, |_| true, progress)
}

/// Runs the cases of the kernels that `wanted` accepts, by [`Outcome::kernel`], as [`run`] does.
pub fn run_of(
    gpu: &Arc<Gpu>,
    wanted: impl Fn(&str) -> bool,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Outcome>> {
    let mut cases = all_cases(gpu);
    cases.retain(|case| wanted(&case.kernel));
    run_all(gpu, &cases, progress)
}

/// The kernels, and variants of them, that there are cases for on the adapter: every [`Outcome::kernel`].
pub fn kernels(gpu: &Gpu) -> BTreeSet<String> {
    all_cases(gpu).into_iter().map(|case| case.kernel).collect()
}

/// Runs one ragged product for each of these matmul variants, as [`run`] does.
pub fn matmuls(
    gpu: &Arc<Gpu>,
    variants: &[(Layout, &'static Variant)],
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Outcome>> {
    let cases: Vec<Case> =
        variants.iter().map(|(layout, variant)| products::ragged(variant, *layout)).collect();
    run_all(gpu, &cases, progress)
}

/// Every case, with those of 16-bit operands if the adapter supports them.
fn all_cases(gpu: &Gpu) -> Vec<Case> {
    let target = gpu.report().target_f16();
    let mut all = cases::all(&target);
    conv::all(&mut all, &target);
    all
}

fn run_all(gpu: &Arc<Gpu>, cases: &[Case], progress: &(dyn Fn(usize) + Sync)) -> Result<Vec<Outcome>> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((number, case)) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(number).map(|case| (number, case))
                } {
                    let outcome = case.run(gpu);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
                    progress(cases.len());
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(number, _)| *number);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}
