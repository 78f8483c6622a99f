//! The table of dispatches, for `train --profile` and `bench`.

use std::fmt::Arguments;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::output::talk;
use crate::bench::{self, Ceilings, Effort, Profile};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernels::tuning::Tuning;
use crate::model::ModelConfig;
use crate::ranks::Shards;
use crate::train::Times;
use crate::train::config::TrainSection;

/// Profiles the training plan of a model, or of a shard of its batches, on buffers of its own, and prints where its time goes.
pub fn run(
    gpu: &Arc<Gpu>,
    model: &ModelConfig,
    train: &TrainSection,
    shards: Shards,
    tuning: &Tuning,
) -> Result<()> {
    let count = NonZeroU32::new(shards.count() as u32).filter(|_| shards.count() > 1);
    // This process has no others here: batch norm measures a shard by itself, with almost the same work.
    let train = &TrainSection { shards: count, sync_norm: false, ..train.clone() };
    let ceilings = Ceilings::measure(gpu)?;
    let profile = bench::profile(gpu, model, train, tuning, &ceilings, Effort::Full)?;
    let (batch, clock) = (train.batch_size, gpu.clock());
    match count {
        None => talk(format_args!("a training step at batch {batch}, each dispatch by itself, by {clock}:")),
        Some(count) => {
            let rows = shards.most(batch);
            talk(format_args!(
                "one of {count} shards ({rows} rows) of a training step at batch {batch}, and the optimiser, each dispatch by itself, by \
                 {clock}:"
            ));
        }
    }
    print(&profile, talk);
    talk(format_args!("limits   {}", limits(&ceilings)));
    talk(format_args!(
        "host     {:.1} us a step to encode and submit, while the device works",
        bench::host_us_per_step(model, train)?
    ));
    // These were no steps of the training.
    gpu.take_durations();
    Ok(())
}

/// Prints how long the submissions of the training took on the device, after it.
pub fn submissions(gpu: &Gpu) {
    let durations = gpu.take_durations();
    talk(format_args!("submissions by the time that the device was busy with them:"));
    for (from, below, count) in durations.buckets() {
        let range = match below {
            Some(below) => format!("{from} to {below} ms"),
            None => format!("{from} ms and longer"),
        };
        talk(format_args!("  {range:<18} {count:>9}"));
    }
    let longest = 1e3 * durations.longest().as_secs_f64();
    talk(format_args!("  {:<18} {:>9}, the longest {longest:.1} ms", "all", durations.count()));
}

/// Prints every dispatch, the longest first.
pub fn print(profile: &Profile, line: fn(Arguments)) {
    line(format_args!(
        "{:<22} {:<30} {:<15} {:>9} {:>6} {:>9} {:>8} {:>8}",
        "dispatch", "kernel", "shape", "ms", "share", "GFLOP/s", "GB/s", "of limit"
    ));
    let total = profile.ms();
    for k in profile.longest_first() {
        line(format_args!(
            "{:<22} {:<30} {:<15} {:>9.4} {:>5.1}% {:>9.2} {:>8.2} {:>7.0}%",
            k.label,
            k.kernel,
            k.shape,
            k.ms,
            100.0 * k.ms / total,
            k.gflops,
            k.gbps,
            100.0 * k.share_of_ceiling
        ));
    }
    line(format_args!(
        "total    {total:.3} ms; {:.1} % of it is not matmul",
        100.0 * (1.0 - profile.matmul_share())
    ));
}

/// Prints where the time of divided steps went, after the training.
pub fn division(times: &Times) {
    let ms = |time: Duration| 1e3 * time.as_secs_f64() / times.steps.max(1) as f64;
    talk(format_args!(
        "a divided step on this rank, in ms: computing {:.2}; transfer: gradients to the host {:.2}, own shards added {:.2}, sums to the \
         device {:.2}; waiting for sums over ranks {:.2}, which took {:.2}: {:.2} were hidden behind the rest",
        ms(times.gradients),
        ms(times.reading),
        ms(times.adding),
        ms(times.writing),
        ms(times.waiting),
        ms(times.sums),
        ms(times.hidden())
    ));
    if times.exchanges > Duration::ZERO {
        talk(format_args!(
            "  exchanges of batch norm's sums, which the device waits for: {:.2}",
            ms(times.exchanges)
        ));
    }
}

/// The ceilings in one line.
pub fn limits(ceilings: &Ceilings) -> String {
    format!(
        "{:.1} GFLOP/s of multiply-adds, {:.1} GB/s of copying, {:.1} us a dispatch",
        ceilings.gflops, ceilings.copy_gbps, ceilings.dispatch_us
    )
}
