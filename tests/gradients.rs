//! The gradients of whole models: the reference executor's against finite differences, and the GPU's against the
//! reference executor's.

mod common;

use common::model::{Engine, Host, Problem, Report, Shape, step, values};
use vae_gpu::kernels::activation::Activation;
use vae_gpu::kernels::gather::Binarize;
use vae_gpu::kernels::likelihood::{self, Likelihood, LikelihoodSettings};
use vae_gpu::kernels::philox::philox;
use vae_gpu::model::init::{Init, initial_weights};
use vae_gpu::model::plans::{self, Batch, DeviceData};
use vae_gpu::model::{Extent, LAYERS, ModelConfig, Network, Parameter};
use vae_gpu::plan::{Dispatch, Plan, Step, Target};

/// Half the step of a central difference: its truncation error, h^2 f''' / 6, is then below 1e-10, and the loss's
/// rounding error over h about 5e-10.
const H: f64 = 2e-5;

/// No sum before a relu may be nearer to zero. A relu has no derivative there: a central difference over the kink is
/// wrong by half a slope, and f32 may round the sum to the other side. H moves a sum by at most a few H, f32 by some
/// 1e-6. Data, weights and draws are fixed, so a distance that holds here holds everywhere; changed shapes may need
/// another [`SEED`].
const KINK: f64 = 2e-4;

const SEED: u64 = 1;

/// D.
const INPUT: usize = 13;

/// Most values moved per parameter.
const VALUES: usize = 120;

/// Most outputs of a decoder: for 256 levels per pixel, only the likelihood is differentiated (tests/likelihoods.rs).
const OUTPUTS: usize = 100;

/// The error of f32 in a tensor. Measured on lavapipe, llvmpipe and SwiftShader: at worst 7e-7; the rest allows for
/// other orders of summation and faster exp and log.
const GPU_BOUND: f64 = 1e-5;

#[derive(Debug)]
struct Case {
    config: ModelConfig,
    shape: Shape,
    step: Step,
}

impl Case {
    fn new(
        (likelihood, settings): (&Likelihood, LikelihoodSettings),
        activation: Activation,
        hidden: &[usize],
        samples: usize,
        short: bool,
    ) -> Case {
        let config = ModelConfig {
            input: INPUT,
            hidden: hidden.to_vec(),
            latent: 5,
            activation,
            likelihood: likelihood.name.into(),
            settings,
            ..ModelConfig::default()
        };
        // Bernoulli's formula also takes grey values.
        let binarize = if short { Binarize::None } else { likelihood.data.binarize() };
        let shape = Shape { samples, ..Shape::new(7, binarize) };
        // Not the first step, rows, or row of the history.
        let mut step = Step { first_row: 3, ..step(SEED, 4, shape.batch, 1e-2) };
        if short {
            step.valid_rows = 5;
            step.kl_weight = 0.3;
        }
        Case { config, shape, step }
    }

    fn label(&self) -> String {
        let Case { config, shape, step } = self;
        let (rows, beta) = (step.valid_rows, step.kl_weight);
        let (batch, samples) = (shape.batch, shape.samples);
        format!(
            "{} {} {:?} {} B={rows}/{batch} K={samples} beta={beta} free={}",
            config.title(),
            config.decoder(),
            config.activation,
            config.widths(),
            shape.recipe.free_bits
        )
    }

    /// The error of a central difference. Where the rows of a small batch are divided by their deviation, a tenth or so, the
    /// third derivative is hundreds of times as large.
    fn bound(&self) -> f64 {
        if self.config.widths().contains("norm batch") { 1e-6 } else { 1e-7 }
    }

    /// The gradient of the weights beside a bias, if a normalisation over the batch may follow: the bias' own gradient, a sum
    /// over rows, is next to nothing then, since a shift of all rows changes little, and its error is that of the terms.
    fn beside(&self, parameter: &Parameter, problem: &Problem, gradients: &[f64]) -> Vec<f64> {
        let normal = self.config.widths().contains("norm batch");
        let weight = parameter.name.strip_suffix(".bias").filter(|_| normal);
        let weight = weight.and_then(|layer| problem.parameters.find(&format!("{layer}.weight")));
        weight.map_or(Vec::new(), |weight| values(weight, gradients))
    }

