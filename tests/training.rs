//! The training loop: the same bits despite interruptions, and correct figures.

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use vae_gpu::data::Dataset;
use vae_gpu::error::{Error, Result};
use vae_gpu::evaluate::{Evaluation, Evaluator, Runner};
use vae_gpu::gpu::{Gpu, Shared};
use vae_gpu::kernels::conv;
use vae_gpu::kernels::gather::Binarize;
use vae_gpu::kernels::tuning::Tuning;
use vae_gpu::model::{Network, Parameter};
use vae_gpu::train::Schedule;
use vae_gpu::train::{Config, EpochProgress, EpochResult, Stepper, Trainer, files};
use vae_gpu::train::{ModelSection, Precision, TrainSection};

/// 64-16-3-16-64 with this many rows per batch.
fn config(batch_size: usize) -> Config {
    let model = ModelSection { hidden: vec![16], latent: 3, ..ModelSection::default() };
    let train = TrainSection { batch_size, lr: 0.01, ..TrainSection::default() };
    Config { shape: Some([tiny::SIDE, tiny::SIDE, 1]), model, train, ..Config::default() }
}

fn trainer(gpu: &Arc<Gpu>, dataset: &Dataset, config: &Config) -> Trainer {
    Trainer::new(gpu, dataset, config.clone()).unwrap()
}

/// The steps of such a run before the first, with the precision as it is asked for.
fn stepper(gpu: &Arc<Gpu>, dataset: &Dataset, config: &Config) -> (Network, Stepper) {
    let network = Network::new(&config.model_config(dataset.shape)).unwrap();
    let (mut shared, recipe) = (Shared::default(), config.recipe(dataset.shape));
    let (device, train) = ((gpu, &mut shared), (&config.train, &recipe));
    let stepper = Stepper::new(device, &network, train, &Tuning::default(), &dataset.train, 8).unwrap();
    stepper.write_parameters(&config.train.first_weights(&network, &dataset.train).unwrap());
    (network, stepper)
}

/// An observer that never stops.
fn go_on(_: &EpochProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Trains one epoch and evaluates. Returns the figures that do not measure time.
fn epoch(trainer: &mut Trainer) -> ([f64; 3], Evaluation) {
    let EpochResult { elbo, recon, kl, .. } = trainer.epoch(&mut go_on).unwrap().unwrap();
    ([elbo, recon, kl], trainer.evaluate().unwrap().test)
}

/// Everything that a checkpoint stores, bit by bit, without the seconds.
fn bits(trainer: &Trainer) -> (Vec<u32>, [u64; 5]) {
    let (arenas, state) = (trainer.arenas().unwrap(), trainer.state());
    let arenas = [arenas.parameters, arenas.moment1, arenas.moment2];
    let sums = state.sums;
    let floats = [sums.recon, sums.kl, state.best_elbo].map(f64::to_bits);
    (
        arenas.iter().flatten().map(|value| value.to_bits()).collect(),
        [state.step, sums.rows, floats[0], floats[1], floats[2]],
    )
}

/// A fresh trainer that resumes from a checkpoint of `from`, through a file.
fn resumed(from: &Trainer, gpu: &Arc<Gpu>, dataset: &Dataset) -> Trainer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let (arenas, state) = (from.arenas().unwrap(), from.state());
    files::save_checkpoint(
        (&path, &path.with_extension("previous")),
        from.config(),
        from.parameters(),
        &arenas,
        &state,
    )
    .unwrap();
    let (config, arenas, state) = files::load_checkpoint(&path).unwrap();
    assert_eq!((&config, state), (from.config(), from.state()));
    let mut trainer = trainer(gpu, dataset, &config);
    trainer.restore(&arenas, state);
    assert!(bits(&trainer) == bits(from), "a checkpoint has changed what it keeps");
    trainer
}

