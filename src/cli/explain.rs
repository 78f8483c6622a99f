//! `vae-gpu explain`.

use super::args::{ExplainArgs, TargetArg};
use super::output::result;
use super::source;
use crate::error::Result;
use crate::evaluate::packing;
use crate::model::plans::{self, Batch, DeviceData};
use crate::plan::{Role, Target};
use crate::train::history;

pub fn run(args: &ExplainArgs) -> Result<()> {
    let mut config = args.model.resolve()?;
    config.validate()?;
    let dataset = source::open(&config.data, &config.source, false)?;
    config.adopt(&dataset)?;
    let model = config.model_config(dataset.shape);
    model.validate()?;
    let target = match args.target {
        TargetArg::Card => Target::PORTABLE,
        TargetArg::Software => Target { software: true, subgroup: Some(8), f16: false },
    };
    let data = DeviceData::resident("train", dataset.train.count, config.train.binarize(&model));
    let data = DeviceData { packing: packing(&dataset.train), ..data };
    let batch = Batch { data, size: config.train.batch_size, samples: config.train.samples };
    let plan =
        plans::train(&model, target, &batch, &config.train.recipe(), history::ROWS as usize).batch.plan;
    result(format_args!("{}", plan.to_string().trim_end()));
    let cost = plan.cost();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let shared: u64 =
        plan.buffers.iter().filter(|b| b.role == Role::Shared).map(|b| 4 * b.words as u64).sum();
    result(format_args!(
        "a step: {} dispatches, {:.1} MFLOP, {:.1} MiB moved at least",
        plan.dispatches.len(),
        cost.flops as f64 / 1e6,
        mib(cost.bytes)
    ));
    result(format_args!(
        "memory: {:.1} MiB of data, parameters, gradients and moments, {:.1} MiB of activations",
        mib(shared),
        mib(plan.memory() - shared)
    ));
    Ok(())
}