    fn problem(&self, target: Target) -> Problem {
        let count = self.shape.batch + 5;
        let byte = |i: usize| {
            let words = philox([i as u32, 0, 0, 0], [SEED as u32, 1]);
            // A third black, a third white, a third grey, as in drawings.
            [0, 255, words[1] as u8][words[0] as usize % 3]
        };
        let bytes: Vec<u8> = (0..count * self.config.input).map(byte).collect();
        let order: Vec<u32> = (0..count as u32).rev().collect();
        let parameters = Network::new(&self.config).unwrap().parameters;
        let mut weights = initial_weights(&parameters, Init::Pytorch, SEED);
        // Moves parameters that start at zero away from it, and one value beyond the limits of a log-variance.
        for parameter in parameters.iter().filter(|p| p.fan_in.is_none()) {
            let mut values: Vec<f32> = (0..parameter.len()).map(|i| (i as f32).sin()).collect();
            if let Some(second) = values.get_mut(1) {
                *second = 9.0;
            }
            parameter.insert(&mut weights, &values);
        }
        Problem::new(&self.config, target, self.shape, 5, (&bytes, &order), weights)
    }
}

/// Bernoulli with every activation, depth and number of samples; every other likelihood, in each of its settings, with
/// every activation, and with every pair of depth and samples once. Each runs on whole and short batches.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for likelihood in likelihood::TABLE {
        let small = |s: &&LikelihoodSettings| (likelihood.output)(INPUT, s).columns() <= OUTPUTS;
        for settings in likelihood.settings.iter().filter(small) {
            for (i, activation) in Activation::HIDDEN.into_iter().enumerate() {
                for (j, hidden) in [&[9][..], &[9, 7]].into_iter().enumerate() {
                    for (k, samples) in [1, 3].into_iter().enumerate() {
                        if likelihood.name == "bernoulli" || i == 2 * j + k {
                            let of = (*likelihood, *settings);
                            cases.push(Case::new(of, activation, hidden, samples, (i + j + k) % 2 == 0));
                        }
                    }
                }
            }
        }
    }
    cases.extend(other_objectives());
    cases.extend(other_layers());
    cases.extend(pictures());
    cases
}

/// Every kind of layer behind a linear one, in encoder and decoder; and layers that meet the label, a gradient that several
/// of them give, and the latent.
fn other_layers() -> Vec<Case> {
    let bernoulli = (likelihood::find("bernoulli").unwrap(), LikelihoodSettings::DEFAULT);
    let samples =
        LAYERS.iter().flat_map(|kind| kind.samples).map(|sample| format!("linear 9 tanh, {sample}"));
    let mut texts: Vec<(String, Option<&str>, usize)> = samples.map(|encoder| (encoder, None, 0)).collect();
    let deep =
        "linear 9, residual(residual(linear 9), tanh, linear 9 silu), residual(linear 5, linear 9), silu";
    texts.push((deep.into(), None, 0));
    // z and its label [.., 8] go into a sum, which wants a gradient as wide, and z one that is not.
    texts.push(("residual(linear 16), linear 7".into(), Some("residual(linear 8 tanh), linear 9"), 3));
    texts.push(("tanh, linear 7".into(), Some("softplus, linear 9"), 3));
    let case = |(i, (encoder, decoder, classes)): (usize, (String, Option<&str>, usize))| {
        let mut case = Case::new(bernoulli, Activation::Tanh, &[9, 7], 1 + i % 2, i % 3 == 0);
        case.config.encoder = Some(encoder.parse().unwrap());
        case.config.decoder = decoder.map(|layers| layers.parse().unwrap());
        case.config.classes = classes;
        case
    };
    texts.into_iter().enumerate().map(case).collect()
}

