//! Every kind of model and objective: the same bits despite interruptions, and figures that agree with theory.

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::ops::ControlFlow;
use std::sync::Arc;

use vae_gpu::data::{Dataset, Split};
use vae_gpu::error::Error;
use vae_gpu::evaluate::{CodeStatistics, Codes, Encoder, Evaluation, Importance, Inference, Rows, Runner};
use vae_gpu::gpu::Gpu;
use vae_gpu::kernels::gather::Binarize;
use vae_gpu::kernels::likelihood::Variance;
use vae_gpu::model::init::Init;
use vae_gpu::model::{ModelConfig, Network};
use vae_gpu::train::Schedule;
use vae_gpu::train::{Condition, Keep, ModelSection, TrainSection};
use vae_gpu::train::{Config, Trainer, files};

/// Data with ten classes.
fn dataset(train: usize, test: usize) -> Dataset {
    let mut dataset = tiny::dataset(train, test);
    for split in [&mut dataset.train, &mut dataset.test] {
        split.labels = Some((0..split.count).map(|i| (i % 10) as u32).collect());
    }
    dataset
}

fn config(kind: &str) -> Config {
    let model = ModelSection { kind: kind.into(), hidden: vec![16], latent: 3, ..ModelSection::default() };
    let train = TrainSection { batch_size: 20, lr: 0.01, epochs: 200, ..TrainSection::default() };
    Config { model, train, ..Config::default() }
}

/// One of each kind, by name.
fn family() -> Vec<(&'static str, Config)> {
    let with = |kind, change: &dyn Fn(&mut Config)| {
        let mut config = config(kind);
        change(&mut config);
        config
    };
    vec![
        ("ae", with("ae", &|_| ())),
        ("vae of three samples", with("vae", &|c| c.train.samples = 3)),
        ("iwae of four samples", with("iwae", &|c| c.train.samples = 4)),
        ("conditional vae", with("vae", &|c| c.model.condition = Condition::Labels)),
        (
            "conditional iwae with a beta",
            with("iwae", &|c| {
                (c.model.condition, c.train.samples) = (Condition::Labels, 2);
                (c.train.beta, c.train.kl_warmup) = (0.5, 1.5);
            }),
        ),
        (
            "free bits, clipped and decayed, from another start",
            with("vae", &|c| {
                (c.train.free_bits, c.train.clip_norm, c.train.weight_decay) = (0.1, 1.0, 0.01);
                (c.train.init, c.train.output_bias) = (Init::He, true);
            }),
        ),
        (
            "with validation",
            with("vae", &|c| (c.train.valid, c.train.patience, c.train.keep) = (0.2, 3, Keep::Best)),
        ),
    ]
}

fn epoch(trainer: &mut Trainer) -> Evaluation {
    trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap().unwrap();
    trainer.evaluate().unwrap().test
}

fn bits(trainer: &Trainer) -> Vec<u32> {
    let arenas = trainer.arenas().unwrap();
    let all = [arenas.parameters, arenas.moment1, arenas.moment2];
    all.iter().flatten().map(|value| value.to_bits()).collect()
}

#[test]
fn every_member_learns_and_goes_on_with_the_same_bits() {
    let (gpu, dataset) = (common::gpu(), dataset(90, 30));
    for (name, config) in family() {
        let mut trainer = Trainer::new(&gpu, &dataset, config.clone()).unwrap();
        let first = epoch(&mut trainer);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let arenas = trainer.arenas().unwrap();
        files::save_checkpoint(
            (&path, &path.with_extension("previous")),
            trainer.config(),
            trainer.parameters(),
            &arenas,
            &trainer.state(),
        )
        .unwrap();
        let last = (0..3).map(|_| epoch(&mut trainer)).last().unwrap();
        assert!(last.elbo.mean > first.elbo.mean + 1.0, "{name}: {first:?} to {last:?}");

        let (saved, arenas, state) = files::load_checkpoint(&path).unwrap();
        assert_eq!((&saved, state.step), (trainer.config(), trainer.state().step / 4), "{name}");
        let mut streamed = saved.clone();
        streamed.train.stream = true;
        for again in [saved, streamed] {
            let mut other = Trainer::new(&gpu, &dataset, again).unwrap();
            other.restore(&arenas, state);
            let again = (0..3).map(|_| epoch(&mut other)).last().unwrap();
            assert_eq!(again, last, "{name}");
            assert!(bits(&other) == bits(&trainer), "{name}: resumed with other bits");
        }
    }
}

