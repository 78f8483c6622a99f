//! One learned log-variance for each value (`shaders/likelihood/gaussian_global.wgsl`).

use super::definition::Kernels;
use super::gaussian_shared::{log_likelihood, mean, mean_nodes, slopes};
use super::kernel::{Params, kernel};
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

static FORWARD: Kernel = kernel(SHADER, "forward", &[DECODED, LOG_VAR, X, LOG_P], |call| {
    let [mu, s, x, log_p] = call.slots();
    log_likelihood(call, x, log_p, |row, d| [mu.get(row, d), s.at(d)]);
});

static FUSED: Kernel = kernel(SHADER, "fused", &[LOG_VAR, X, WEIGHT, LOG_P, D_DECODED, D_LOG_VAR], |call| {
    let [s, x, weight, log_p, mu, d_s] = call.slots();
    log_likelihood(call, x, log_p, |row, d| [mu.get(row, d), s.at(d)]);
    gradient(call, s, x, weight, mu, d_s);
});

static BACKWARD: Kernel = kernel(SHADER, "backward", &[LOG_VAR, X, WEIGHT, D_DECODED, D_LOG_VAR], |call| {
    let [s, x, weight, mu, d_s] = call.slots();
    gradient(call, s, x, weight, mu, d_s);
});

static MEAN: Kernel = kernel(SHADER, "mean", &[DECODED, write(8, "mean_x")], mean).with_nodes(mean_nodes);

pub(super) static KERNELS: Kernels =
    Kernels { forward: &FORWARD, fused: &FUSED, backward: &BACKWARD, mean: &MEAN };

/// d_mu in place of mu, and d_s.
fn gradient(call: &dyn Call, s: Matrix, x: Matrix, weight: Matrix, mu: Matrix, d_s: Matrix) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        for d in 0..4 * p.vectors as usize {
            let here = [mu.get(row, d), s.at(d)];
            let [by_mu, by_s] = slopes(&p, here, [x, weight], row, d);
            mu.put(row, d, by_mu);
            d_s.put(row, d, by_s);
        }
    }
}
