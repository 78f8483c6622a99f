//! The continuous Bernoulli likelihood from logits (`shaders/likelihood/continuous_bernoulli.wgsl`).

use super::by_row::{self, kernels};
use super::definition::{Data, Kernels, Likelihood, Measure, Output, moments};
use super::pointwise::{self, ByValue, Pointwise};
use super::settings::LikelihoodSettings;
use crate::kernels::shader;
use crate::plan::{Graph, Kernel, Shader, Value};

/// Below this |l| the mean is a Taylor series: its closed form is a difference of two numbers near 1/l.
const SERIES: f64 = 0.1;

/// log((1 - e^-|l|) / |l|). exp_m1 keeps its digits for small arguments, and its argument -|l| cannot overflow.
fn log_edge(l: f64) -> f64 {
    let a = l.abs();
    if a == 0.0 { 0.0 } else { ((-a).exp_m1() / -a).ln() }
}

/// A(l) = log of the integral of e^(l x) over 0..1 = log((e^l - 1) / l), so that log p = x l - A(l).
fn log_partition(l: f64) -> f64 {
    l.max(0.0) + log_edge(l)
}

/// log C(lambda) of the paper, with lambda = sigmoid(l): what makes the Bernoulli formula a density on 0..1.
pub fn log_normaliser(l: f64) -> f64 {
    // softplus - log_partition, without the term that both share.
    (-l.abs()).exp().ln_1p() - log_edge(l)
}

/// E\[x\] = A'(l) = 1 / (1 - e^-l) - 1 / l.
pub fn mean(l: f64) -> f64 {
    if l.abs() < SERIES {
        // The Langevin function of h = l / 2.
        let (h, h2) = (l / 2.0, l * l / 4.0);
        return 0.5 + 0.5 * h * (1.0 / 3.0 + h2 * (-1.0 / 45.0 + h2 * (2.0 / 945.0 - h2 / 4725.0)));
    }
    let a = l.abs();
    let below_half = 1.0 / a - 1.0 / a.exp_m1();
    if l > 0.0 { 1.0 - below_half } else { below_half }
}

/// Below this |l| the nodes use the series, as the shader does: in 32 bits the closed form loses digits earlier.
const NODES_SERIES: f64 = 1.0;

/// [`mean`] as the shader computes it.
fn mean_nodes(graph: &mut dyn Graph, l: Value) -> Value {
    let [zero, half, one, limit] = [0.0, 0.5, 1.0, NODES_SERIES].map(|value| graph.number(value));
    let h = graph.apply("Mul", &[l, half]);
    let h2 = graph.apply("Mul", &[h, h]);
    // Horner's rule: 1/3 - h^2/45 + 2 h^4/945 - h^6/4725 + 2 h^8/93555.
    let mut sum = graph.number(2.0 / 93555.0);
    for coefficient in [-1.0 / 4725.0, 2.0 / 945.0, -1.0 / 45.0, 1.0 / 3.0] {
        let product = graph.apply("Mul", &[sum, h2]);
        let coefficient = graph.number(coefficient);
        sum = graph.apply("Add", &[product, coefficient]);
    }
    let langevin = graph.apply("Mul", &[h, sum]);
    let langevin = graph.apply("Mul", &[langevin, half]);
    let series = graph.apply("Add", &[langevin, half]);

    let distance = graph.apply("Abs", &[l]);
    let a = graph.apply("Max", &[distance, limit]);
    let minus_a = graph.apply("Neg", &[a]);
    let e = graph.apply("Exp", &[minus_a]);
    let rest = graph.apply("Sub", &[one, e]);
    let ratio = graph.apply("Div", &[e, rest]);
    let inverse = graph.apply("Div", &[one, a]);
    let below_half = graph.apply("Sub", &[inverse, ratio]);
    let above_half = graph.apply("Sub", &[one, below_half]);
    let is_positive = graph.apply("Greater", &[l, zero]);
    let closed = graph.apply("Where", &[is_positive, above_half, below_half]);
    let is_small = graph.apply("Less", &[distance, limit]);
    graph.apply("Where", &[is_small, series, closed])
}

/// The l whose mean is `wanted`, which is kept away from 0 and 1: no l reaches them. The mean grows with l.
fn logit_of(wanted: f64) -> f64 {
    let wanted = wanted.clamp(0.001, 0.999);
    let (mut low, mut high) = (-2000.0, 2000.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if mean(middle) < wanted { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The p-quantile of x: log(1 + p (e^l - 1)) / l.
fn quantile(l: f64, p: f64) -> f64 {
    // Nearer to zero the density is flat to the last digits. Above zero, the mirror image of -l.
    match l {
        _ if l.abs() < 1e-9 => p,
        _ if l > 0.0 => 1.0 - quantile(-l, 1.0 - p),
        _ => ((p * l.exp_m1()).ln_1p() / l).clamp(0.0, 1.0),
    }
}

struct ContinuousBernoulli;

impl Pointwise for ContinuousBernoulli {
    const SHADER: Shader = shader!("likelihood/continuous_bernoulli");

    fn log_p(l: f64, x: f64) -> f64 {
        x * l - log_partition(l)
    }

    fn slope(l: f64, x: f64) -> f64 {
        x - mean(l)
    }

    fn mean(l: f64) -> f64 {
        mean(l)
    }

    fn mean_nodes(graph: &mut dyn Graph, l: Value) -> Value {
        mean_nodes(graph, l)
    }
}

kernels!(by_row, ByValue<ContinuousBernoulli>);

/// Rough operations per value.
const FLOPS: u64 = 12;

/// Grey values in 0..1, by the density with the Bernoulli formula.
pub static CONTINUOUS_BERNOULLI: Likelihood = Likelihood {
    name: "continuous-bernoulli",
    about: "grey data in 0..1: log p = x l - log((e^l - 1) / l) from logits l",
    data: Data::Grey,
    bounded: true,
    settings: &[LikelihoodSettings::DEFAULT],
    validate: |_| Ok(()),
    title: |_| "continuous-bernoulli".into(),
    output: |dim, _| Output::new(&[("decoder.out", dim)]),
    fit: |values, _| vec![logit_of(moments(values).0)],
    join: None,
    draw: |decoded, dim, noise| {
        decoded.out[..dim].iter().map(|l| quantile(f64::from(*l), noise.uniform()) as f32).collect()
    },
    kernels: &[&KERNELS],
    extra_kernels: &[],
    measure: |_, _| Measure::Nothing,
    append: |plan, target, _, pass| pointwise::append(&KERNELS, FLOPS, plan, target, pass),
};