#[test]
fn an_autoencoder_reconstructs_better_and_has_no_prior() {
    let (gpu, dataset) = (common::gpu(), dataset(90, 30));
    let run = |kind| {
        let mut config = config(kind);
        config.train.binarize = Some(Binarize::Threshold);
        let mut trainer = Trainer::new(&gpu, &dataset, config).unwrap();
        let last = (0..20).map(|_| epoch(&mut trainer)).last().unwrap();
        (last, trainer)
    };
    let (autoencoder, mut trainer) = run("ae");
    let (variational, _) = run("vae");
    assert_eq!(autoencoder.kl.mean, 0.0);
    assert_eq!(autoencoder.recon, autoencoder.elbo);
    assert!(autoencoder.recon.mean > variational.recon.mean, "{autoencoder:?} and {variational:?}");
    let refusal = trainer.inference().sample(1, 0, 1.0, |_| 0).unwrap_err();
    assert!(matches!(&refusal, Error::Usage(text) if text.contains("no prior")), "{refusal}");
    let weights = trainer.arenas().unwrap().parameters;
    let mut runner = Runner::new(&gpu, trainer.model(), weights).unwrap();
    let nll = Importance::new(&mut runner, (&dataset.test, "test"), Binarize::Fixed, 5);
    assert!(matches!(nll.err(), Some(Error::Usage(text)) if text.contains("does not model p(x)")));
}

#[test]
fn labels_have_an_effect() {
    let (gpu, mut dataset) = (common::gpu(), dataset(200, 30));
    // The classes look different: all black, all white, black again, ..
    let side = tiny::SIDE * tiny::SIDE;
    let whole = |count: usize| (0..count).flat_map(|i| vec![255 * (i % 2) as u8; side]).collect();
    for split in [&mut dataset.train, &mut dataset.test] {
        let labels = split.labels.take();
        *split = Split::new(whole(split.count), side, None).with_labels(labels.map(|labels| labels.to_vec()));
    }
    let mut config = config("vae");
    config.model.condition = Condition::Labels;
    let mut trainer = Trainer::new(&gpu, &dataset, config).unwrap();
    for _ in 0..60 {
        epoch(&mut trainer);
    }
    let labels = [3usize, 4, 9, 0];
    let images = trainer.inference().sample(labels.len(), 1, 1.0, |i| labels[i]).unwrap();
    for (label, image) in labels.iter().zip(images.chunks(side)) {
        let mean = image.iter().sum::<f32>() / side as f32;
        assert!((mean - (label % 2) as f32).abs() < 0.1, "label {label}: mean pixel {mean}");
    }
    let refusal = trainer.inference().sample(1, 1, 1.0, |_| 10).unwrap_err();
    assert!(matches!(&refusal, Error::Usage(text) if text.contains("labels 0 to 9")), "{refusal}");
    // The same image with two labels.
    let image: Vec<f32> = [0.5; 2 * 64].into();
    let two = trainer.inference().reconstruct(Rows { values: &image, labels: &[0, 1] }).unwrap();
    assert!(two[side] > two[0] + 0.5, "{} and {}", two[0], two[side]);
}

