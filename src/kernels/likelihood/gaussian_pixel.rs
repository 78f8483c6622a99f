//! A log-variance that the decoder predicts for each value of each row (`shaders/likelihood/gaussian_pixel.wgsl`).

use super::definition::Kernels;
use super::gaussian_shared::{log_likelihood, mean, mean_nodes, slopes};
use super::kernel::{Params, kernel};
use crate::kernels::shader;
use crate::plan::{Call, Kernel, Matrix, Slot, read, write};

const SHADER: (&str, &str) = ("likelihood/gaussian_pixel", shader!("likelihood/gaussian_pixel"));
const DECODED: Slot = read(1, "decoded");
const X: Slot = read(2, "x");
const WEIGHT: Slot = read(3, "weight");
const LOG_P: Slot = write(4, "log_p");
const D_DECODED: Slot = write(5, "d_decoded").updated();

static FORWARD: Kernel = kernel(SHADER, "forward", &[DECODED, X, LOG_P], |call| {
    let [decoded, x, log_p] = call.slots();
    log_likelihood(call, x, log_p, |row, d| parts(call, decoded, row, d));
});

static FUSED: Kernel = kernel(SHADER, "fused", &[X, WEIGHT, LOG_P, D_DECODED], |call| {
    let [x, weight, log_p, decoded] = call.slots();
    log_likelihood(call, x, log_p, |row, d| parts(call, decoded, row, d));
    gradient(call, x, weight, decoded);
});

static BACKWARD: Kernel = kernel(SHADER, "backward", &[X, WEIGHT, D_DECODED], |call| {
    let [x, weight, decoded] = call.slots();
    gradient(call, x, weight, decoded);
});

static MEAN: Kernel = kernel(SHADER, "mean", &[DECODED, write(6, "mean_x")], mean).with_nodes(mean_nodes);

pub(super) static KERNELS: Kernels =
    Kernels { forward: &FORWARD, fused: &FUSED, backward: &BACKWARD, mean: &MEAN };

/// mu and s of a value: s lies P columns after mu.
fn parts(call: &dyn Call, decoded: Matrix, row: usize, d: usize) -> [f64; 2] {
    let p: Params = crate::plan::params(call);
    [decoded.get(row, d), decoded.get(row, 4 * p.vectors as usize + d)]
}

/// d_mu and d_s in place of mu and s.
fn gradient(call: &dyn Call, x: Matrix, weight: Matrix, decoded: Matrix) {
    let p: Params = crate::plan::params(call);
    let columns = 4 * p.vectors as usize;
    for row in 0..p.rows as usize {
        for d in 0..columns {
            let here = parts(call, decoded, row, d);
            let [by_mu, by_s] = slopes(&p, here, [x, weight], row, d);
            decoded.put(row, d, by_mu);
            decoded.put(row, columns + d, by_s);
        }
    }
}
