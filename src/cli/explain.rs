//! `vae-gpu explain`.

use super::args::{ExplainArgs, TargetArg};
use super::output::result;
use super::source;
use crate::error::{Error, Result};
use crate::evaluate::Upload;
use crate::gpu::Limits;
use crate::model::Network;
use crate::model::plans::{self, Batch};
use crate::plan::{Role, Target};
use crate::train::config::Precision;
use crate::train::history;

pub fn run(args: &ExplainArgs) -> Result<()> {
    let mut config = args.model.resolve()?;
    config.validate()?;
    let dataset = source::open(&config.data, &config.source, false)?;
    config.adopt(&dataset)?;
    let model = config.model_config(dataset.shape);
    let network = Network::new(&model)?;
    let f16 = config.train.precision == Precision::F16;
    let target = match args.target {
        TargetArg::Card => Target { f16, ..Target::PORTABLE },
        TargetArg::Software => Target { subgroup: Some(8), images: true, f16, ..Target::SOFTWARE },
    };
    let train = &config.train;
    let plan_within = |limits| {
        let (binarize, size) = (train.binarize(&model), train.batch_size);
        let data = Upload::plan_within(limits, &dataset.train, "train", binarize, size, train.stream);
        let batch = Batch { data, size, samples: train.samples };
        plans::train(&network, target, &batch, &config.recipe(dataset.shape), history::ROWS as usize).plan
    };
    let plan = plan_within(Limits::ANYWHERE);
    layers(&network, train.batch_size);
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
    Limits::ANYWHERE.check(&plan, "no adapter allows more than")?;
    let everywhere = Limits::EVERYWHERE.check(&plan_within(Limits::EVERYWHERE), "some adapters allow only");
    match everywhere {
        Ok(()) => result(format_args!("limits: every adapter can hold this plan")),
        Err(Error::Limit { what, needed, allowed, .. }) => result(format_args!(
            "limits: {what} needs {needed}, but {allowed}; `vae-gpu devices` says what yours allows"
        )),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// The layers, in the columns that users of other frameworks' summaries know.
fn layers(network: &Network, batch: usize) {
    let width = network.rows().map(|row| row.text.chars().count()).max().unwrap_or_default();
    let [layer, output, parameters] = ["layer", "output", "parameters"];
    result(format_args!("{layer:<16} {:<width$} {output:>14} {parameters:>12} {:>9}", "", "MFLOP"));
    for row in network.rows() {
        result(format_args!(
            "{:<16} {:<width$} {:>14} {:>12} {:>9.2}",
            row.name,
            row.text,
            format!("[{batch}, {}]", row.output),
            row.parameters,
            2.0 * (batch * row.multiply_adds) as f64 / 1e6
        ));
    }
    let config = &network.config;
    result(format_args!(
        "latent {}, prior {}, objective {}, likelihood {}: {} parameters; MFLOP of one forward pass\n",
        config.family().latent.name(),
        config.family().prior.map_or("none", |prior| prior.name()),
        config.family().objective.name(),
        config.decoder(),
        network.parameters.count()
    ));
}