/// Each setting of the recipe has an effect: changing one changes the weights.
#[test]
fn every_knob_of_the_recipe_has_an_effect() {
    let (gpu, dataset) = (common::gpu(), dataset(90, 10));
    let weights = |change: &dyn Fn(&mut TrainSection)| {
        let mut config = config("vae");
        config.train.epochs = 3;
        change(&mut config.train);
        let mut trainer = Trainer::new(&gpu, &dataset, config).unwrap();
        for _ in 0..2 {
            epoch(&mut trainer);
        }
        bits(&trainer)
    };
    let plain = weights(&|_| ());
    assert!(weights(&|_| ()) == plain, "nothing was changed");
    type Knob = (&'static str, fn(&mut TrainSection));
    let knobs: [Knob; 19] = [
        ("batch_size", |t| t.batch_size = 30),
        ("lr", |t| t.lr = 0.02),
        ("lr_schedule cosine", |t| t.lr_schedule = Schedule::Cosine),
        ("lr_schedule steps", |t| t.lr_schedule = Schedule::Steps { at: vec![1.0], factor: 0.5 }),
        ("lr_schedule burda", |t| t.lr_schedule = Schedule::Burda),
        ("lr_warmup", |t| t.lr_warmup = 1.0),
        ("samples", |t| t.samples = 2),
        ("beta", |t| t.beta = 0.5),
        ("kl_warmup", |t| t.kl_warmup = 1.0),
        ("free_bits", |t| t.free_bits = 0.5),
        ("weight_decay", |t| t.weight_decay = 0.1),
        ("clip_norm", |t| t.clip_norm = 0.1),
        ("adam_epsilon", |t| t.adam_epsilon = 1e-2),
        ("init xavier", |t| t.init = Init::Xavier),
        ("init he", |t| t.init = Init::He),
        ("output_bias", |t| t.output_bias = true),
        ("valid", |t| t.valid = 0.2),
        ("seed", |t| t.seed = 1),
        ("binarize", |t| t.binarize = Some(Binarize::Threshold)),
    ];
    for (name, knob) in knobs {
        assert!(weights(&knob) != plain, "{name} changes nothing");
    }
}

#[test]
fn data_without_labels_cannot_condition() {
    let mut config = config("vae");
    config.model.condition = Condition::Labels;
    let refusal = Trainer::new(&common::gpu(), &tiny::dataset(40, 10), config).err().unwrap();
    assert!(
        matches!(&refusal, Error::Setting { problem, .. } if problem.contains("has no labels")),
        "{refusal}"
    );
}

#[test]
fn patience_ends_a_run_that_gets_no_better() {
    let (gpu, dataset) = (common::gpu(), dataset(60, 20));
    let mut config = config("vae");
    // A learning rate too large to settle, and a run long enough to overfit.
    (config.train.valid, config.train.patience, config.train.epochs) = (0.3, 2, 200);
    (config.train.binarize, config.train.lr) = (Some(Binarize::Threshold), 0.03);
    let mut trainer = Trainer::new(&gpu, &dataset, config).unwrap();
    assert_eq!(trainer.steps_per_epoch(), 3, "42 of the 60 images are trained on");
    let mut history = Vec::new();
    while !trainer.is_done() {
        trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap();
        history.push(trainer.evaluate().unwrap());
    }
    let elbos: Vec<f64> = history.iter().map(|j| j.valid.unwrap().elbo.mean).collect();
    let best = (0..elbos.len()).max_by(|a, b| elbos[*a].total_cmp(&elbos[*b])).unwrap();
    assert!(trainer.is_out_of_patience() && elbos.len() == best + 3 && elbos.len() < 200, "{elbos:?}");
    assert_eq!(trainer.state().best_epoch as usize, best + 1);
    assert_eq!(history.iter().rposition(|j| j.is_best), Some(best));
}

fn importance(
    gpu: &Arc<Gpu>,
    model: &ModelConfig,
    weights: &[f32],
    split: &Split,
    samples: usize,
) -> Vec<f64> {
    let mut runner = Runner::new(gpu, model, weights.to_vec()).unwrap();
    let mut importance = Importance::new(&mut runner, (split, "test"), Binarize::None, samples).unwrap();
    importance.run(3, &mut |_| ControlFlow::Continue(())).unwrap().unwrap()
}

#[test]
fn more_samples_make_a_tighter_bound() {
    let (gpu, dataset) = (common::gpu(), dataset(90, 40));
    let mut trainer = Trainer::new(&gpu, &dataset, config("vae")).unwrap();
    let elbo = (0..3).map(|_| epoch(&mut trainer)).last().unwrap().elbo.mean;
    let weights = trainer.arenas().unwrap().parameters;
    // The same binarised pixels as in the trainer's evaluation.
    let bound = |samples: usize| {
        let mut runner = Runner::new(&gpu, trainer.model(), weights.clone()).unwrap();
        let of = (&dataset.test, "test");
        let mut importance = Importance::new(&mut runner, of, Binarize::Dynamic, samples).unwrap();
        let nll = importance.run(0, &mut |_| ControlFlow::Continue(())).unwrap().unwrap();
        -nll.iter().sum::<f64>() / nll.len() as f64
    };
    let bounds = [1, 10, 100, 2000].map(bound);
    assert!((bounds[0] - elbo).abs() < 2.0, "one sample gives {} where the ELBO is {elbo}", bounds[0]);
    assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{bounds:?}");
}

/// A linear decoder, x = A z + noise of variance 1, gives p(x) = N(0, A A^T + 1) in closed form. Its hidden layer is a
/// relu whose bias lifts it above zero; the next layer subtracts that again.
#[test]
fn the_likelihood_of_a_linear_model_is_the_known_one() {
    const LIFT: f32 = 50.0;
    let config = ModelConfig {
        input: 4,
        hidden: vec![4],
        latent: 2,
        likelihood: "gaussian".into(),
        ..ModelConfig::default()
    };
    let a = [[0.9, -0.4], [0.2, 0.7], [-0.5, 0.3], [0.6, 0.8]];
    // The exact posterior: precision P = A^T A + 1, mean P^-1 A^T x.
    let product = |i: usize, j: usize| (0..4).map(|d| a[d][i] * a[d][j]).sum::<f64>();
    let precision = [[product(0, 0) + 1.0, product(0, 1)], [product(1, 0), product(1, 1) + 1.0]];
    let determinant = precision[0][0] * precision[1][1] - precision[0][1] * precision[1][0];
    let inverse = [
        [precision[1][1] / determinant, -precision[0][1] / determinant],
        [-precision[1][0] / determinant, precision[0][0] / determinant],
    ];
    let posterior = |z: usize, d: usize| inverse[z][0] * a[d][0] + inverse[z][1] * a[d][1];

    let parameters = Network::new(&config).unwrap().parameters;
    let mut weights = vec![0.0; parameters.words()];
    let mut set = |name: &str, values: Vec<f64>| {
        let parameter = parameters.find(name).unwrap();
        parameter.insert(&mut weights, &values.iter().map(|v| *v as f32).collect::<Vec<_>>());
    };
    let lift = f64::from(LIFT);
    let identity: Vec<f64> = (0..16).map(|i| f64::from(u8::from(i % 5 == 0))).collect();
    set("encoder.0.weight", identity);
    set("encoder.0.bias", vec![lift; 4]);
    let mu: Vec<f64> = (0..8).map(|i| posterior(i / 4, i % 4)).collect();
    let down = |row: usize| -lift * mu[4 * row..4 * row + 4].iter().sum::<f64>();
    set("encoder.mu.bias", vec![down(0), down(1)]);
    set("encoder.mu.weight", mu);
    // Wider than the posterior and without its correlation: a proposal that needs weights.
    set("encoder.log_var.bias", vec![(1.3 * inverse[0][0]).ln(), (1.3 * inverse[1][1]).ln()]);
    set("decoder.0.weight", vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    set("decoder.0.bias", vec![lift, lift, 0.0, 0.0]);
    set("decoder.out.weight", (0..16).map(|i| if i % 4 < 2 { a[i / 4][i % 4] } else { 0.0 }).collect());
    set("decoder.out.bias", a.iter().map(|row| -lift * (row[0] + row[1])).collect());

    let bytes: Vec<u8> = (0..40 * 4).map(|i| (i * 97 % 256) as u8).collect();
    let split = Split::new(bytes, 4, None);
    let gpu = common::gpu();
    // Sample counts that end in the middle of a round, and many rounds.
    for samples in [700, 20_011] {
        let got = importance(&gpu, &config, &weights, &split, samples);
        let mut worst = 0.0f64;
        for (row, nll) in got.iter().enumerate() {
            let x: Vec<f64> = split.x([row]).unwrap().into_iter().map(f64::from).collect();
            // By Woodbury: x^T (A A^T + 1)^-1 x = |x|^2 - (A^T x)^T P^-1 (A^T x), and both matrices have the same
            // determinant.
            let at: Vec<f64> = (0..2).map(|z| (0..4).map(|d| a[d][z] * x[d]).sum()).collect();
            let quadratic = x.iter().map(|v| v * v).sum::<f64>()
                - (0..2).map(|i| (0..2).map(|j| at[i] * inverse[i][j] * at[j]).sum::<f64>()).sum::<f64>();
            let known = 0.5 * (quadratic + determinant.ln() + 4.0 * (2.0 * std::f64::consts::PI).ln());
            worst = worst.max((nll - known).abs());
        }
        // The weights' relative deviation is below 1 here, so that of their mean is below 1 / sqrt(samples).
        let bound = 4.0 / (samples as f64).sqrt();
        assert!(worst < bound, "{samples} samples: off by {worst}, at most {bound}");
    }
}

/// More rows than a batch has: 500, 500 and 100 with the decoder; 1024 and 76 without it, on a software adapter.
#[test]
fn codes_of_several_batches_are_those_of_each_row() {
    let (gpu, dataset) = (common::gpu(), dataset(40, 1100));
    let trainer = Trainer::new(&gpu, &dataset, config("vae")).unwrap();
    let weights = trainer.arenas().unwrap().parameters;
    let mut runner = Runner::new(&gpu, trainer.model(), weights).unwrap();
    let test = (&dataset.test, "test");
    let all = Encoder::new(&mut runner, test, Binarize::None).unwrap();
    let codes = Encoder::of_codes(&mut runner, test, Binarize::None, true).unwrap();
    let x = dataset.test.x(0..1100).unwrap();
    let (mu, log_var) = Inference::new(runner).encode(Rows::from(&x)).unwrap();
    let near = |got: &[f32], want: &[f32]| {
        assert_eq!(got.len(), want.len());
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-5));
    };
    for (mut encoder, draws) in [(all, false), (codes, true)] {
        let mut rows = 0;
        let take = &mut |codes: &Codes| {
            assert_eq!(codes.first, rows);
            let count = codes.mu.len() / 3;
            let here = 3 * rows..3 * (rows + count);
            near(&codes.mu, &mu[here.clone()]);
            near(&codes.log_var, &log_var[here]);
            assert_eq!(codes.z.len(), if draws { 3 * count } else { 0 });
            if !draws {
                near(&codes.x, &x[64 * rows..64 * (rows + count)]);
                assert_eq!(codes.mean.len(), 64 * count);
            }
            rows += count;
            Ok(())
        };
        encoder.run(0, take).unwrap();
        assert_eq!(rows, 1100);
    }
}

