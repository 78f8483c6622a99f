//! The library as other programs use it: `Vae`, and `Trainer` with a callback.

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::ops::ControlFlow;

use vae_gpu::Vae;
use vae_gpu::data::{Dataset, Shape, Split};
use vae_gpu::error::Error;
use vae_gpu::evaluate::{Rows, Terms};
use vae_gpu::kernels::gather::Binarize;
use vae_gpu::run::RunDir;
use vae_gpu::train::Condition;
use vae_gpu::train::{Config, Trainer};

const DIM: usize = tiny::SIDE * tiny::SIDE;
/// More rows than one batch on the device.
const ROWS: usize = 150;

fn config() -> Config {
    let mut config = Config::default();
    config.model.hidden = vec![16];
    config.model.latent = 3;
    config.train.batch_size = 64;
    config.train.epochs = 2;
    config
}

fn trained(config: Config) -> Trainer {
    let labels = |count: usize| Some((0..count).map(|i| (i % 10) as u8).collect());
    let split = |count| Split::new(tiny::images(count), DIM, labels(count));
    let shape = Shape { width: tiny::SIDE, height: tiny::SIDE, channels: 1 };
    let dataset = Dataset::new("tiny", shape, split(256), split(64));
    let mut trainer = Trainer::new(&common::gpu(), &dataset, config).unwrap();
    trainer.run(|_| ControlFlow::Continue(())).unwrap();
    trainer
}

fn x() -> Vec<f32> {
    tiny::images(ROWS).into_iter().map(|v| f32::from(v) / 255.0).collect()
}

