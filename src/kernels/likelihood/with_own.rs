//! The five kernels of a Gaussian whose log-variance s is a parameter of its own, declared once for all.

use super::by_row::DECODED;
use super::gaussian_terms::mean_nodes;
use super::kernel::{self, Params, each_value};
use crate::plan::{Call, Kernel, Matrix, Shader, Slot, params, read, write};

/// Its shader, with the same entry points, and the references of its kernels; mu is the decoder's output.
pub(super) trait WithOwn {
    /// The shader.
    const SHADER: Shader;
    /// log p(x|z) of each row.
    fn log_likelihood(call: &dyn Call, mu: Matrix, s: Matrix, x: Matrix, log_p: Matrix);
    /// d_mu in place of mu, and d_s of each row.
    fn gradient(call: &dyn Call, s: Matrix, x: Matrix, weight: Matrix, mu: Matrix, d_s: Matrix);
    /// log p(x | mu, s) of value d.
    fn log_p(mu: f64, s: Matrix, d: usize, x: f64) -> f64;
}

const LOG_VAR: Slot = read(2, "log_var");
const X: Slot = read(3, "x");
const WEIGHT: Slot = read(4, "weight");
const LOG_P: Slot = write(5, "log_p");
const D_DECODED: Slot = write(6, "d_decoded").updated();
const D_LOG_VAR: Slot = write(7, "d_log_var");
const BY_VALUE: Slot = write(8, "by_value");

const fn kernel<L: WithOwn>(entry: &'static str, slots: &'static [Slot], reference: fn(&dyn Call)) -> Kernel {
    kernel::kernel(L::SHADER, entry, slots, reference)
}

pub(super) const fn forward<L: WithOwn>() -> Kernel {
    kernel::<L>("forward", &[DECODED, LOG_VAR, X, LOG_P], |call| {
        let [mu, s, x, log_p] = call.slots();
        L::log_likelihood(call, mu, s, x, log_p);
    })
}

pub(super) const fn fused<L: WithOwn>() -> Kernel {
    kernel::<L>("fused", &[LOG_VAR, X, WEIGHT, LOG_P, D_DECODED, D_LOG_VAR], |call| {
        let [s, x, weight, log_p, mu, d_s] = call.slots();
        L::log_likelihood(call, mu, s, x, log_p);
        L::gradient(call, s, x, weight, mu, d_s);
    })
}

pub(super) const fn backward<L: WithOwn>() -> Kernel {
    kernel::<L>("backward", &[LOG_VAR, X, WEIGHT, D_DECODED, D_LOG_VAR], |call| {
        let [s, x, weight, mu, d_s] = call.slots();
        L::gradient(call, s, x, weight, mu, d_s);
    })
}

pub(super) const fn mean<L: WithOwn>() -> Kernel {
    let kernel = kernel::<L>("mean", &[DECODED, BY_VALUE], |call| {
        let [mu, mean_x] = call.slots();
        each_value(call, mean_x, |row, d| mu.get(row, d));
    });
    kernel.with_nodes(mean_nodes)
}

pub(super) const fn values<L: WithOwn>() -> Kernel {
    kernel::<L>("values", &[DECODED, LOG_VAR, X, BY_VALUE], |call| {
        let [mu, s, x, values] = call.slots();
        let p: Params = params(call);
        let datum = |row: usize| row / p.samples as usize;
        each_value(call, values, |row, d| L::log_p(mu.get(row, d), s, d, x.get(datum(row), d)));
    })
}