#[test]
fn a_seed_decides_every_bit() {
    let (gpu, dataset) = (common::gpu(), tiny::dataset(100, 20));
    let run = |seed: u64| {
        let mut config = config(32);
        config.train.seed = seed;
        let mut trainer = trainer(&gpu, &dataset, &config);
        (epoch(&mut trainer), epoch(&mut trainer), bits(&trainer))
    };
    let first = run(7);
    assert!(first == run(7), "one seed, two results");
    assert!(first.2.0 != run(8).2.0, "two seeds, one result");
    // Both halves of a seed matter.
    assert!(first.2.0 != run(7 + (1 << 32)).2.0, "two seeds, one result");
    let ((early, early_test), (late, late_test), _) = first;
    assert!(late[0] > early[0] && late_test.elbo.mean > early_test.elbo.mean, "{early:?} to {late:?}");
}

#[test]
fn a_checkpoint_between_epochs_changes_no_bit() {
    let (gpu, dataset) = (common::gpu(), tiny::dataset(100, 20));
    let mut whole = trainer(&gpu, &dataset, &config(32));
    epoch(&mut whole);
    let expected = (epoch(&mut whole), bits(&whole));

    let mut first = trainer(&gpu, &dataset, &config(32));
    epoch(&mut first);
    let mut second = resumed(&first, &gpu, &dataset);
    assert!((epoch(&mut second), bits(&second)) == expected);
}

#[test]
fn an_interrupted_epoch_goes_on_with_the_same_bits() {
    let (gpu, dataset) = (common::gpu(), tiny::dataset(250, 20));
    let mut whole = trainer(&gpu, &dataset, &config(4));
    epoch(&mut whole);
    let expected = (epoch(&mut whole), bits(&whole));

    let mut first = trainer(&gpu, &dataset, &config(4));
    epoch(&mut first);
    // A new trainer first submits single steps, until it knows how long they take.
    let mut broken = resumed(&first, &gpu, &dataset);
    assert_eq!(broken.epoch(&mut |_| ControlFlow::Break(())).unwrap(), None);
    assert_eq!((broken.state().step, broken.state().sums.rows), (63 + 1, 4));

    let mut other = resumed(&broken, &gpu, &dataset);
    assert!((epoch(&mut other), bits(&other)) == expected, "a new trainer went on otherwise");
    assert!((epoch(&mut broken), bits(&broken)) == expected, "the same trainer went on otherwise");
}

#[test]
fn an_epoch_that_is_done_cannot_be_interrupted() {
    let (gpu, dataset) = (common::gpu(), tiny::dataset(32, 20));
    let mut trainer = trainer(&gpu, &dataset, &config(32));
    let result = trainer.epoch(&mut |_| ControlFlow::Break(())).unwrap();
    assert_eq!((result.map(|r| r.epoch), trainer.state().step), (Some(1), 1));
}

/// Steps are submitted in portions that depend on measured time; the result must not.
#[test]
fn the_pace_of_submissions_changes_no_bit() {
    let (gpu, dataset) = (common::gpu(), tiny::dataset(250, 20));
    let run = |pause: Duration| {
        let mut trainer = trainer(&gpu, &dataset, &config(16));
        let mut ends = Vec::new();
        let mut told = None;
        let begin = Instant::now();
        let mut observe = |p: &EpochProgress| {
            // The rate is the epoch's: no lower than by the time since both began.
            assert!(p.images_per_second >= (16 * p.step) as f64 / begin.elapsed().as_secs_f64() * 0.99);
            thread::sleep(pause);
            ends.push(p.step);
            told = p.elbo.or(told);
            ControlFlow::Continue(())
        };
        let results = [(); 2].map(|()| {
            let r = trainer.epoch(&mut observe).unwrap().unwrap();
            assert!((r.images_per_second * r.seconds / 250.0 - 1.0).abs() < 1e-9, "{r:?}");
            (r.elbo, r.recon, r.kl)
        });
        (results, bits(&trainer), ends, told)
    };
    let (fast, slow) = (run(Duration::ZERO), run(Duration::from_millis(60)));
    // Two epochs of 16 steps, each run in portions of its own.
    for ends in [&fast.2, &slow.2] {
        assert_eq!(ends.iter().filter(|end| **end == 16).count(), 2, "{ends:?}");
    }
    assert!(slow.3.is_some_and(|elbo| elbo < 0.0), "a slow run has shown no ELBO on its way");
    assert_ne!(fast.2, slow.2);
    assert!((fast.0, fast.1) == (slow.0, slow.1));
}

