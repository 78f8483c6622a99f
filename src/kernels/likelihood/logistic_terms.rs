//! A logistic distribution in 256 steps (`shaders/shared/logistic.wgsl`).

use super::Noise;
use crate::kernels::activation::{sigmoid, softplus};
use crate::plan::{Graph, Value};

/// The log-scale is clamped to plus or minus this; outside, its gradient is zero.
pub const LOG_SCALE_LIMIT: f64 = 8.0;

/// Half the distance of two steps.
const HALF_STEP: f64 = 0.5 / 255.0;

/// The step of x: its byte.
fn level_of(x: f64) -> f64 {
    (255.0 * x.clamp(0.0, 1.0)).round()
}

/// What the formulas share: e^-s, and a and b where their terms are.
struct Ends {
    precision: f64,
    a: Option<f64>,
    b: Option<f64>,
}

fn ends(mu: f64, free: f64, x: f64) -> Ends {
    let precision = (-clamped(free)).exp();
    let level = level_of(x);
    let distance = level / 255.0 - mu;
    Ends {
        precision,
        a: (level < 255.0).then_some((distance + HALF_STEP) * precision),
        b: (level > 0.0).then_some((distance - HALF_STEP) * precision),
    }
}

fn clamped(free: f64) -> f64 {
    free.clamp(-LOG_SCALE_LIMIT, LOG_SCALE_LIMIT)
}

/// log P of the step of x.
pub(super) fn log_p(mu: f64, free: f64, x: f64) -> f64 {
    let Ends { precision, a, b } = ends(mu, free, x);
    let tails = a.map_or(0.0, |a| -softplus(-a)) + b.map_or(0.0, |b| -softplus(b));
    // Between the tails: log(1 - e^-t).
    let between =
        if a.is_some() && b.is_some() { (-(-2.0 * HALF_STEP * precision).exp_m1()).ln() } else { 0.0 };
    between + tails
}

/// Its derivatives by mu and s.
pub(super) fn slopes(mu: f64, free: f64, x: f64) -> [f64; 2] {
    let Ends { precision, a, b } = ends(mu, free, x);
    let (at_a, at_b) = (a.map_or(0.0, |a| sigmoid(-a)), b.map_or(0.0, sigmoid));
    let t = 2.0 * HALF_STEP * precision;
    let between = if a.is_some() && b.is_some() { -t / t.exp_m1() } else { 0.0 };
    let by_s = between - a.unwrap_or(0.0) * at_a + b.unwrap_or(0.0) * at_b;
    let moves = if free.abs() < LOG_SCALE_LIMIT { 1.0 } else { 0.0 };
    [(at_b - at_a) * precision, moves * by_s]
}

/// E\[x\] before x falls into a step: within half a step of that of the steps.
pub(super) fn mean(mu: f64, free: f64) -> f64 {
    let scale = clamped(free).exp();
    // The integral of sigmoid((mu - e) / scale) over e in 0..1.
    scale * (softplus(mu / scale) - softplus((mu - 1.0) / scale))
}

/// A draw of x.
pub(super) fn drawn(mu: f64, free: f64, noise: &mut Noise) -> f64 {
    let u = noise.uniform();
    level_of(mu + clamped(free).exp() * (u / (1.0 - u)).ln()) / 255.0
}

/// [`mean`] of mu and s, as the shader computes it.
pub(super) fn mean_nodes(graph: &mut dyn Graph, mu: Value, s: Value) -> Value {
    let [low, high, zero, one] =
        [-LOG_SCALE_LIMIT, LOG_SCALE_LIMIT, 0.0, 1.0].map(|value| graph.number(value));
    let above = graph.apply("Max", &[s, low]);
    let clamped = graph.apply("Min", &[above, high]);
    let scale = graph.apply("Exp", &[clamped]);
    // mu and mu - 1 in units of the scale.
    let distance = graph.apply("Sub", &[mu, one]);
    let [upper, lower] = [mu, distance].map(|value| {
        let scaled = graph.apply("Div", &[value, scale]);
        graph.apply("Softplus", &[scaled])
    });
    let difference = graph.apply("Sub", &[upper, lower]);
    let narrow = graph.apply("Mul", &[scale, difference]);
    // Gauss and Legendre's points and weights.
    let mut wide = zero;
    for (point, weight) in [(0.5, 8.0), (0.112_701_665_379_258_3, 5.0), (0.887_298_334_620_741_7, 5.0)] {
        let [point, weight] = [point, weight / 18.0].map(|value| graph.number(value));
        let distance = graph.apply("Sub", &[mu, point]);
        let scaled = graph.apply("Div", &[distance, scale]);
        let chance = graph.apply("Sigmoid", &[scaled]);
        let share = graph.apply("Mul", &[chance, weight]);
        wide = graph.apply("Add", &[share, wide]);
    }
    let is_narrow = graph.apply("Less", &[clamped, zero]);
    graph.apply("Where", &[is_narrow, narrow, wide])
}

/// The mean and the log-scale that fit these (value, count): a logistic of scale e^s has the variance (pi e^s)^2 / 3.
pub(super) fn fit((mean, variance): (f64, f64)) -> [f64; 2] {
    let log_scale = 0.5 * (3.0 * variance).ln() - std::f64::consts::PI.ln();
    [mean, log_scale.clamp(-LOG_SCALE_LIMIT, LOG_SCALE_LIMIT)]
}
