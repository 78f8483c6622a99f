//! One seed gives the same bits on one adapter for every kind of model, and losses that agree between adapters.

mod common;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/tiny.rs"]
mod tiny;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use scratch::Scratch;
use serde_json::{Value, json};
use skip::skip;
use vae_gpu::data::Dataset;
use vae_gpu::gpu::Gpu;
use vae_gpu::kernels::likelihood::{TABLE, Variance};
use vae_gpu::run::metrics;
use vae_gpu::train::{Condition, ModelSection, TrainSection};
use vae_gpu::train::{Config, Trainer};

/// Runs that must be equal, bit by bit.
const RUNS: usize = 3;

/// Steps whose losses are compared between adapters.
const STEPS: usize = 100;

/// Largest relative difference between the losses of two adapters, which sum in different orders and have different
/// exponentials.
const AGREEMENT: f64 = 1e-3;

fn dataset() -> Dataset {
    let mut dataset = tiny::dataset(50, 10);
    for split in [&mut dataset.train, &mut dataset.test] {
        split.labels = Some((0..split.count).map(|i| (i % 10) as u32).collect());
    }
    dataset
}

/// Every kind of model and every likelihood, by name.
fn members() -> Vec<(String, Config)> {
    let member = |name: &str, change: &dyn Fn(&mut Config)| {
        let model = ModelSection { hidden: vec![16], latent: 3, ..ModelSection::default() };
        let train = TrainSection { batch_size: 16, lr: 0.01, epochs: 2, ..TrainSection::default() };
        let mut config = Config { model, train, ..Config::default() };
        change(&mut config);
        (name.to_owned(), config)
    };
    let mut members = vec![
        member("iwae", &|c| (c.model.kind, c.train.samples) = ("iwae".into(), 3)),
        member("ae", &|c| c.model.kind = "ae".into()),
        member("conditional vae", &|c| c.model.condition = Condition::Labels),
        member("mirrored pictures", &|c| c.train.flip = true),
        member("free bits and clipping", &|c| (c.train.free_bits, c.train.clip_norm) = (0.1, 1.0)),
        member("a variance for each pixel", &|c| {
            (c.model.likelihood, c.model.variance) = ("gaussian-learned".into(), Some(Variance::Pixel));
        }),
    ];
    members.extend(
        TABLE
            .iter()
            .map(|likelihood| member(likelihood.name, &|c| c.model.likelihood = likelihood.name.into())),
    );
    members
}

/// The bits of weights and moments after two epochs.
fn bits(gpu: &Arc<Gpu>, dataset: &Dataset, config: &Config) -> Vec<u32> {
    let mut trainer = Trainer::new(gpu, dataset, config.clone()).unwrap();
    let before = trainer.arenas().unwrap().parameters;
    while !trainer.is_done() {
        trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap().unwrap();
    }
    let arenas = trainer.arenas().unwrap();
    assert!(arenas.parameters != before, "nothing was trained");
    let all = [arenas.parameters, arenas.moment1, arenas.moment2];
    all.iter().flatten().map(|value| value.to_bits()).collect()
}

#[test]
fn a_seed_decides_every_bit_of_every_model() {
    let (gpu, again, dataset) = (common::gpu(), common::gpu(), dataset());
    for (name, config) in members() {
        let mut streamed = config.clone();
        streamed.train.stream = true;
        let first = bits(&gpu, &dataset, &config);
        for run in 1..RUNS {
            // A newly opened device, then the same device again.
            let gpu = if run % 2 == 1 { &again } else { &gpu };
            assert!(bits(gpu, &dataset, &config) == first, "{name}: run {run} has other bits");
        }
        for run in 0..RUNS {
            assert!(bits(&gpu, &dataset, &streamed) == first, "{name}: streamed run {run} has other bits");
        }
        let mut other = config;
        other.train.seed += 1;
        assert!(bits(&gpu, &dataset, &other) != first, "{name}: two seeds, one result");
    }
}

/// An adapter that a machine may have: its name here, its name in the list of required ones, and the environment
/// variables that select it.
type Adapter = (&'static str, Option<&'static str>, &'static [(&'static str, &'static str)]);

const ADAPTERS: &[Adapter] = &[
    ("the native one", None, &[("VAE_GPU_BACKENDS", "vulkan,metal,dx12")]),
    ("OpenGL", Some("gl"), &[("VAE_GPU_BACKENDS", "gl")]),
    ("SwiftShader", Some("swiftshader"), &[("VAE_GPU_BACKENDS", "vulkan"), ("VK_DRIVER_FILES", SWIFTSHADER)]),
];
const SWIFTSHADER: &str = "/usr/lib/chromium/vk_swiftshader_icd.json";

/// The losses of the first steps on each available adapter: an epoch is one step, and a row of `metrics.csv`.
#[test]
fn adapters_agree_on_the_first_losses() {
    let scratch = Scratch::new();
    let mut found: Vec<(&str, Vec<f64>)> = Vec::new();
    for (number, (name, required, variables)) in ADAPTERS.iter().enumerate() {
        let command = |line: &str| {
            let mut command = scratch.command(line);
            // The variable that chose the other tests' adapter.
            command.env_remove("VAE_GPU_DEVICE").env_remove("VK_DRIVER_FILES");
            command.envs(variables.iter().copied());
            command
        };
        let is_missing = *name == "SwiftShader" && !Path::new(SWIFTSHADER).exists();
        let none = json!({ "adapters": [], "auto": null });
        let devices = command("devices --json").assert().success().get_output().stdout.clone();
        if is_missing || serde_json::from_slice::<Value>(&devices).unwrap() == none {
            if let Some(required) = required {
                skip(required, &format!("there is no adapter that is {name}"));
            }
            continue;
        }
        let train = format!(
            "train --data tiny --hidden 16 --latent 3 --batch-size 256 --epochs {STEPS} --out run{number}"
        );
        command(&train).assert().success();
        let rows = metrics::read(&scratch.path(&format!("run{number}/metrics.csv"))).unwrap();
        found.push((name, rows.iter().map(|row| row.train_elbo).collect()));
    }
    let [(first, expected), others @ ..] = &found[..] else { panic!("no adapter was found") };
    assert_eq!(expected.len(), STEPS);
    assert!(expected[STEPS - 1] > expected[0], "nothing was learnt: {expected:?}");
    for (name, losses) in others {
        let apart = losses.iter().zip(expected).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f64::max);
        println!("{name} and {first}: {STEPS} losses at most {apart:.1e} apart");
        assert!(
            losses.len() == STEPS && apart < AGREEMENT,
            "{name} and {first}: {apart}\n{losses:?}\n{expected:?}"
        );
    }
}
