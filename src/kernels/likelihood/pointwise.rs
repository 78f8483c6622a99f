//! What the likelihoods share that take one number l of the decoder for each value x (`shaders/shared/pointwise.wgsl`).

use super::Pass;
use crate::kernels::row_sum::RowSum;
use crate::kernels::{elementwise, params};
use crate::plan::{
    Call, Dispatch, Kernel, Needs, Plan, Reference, Slot, Target, Tensor, Trusted, read, write,
};

params! {
    /// See `shaders/shared/pointwise.wgsl`.
    struct Params {
        rows: u32,
        samples: u32,
        dim: u32,
        vectors: u32,
    }
}

/// The mathematics of one value, for the references.
pub(super) trait Pointwise {
    /// log p(x | l).
    fn log_p(l: f64, x: f64) -> f64;
    /// d log p(x | l) / dl.
    fn slope(l: f64, x: f64) -> f64;
    /// E[x | l].
    fn mean(l: f64) -> f64;
}

/// The kernels of one likelihood, and about how many operations a value costs.
pub(super) struct Kernels {
    pub forward: &'static Kernel,
    pub fused: &'static Kernel,
    pub backward: &'static Kernel,
    pub mean: &'static Kernel,
    pub flops: u64,
}

const fn kernel(
    (name, source): (&'static str, &'static str),
    entry: &'static str,
    slots: &'static [Slot],
    reference: Reference,
) -> Kernel {
    Kernel {
        name,
        entry,
        source,
        params: Params::FIELDS,
        slots,
        step: false,
        needs: Needs::Nothing,
        trusted: Trusted,
        variants: RowSum::variants,
        reference,
    }
}

const DECODED: Slot = read(1, "decoded");
const X: Slot = read(2, "x");
const WEIGHT: Slot = read(3, "weight");
const LOG_P: Slot = write(4, "log_p");
const D_DECODED: Slot = write(5, "d_decoded");
const MEAN_X: Slot = write(6, "mean_x");

pub(super) const fn forward<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "forward", &[DECODED, X, LOG_P], |call| log_likelihood::<L>(call, 2))
}

pub(super) const fn fused<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "fused", &[DECODED, X, WEIGHT, LOG_P, D_DECODED], |call| {
        log_likelihood::<L>(call, 3);
        gradient::<L>(call, 4);
    })
}

pub(super) const fn backward<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "backward", &[DECODED, X, WEIGHT, D_DECODED], |call| gradient::<L>(call, 3))
}

pub(super) const fn mean<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "mean", &[DECODED, MEAN_X], |call| {
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            for d in 0..p.dim as usize {
                let mean = L::mean(call.get(0, row, d));
                call.put(1, row, d, mean);
            }
        }
    })
}

/// log_p[r] = sum_d log p(x | l).
fn log_likelihood<L: Pointwise>(call: &mut dyn Call, log_p: usize) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let datum = row / p.samples as usize;
        let sum = (0..p.dim as usize).map(|d| L::log_p(call.get(0, row, d), call.get(1, datum, d))).sum();
        call.put(log_p, 0, row, sum);
    }
}

/// d_decoded = -weight d log p / dl.
fn gradient<L: Pointwise>(call: &mut dyn Call, d_decoded: usize) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let weight = call.get(2, 0, row);
        for d in 0..p.dim as usize {
            let (l, x) = (call.get(0, row, d), call.get(1, row / p.samples as usize, d));
            call.put(d_decoded, row, d, -weight * L::slope(l, x));
        }
    }
}

/// Appends a pass of one of them.
pub(super) fn append(kernels: &Kernels, plan: &mut Plan, target: &Target, pass: Pass) {
    let (kernel, share, tensors): (&'static Kernel, u64, Vec<Tensor>) = match pass {
        Pass::Forward { out, x, log_p, .. } => (kernels.forward, 2, vec![out, x, log_p]),
        Pass::Fused { out, x, weight, log_p, d_out, .. } => {
            (kernels.fused, 3, vec![out, x, weight, log_p, d_out])
        }
        Pass::Backward { out, x, weight, d_out, .. } => (kernels.backward, 2, vec![out, x, weight, d_out]),
        Pass::Mean { out, mean } => (kernels.mean, 1, vec![out, mean]),
    };
    let out = tensors[0];
    let (image, samples) = pass.image();
    let dim = image.cols;
    assert_eq!((out.cols, out.stride), (dim, image.stride), "the decoder gives one number for each value");
    let params =
        Params { rows: out.rows as u32, samples: samples as u32, dim: dim as u32, vectors: out.vectors() };
    let rows = RowSum::of(target);
    let mut cost = elementwise(0, &tensors);
    cost.flops = share * kernels.flops * (out.rows * out.cols) as u64;
    plan.push(Dispatch {
        kernel,
        label: "log p(x|z)".into(),
        consts: rows.consts(),
        params: params.to_bytes(),
        tensors,
        workgroups: rows.grid(out.rows),
        cost,
    });
}
