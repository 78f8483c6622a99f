//! The Bernoulli likelihood from logits (`shaders/likelihood/bernoulli.wgsl`).

use super::by_row::{self, kernels};
use super::definition::{Data, Kernels, Likelihood, Measure, Output, moments};
use super::pointwise::{self, ByValue, Pointwise};
use super::settings::LikelihoodSettings;
use crate::kernels::activation::{sigmoid, softplus};
use crate::kernels::shader;
use crate::plan::{Graph, Kernel, Shader, Value};

struct Bernoulli;

impl Pointwise for Bernoulli {
    const SHADER: Shader = shader!("likelihood/bernoulli");

    fn log_p(l: f64, x: f64) -> f64 {
        x * l - softplus(l)
    }

    fn slope(l: f64, x: f64) -> f64 {
        x - sigmoid(l)
    }

    fn mean(l: f64) -> f64 {
        sigmoid(l)
    }

    fn mean_nodes(graph: &mut dyn Graph, l: Value) -> Value {
        graph.apply("Sigmoid", &[l])
    }
}

kernels!(by_row, ByValue<Bernoulli>);

/// Rough operations per value.
const FLOPS: u64 = 4;

/// Binary data, or grey values read as probabilities.
pub static BERNOULLI: Likelihood = Likelihood {
    name: "bernoulli",
    about: "binary data: log p = x l - log(1 + e^l) from logits l",
    data: Data::Binary,
    bounded: true,
    settings: &[LikelihoodSettings::DEFAULT],
    validate: |_| Ok(()),
    title: |_| "bernoulli".into(),
    output: |dim, _| Output::new(&[("decoder.out", dim)]),
    fit: |values, _| {
        // Keeps a pixel that is always black able to turn white; the bounds are those of Burda et al.'s program.
        let mean = moments(values).0.clamp(0.001, 0.999);
        vec![(mean / (1.0 - mean)).ln()]
    },
    join: None,
    draw: |decoded, dim, noise| {
        let logits = decoded.out[..dim].iter().map(|l| sigmoid(f64::from(*l)));
        logits.map(|probability| f32::from(u8::from(noise.uniform() < probability))).collect()
    },
    kernels: &[&KERNELS],
    extra_kernels: &[],
    measure: |_, _| Measure::Nothing,
    append: |plan, target, _, pass| pointwise::append(&KERNELS, FLOPS, plan, target, pass),
};