#[test]
fn codes_agree_with_the_terms_of_the_elbo() {
    let (gpu, dataset) = (common::gpu(), dataset(90, 33));
    for (name, config) in family() {
        let mut trainer = Trainer::new(&gpu, &dataset, config).unwrap();
        let test = epoch(&mut trainer);
        let weights = trainer.arenas().unwrap().parameters;
        let (model, binarize) = (trainer.model().clone(), trainer.config().train.binarize(trainer.model()));
        let mut runner = Runner::new(&gpu, &model, weights.clone()).unwrap();
        let mut encoder = Encoder::new(&mut runner, (&dataset.test, "test"), binarize).unwrap();
        let mut statistics = CodeStatistics::new(model.latent);
        let (mut rows, mut error, mut x, mut mean) = (0, 0.0, Vec::new(), Vec::new());
        encoder
            .run(trainer.config().train.seed, &mut |codes| {
                assert!(codes.x.iter().all(|x| *x == 0.0 || *x == 1.0), "{name}: x is binary");
                rows += codes.mu.len() / model.latent;
                error +=
                    codes.x.iter().zip(&codes.mean).map(|(x, m)| f64::from((x - m).powi(2))).sum::<f64>();
                statistics.add(codes);
                x.extend_from_slice(&codes.x);
                mean.extend_from_slice(&codes.mean);
                Ok(())
            })
            .unwrap();
        assert_eq!(rows, 33, "{name}");
        let kl: f64 = statistics.kl_per_dimension().iter().sum();
        assert!((kl - test.kl.mean).abs() < 1e-4 * test.kl.mean.max(1.0), "{name}: {kl}, {}", test.kl.mean);
        let mean_error = error / (33.0 * 64.0);
        assert!((statistics.mean_squared_error() - mean_error).abs() < 1e-6, "{name}");
        assert!(mean_error > 0.0 && mean_error < 0.3, "{name}: {mean_error}");
        // A reconstruction of this x shows the same mean.
        let labels = dataset.test.labels.as_deref().filter(|_| model.classes > 0).unwrap_or(&[]);
        let shown = Inference::new(runner).reconstruct(Rows { values: &x, labels }).unwrap();
        assert_eq!((shown.len(), mean.len()), (33 * 64, 33 * 64), "{name}");
        let apart = shown.iter().zip(&mean).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-5, "{name}: the picture is {apart} off");
    }
}

/// Both sum squares over the batch: one for the variance, one for the length of the gradient.
#[test]
fn the_variance_of_a_batch_is_trained_with_clipped_gradients() {
    let (gpu, dataset) = (common::gpu(), dataset(100, 20));
    let mut config = config("vae");
    config.model.likelihood = "gaussian-learned".into();
    config.model.variance = Some(Variance::Optimal);
    config.train.binarize = Some(Binarize::None);
    let train = |clip_norm: f64| {
        let mut config = config.clone();
        config.train.clip_norm = clip_norm;
        let mut trainer = Trainer::new(&gpu, &dataset, config).unwrap();
        let early = epoch(&mut trainer).elbo.mean;
        (0..3).for_each(|_| _ = epoch(&mut trainer));
        let late = epoch(&mut trainer).elbo.mean;
        assert!(late.is_finite() && late > early, "clipped at {clip_norm}: {early} to {late}");
        bits(&trainer)
    };
    // A bound that no gradient reaches changes nothing; a small one does.
    assert!(train(1e9) == train(0.0), "clipping far away");
    assert!(train(0.5) != train(0.0), "clipping");
}
