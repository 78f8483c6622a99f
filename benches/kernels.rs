//! Every kernel in a shape of the default model, and every matmul variant in the largest product of each layout.
//! Nothing is timed before it has matched its CPU reference here.
//!
//!     cargo bench --bench kernels                       # all of it, a few minutes
//!     cargo bench --bench kernels -- 'matmul NT'        # one layout
//!     VAE_GPU_DEVICE=1 cargo bench --bench kernels      # another adapter of `vae-gpu devices`
//!
//! Throughput is in elements of the largest tensor per second; for matmul, in floating-point operations per second.

mod common;

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use vae_gpu::bench::{Timed, products, subjects};
use vae_gpu::check::{self, Outcome};
use vae_gpu::gpu::Gpu;
use vae_gpu::plan::{Plan, Step};

fn kernels(criterion: &mut Criterion) {
    let gpu = common::gpu();
    for subject in subjects(&gpu.report().target_f16()) {
        let name = subject.kernel.clone();
        let throughput = Throughput::Elements(subject.elements());
        bench(
            criterion,
            &gpu,
            (&subject.kernel, &subject.shape),
            throughput,
            (&subject.plan, subject.step),
            || check::run_of(&gpu, |kernel| kernel == name, &|_| ()),
        );
    }
}

fn matmul(criterion: &mut Criterion) {
    let gpu = common::gpu();
    let f16 = gpu.report().f16.then(|| gpu.report().target_f16());
    let targets = [Some(gpu.target()), f16].into_iter().flatten();
    for (product, variant) in targets.flat_map(|target| products(&target)) {
        let group = format!("matmul {:?} {}", product.layout, product.shape());
        let throughput = Throughput::Elements(product.flops());
        let subject = (&product.plan(variant), Step::default());
        bench(criterion, &gpu, (&group, variant.name), throughput, subject, || {
            check::matmuls(&gpu, &[(product.layout, variant)], &|_| ())
        });
    }
}

/// Checks, then times. Both happen only if the name passes the command line's filter.
fn bench(
    criterion: &mut Criterion,
    gpu: &Arc<Gpu>,
    (group, name): (&str, &str),
    throughput: Throughput,
    (plan, step): (&Plan, Step),
    check: impl Fn() -> vae_gpu::error::Result<Vec<Outcome>>,
) {
    let mut timed = None;
    let mut group = criterion.benchmark_group(group);
    group.throughput(throughput).sampling_mode(SamplingMode::Flat);
    group.bench_function(name, |bencher| {
        let timed = timed.get_or_insert_with(|| {
            agrees(&check().unwrap_or_else(|e| panic!("{e}")));
            Timed::new(gpu, plan, step).unwrap_or_else(|e| panic!("{e}"))
        });
        bencher.iter_custom(|launches| {
            Duration::from_secs_f64(timed.seconds(launches).unwrap_or_else(|e| panic!("{e}")))
        });
    });
    group.finish();
}

fn agrees(outcomes: &[Outcome]) {
    assert!(!outcomes.is_empty(), "nothing to check");
    for outcome in outcomes {
        assert!(outcome.passed, "{}: {:?}", outcome.label, outcome.problem);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1));
    targets = kernels, matmul
}
criterion_main!(benches);
