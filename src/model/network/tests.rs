//! The parameters of a configuration.

use super::*;
use crate::kernels::activation::Activation;
use crate::kernels::likelihood::{LikelihoodSettings, TABLE, Variance};

fn parameters(config: &ModelConfig) -> Parameters {
    Network::new(config).unwrap().parameters
}

fn config() -> ModelConfig {
    ModelConfig {
        input: 13,
        hidden: vec![9, 7],
        encoder: None,
        decoder: None,
        latent: 5,
        activation: Activation::Relu,
        likelihood: "bernoulli".into(),
        settings: LikelihoodSettings::DEFAULT,
        kind: "vae".into(),
        classes: 0,
    }
}

/// The model with each likelihood and each of its settings.
fn configs() -> Vec<ModelConfig> {
    let config_of = |name: &str, settings| ModelConfig { likelihood: name.into(), settings, ..config() };
    let others = [
        ModelConfig { kind: "ae".into(), ..config() },
        ModelConfig { kind: "ae".into(), classes: 3, ..config() },
        ModelConfig { classes: 10, ..config() },
    ];
    TABLE.iter().flat_map(|l| l.settings.iter().map(move |s| config_of(l.name, *s))).chain(others).collect()
}

#[test]
fn names_and_shapes_are_those_of_the_files() {
    let parameters = parameters(&config());
    let table: Vec<_> = parameters.iter().map(|p| (p.name.as_str(), p.shape.as_slice())).collect();
    let expected: [(&str, &[usize]); 14] = [
        ("encoder.0.weight", &[9, 13]),
        ("encoder.0.bias", &[9]),
        ("encoder.1.weight", &[7, 9]),
        ("encoder.1.bias", &[7]),
        ("encoder.mu.weight", &[5, 7]),
        ("encoder.mu.bias", &[5]),
        ("encoder.log_var.weight", &[5, 7]),
        ("encoder.log_var.bias", &[5]),
        ("decoder.0.weight", &[7, 5]),
        ("decoder.0.bias", &[7]),
        ("decoder.1.weight", &[9, 7]),
        ("decoder.1.bias", &[9]),
        ("decoder.out.weight", &[13, 9]),
        ("decoder.out.bias", &[13]),
    ];
    assert_eq!(table, expected);
    assert_eq!(parameters.count(), expected.iter().map(|(_, s)| s.iter().product::<usize>()).sum::<usize>());
}

#[test]
fn the_likelihood_shapes_the_last_layer() {
    let tail = |likelihood: &str, settings| {
        let parameters = parameters(&ModelConfig { likelihood: likelihood.into(), settings, ..config() });
        let last = parameters.iter().skip(12).map(|p| (p.name.clone(), p.shape.clone()));
        last.collect::<Vec<_>>()
    };
    let settings = LikelihoodSettings { levels: 3, variance: Variance::Global };
    let named = |list: &[(&str, &[usize])]| -> Vec<(String, Vec<usize>)> {
        list.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect()
    };
    let plain = named(&[("decoder.out.weight", &[39, 9]), ("decoder.out.bias", &[39])]);
    assert_eq!(tail("categorical", settings), plain);
    let global =
        named(&[("decoder.out.weight", &[13, 9]), ("decoder.out.bias", &[13]), ("decoder.log_var", &[13])]);
    assert_eq!(tail("gaussian-learned", settings), global);
    let pixel = named(&[
        ("decoder.mu.weight", &[13, 9]),
        ("decoder.mu.bias", &[13]),
        ("decoder.log_var.weight", &[13, 9]),
        ("decoder.log_var.bias", &[13]),
    ]);
    let settings = LikelihoodSettings { variance: Variance::Pixel, ..settings };
    assert_eq!(tail("gaussian-learned", settings), pixel);
}

#[test]
fn an_autoencoder_has_no_variance_and_labels_widen_what_is_read() {
    let parameters = parameters(&ModelConfig { kind: "ae".into(), classes: 3, ..config() });
    let shape_of = |name: &str| parameters.iter().find(|p| p.name == name).map(|p| p.shape.clone());
    assert_eq!(shape_of("encoder.0.weight"), Some(vec![9, 13 + 3]));
    assert_eq!(shape_of("encoder.mu.weight"), Some(vec![5, 7]));
    assert_eq!(shape_of("encoder.log_var.weight"), None);
    assert_eq!(shape_of("decoder.0.weight"), Some(vec![7, 5 + 3]));
}

#[test]
fn parameters_do_not_overlap_and_round_trip() {
    for config in configs() {
        let parameters = parameters(&config);
        let mut arena = vec![0.0; parameters.words()];
        for (i, p) in parameters.iter().enumerate() {
            p.insert(&mut arena, &vec![i as f32 + 1.0; p.len()]);
        }
        for (i, p) in parameters.iter().enumerate() {
            let whole = p.extract(&arena).iter().all(|v| *v == i as f32 + 1.0);
            assert!(whole, "{}: {}", config.decoder(), p.name);
        }
        assert_eq!(arena.iter().filter(|v| **v != 0.0).count(), parameters.count());
    }
}
