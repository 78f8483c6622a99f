//! `vae-gpu tune`, and the tuning of `vae-gpu train`.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::args::TuneArgs;
use super::output::{result, talk};
use super::saved::announce;
use super::source;
use crate::data::Dataset;
use crate::error::Result;
use crate::evaluate::packing;
use crate::gpu::Gpu;
use crate::kernels::tuning::Tuning;
use crate::model::Network;
use crate::model::plans::{self, Batch, DeviceData};
use crate::ranks::Shards;
use crate::train::config::Precision;
use crate::train::{Config, history};
use crate::tune::{self, Finding};

pub fn run(args: &TuneArgs) -> Result<()> {
    let mut config = args.model.resolve()?;
    config.validate()?;
    let dataset = source::open(&config.data, &config.source, false)?;
    config.adopt(&dataset)?;
    let gpu = args.device.open()?;
    announce(&gpu);
    let asked = config.train.precision;
    if asked.worthwhile(gpu.report()) != asked {
        talk(format_args!(
            "note     on this adapter `train` keeps 32 bits: what follows serves `bench --precision f16` alone"
        ));
    }
    measured(&gpu, &config, asked, &dataset).map(|_| ())
}

/// What earlier measurements on this adapter found.
pub fn known(gpu: &Gpu) -> Tuning {
    tune::default_folder().map_or_else(Tuning::default, |folder| tune::load(&folder, gpu.report()))
}

/// Measures the products of the training plan, or of that of a shard, prints each finding, and keeps them in the user's cache folder.
pub fn measured(gpu: &Arc<Gpu>, config: &Config, precision: Precision, dataset: &Dataset) -> Result<Tuning> {
    let model = config.model_config(dataset.shape);
    let network = Network::new(&model)?;
    let data = DeviceData::resident("train", dataset.train.count, config.train.binarize(&model));
    let data = DeviceData { packing: packing(&dataset.train), ..data };
    let shards = config.train.shards.map_or(1, NonZeroU32::get) as usize;
    let size = Shards::new(shards, 1, 0)?.most(config.train.batch_size);
    let batch = Batch { data, size, samples: config.train.samples };
    let target = precision.target(gpu)?;
    let plan =
        plans::train(&network, target, &batch, &config.recipe(dataset.shape), history::ROWS as usize).plan;
    result(format_args!(
        "{:<20} {:>24} {:>9}   {:>24} {:>9}",
        "product", "default", "GFLOP/s", "fastest", "GFLOP/s"
    ));
    let tuning = tune::measure(gpu, &target, &tune::products(&plan), &mut |finding: &Finding| {
        let Finding { product, default, best } = finding;
        result(format_args!(
            "{:<20} {:>24} {:>9.1}   {:>24} {:>9.1}",
            format!("{:?} {}", product.layout, product.shape()),
            default.0,
            default.1,
            best.0,
            best.1
        ));
    })?;
    match tune::default_folder() {
        Some(folder) => {
            let path = tune::save(&folder, gpu.report(), &tuning)?;
            talk(format_args!("kept in {}", path.display()));
        }
        None => talk(format_args!("not kept: this system names no cache folder")),
    }
    Ok(tuning)
}
