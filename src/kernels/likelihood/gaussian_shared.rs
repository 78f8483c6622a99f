//! One learned log-variance for all values (`shaders/likelihood/gaussian_shared.wgsl`).

use std::f64::consts::PI;

use super::definition::Kernels;
use super::gaussian_terms::mean_nodes;
use super::kernel::{Params, each_value, kernel};
use crate::kernels::shader;
use crate::plan::{Call, Kernel, Matrix, Slot, read, write};

/// The log-variance is clamped to plus or minus this; outside, its gradient is zero.
pub const SHARED_LOG_VAR_LIMIT: f64 = 12.0;

const SHADER: (&str, &str) = ("likelihood/gaussian_shared", shader!("likelihood/gaussian_shared"));
const DECODED: Slot = read(1, "decoded");
const LOG_VAR: Slot = read(2, "log_var");
const X: Slot = read(3, "x");
const WEIGHT: Slot = read(4, "weight");
const LOG_P: Slot = write(5, "log_p");
const D_DECODED: Slot = write(6, "d_decoded").updated();
const D_LOG_VAR: Slot = write(7, "d_log_var");
const BY_VALUE: Slot = write(8, "by_value");

static FORWARD: Kernel = kernel(SHADER, "forward", &[DECODED, LOG_VAR, X, LOG_P], |call| {
    let [mu, s, x, log_p] = call.slots();
    log_likelihood(call, mu, s, x, log_p);
});

static FUSED: Kernel = kernel(SHADER, "fused", &[LOG_VAR, X, WEIGHT, LOG_P, D_DECODED, D_LOG_VAR], |call| {
    let [s, x, weight, log_p, mu, d_s] = call.slots();
    log_likelihood(call, mu, s, x, log_p);
    gradient(call, s, [x, weight], mu, d_s);
});

static BACKWARD: Kernel = kernel(SHADER, "backward", &[LOG_VAR, X, WEIGHT, D_DECODED, D_LOG_VAR], |call| {
    let [s, x, weight, mu, d_s] = call.slots();
    gradient(call, s, [x, weight], mu, d_s);
});

static MEAN: Kernel = kernel(SHADER, "mean", &[DECODED, BY_VALUE], |call| {
    let [mu, mean_x] = call.slots();
    each_value(call, mean_x, |row, d| mu.get(row, d));
})
.with_nodes(mean_nodes);

static VALUES: Kernel = kernel(SHADER, "values", &[DECODED, LOG_VAR, X, BY_VALUE], |call| {
    let [mu, s, x, values] = call.slots();
    let p: Params = crate::plan::params(call);
    let s = clamped(s);
    each_value(call, values, |row, d| {
        let distance = x.get(row / p.samples as usize, d) - mu.get(row, d);
        -0.5 * (distance * distance * (-s).exp() + s + (2.0 * PI).ln())
    });
});

/// S\[r\] = sum_d (x - mu)^2.
pub(super) static SQUARES: Kernel =
    kernel(SHADER, "sum_squares", &[DECODED, X, write(9, "squares")], |call| {
        let [mu, x, squares] = call.slots();
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            squares.set(row, sum_of_squares(&p, mu, x, row));
        }
    });

pub(super) static KERNELS: Kernels =
    Kernels { forward: &FORWARD, fused: &FUSED, backward: &BACKWARD, mean: &MEAN, values: &VALUES };

fn clamped(s: Matrix) -> f64 {
    s.at(0).clamp(-SHARED_LOG_VAR_LIMIT, SHARED_LOG_VAR_LIMIT)
}

fn sum_of_squares(p: &Params, mu: Matrix, x: Matrix, row: usize) -> f64 {
    let distance = |d: usize| x.get(row / p.samples as usize, d) - mu.get(row, d);
    (0..p.dim as usize).map(|d| distance(d) * distance(d)).sum()
}

/// log_p\[r\] = -(S e^-s + D (s + log(2 pi))) / 2.
fn log_likelihood(call: &dyn Call, mu: Matrix, s: Matrix, x: Matrix, log_p: Matrix) {
    let p: Params = crate::plan::params(call);
    let s = clamped(s);
    for row in 0..p.rows as usize {
        let squares = sum_of_squares(&p, mu, x, row);
        log_p.set(row, -0.5 * (squares * (-s).exp() + f64::from(p.dim) * (s + (2.0 * PI).ln())));
    }
}

/// d_mu in place of mu, and d_s of each row.
fn gradient(call: &dyn Call, s: Matrix, [x, weight]: [Matrix; 2], mu: Matrix, d_s: Matrix) {
    let p: Params = crate::plan::params(call);
    let precision = (-clamped(s)).exp();
    let moves = if s.at(0).abs() < SHARED_LOG_VAR_LIMIT { 1.0 } else { 0.0 };
    for row in 0..p.rows as usize {
        let (datum, weight) = (row / p.samples as usize, weight.at(row));
        let by_s = 0.5 * (sum_of_squares(&p, mu, x, row) * precision - f64::from(p.dim));
        for (column, value) in [-weight * moves * by_s, 0.0, 0.0, 0.0].into_iter().enumerate() {
            d_s.put(row, column, value);
        }
        for d in 0..4 * p.vectors as usize {
            let inside = d < p.dim as usize;
            let distance = if inside { x.get(datum, d) - mu.get(row, d) } else { 0.0 };
            mu.put(row, d, -weight * distance * precision);
        }
    }
}