/// If the learning rate moves no weight, the training KL equals that of an evaluation on the same data: it counts each
/// row once, even in a short last batch, and in more steps than the ring of losses has rows.
#[test]
fn every_row_counts_once_in_an_epoch() {
    let gpu = common::gpu();
    for (rows, batch) in [(100, 32), (33, 33), (37, 36), (4500, 1)] {
        let mut config = config(batch);
        config.train =
            TrainSection { lr: f32::MIN_POSITIVE, binarize: Some(Binarize::Threshold), ..config.train };
        let dataset = Dataset { test: tiny::dataset(rows, 1).train, ..tiny::dataset(rows, 1) };
        let mut trainer = trainer(&gpu, &dataset, &config);
        assert_eq!(trainer.steps_per_epoch(), rows.div_ceil(batch) as u64);
        let ([_, recon, kl], test) = epoch(&mut trainer);
        assert_eq!(trainer.state().sums.rows, rows as u64);
        assert!((kl / test.kl.mean - 1.0).abs() < 1e-5, "{rows} rows by {batch}: {kl}, not {}", test.kl.mean);
        // The draws of z differ.
        let tolerance = 6.0 * test.recon.standard_error;
        assert!((recon - test.recon.mean).abs() < tolerance, "{recon}, not {:?}", test.recon);
    }
}

#[test]
fn a_run_that_diverges_says_at_which_step() {
    let (gpu, dataset) = (common::gpu(), tiny::dataset(100, 20));
    let mut config = config(32);
    config.train.lr = 1e30;
    let error = trainer(&gpu, &dataset, &config).epoch(&mut go_on).unwrap_err();
    // The first step still has the initial weights.
    assert!(matches!(error, Error::Diverged { step: 2, .. }), "{error}");
    assert!(error.to_string().contains("`train.lr`"), "{error}");
}

#[test]
fn a_batch_larger_than_the_data_is_refused() {
    let result = Trainer::new(&Gpu::noop(), &tiny::dataset(31, 20), config(32));
    assert!(matches!(result.err(), Some(Error::Setting { problem, .. }) if problem.contains("only 31 rows")));
}

#[test]
fn one_row_can_be_trained_on_unless_some_are_held_out() {
    let (gpu, dataset) = (Gpu::noop(), tiny::dataset(1, 2));
    let mut config = config(1);
    assert_eq!(trainer(&gpu, &dataset, &config).steps_per_epoch(), 1);
    config.train.valid = 0.5;
    let refusal = Trainer::new(&gpu, &dataset, config.clone()).err().unwrap();
    assert!(refusal.to_string().contains("only one row"), "{refusal}");
    assert!(Trainer::new(&gpu, &tiny::dataset(2, 2), config).is_ok());
}

#[test]
fn an_evaluator_repeats_itself_and_agrees_with_the_trainer() -> Result<()> {
    let (gpu, dataset) = (common::gpu(), tiny::dataset(100, 1003));
    let mut trainer = trainer(&gpu, &dataset, &config(32));
    let (_, expected) = epoch(&mut trainer);
    assert_eq!(expected, trainer.evaluate()?.test);
    assert_eq!(expected.count, 1003);

    let model = trainer.model().clone();
    let binarize = trainer.config().train.binarize(&model);
    let mut runner = Runner::new(&gpu, &model, trainer.arenas()?.parameters)?;
    let mut evaluator = Evaluator::new(&mut runner, &dataset.test, "test", binarize)?;
    assert_eq!(expected, evaluator.run(trainer.config().train.seed)?);
    let other = evaluator.run(1)?;
    assert_ne!(expected, other);
    let difference = (expected.elbo.mean - other.elbo.mean).abs();
    assert!(difference < 6.0 * expected.elbo.standard_error, "{expected:?} and {other:?}");
    Ok(())
}