/// Pictures: every number of channels that fills a vector or does not, kernels and strides that divide the size or do not,
/// labels as channels, likelihoods of several parts, and layers that meet a picture's padding.
fn pictures() -> Vec<Case> {
    let likelihood = |name| {
        let likelihood = likelihood::find(name).unwrap();
        (likelihood, likelihood.settings[likelihood.settings.len() - 1])
    };
    let [bernoulli, learned] = ["bernoulli", "gaussian-learned"].map(likelihood);
    let cases = [
        ((4, 5, 1), "conv 3x4/2, linear 9", None, 0, bernoulli),
        ((5, 3, 3), "conv 5x3 silu, conv 4x3/2", None, 0, learned),
        ((3, 3, 5), "conv 7x2/2 softplus, residual(conv 7x3, silu), linear 7", None, 3, bernoulli),
        ((4, 4, 1), "conv 4x1 tanh, deconv 3x2/2, conv 2x3/3 pad 2", None, 0, learned),
        ((2, 3, 3), "linear 9", Some("linear 2x3x5 softplus, conv 3x3, deconv 3"), 2, bernoulli),
        (
            (2, 2, 3),
            "pool, linear 9",
            Some("deconv 5x2 pad 0, norm batch, conv 6x1 silu, norm layer, deconv 1"),
            2,
            bernoulli,
        ),
        ((4, 4, 1), "conv 8x3/2 identity, norm group 2, tanh, upsample 2, pool 2", None, 0, bernoulli),
        (
            (3, 2, 1),
            "conv 5x2 pad 1, relu",
            Some("linear 7, linear 2x2x3, deconv 2x2/2 to 4x4, linear 6"),
            0,
            bernoulli,
        ),
    ];
    let case = |(i, ((height, width, channels), encoder, decoder, classes, of))| -> Case {
        let mut case = Case::new(of, Activation::Tanh, &[9, 7], 1 + i % 2, i % 3 == 0);
        let picture: Extent = Extent { height, width, channels };
        let encoder: &str = encoder;
        let decoder: Option<&str> = decoder;
        (case.config.input, case.config.picture) = (picture.len(), Some(picture));
        case.config.encoder = Some(encoder.parse().unwrap());
        case.config.decoder = decoder.map(|layers| layers.parse().unwrap());
        case.config.classes = classes;
        case
    };
    let mut cases: Vec<Case> = cases.into_iter().enumerate().map(case).collect();
    // A latent that is a picture too, with labels beside it or without.
    for (i, classes) in [0, 3].into_iter().enumerate() {
        let mut one =
            case((2 * i + 1, ((4, 5, 3), "conv 5x3 silu, conv 6x2/2 tanh", None, classes, learned)));
        let latent = Extent { height: 2, width: 2, channels: 3 };
        (one.config.latent, one.config.latent_picture) = (latent.len(), Some(latent));
        cases.push(one);
    }
    cases
}

/// All other objectives, on whole and short batches: the importance-weighted bound, a floor under the KL, an
/// autoencoder, and each of them with labels.
fn other_objectives() -> Vec<Case> {
    let bernoulli = (likelihood::find("bernoulli").unwrap(), LikelihoodSettings::DEFAULT);
    let learned = likelihood::find("gaussian-learned").unwrap();
    let mut cases = Vec::new();
    for (i, (kind, samples, free_bits)) in
        [("iwae", 1, 0.0), ("iwae", 5, 0.0), ("vae", 2, FREE_BITS), ("ae", 1, 0.0)].into_iter().enumerate()
    {
        for (short, classes) in [(false, 0), (true, 3)] {
            for of in [bernoulli, (learned, learned.settings[i % learned.settings.len()])] {
                let mut case = Case::new(of, Activation::Tanh, &[9, 7], samples, short);
                (case.config.kind, case.config.classes) = (kind.into(), classes);
                case.shape.recipe.free_bits = free_bits;
                if kind == "ae" {
                    case.step.kl_weight = 1.0;
                }
                cases.push(case);
            }
        }
    }
    cases
}

/// Between the KLs of an untrained model's dimensions: some lie below.
const FREE_BITS: f32 = 0.03;

#[test]
fn some_dimensions_lie_below_the_floor_and_some_above() {
    let mut both = 0;
    for case in other_objectives().into_iter().filter(|case| case.shape.recipe.free_bits > 0.0) {
        let problem = case.problem(Target::PORTABLE);
        let mut host = problem.host();
        host.run(&case.step);
        let floor = host.read(problem.tensor("floor_kl", 1, case.config.latent));
        let above = floor.iter().filter(|kl| **kl > f64::from(FREE_BITS) + 1e-6).count();
        both += usize::from(above > 0 && above < floor.len());
    }
    assert!(both > 0, "choose another floor");
}

/// The statistics of a batch are those of its valid rows, with all samples of each.
#[test]
fn rows_past_the_last_valid_one_are_no_part_of_a_normalised_batch() {
    let bernoulli = (likelihood::find("bernoulli").unwrap(), LikelihoodSettings::DEFAULT);
    let after_a_step = |batch: usize, first_row: u32| {
        let mut case = Case::new(bernoulli, Activation::Tanh, &[9, 7], 2, false);
        case.config.encoder = Some("linear 9 tanh, norm batch, silu".parse().unwrap());
        case.config.decoder = Some("linear 7 tanh, norm batch".parse().unwrap());
        case.shape.batch = batch;
        // The order of the rows goes down from the last: the same rows.
        (case.step.valid_rows, case.step.first_row) = (3, first_row);
        let problem = case.problem(Target::PORTABLE);
        let mut host = problem.host();
        host.run(&case.step);
        let ports = &problem.train.ports;
        [
            host.read(ports.gradients),
            host.read(ports.parameters),
            problem.weights.iter().map(|w| f64::from(*w)).collect(),
        ]
    };
    let [gradients, parameters, before] = after_a_step(5, 3);
    let [of_three, after, _] = after_a_step(3, 1);
    assert!(gradients.iter().any(|d| *d != 0.0) && parameters != before);
    assert_eq!((gradients, parameters), (of_three, after));
}