#[track_caller]
fn assert_usage<T>(result: Result<T, Error>, words: &str) {
    match result {
        Err(Error::Usage(message)) => assert!(message.contains(words), "{message}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn training_reports_each_epoch_and_stops_on_request() {
    let dataset = tiny::dataset(256, 64);
    let mut trainer = Trainer::new(&common::gpu(), &dataset, config()).unwrap();
    let mut epochs = Vec::new();
    trainer
        .run(|epoch| {
            assert!(epoch.scores.test.elbo.mean < 0.0 && epoch.result.seconds > 0.0);
            epochs.push(epoch.result.epoch);
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!((epochs.as_slice(), trainer.is_done()), (&[1][..], false));
    trainer
        .run(|epoch| {
            epochs.push(epoch.result.epoch);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((epochs.as_slice(), trainer.is_done()), (&[1, 2][..], true));
}

#[test]
fn a_saved_model_is_the_trained_one() {
    let trainer = trained(config());
    let folder = tempfile::tempdir().unwrap();
    let (run, _lock) = RunDir::create(Some(&folder.path().join("run")), "tiny", "vae", false).unwrap();
    std::fs::write(run.config(), trainer.config().to_toml()).unwrap();
    trainer.save_model(&run.model()).unwrap();
    let mut present = Vae::of(&trainer).unwrap();
    let (mut by_file, mut by_run) = (Vae::load(run.model()).unwrap(), Vae::load(run.root()).unwrap());
    let codes = present.encode(&x()).unwrap();
    assert_eq!((codes.mu.len(), codes.log_var.len()), (ROWS * 3, ROWS * 3));
    assert_eq!(by_file.encode(&x()).unwrap(), codes);
    assert_eq!(by_run.encode(&x()).unwrap(), codes);
    let mean = present.decode(&codes.mu).unwrap();
    assert_eq!(mean.len(), ROWS * DIM);
    assert!(mean.iter().all(|v| (0.0..=1.0).contains(v)));
    assert_eq!(by_file.decode(&codes.mu).unwrap(), mean);

    // A row's result does not depend on the other rows.
    let last = present.encode(&x()[(ROWS - 1) * DIM..]).unwrap();
    let of_last = &codes.mu[(ROWS - 1) * 3..];
    assert_eq!((last.mu.len(), of_last.len()), (3, 3));
    assert!(last.mu.iter().zip(of_last).all(|(a, b)| (a - b).abs() < 1e-5), "{:?} {of_last:?}", last.mu);

    assert!(matches!(Vae::load(folder.path().join("none")), Err(Error::File { .. })));
    assert!(matches!(Vae::load(run.config()), Err(Error::File { .. })));
}

#[test]
fn the_elbo_is_its_two_terms_and_that_of_the_training() {
    let mut config = config();
    config.train.binarize = Some(Binarize::None);
    let mut trainer = trained(config);
    let mut vae = Vae::of(&trainer).unwrap();
    let codes = vae.encode(&x()).unwrap();
    let terms = vae.elbo(&x()).unwrap();
    assert_eq!(terms.len(), ROWS);
    for (i, terms) in terms.iter().enumerate() {
        let row = |values: &[f32]| values[3 * i..3 * i + 3].iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let pairs = row(&codes.mu).into_iter().zip(row(&codes.log_var));
        let kl: f64 = pairs.map(|(mu, s)| 0.5 * (mu * mu + s.exp() - 1.0 - s)).sum();
        assert!((terms.kl - kl).abs() < 1e-4 * kl.max(1.0), "row {i}: {} is not {kl}", terms.kl);
        assert!(terms.recon < 0.0);
    }
    assert_eq!(Terms { recon: -5.0, kl: 1.5 }.elbo(), -6.5);
    assert_eq!(vae.elbo(&x()).unwrap(), terms, "the same draws in every call");
    // The test data, in the same grey as in the trainer's own evaluation.
    let test = trainer.evaluate().unwrap().test;
    let terms = vae.elbo(&x()[..64 * DIM]).unwrap();
    let mean = |of: fn(&Terms) -> f64| terms.iter().map(of).sum::<f64>() / terms.len() as f64;
    assert!((mean(|t| t.kl) - test.kl.mean).abs() < 1e-4, "{} {test:?}", mean(|t| t.kl));
    let elbo = mean(Terms::elbo);
    assert!((elbo - test.elbo.mean).abs() < 6.0 * test.elbo.standard_error, "{elbo} {test:?}");
    // Other draws of z.
    let difference = mean(|t| t.recon) - test.recon.mean;
    assert!(difference.abs() < 0.03 * test.recon.mean.abs(), "{difference} {test:?}");
}

#[test]
fn samples_depend_on_the_seed_alone() {
    let mut vae = Vae::of(&trained(config())).unwrap();
    let many = vae.sample(70, 5).unwrap();
    assert_eq!(many.len(), 70 * DIM);
    assert_eq!(vae.sample(3, 5).unwrap(), many[..3 * DIM]);
    assert_ne!(vae.sample(3, 6).unwrap(), many[..3 * DIM]);
    assert_usage(vae.sample_label(1, 0, 2), "not trained with labels");
}

#[test]
fn a_conditional_model_uses_the_labels() {
    let mut config = config();
    config.model.condition = Condition::Labels;
    let mut vae = Vae::of(&trained(config)).unwrap();
    let labels = vec![3u32; ROWS];
    let codes = vae.encode((&x()[..], &labels[..])).unwrap();
    let others = vae.encode((&x()[..], &[4u32; ROWS][..])).unwrap();
    assert_ne!(codes, others);
    let mut decode = |labels: &[u32]| vae.decode(Rows { values: &codes.mu, labels }).unwrap();
    let (means, others) = (decode(&labels), decode(&[4; ROWS]));
    assert_eq!((means.len(), others.len()), (ROWS * DIM, ROWS * DIM));
    assert_ne!(means, others);
    let terms = vae.elbo((&x()[..], &labels[..])).unwrap();
    assert_eq!(terms.len(), ROWS);
    assert_ne!(terms, vae.elbo((&x()[..], &[4; ROWS][..])).unwrap());
    let (three, all) = (vae.sample_label(13, 0, 3).unwrap(), vae.sample(13, 0).unwrap());
    assert_eq!(three[3 * DIM..4 * DIM], all[3 * DIM..4 * DIM]);
    assert_ne!(three[..DIM], all[..DIM]);
    assert_usage(vae.encode(&x()), "wants 150 labels");
    assert_usage(vae.encode((&x()[..DIM], &[10u32][..])), "labels 0 to 9");
    assert_usage(vae.sample_label(1, 0, 10), "labels 0 to 9");
}

#[test]
fn an_autoencoder_has_codes_and_no_samples() {
    let mut config = config();
    config.model.kind = "ae".into();
    let mut vae = Vae::of(&trained(config)).unwrap();
    let codes = vae.encode(&x()).unwrap();
    assert_eq!((codes.mu.len(), codes.log_var.len()), (ROWS * 3, 0));
    // Nothing is drawn, so the terms follow from the decoded codes.
    let means = vae.decode(&codes.mu).unwrap();
    let terms = vae.elbo(&x()).unwrap();
    assert_eq!(terms.len(), ROWS);
    for (i, (terms, (x, mean))) in terms.iter().zip(x().chunks(DIM).zip(means.chunks(DIM))).enumerate() {
        let pairs = x.iter().zip(mean).map(|(x, p)| (f64::from(*x), f64::from(*p)));
        let log_p: f64 = pairs.map(|(x, p)| x * p.ln() + (1.0 - x) * (1.0 - p).ln()).sum();
        assert!((terms.recon - log_p).abs() < 1e-4 * log_p.abs(), "row {i}: {terms:?} is not {log_p}");
        assert_eq!((terms.kl, terms.elbo()), (0.0, terms.recon));
    }
    assert_usage(vae.sample(1, 0), "no prior");
}

#[test]
fn rows_that_are_not_whole_are_refused_and_none_is_fine() {
    let mut vae = Vae::of(&trained(config())).unwrap();
    assert_usage(vae.encode(&[0.5; DIM + 1]), "not a whole number of rows of 64");
    assert_usage(vae.decode(&[0.5; 4]), "not a whole number of rows of 3");
    assert_usage(vae.elbo((&[0.5; DIM][..], &[1u32][..])), "wants 0 labels");
    assert!(vae.encode(&Vec::new()).unwrap().mu.is_empty());
}