/// The device returns zeros; the test is that the host gets through everything.
#[test]
fn a_device_that_does_nothing_trains_in_vain() {
    let (gpu, dataset) = (Gpu::noop(), tiny::dataset(100, 20));
    let mut trainer = trainer(&gpu, &dataset, &config(32));
    for _ in 0..2 {
        let (train, test) = epoch(&mut trainer);
        assert_eq!((train, test.elbo.mean, test.count), ([0.0; 3], 0.0, 20));
    }
    assert_eq!((trainer.state().step, trainer.state().sums.rows), (8, 100));
    assert_eq!(trainer.inference().sample(70, 0, 1.0, |_| 0).unwrap().len(), 70 * 64);
    assert_eq!(trainer.inference().reconstruct((&[0.5; 3 * 64]).into()).unwrap().len(), 3 * 64);
}

#[test]
fn streamed_data_gives_the_same_bits_as_resident_data() {
    let gpu = common::gpu();
    let dataset = tiny::dataset(100, 40);
    for binarize in [Binarize::Dynamic, Binarize::Fixed] {
        let train = |stream: bool| {
            let mut config = config(16);
            config.train.stream = stream;
            config.train.binarize = Some(binarize);
            let mut trainer = trainer(&gpu, &dataset, &config);
            let numbers = [epoch(&mut trainer), epoch(&mut trainer)];
            (numbers, bits(&trainer))
        };
        assert!(train(true) == train(false), "{binarize:?}: weights or losses differ");
    }
}

#[test]
fn sixteen_bit_products_train_nearly_the_same_or_are_refused() {
    let refusal = Precision::F16.target(&Gpu::noop()).unwrap_err();
    assert!(refusal.to_string().contains("has no 16-bit floats in shaders"), "{refusal}");
    let gpu = common::gpu();
    let dataset = tiny::dataset(100, 40);
    let mut f16 = config(16);
    f16.train.precision = Precision::F16;
    if !gpu.report().f16 {
        let Err(error) = Trainer::new(&gpu, &dataset, f16) else { panic!("trained without 16-bit floats") };
        assert!(error.to_string().contains("`train.precision` = f32"), "{error}");
        return;
    }
    let ([exact, ..], _) = epoch(&mut trainer(&gpu, &dataset, &config(16)));
    let mut asked = trainer(&gpu, &dataset, &f16);
    let used = asked.config().train.precision;
    let ([rounded, ..], _) = epoch(&mut asked);
    // A run keeps 32 bits, and says so in its configuration, where 16 are not expected to be faster.
    assert_eq!(used == Precision::F16, gpu.report().gains_by_f16());
    assert_eq!(used == Precision::F16, rounded != exact, "ELBO {rounded} with 16 bits, {exact} with 32");
    assert!((rounded / exact - 1.0).abs() < 1e-3, "ELBO {rounded} with 16 bits, {exact} with 32");
    // The steps that `bench` times round wherever the adapter can.
    let [exact, rounded] = [Precision::F32, Precision::F16].map(|precision| {
        let mut config = config(16);
        config.train.precision = precision;
        let (_, mut stepper) = stepper(&gpu, &dataset, &config);
        let done = stepper.submit(0, 1).unwrap();
        let history = stepper.program().read_f32(stepper.ports().history).unwrap();
        (done, history[4..7].to_vec())
    });
    let close = exact.1.iter().zip(&rounded.1).all(|(a, b)| (a / b - 1.0).abs() < 1e-2);
    assert!(exact != rounded && close && exact.1[2] != 0.0, "{exact:?} {rounded:?}");
}