/// The importance-weighted bound of one sample is the sampled ELBO: the same objective, except that the KL is sampled
/// instead of integrated. The expectation is the same.
#[test]
fn the_bound_of_one_sample_is_the_sampled_elbo() {
    let bernoulli = (likelihood::find("bernoulli").unwrap(), LikelihoodSettings::DEFAULT);
    let mut case = Case::new(bernoulli, Activation::Tanh, &[9], 1, false);
    case.config.kind = "iwae".into();
    let problem = case.problem(Target::PORTABLE);
    let (mut bound, mut elbo, mut squares) = (0.0, 0.0, 0.0);
    let draws = 4000;
    for draw in 0..draws {
        let mut host = problem.host();
        let step = Step { step: draw, ..case.step };
        for dispatch in forward(&host) {
            host.memory.dispatch(dispatch, &step);
        }
        let terms = host.read(problem.train.ports.history.slice_rows(step.history_row as usize, 1));
        let (one, other) = (terms[2], terms[0] - terms[1]);
        bound += one;
        elbo += other;
        squares += (one - other) * (one - other);
    }
    let n = f64::from(draws);
    let (difference, deviation) = ((bound - elbo) / n, (squares / n).sqrt());
    assert!(deviation > 0.1, "the KL is sampled");
    assert!(difference.abs() < 4.0 * deviation / n.sqrt(), "{difference} +- {}", deviation / n.sqrt());
}

/// The dispatches up to the sum of the loss's terms.
fn forward<'a>(host: &Host<'a>) -> &'a [Dispatch] {
    let last = host.plan.dispatches().iter().position(|d| d.kernel.entry == "batch_sum").unwrap();
    &host.plan.dispatches()[..=last]
}

/// The loss: the negative objective, averaged over the batch's rows.
fn loss(problem: &Problem, host: &mut Host, step: &Step) -> f64 {
    for dispatch in forward(host) {
        host.memory.dispatch(dispatch, step);
    }
    let terms = problem.train.ports.history.slice_rows(step.history_row as usize, 1);
    -host.read(terms)[2] / f64::from(step.valid_rows)
}

/// The distance from zero of the nearest sum before a relu.
fn kink(mut host: Host, step: &Step) -> f64 {
    let mut nearest = f64::INFINITY;
    for dispatch in forward(&host) {
        if dispatch.consts.contains(&("ACTIVATION", Activation::Relu as u32)) {
            let mut sums = dispatch.clone();
            let activation = sums.consts.iter_mut().find(|(name, _)| *name == "ACTIVATION").unwrap();
            activation.1 = Activation::Identity as u32;
            host.memory.dispatch(&sums, step);
            let sums = host.read(*dispatch.tensors.last().unwrap());
            nearest = sums.into_iter().fold(nearest, |nearest, sum| nearest.min(sum.abs()));
        }
        host.memory.dispatch(dispatch, step);
    }
    nearest
}

#[test]
fn the_reference_agrees_with_finite_differences() {
    let mut report = Report::default();
    for case in cases() {
        let problem = case.problem(Target::PORTABLE);
        let kink = kink(problem.host(), &case.step);
        assert!(
            kink > KINK,
            "{}: a relu's sum is {kink:.0e} from its kink: choose another SEED",
            case.label()
        );

        let mut host = problem.host();
        host.run(&case.step);
        let gradients = host.read(problem.train.ports.gradients);

        // Adam has changed the first host's parameters, so the differences need another.
        let (parameters, mut host) = (problem.train.ports.parameters, problem.host());
        for parameter in &problem.parameters {
            // What is measured is constant in the gradient; of the best variance of a batch the derivative is zero too.
            if !parameter.is_trained() {
                let gradient = values(parameter, &gradients);
                report.require(gradient.iter().all(|d| *d == 0.0), || {
                    format!("{}: {gradient:?}", case.label())
                });
                continue;
            }
            let every = parameter.len().div_ceil(VALUES);
            let differences: Vec<f64> = parameter
                .positions()
                .step_by(every)
                .map(|at| {
                    let value = host.memory.floats(parameters)[at];
                    let mut loss_at = |value: f64| {
                        host.memory.floats(parameters)[at] = value;
                        loss(&problem, &mut host, &case.step)
                    };
                    let slope = (loss_at(value + H) - loss_at(value - H)) / (2.0 * H);
                    host.memory.floats(parameters)[at] = value;
                    slope
                })
                .collect();
            let gradient: Vec<f64> = values(parameter, &gradients).into_iter().step_by(every).collect();
            // Values of any size beside both, where the sum itself is next to nothing.
            let beside = case.beside(parameter, &problem, &gradients);
            let both = [gradient, differences].map(|values| [&values[..], &beside].concat());
            report.compare(&case.label(), "gradient", &parameter.name, (&both[0], &both[1]), case.bound());
        }
    }
    report.finish();
}

