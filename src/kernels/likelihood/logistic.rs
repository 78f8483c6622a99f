//! A logistic distribution in 256 steps for each value (`shaders/likelihood/logistic.wgsl`).

use super::by_row::{self, kernels};
use super::definition::{Data, Kernels, Likelihood, Measure, Output, moments};
use super::logistic_terms as terms;
use super::pair::{self, ByPair, Pair};
use super::settings::LikelihoodSettings;
use crate::kernels::shader;
use crate::plan::{Kernel, Nodes, PAD, Shader, round_up};

pub use super::logistic_terms::LOG_SCALE_LIMIT;

struct Logistic;

impl Pair for Logistic {
    const SHADER: Shader = shader!("likelihood/logistic");

    fn log_p(mu: f64, s: f64, x: f64) -> f64 {
        terms::log_p(mu, s, x)
    }

    fn slopes(mu: f64, s: f64, x: f64) -> [f64; 2] {
        terms::slopes(mu, s, x)
    }

    fn mean(mu: f64, s: f64) -> f64 {
        terms::mean(mu, s)
    }

    const NODES: Nodes = |graph| {
        let [decoded, mean_x] = [0, 1];
        let parts = graph.parts(decoded)?;
        let [mu, s] = parts[..] else {
            return Err(format!("it reads {} values where a mean and a width were expected", parts.len()));
        };
        let mean = terms::mean_nodes(graph, mu.value, s.value);
        graph.set(mean_x, mean);
        Ok(())
    };
}

kernels!(by_row, ByPair<Logistic>);

/// Bytes, by a probability of each: what is compared between models of pictures as bits per dimension.
pub static LOGISTIC: Likelihood = Likelihood {
    name: "logistic",
    about: "bytes, by a logistic in 256 steps with its mean and log-scale: log p = log(sigmoid(a) - sigmoid(b))",
    data: Data::Levels,
    bounded: true,
    settings: &[LikelihoodSettings::DEFAULT],
    validate: |_| Ok(()),
    title: |_| "logistic".into(),
    output: |dim, _| Output::new(&[("decoder.mu", dim), (LOG_SCALE, dim)]),
    fit: |values, _| terms::fit(moments(values)).to_vec(),
    join: None,
    draw: |decoded, dim, noise| {
        let scales = &decoded.out[round_up(dim, PAD)..];
        let values = decoded.out[..dim].iter().zip(scales);
        values.map(|(mu, s)| terms::drawn(f64::from(*mu), f64::from(*s), noise) as f32).collect()
    },
    kernels: &[&KERNELS],
    extra_kernels: &[],
    measure: |part, _| match part {
        LOG_SCALE => Measure::LogScale { limit: LOG_SCALE_LIMIT },
        _ => Measure::Value,
    },
    append: |plan, target, _, pass| pair::append(&KERNELS, FLOPS, plan, target, pass),
};

const LOG_SCALE: &str = "decoder.log_scale";
/// Rough operations per value.
const FLOPS: u64 = 40;