/// One step of a network of convolutions to 20 and 24 channels, forward, transposed and back.
#[test]
fn convolutions_of_16_bits_have_nearly_the_same_gradients() {
    /// Of the norm of a parameter's gradient: operands are rounded by 2^-12 on average, some of them one layer after the other.
    const NEAR: f64 = 2e-3;
    let gpu = common::gpu();
    if !gpu.report().f16 {
        return;
    }
    let dataset = tiny::dataset(100, 40);
    // Cards that gain nothing by smaller tiles keep the convolutions in 32 bits, and round the products alone.
    let takes_halves = conv::choose(conv::DATA, &gpu.report().target_f16(), 20).is_f16();
    let [exact, rounded] = [Precision::F32, Precision::F16].map(|precision| {
        let mut config = config(16);
        config.model.encoder = Some("conv 20x3 tanh, conv 24x4/2 tanh".parse().unwrap());
        config.train.precision = precision;
        let (network, mut stepper) = stepper(&gpu, &dataset, &config);
        let kernels: Vec<_> = stepper.program().plan().dispatches().iter().map(|d| d.kernel.name).collect();
        let uses = |name| kernels.iter().filter(|kernel| **kernel == name).count();
        // Two layers of the encoder and one of the decoder, whose last has one channel; three gradients by inputs, four by weights.
        let half = precision == Precision::F16 && takes_halves;
        let expected = if half { [6, 4] } else { [0, 0] };
        assert_eq!(["conv/tiled_f16", "conv/weights_tiled_f16"].map(uses), expected, "{kernels:?}");
        stepper.submit(0, 1).unwrap();
        let gradients = stepper.program().read_f32(stepper.ports().gradients).unwrap();
        let of = |p: &Parameter| (p.name.clone(), p.extract(&gradients));
        network.parameters.iter().map(of).collect::<Vec<_>>()
    });
    for ((name, exact), (_, rounded)) in exact.iter().zip(&rounded) {
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let difference = norm(&mut exact.iter().zip(rounded).map(|(a, b)| f64::from(a - b)));
        let relative = difference / norm(&mut exact.iter().map(|v| f64::from(*v)));
        println!("{name}: {relative:.1e}");
        assert!(relative > 0.0 && relative < NEAR, "{name}: {relative:.1e}");
    }
}

#[test]
fn an_epoch_pauses_at_the_step_that_is_named() {
    let (gpu, dataset) = (common::gpu(), tiny::dataset(100, 20));
    // Seven steps, of which the data on the device would let one submission have several.
    let mut trainer = trainer(&gpu, &dataset, &config(16));
    for (last, step) in [(3, 3), (2, 4), (6, 6)] {
        assert_eq!(trainer.epoch_until(last, &mut go_on).unwrap(), None);
        assert_eq!(trainer.state().step, step);
    }
    assert_eq!(trainer.epoch_until(7, &mut go_on).unwrap().unwrap().epoch, 1);
    assert_eq!(trainer.state().step, 7);
}

#[test]
fn beta_and_its_warm_up_change_what_is_trained() {
    let gpu = common::gpu();
    let dataset = tiny::dataset(100, 40);
    let kl = |beta: f64, kl_warmup: f64| {
        let mut config = config(16);
        (config.train.beta, config.train.kl_warmup) = (beta, kl_warmup);
        let mut trainer = trainer(&gpu, &dataset, &config);
        for _ in 0..5 {
            epoch(&mut trainer);
        }
        trainer.evaluate().unwrap().test.kl.mean
    };
    let [heavy, plain, warming, free] = [kl(8.0, 0.0), kl(1.0, 0.0), kl(1.0, 50.0), kl(0.0, 0.0)];
    assert!(heavy < plain && plain < warming && warming < free, "{heavy} {plain} {warming} {free}");
}

