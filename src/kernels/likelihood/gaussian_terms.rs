//! What both Gaussians with a log-variance for each value compute (`shaders/shared/gaussian.wgsl`).

use std::f64::consts::PI;

use crate::plan::{Graph, Unfit};

/// The log-variance is clamped to plus or minus this; outside, its gradient is zero. A pixel that never changes would
/// otherwise drive its variance to zero and log p to infinity.
pub const LOG_VAR_LIMIT: f64 = 7.0;

fn clamped(free: f64) -> f64 {
    free.clamp(-LOG_VAR_LIMIT, LOG_VAR_LIMIT)
}

/// log p = -((x - mu)^2 e^-s + s + log(2 pi)) / 2.
pub(super) fn log_p(mu: f64, free: f64, x: f64) -> f64 {
    let (distance, s) = (x - mu, clamped(free));
    -0.5 * (distance * distance * (-s).exp() + s + (2.0 * PI).ln())
}

/// Its derivatives: (x - mu) e^-s by mu, ((x - mu)^2 e^-s - 1) / 2 by s.
pub(super) fn slopes(mu: f64, free: f64, x: f64) -> [f64; 2] {
    let (distance, precision) = (x - mu, (-clamped(free)).exp());
    let moves = if free.abs() < LOG_VAR_LIMIT { 1.0 } else { 0.0 };
    [distance * precision, moves * 0.5 * (distance * distance * precision - 1.0)]
}

/// E[x|z] = mu, the first part of what the decoder gives.
pub(super) fn mean_nodes(graph: &mut dyn Graph) -> Result<(), Unfit> {
    let [decoded, mean_x] = [0, 1];
    let mu = graph.parts(decoded)?[0].value;
    graph.set(mean_x, mu);
    Ok(())
}
