//! The five kernels of a likelihood, declared once for all: a likelihood says what they compute.

use crate::kernels::row_sum::RowSum;
use crate::plan::{Call, Field, Kernel, Matrix, Nodes, Shader, Slot, read, write};

pub(super) const DECODED: Slot = read(1, "decoded");

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
