//! The Gaussian likelihood with variance 1 (`shaders/likelihood/gaussian.wgsl`).

use std::f64::consts::PI;

use super::by_row::{self, kernels};
use super::definition::{Data, Kernels, Likelihood, Measure, Output, moments};
use super::pointwise::{self, ByValue, Pointwise};
use super::settings::LikelihoodSettings;
use crate::kernels::shader;
use crate::plan::{Graph, Kernel, Shader, Value};

struct Gaussian;

impl Pointwise for Gaussian {
    const SHADER: Shader = shader!("likelihood/gaussian");

    fn log_p(l: f64, x: f64) -> f64 {
        -0.5 * (x - l) * (x - l) - 0.5 * (2.0 * PI).ln()
    }

    fn slope(l: f64, x: f64) -> f64 {
        x - l
    }

    fn mean(l: f64) -> f64 {
        l
    }

    fn mean_nodes(_: &mut dyn Graph, l: Value) -> Value {
        l
    }
}

kernels!(by_row, ByValue<Gaussian>);

/// Rough operations per value.
const FLOPS: u64 = 2;

/// Real data with noise of variance 1: squared error, with its constant.
pub static GAUSSIAN: Likelihood = Likelihood {
    name: "gaussian",
    about: "real data, variance 1: log p = -(x - mu)^2 / 2 - log(2 pi) / 2",
    data: Data::Grey,
    bounded: false,
    settings: &[LikelihoodSettings::DEFAULT],
    validate: |_| Ok(()),
    title: |_| "gaussian".into(),
    output: |dim, _| Output::new(&[("decoder.out", dim)]),
    fit: |values, _| vec![moments(values).0],
    join: None,
    draw: |decoded, dim, noise| {
        decoded.out[..dim].iter().map(|mean| (f64::from(*mean) + noise.normal()) as f32).collect()
    },
    kernels: &[&KERNELS],
    extra_kernels: &[],
    measure: |_, _| Measure::Value,
    append: |plan, target, _, pass| pointwise::append(&KERNELS, FLOPS, plan, target, pass),
};
