//! Configurations of every kind.

use proptest::prelude::*;
use vae_gpu::data::{Colour, ReadOptions, Scale, Scaling, Size};
use vae_gpu::kernels::activation::Activation;
use vae_gpu::kernels::gather::Binarize;
use vae_gpu::kernels::likelihood::Variance;
use vae_gpu::model::LatentSize;
use vae_gpu::model::init::Init;
use vae_gpu::settings::Named;
use vae_gpu::train::Config;
use vae_gpu::train::Schedule;
use vae_gpu::train::{Condition, Keep, ModelSection, Net, TrainSection};

use super::finite;

pub fn config() -> impl Strategy<Value = Config> {
    let rate = || 1e-30f64..1e30;
    let model = (
        prop::sample::select(vec!["vae", "iwae"]),
        prop::collection::vec(1usize..=65536, 1..6),
        1usize..=65536,
        prop::sample::select(vec![
            Activation::Relu,
            Activation::Tanh,
            Activation::Softplus,
            Activation::Silu,
            Activation::Elu,
        ]),
        prop::sample::select(vec![
            "bernoulli",
            "gaussian",
            "gaussian-learned",
            "categorical",
            "logistic-mixture",
        ]),
        (2usize..=256, 1usize..=32),
        prop::option::of(prop::sample::select(Variance::ALL.to_vec())),
        prop::sample::select(vec![Condition::None, Condition::Labels]),
    );
    let schedule = prop_oneof![
        Just(Schedule::Constant),
        Just(Schedule::Cosine),
        Just(Schedule::Burda),
        (prop::collection::vec(0.0f64..1e6, 1..4), 1e-6f64..1.0).prop_map(|(mut at, factor)| {
            at.sort_by(f64::total_cmp);
            Schedule::Steps { at, factor }
        }),
    ];
    let numbers =
        (1u32.., 1usize..=4096, 1e-30f32..1e30, any::<u64>(), prop::array::uniform8(rate()), schedule);
    let choices = (
        prop::sample::select(vec![Init::Pytorch, Init::Xavier, Init::He]),
        any::<bool>(),
        0.001f64..0.999,
        any::<u32>(),
        prop::sample::select(vec![Keep::Last, Keep::Best]),
        any::<bool>(),
    );
    let source = (
        any::<Option<String>>(),
        prop::option::of((1usize..=4096, 1usize..=4096)),
        prop::option::of(prop::sample::select(vec![Colour::Grey, Colour::Colour])),
        any::<u64>(),
        prop::option::of(prop::sample::select(vec![Scale::Standard, Scale::Minmax, Scale::None])),
        prop::option::of(prop::collection::vec((finite(), 1e-30f32..1e30), 1..5)),
    );
    (any::<String>(), model, numbers, choices, source).prop_map(|(data, model, numbers, choices, source)| {
        let (kind, hidden, latent, activation, likelihood, (levels, components), variance, condition) = model;
        let model = ModelSection {
            kind: kind.into(),
            net: Net::Auto,
            encoder: None,
            decoder: None,
            hidden,
            latent,
            latent_size: (latent < 10_000).then_some(LatentSize { height: 2, width: 1 + latent % 3 }),
            activation,
            likelihood: likelihood.to_owned(),
            levels,
            components,
            variance,
            condition,
        };
        let (epochs, batch_size, lr, seed, rates, lr_schedule) = numbers;
        let [lr_warmup, beta, kl_warmup, free_bits, weight_decay, clip_norm, adam_epsilon, _] = rates;
        let (init, output_bias, valid, patience, keep, stream) = choices;
        let free_bits = if kind == "iwae" { 0.0 } else { free_bits };
        let binarize =
            (likelihood == "categorical" || likelihood == "logistic-mixture").then_some(Binarize::None);
        let train = TrainSection {
            epochs,
            batch_size,
            lr,
            seed,
            binarize,
            lr_schedule,
            lr_warmup,
            beta,
            samples: 2,
            kl_warmup,
            free_bits,
            weight_decay,
            clip_norm,
            adam_epsilon,
            init,
            output_bias,
            valid,
            patience,
            keep,
            stream,
            ..TrainSection::default()
        };
        let (label_column, size, colour, split_seed, scale, scaling) = source;
        let source = ReadOptions {
            label_column,
            image_size: size.map(|(width, height)| Size { width, height }),
            colour,
            split_seed,
            scale,
            scaling: scaling.map(|pairs| {
                let (shift, scale) = pairs.into_iter().unzip();
                Scaling { shift, scale, fill: Vec::new() }
            }),
            ..ReadOptions::default()
        };
        Config { data, shape: Some([3, 5, 1]), source, model, train, ..Config::default() }
    })
}
