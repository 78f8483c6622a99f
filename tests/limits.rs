//! Work that exceeds an adapter's limits is split if that changes nothing, and otherwise refused by name before
//! training.

mod common;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use std::ops::ControlFlow;
use std::sync::Arc;

use scratch::Scratch;
use vae_gpu::data::Dataset;
use vae_gpu::error::Error;
use vae_gpu::evaluate::{Evaluator, Importance, Runner, Terms};
use vae_gpu::gpu::{Gpu, Limits};
use vae_gpu::kernels::gather::Binarize;
use vae_gpu::train::{Config, Trainer};
use vae_gpu::train::{ModelSection, TrainSection};

/// 64-16-3-16-64 with this many rows per batch.
fn config(kind: &str, batch_size: usize) -> Config {
    let model = ModelSection { kind: kind.into(), hidden: vec![16], latent: 3, ..ModelSection::default() };
    let train = TrainSection { batch_size, lr: 0.01, epochs: 1, ..TrainSection::default() };
    Config { model, train, ..Config::default() }
}

/// Limits of this many KiB for buffers and bindings.
fn storage(kib: u64) -> Limits {
    Limits { buffer: kib << 10, binding: kib << 10, ..Limits::default() }
}

/// The error of a training under these limits, before anything is trained.
fn refusal(limits: Limits, config: Config) -> String {
    let error = Trainer::new(&Gpu::noop_within(limits), &tiny::dataset(1000, 20), config).err().unwrap();
    assert!(matches!(error, Error::Limit { .. }) && error.exit_code() == 1, "{error}");
    error.to_string()
}

#[test]
fn what_does_not_fit_is_named_with_what_would_help() {
    let says = |limits, config, words: &[&str]| {
        let error = refusal(limits, config);
        assert!(words.iter().all(|words| error.contains(words)), "{words:?} in {error}");
    };
    // x is 600 rows of 64 floats.
    let large_batch = config("vae", 600);
    let words =
        ["\"x\" of the plan \"train\" needs 150 KiB", "the adapter allows 128 KiB", "`train.batch_size`"];
    says(storage(128), large_batch.clone(), &words);
    // The same under one of the limits alone.
    says(
        Limits { binding: 128 << 10, ..Limits::default() },
        large_batch.clone(),
        &["the binding of \"x\"", "150 KiB"],
    );
    says(
        Limits { buffer: 128 << 10, ..Limits::default() },
        large_batch.clone(),
        &["the buffer \"x\"", "150 KiB"],
    );
    let mut large_model = config("vae", 20);
    large_model.model.hidden = vec![1000];
    says(
        storage(128),
        large_model.clone(),
        &["\"parameters\" of the plan", "the adapter allows 128 KiB", "`model.hidden`"],
    );
    // In a grid, the error of the largest tensor names what makes it large.
    let few = |workgroups| Limits { workgroups, ..Limits::default() };
    says(
        few(20),
        large_batch,
        &["dispatch \"", "workgroups in a dimension", "the adapter allows 20", "`train.batch_size`"],
    );
    says(
        few(100),
        large_model,
        &["dispatch \"", "workgroups in a dimension", "the adapter allows 100", "`model.hidden`"],
    );
}

#[test]
fn what_fits_exactly_is_taken() {
    // The ring of losses is 64 KiB.
    let train =
        |kib| Trainer::new(&Gpu::noop_within(storage(kib)), &tiny::dataset(1000, 20), config("vae", 20));
    assert!(train(64).is_ok());
    assert!(matches!(train(63).err(), Some(Error::Limit { what, .. }) if what.contains("history")));
}

/// Trains one epoch: the bits of the weights, and every datum's terms of the ELBO.
fn train(gpu: &Arc<Gpu>, dataset: &Dataset, config: Config) -> (Trainer, Vec<u32>, Vec<Terms>) {
    let mut trainer = Trainer::new(gpu, dataset, config).unwrap();
    trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap();
    let parameters = trainer.arenas().unwrap().parameters;
    let binarize = trainer.config().train.binarize(trainer.model());
    let of = (&dataset.test, "test");
    let mut runner = Runner::new(gpu, trainer.model(), parameters.clone()).unwrap();
    let mut evaluator = Evaluator::new(&mut runner, of.0, of.1, binarize).unwrap();
    let terms = evaluator.terms(3).unwrap();
    (trainer, parameters.iter().map(|value| value.to_bits()).collect(), terms)
}

/// The data, its order and the terms of all data exceed a binding: data is streamed, terms come in windows.
#[test]
fn a_small_adapter_gives_the_same_bits() {
    let dataset = tiny::dataset(5000, 17_000);
    let nll = |gpu: &Arc<Gpu>, trainer: &Trainer| {
        let of = (&dataset.test, "test");
        let weights = trainer.arenas().unwrap().parameters;
        let mut runner = Runner::new(gpu, trainer.model(), weights).unwrap();
        let mut nll = Importance::new(&mut runner, of, Binarize::Dynamic, 5).unwrap();
        nll.run(3, &mut |_| ControlFlow::Continue(())).unwrap().unwrap()
    };
    let (large, small) = (common::gpu(), common::gpu_within(storage(256)));
    let config = config("vae", 100);
    let (trainer, bits, terms) = train(&large, &dataset, config.clone());
    let (small_trainer, small_bits, small_terms) = train(&small, &dataset, config);
    assert_eq!(terms.len(), 17_000);
    assert!(small_bits == bits, "streamed training has other bits");
    assert!(small_terms == terms, "an evaluation in windows has other terms");
    let (a, b) = (nll(&large, &trainer), nll(&small, &small_trainer));
    assert_eq!(a.len(), 17_000);
    assert!(a == b, "log p(x) in windows is another");
}

/// Evaluation batches shrink too. Draws are numbered by batch, so only a model without draws shows that each datum gets
/// its own terms.
#[test]
fn batches_of_evaluation_shrink_with_the_adapter() {
    let dataset = tiny::dataset(200, 700);
    let mut config = config("ae", 100);
    config.train.binarize = Some(Binarize::Threshold);
    let (_, bits, terms) = train(&common::gpu(), &dataset, config.clone());
    let (_, small_bits, small_terms) = train(&common::gpu_within(storage(80)), &dataset, config);
    assert!(small_bits == bits && small_terms == terms);
}

#[test]
fn the_command_refuses_before_it_makes_a_run() {
    let scratch = Scratch::new();
    let error = scratch.fail("train --data tiny --hidden 24000,24000 --out run", 1, "the adapter allows");
    assert!(error.contains("\"parameters\" of the plan \"train\"") && error.contains("--hidden"), "{error}");
    assert!(!scratch.path("run").exists());
}

#[test]
fn explain_says_who_can_hold_a_plan() {
    let scratch = Scratch::new();
    let told = scratch.succeed("explain --data tiny");
    assert!(told.contains("limits: every adapter can hold this plan"), "{told}");
    let told = scratch.succeed("explain --data tiny --hidden 4500,4500");
    assert!(
        told.contains("the binding of \"gradients\" in")
            && told.contains("but some adapters allow only 128 MiB"),
        "{told}"
    );
    let assert = scratch.command("explain --data tiny --hidden 24000,24000").assert().code(1);
    let error = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(
        error.contains("the buffer \"parameters\" of the plan \"train\" needs")
            && error.contains("but no adapter allows more than 2047 MiB"),
        "{error}"
    );
}
