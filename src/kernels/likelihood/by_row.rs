//! The five kernels of a likelihood, declared once for all: a likelihood says what they compute.

use super::kernel::{Params, each_value};
use crate::kernels::row_sum::RowSum;
use crate::plan::{Call, Field, Kernel, Matrix, Nodes, Shader, Slot, read, write};

const DECODED: Slot = read(1, "decoded");

/// A likelihood of the decoder's output alone: its shader, and the references of its kernels.
pub(super) trait ByRow {
    /// The shader, with the entry points `forward`, `fused`, `backward`, `mean` and `values`.
    const SHADER: Shader;
    /// The fields of its Params.
    const PARAMS: &'static [Field];
    /// E[x | z] in the operators of ONNX.
    const NODES: Nodes;
    /// log p(x|z) of each row.
    fn log_likelihood(call: &dyn Call, decoded: Matrix, x: Matrix, log_p: Matrix);
    /// The gradient, in place of the decoder's output.
    fn gradient(call: &dyn Call, decoded: Matrix, x: Matrix, weight: Matrix);
    /// E[x | z].
    fn mean(call: &dyn Call, decoded: Matrix, mean_x: Matrix);
    /// log p(x|z) of each value.
    fn values(call: &dyn Call, decoded: Matrix, x: Matrix, values: Matrix);
}

const X: Slot = read(2, "x");
const WEIGHT: Slot = read(3, "weight");
const LOG_P: Slot = write(4, "log_p");
const D_DECODED: Slot = write(5, "d_decoded").updated();
const BY_VALUE: Slot = write(6, "by_value");

const fn kernel<L: ByRow>(entry: &'static str, slots: &'static [Slot], reference: fn(&dyn Call)) -> Kernel {
    Kernel::new(L::SHADER, entry, L::PARAMS, slots, reference).in_variants(RowSum::variants)
}

pub(super) const fn forward<L: ByRow>() -> Kernel {
    kernel::<L>("forward", &[DECODED, X, LOG_P], |call| {
        let [decoded, x, log_p] = call.slots();
        L::log_likelihood(call, decoded, x, log_p);
    })
}

pub(super) const fn fused<L: ByRow>() -> Kernel {
    kernel::<L>("fused", &[X, WEIGHT, LOG_P, D_DECODED], |call| {
        let [x, weight, log_p, decoded] = call.slots();
        L::log_likelihood(call, decoded, x, log_p);
        L::gradient(call, decoded, x, weight);
    })
}

pub(super) const fn backward<L: ByRow>() -> Kernel {
    kernel::<L>("backward", &[X, WEIGHT, D_DECODED], |call| {
        let [x, weight, decoded] = call.slots();
        L::gradient(call, decoded, x, weight);
    })
}

pub(super) const fn mean<L: ByRow>() -> Kernel {
    let kernel = kernel::<L>("mean", &[DECODED, BY_VALUE], |call| {
        let [decoded, mean_x] = call.slots();
        L::mean(call, decoded, mean_x);
    });
    kernel.with_nodes(L::NODES)
}

pub(super) const fn values<L: ByRow>() -> Kernel {
    kernel::<L>("values", &[DECODED, X, BY_VALUE], |call| {
        let [decoded, x, values] = call.slots();
        L::values(call, decoded, x, values);
    })
}

/// A Gaussian whose log-variance s is a parameter of its own.
pub(super) mod with_own {
    use super::*;
    use crate::kernels::likelihood::gaussian_terms::mean_nodes;

    /// Its shader, with the same entry points, and the references of its kernels; mu is the decoder's output.
    pub(in super::super) trait WithOwn {
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

    const fn kernel<L: WithOwn>(
        entry: &'static str,
        slots: &'static [Slot],
        reference: fn(&dyn Call),
    ) -> Kernel {
        super::super::kernel::kernel(L::SHADER, entry, slots, reference)
    }

    pub(in super::super) const fn forward<L: WithOwn>() -> Kernel {
        kernel::<L>("forward", &[DECODED, LOG_VAR, X, LOG_P], |call| {
            let [mu, s, x, log_p] = call.slots();
            L::log_likelihood(call, mu, s, x, log_p);
        })
    }

    pub(in super::super) const fn fused<L: WithOwn>() -> Kernel {
        kernel::<L>("fused", &[LOG_VAR, X, WEIGHT, LOG_P, D_DECODED, D_LOG_VAR], |call| {
            let [s, x, weight, log_p, mu, d_s] = call.slots();
            L::log_likelihood(call, mu, s, x, log_p);
            L::gradient(call, s, x, weight, mu, d_s);
        })
    }

    pub(in super::super) const fn backward<L: WithOwn>() -> Kernel {
        kernel::<L>("backward", &[LOG_VAR, X, WEIGHT, D_DECODED, D_LOG_VAR], |call| {
            let [s, x, weight, mu, d_s] = call.slots();
            L::gradient(call, s, x, weight, mu, d_s);
        })
    }

    pub(in super::super) const fn mean<L: WithOwn>() -> Kernel {
        let kernel = kernel::<L>("mean", &[DECODED, BY_VALUE], |call| {
            let [mu, mean_x] = call.slots();
            each_value(call, mean_x, |row, d| mu.get(row, d));
        });
        kernel.with_nodes(mean_nodes)
    }

    pub(in super::super) const fn values<L: WithOwn>() -> Kernel {
        kernel::<L>("values", &[DECODED, LOG_VAR, X, BY_VALUE], |call| {
            let [mu, s, x, values] = call.slots();
            let p: Params = crate::plan::params(call);
            let datum = |row: usize| row / p.samples as usize;
            each_value(call, values, |row, d| L::log_p(mu.get(row, d), s, d, x.get(datum(row), d)));
        })
    }
}

/// The kernels of a likelihood, by the functions of one of these modules.
macro_rules! kernels {
    ($module:ident, $likelihood:ty) => {
        pub(super) static KERNELS: Kernels = {
            static FORWARD: Kernel = $module::forward::<$likelihood>();
            static FUSED: Kernel = $module::fused::<$likelihood>();
            static BACKWARD: Kernel = $module::backward::<$likelihood>();
            static MEAN: Kernel = $module::mean::<$likelihood>();
            static VALUES: Kernel = $module::values::<$likelihood>();
            Kernels { forward: &FORWARD, fused: &FUSED, backward: &BACKWARD, mean: &MEAN, values: &VALUES }
        };
    };
}
pub(super) use kernels;
