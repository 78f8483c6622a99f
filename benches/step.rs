//! Training steps: images per second over the batch size and over the width of the hidden layer, and the host's work
//! per step, on a no-op device.
//!
//!     cargo bench --bench step
//!     cargo bench --bench step -- 'batch/128'

mod common;

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use vae_gpu::bench::{TimedSteps, default_model};
use vae_gpu::gpu::Gpu;
use vae_gpu::kernels::tuning::Tuning;
use vae_gpu::model::ModelConfig;
use vae_gpu::train::TrainSection;

/// B, with the default hidden layer.
const BATCHES: [usize; 4] = [16, 128, 1024, 4096];
/// H, with the default batch.
const WIDTHS: [usize; 3] = [128, 512, 2048];

fn steps(criterion: &mut Criterion) {
    let gpu = common::gpu();
    for batch in BATCHES {
        let id = BenchmarkId::new("batch", batch);
        bench(criterion, &gpu, "step", id, &default_model(), batch);
    }
    for width in WIDTHS {
        let model = ModelConfig { hidden: vec![width], ..default_model() };
        let id = BenchmarkId::new("hidden", width);
        bench(criterion, &gpu, "step", id, &model, TrainSection::default().batch_size);
    }
}

/// The host's share: encoding and submitting, without a device.
fn host(criterion: &mut Criterion) {
    let deep = ModelConfig { hidden: vec![200, 200], latent: 50, ..default_model() };
    for model in [default_model(), deep] {
        let id = BenchmarkId::from_parameter(model.widths());
        bench(criterion, &Gpu::noop(), "host", id, &model, TrainSection::default().batch_size);
    }
}

fn bench(
    criterion: &mut Criterion,
    gpu: &Arc<Gpu>,
    group: &str,
    id: BenchmarkId,
    model: &ModelConfig,
    batch_size: usize,
) {
    let train = TrainSection { batch_size, ..TrainSection::default() };
    let mut stepper = None;
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(batch_size as u64)).sampling_mode(SamplingMode::Flat);
    group.bench_function(id, |bencher| {
        let stepper = stepper.get_or_insert_with(|| {
            TimedSteps::on_noise(gpu, model, &train, &Tuning::default()).unwrap_or_else(|e| panic!("{e}"))
        });
        bencher.iter_custom(|steps| {
            Duration::from_secs_f64(stepper.seconds(steps).unwrap_or_else(|e| panic!("{e}")))
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = steps, host
}
criterion_main!(benches);
