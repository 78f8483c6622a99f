//! The parameters of a configuration.

use super::*;
use crate::kernels::activation::Activation;
use crate::kernels::gather::{Binarize, Packing};
use crate::kernels::likelihood::{LikelihoodSettings, TABLE, Variance};
use crate::model::config::MAX_CLASSES;
use crate::model::family::{self, Family};
use crate::model::layer::{LAYERS, MAX_WIDTH};
use crate::model::parameters::Parameter;
use crate::model::plans::{self, Batch, DeviceData, Recipe};
use crate::plan::{BufferId, Target};

fn parameters(config: &ModelConfig) -> Parameters {
    Network::new(config).unwrap().parameters
}

fn config() -> ModelConfig {
    ModelConfig {
        input: 13,
        picture: None,
        hidden: vec![9, 7],
        encoder: None,
        decoder: None,
        latent: 5,
        latent_picture: None,
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
fn a_shape_between_layers_is_written_as_its_sizes() {
    let picture = Extent { height: 2, width: 3, channels: 4 };
    assert_eq!([Extent::row(7), picture].map(|extent| extent.to_string()), ["7", "2x3x4"]);
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

/// A decoder reads z as it comes: the prior's, the host's, a draw, or the mean, which is a part of the encoder's head.
#[test]
fn any_layer_may_begin_a_decoder() {
    let samples = LAYERS.iter().flat_map(|kind| kind.samples).copied();
    for sample in samples.chain(["norm batch", "upsample 2, conv 3x3", "pool, linear 4", "conv 3x1"]) {
        // The width that samples of blocks read.
        let config = ModelConfig { latent: 9, decoder: Some(sample.parse().unwrap()), ..config() };
        let network = Network::new(&config).unwrap_or_else(|problem| panic!("{sample}: {problem}"));
        plans::reconstruct(&network, Target::PORTABLE, 3);
        plans::decode(&network, Target::PORTABLE, 3);
        plans::sample(&network, Target::PORTABLE, 3, 1.0);
    }
}

#[test]
fn the_likelihood_shapes_the_last_layer() {
    let tail = |likelihood: &str, settings| {
        let parameters = parameters(&ModelConfig { likelihood: likelihood.into(), settings, ..config() });
        let last = parameters.iter().skip(12).map(|p| (p.name.clone(), p.shape.clone()));
        last.collect::<Vec<_>>()
    };
    let settings = LikelihoodSettings { levels: 3, ..LikelihoodSettings::DEFAULT };
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
    let with = |variance| LikelihoodSettings { variance, ..settings };
    assert_eq!(tail("gaussian-learned", with(Variance::Pixel)), pixel);
    let one =
        named(&[("decoder.out.weight", &[13, 9]), ("decoder.out.bias", &[13]), ("decoder.log_var", &[1])]);
    assert_eq!(tail("gaussian-learned", with(Variance::Shared)), one);
    assert_eq!(tail("gaussian-learned", with(Variance::Optimal)), one);
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
        let values = parameters.iter().map(Parameter::len).sum::<usize>();
        assert_eq!(arena.iter().filter(|v| **v != 0.0).count(), values);
    }
}

#[test]
fn a_network_counts_its_layers() {
    let encoder = Some("linear 7 tanh, residual(linear 9 relu, linear 7 identity)".parse().unwrap());
    let network = Network::new(&ModelConfig { encoder, ..config() }).unwrap();
    let rows: Vec<_> = network
        .rows()
        .map(|row| (row.text.as_str(), row.output.channels, row.parameters, row.multiply_adds))
        .take(3)
        .collect();
    assert_eq!(
        rows,
        [
            ("linear 7 tanh", 7, 7 * (13 + 1), 7 * 13),
            ("residual(linear 9 relu, linear 7 identity)", 7, 9 * (7 + 1) + 7 * (9 + 1), 2 * 7 * 9),
            ("linear 10", 10, 2 * 5 * (7 + 1), 2 * 5 * 7),
        ]
    );
    // The latent's two parts, each padded.
    assert_eq!(network.widest(), 2 * round_up(5, PAD));
}

/// An activation at the end of a linear layer is part of its products, forward and backward.
#[test]
fn a_linear_layers_activation_takes_no_dispatch() {
    let activations = |encoder: &str| {
        let config = ModelConfig { encoder: Some(encoder.parse().unwrap()), ..config() };
        let data = DeviceData {
            name: "data".into(),
            count: 40,
            labels: 40,
            binarize: Binarize::None,
            packing: Packing::Bytes,
            streamed: false,
        };
        let batch = Batch { data, size: 20, samples: 1 };
        let network = Network::new(&config).unwrap();
        let plan = plans::train(&network, Target::PORTABLE, &batch, &Recipe::default(), 8).plan;
        plan.dispatches.iter().filter(|dispatch| dispatch.kernel.name == "activation").count()
    };
    assert_eq!(activations("linear 9 tanh, linear 7 relu"), 0);
    assert!(activations("linear 9, tanh") > 0);
}

#[test]
fn the_widest_layer_is_found_wherever_it_is() {
    let widest = |hidden: &[usize], input, latent| {
        Network::new(&ModelConfig { hidden: hidden.to_vec(), input, latent, ..config() }).unwrap().widest()
    };
    assert_eq!(widest(&[9, 41], 13, 5), 41);
    assert_eq!(widest(&[9, 7], 41, 5), 41);
    assert_eq!(widest(&[9, 7], 13, 41), 2 * round_up(41, PAD));
}

#[test]
fn the_title_of_a_model_names_its_layers() {
    assert_eq!(config().widths(), "13-9-7-5-7-9-13");
    assert_eq!(config().title(), "vae");
    assert_eq!(ModelConfig { kind: "iwae".into(), classes: 3, ..config() }.title(), "conditional iwae");
    let config = ModelConfig { encoder: Some("linear 8 tanh".parse().unwrap()), ..config() };
    assert_eq!(config.widths(), "13 - linear 8 tanh - 5 - linear 8 tanh - 13");
}

#[test]
fn a_parameter_is_found_in_the_matrix_that_holds_it() {
    let network = Network::new(&config()).unwrap();
    let find = |name: &str| network.parameters.iter().find(|p| p.name == name).unwrap();
    // The mean's and the variance's rows lie in one matrix.
    let (mu, log_var) = (find("encoder.mu.weight"), find("encoder.log_var.weight"));
    let first = mu.positions().next().unwrap();
    let stride = mu.positions().nth(7).unwrap() - first;
    let start = log_var.positions().next().unwrap();
    let rows = (start - first) / stride + 5;
    let matrix = Tensor { buffer: BufferId(0), offset: first, rows, cols: 7, stride };
    assert_eq!(mu.place_in(matrix), Some(0));
    assert_eq!(log_var.place_in(matrix), Some(rows - 5));
    assert_eq!(log_var.place_in(Tensor { rows: rows - 1, ..matrix }), None);
    assert_eq!(log_var.place_in(Tensor { cols: 6, ..matrix }), None);
    assert_eq!(find("encoder.0.weight").place_in(matrix), None);
    assert_eq!(find("decoder.0.weight").place_in(matrix), None);
}

#[test]
fn a_model_that_cannot_be_is_refused() {
    let wide = MAX_WIDTH + 1;
    let picture = Extent { height: 2, width: 2, channels: 1 };
    assert!(config().validate().is_ok());
    for (config, problem) in [
        (ModelConfig { hidden: vec![], ..config() }, "model.hidden"),
        (ModelConfig { hidden: vec![3, 0], ..config() }, "model.hidden"),
        (ModelConfig { hidden: vec![wide], ..config() }, "model.hidden"),
        (ModelConfig { latent: 0, ..config() }, "model.latent"),
        (ModelConfig { latent: wide, ..config() }, "model.latent"),
        (ModelConfig { input: wide, ..config() }, "values per datum"),
        (
            ModelConfig { picture: Some(picture), ..config() },
            "a picture of 2x2x1 has 4 values: set `input` to 4",
        ),
        (ModelConfig { latent_picture: Some(picture), ..config() }, "z of 2x2x1 has 4 numbers"),
        (ModelConfig { kind: "gan".into(), ..config() }, "use vae, iwae, ae"),
        (ModelConfig { classes: MAX_CLASSES + 1, ..config() }, "model.condition"),
        (ModelConfig { activation: Activation::Identity, ..config() }, "model.activation"),
    ] {
        let refused = config.validate().unwrap_err().to_string();
        assert!(refused.contains(problem), "{config:?}: {refused}");
    }
    let widest = ModelConfig { input: MAX_WIDTH, latent: MAX_WIDTH, classes: MAX_CLASSES, ..config() };
    assert!(widest.validate().is_ok());
}

#[test]
fn a_family_has_the_parts_of_its_paper() {
    let parts = |name| {
        let Family { latent, prior, objective, .. } = family::find(name).unwrap();
        (
            latent.name(),
            prior.map(|prior| prior.name()),
            objective.name(),
            objective.is_elbo(1),
            objective.is_elbo(2),
        )
    };
    assert_eq!(parts("vae"), ("gaussian", Some("standard"), "elbo", true, true));
    assert_eq!(parts("iwae"), ("gaussian", Some("standard"), "importance", true, false));
    assert_eq!(parts("ae"), ("point", None, "reconstruction", false, false));
}