/// A case beyond the tiles of every matmul, and with sums that cards divide.
fn wide() -> Case {
    let bernoulli = (likelihood::find("bernoulli").unwrap(), LikelihoodSettings::DEFAULT);
    // Tanh, because among so many relus some are always near their kinks.
    let mut wide = Case::new(bernoulli, Activation::Tanh, &[70, 34], 2, true);
    (wide.config.input, wide.config.latent) = (301, 20);
    (wide.shape.batch, wide.step.valid_rows) = (70, 67);
    wide
}

#[test]
fn the_gpu_agrees_with_the_reference() {
    let gpu = common::gpu();
    let mut report = Report::default();
    for case in cases().into_iter().chain([wide()]) {
        // The choices for a real card too: other tiles, other reductions.
        for target in [gpu.target(), Target::PORTABLE] {
            let problem = case.problem(target);
            let (mut host, mut device) = (problem.host(), problem.device(&gpu));
            host.run(&case.step);
            device.run(&case.step);
            let want = host.read(problem.train.ports.gradients);
            let got = device.read(problem.train.ports.gradients);
            for parameter in &problem.parameters {
                let beside = case.beside(parameter, &problem, &want);
                let both = [&got, &want].map(|all| [&values(parameter, all)[..], &beside].concat());
                let both = (&both[0][..], &both[1][..]);
                report.compare(&case.label(), "gradient", &parameter.name, both, GPU_BOUND);
            }
        }
    }
    report.finish();
}

/// The wide case above joins the parts of sums on a card, forward and backward, and nowhere else: in an evaluation a row's
/// result must not depend on how many rows there are.
#[test]
fn sums_are_divided_in_training_on_cards_alone() {
    let wide = wide();
    let joins = |plan: &Plan| {
        let joins = plan.dispatches().iter().filter(|dispatch| dispatch.kernel.name == "matmul/join");
        joins.map(|dispatch| dispatch.label.clone()).collect::<Vec<_>>()
    };
    let trained = |target| joins(&wide.problem(target).train.plan);
    assert_eq!(trained(Target::PORTABLE), ["encoder.0", "decoder.out d_x"]);
    assert!(trained(Target::SOFTWARE).is_empty());
    let network = Network::new(&wide.config).unwrap();
    let (size, samples) = (wide.shape.batch, wide.shape.samples);
    let batch = Batch { data: DeviceData::resident("test", size, wide.shape.binarize), size, samples };
    assert!(joins(&plans::evaluate(&network, Target::PORTABLE, &batch, 1).plan).is_empty());
}

#[test]
fn the_padding_of_arenas_stays_zero() {
    let gpu = common::gpu();
    let mut report = Report::default();
    for case in cases().into_iter().filter(|case| case.config.hidden.len() == 2) {
        let problem = case.problem(gpu.target());
        let mut device = problem.device(&gpu);
        for t in 1..=4 {
            device.run(&Step { step: t, history_row: t, ..case.step });
        }
        let train = &problem.train;
        let initial: Vec<f64> = problem.weights.iter().map(|w| f64::from(*w)).collect();
        let padding = problem.padding();
        assert!(padding.iter().any(|p| *p), "{}: no padding to look at", case.label());
        for (name, tensor) in [
            ("parameters", train.ports.parameters),
            ("gradients", train.ports.gradients),
            ("moment1", train.ports.moment1),
            ("moment2", train.ports.moment2),
        ] {
            let arena = device.read(tensor);
            let spoiled = arena.iter().zip(&padding).position(|(v, padding)| *padding && *v != 0.0);
            report.require(spoiled.is_none(), || {
                let at = spoiled.unwrap();
                format!("{}: {name}[{at}] is padding but holds {}", case.label(), arena[at])
            });
            report.require(arena != initial, || format!("{}: {name} did not change", case.label()));
            let some = arena.iter().zip(&padding).any(|(v, padding)| !padding && *v != 0.0);
            report.require(some, || format!("{}: {name} holds nothing", case.label()));
        }
    }
    report.finish();
}