/// With frozen weights, trained and evaluated on the same data with the same pixels, training reports the ELBO of the
/// evaluation, with the objective beside it.
#[test]
fn the_reported_elbo_has_no_beta() {
    let gpu = common::gpu();
    let dataset = Dataset { test: tiny::dataset(100, 1).train, ..tiny::dataset(100, 1) };
    let first = |beta: f64, free_bits: f64, kl_warmup: f64| {
        let mut config = config(20);
        config.train.binarize = Some(Binarize::Threshold);
        (config.train.lr, config.train.beta) = (f32::MIN_POSITIVE, beta);
        (config.train.free_bits, config.train.kl_warmup) = (free_bits, kl_warmup);
        let mut trainer = trainer(&gpu, &dataset, &config);
        let result = trainer.epoch(&mut go_on).unwrap().unwrap();
        (result, trainer.evaluate().unwrap().test)
    };
    let (plain, test) = first(1.0, 0.0, 0.0);
    assert!(test.kl.mean > 0.05, "a KL so small tells nothing: {test:?}");
    assert!((plain.kl / test.kl.mean - 1.0).abs() < 1e-5, "{plain:?} and {test:?}");
    // Other draws of z.
    let tolerance = 6.0 * test.elbo.standard_error;
    assert!((plain.elbo - test.elbo.mean).abs() < tolerance, "{plain:?} and {test:?}");
    let near = |a: f64, b: f64| (a - b).abs() < 1e-5 * b.abs();
    assert!(near(plain.objective, plain.elbo), "{plain:?}");
    for beta in [0.0, 0.25, 8.0] {
        let (result, evaluated) = first(beta, 0.0, 0.0);
        assert_eq!(evaluated, test);
        assert!(near(result.elbo, plain.elbo) && near(result.kl, plain.kl), "beta {beta}: {result:?}");
        assert!(near(result.objective, plain.recon - beta * plain.kl), "beta {beta}: {result:?}");
    }
    // The weight rises from 1/5 to 1 over the epoch's five steps, which have equally many rows.
    let (result, _) = first(1.0, 0.0, 1.0);
    assert!(near(result.elbo, plain.elbo) && result.objective > plain.elbo, "{result:?}");
    assert!((result.objective - (plain.recon - 0.6 * plain.kl)).abs() < 0.2 * plain.kl, "{result:?}");
    // Each of the three dimensions costs at least 5 nats.
    let (result, _) = first(1.0, 5.0, 0.0);
    assert!(near(result.elbo, plain.elbo), "{result:?} and {plain:?}");
    assert!(near(result.objective, plain.recon - 15.0), "{result:?} and {plain:?}");
}

#[test]
fn a_learning_rate_of_zero_changes_nothing() {
    let gpu = common::gpu();
    let dataset = tiny::dataset(100, 40);
    let mut config = config(16);
    // A tenth per epoch from epoch 0, 60 times: below the smallest f32.
    config.train.lr_schedule = Schedule::Steps { at: vec![0.0; 60], factor: 0.1 };
    let mut trainer = trainer(&gpu, &dataset, &config);
    let before = trainer.arenas().unwrap().parameters;
    epoch(&mut trainer);
    assert!(trainer.arenas().unwrap().parameters == before);
}

/// Adam's first step moves a weight by the learning rate, whatever the size of its gradient. Here an epoch is one step.
#[test]
fn schedule_and_warm_up_set_the_rate_of_the_first_step() {
    let (gpu, dataset) = (common::gpu(), tiny::dataset(32, 20));
    for (lr_warmup, schedule, rate) in [
        (0.0, "constant", 0.01),
        (4.0, "constant", 0.0025),
        (0.0, "steps:0*0.5", 0.005),
        (4.0, "steps:0*0.5", 0.00125),
    ] {
        let mut config = config(32);
        (config.train.lr_warmup, config.train.lr_schedule) = (lr_warmup, schedule.parse().unwrap());
        let mut trainer = trainer(&gpu, &dataset, &config);
        let before = trainer.arenas().unwrap().parameters;
        epoch(&mut trainer);
        let after = trainer.arenas().unwrap().parameters;
        let moved = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!((moved / rate - 1.0).abs() < 0.01, "{schedule}, {lr_warmup} epochs: {moved}, not {rate}");
    }
}
