//! What both Gaussians with a learned variance compute (`shaders/shared/gaussian.wgsl`).

use std::f64::consts::PI;

use super::kernel::Params;
use crate::plan::{Call, Graph, Matrix, Unfit};

/// The log-variance is clamped to plus or minus this; outside, its gradient is zero. A pixel that never changes would
/// otherwise drive its variance to zero and log p to infinity.
pub const LOG_VAR_LIMIT: f64 = 7.0;

/// log_p[r] = -1/2 sum_d (x - mu)^2 e^-s + s + log(2 pi).
pub(super) fn log_likelihood(
    call: &dyn Call,
    x: Matrix,
    log_p: Matrix,
    of: impl Fn(usize, usize) -> [f64; 2],
) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let mut sum = 0.0;
        for d in 0..p.dim as usize {
            let [mu, free] = of(row, d);
            let distance = x.get(row / p.samples as usize, d) - mu;
            let s = free.clamp(-LOG_VAR_LIMIT, LOG_VAR_LIMIT);
            sum -= 0.5 * (distance * distance * (-s).exp() + s + (2.0 * PI).ln());
        }
        log_p.set(row, sum);
    }
}

/// d_mu = -weight (x - mu) e^-s and d_s = -weight ((x - mu)^2 e^-s - 1) / 2 of a value; zero in the padding.
pub(super) fn slopes(
    p: &Params,
    [mu, free]: [f64; 2],
    [x, weight]: [Matrix; 2],
    row: usize,
    d: usize,
) -> [f64; 2] {
    if d >= p.dim as usize {
        return [0.0, 0.0];
    }
    let (distance, weight) = (x.get(row / p.samples as usize, d) - mu, weight.at(row));
    let precision = (-free.clamp(-LOG_VAR_LIMIT, LOG_VAR_LIMIT)).exp();
    let moves = if free.abs() < LOG_VAR_LIMIT { 1.0 } else { 0.0 };
    [-weight * distance * precision, -weight * moves * 0.5 * (distance * distance * precision - 1.0)]
}

/// E[x|z] = mu.
pub(super) fn mean(call: &dyn Call) {
    let [decoded, mean_x] = call.slots();
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        for d in 0..4 * p.vectors as usize {
            let mu = if d < p.dim as usize { decoded.get(row, d) } else { 0.0 };
            mean_x.put(row, d, mu);
        }
    }
}

/// mu is the first part of what the decoder gives.
pub(super) fn mean_nodes(graph: &mut dyn Graph) -> Result<(), Unfit> {
    let [decoded, mean_x] = [0, 1];
    let mu = graph.parts(decoded)?[0].value;
    graph.set(mean_x, mu);
    Ok(())
}
