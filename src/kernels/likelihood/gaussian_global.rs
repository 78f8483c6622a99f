//! One learned log-variance for each value (`shaders/likelihood/gaussian_global.wgsl`).

use super::definition::Kernels;
use super::gaussian_terms::{log_p, mean_nodes, slopes};
use super::kernel::{Params, each_value, kernel};
use crate::kernels::shader;
use crate::plan::{Call, Kernel, Matrix, Slot, read, write};

const SHADER: (&str, &str) = ("likelihood/gaussian_global", shader!("likelihood/gaussian_global"));
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
    gradient(call, s, x, weight, mu, d_s);
});

static BACKWARD: Kernel = kernel(SHADER, "backward", &[LOG_VAR, X, WEIGHT, D_DECODED, D_LOG_VAR], |call| {
    let [s, x, weight, mu, d_s] = call.slots();
    gradient(call, s, x, weight, mu, d_s);
});

static MEAN: Kernel = kernel(SHADER, "mean", &[DECODED, BY_VALUE], |call| {
    let [mu, mean_x] = call.slots();
    each_value(call, mean_x, |row, d| mu.get(row, d));
})
.with_nodes(mean_nodes);

static VALUES: Kernel = kernel(SHADER, "values", &[DECODED, LOG_VAR, X, BY_VALUE], |call| {
    let [mu, s, x, values] = call.slots();
    let p: Params = crate::plan::params(call);
    let datum = |row: usize| row / p.samples as usize;
    each_value(call, values, |row, d| log_p(mu.get(row, d), s.at(d), x.get(datum(row), d)));
});

pub(super) static KERNELS: Kernels =
    Kernels { forward: &FORWARD, fused: &FUSED, backward: &BACKWARD, mean: &MEAN, values: &VALUES };

/// log_p\[r\] = sum_d log p(x | mu, s).
fn log_likelihood(call: &dyn Call, mu: Matrix, s: Matrix, x: Matrix, to: Matrix) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let datum = row / p.samples as usize;
        to.set(row, (0..p.dim as usize).map(|d| log_p(mu.get(row, d), s.at(d), x.get(datum, d))).sum());
    }
}

/// d_mu in place of mu, and d_s.
fn gradient(call: &dyn Call, s: Matrix, x: Matrix, weight: Matrix, mu: Matrix, d_s: Matrix) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        for d in 0..4 * p.vectors as usize {
            let inside = d < p.dim as usize;
            let here = || slopes(mu.get(row, d), s.at(d), x.get(row / p.samples as usize, d));
            let [by_mu, by_s] = if inside { here() } else { [0.0, 0.0] };
            mu.put(row, d, -weight.at(row) * by_mu);
            d_s.put(row, d, -weight.at(row) * by_s);
        }
    }
}
