//! Shared by the likelihoods that read one decoder output l per value x (`shaders/shared/pointwise.wgsl`).

use super::{Kernels, Pass};
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
const D_DECODED: Slot = write(5, "d_decoded").updated();
const MEAN_X: Slot = write(6, "mean_x");

pub(super) const fn forward<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "forward", &[DECODED, X, LOG_P], |call| {
        let [l, x, log_p] = [0, 1, 2];
        log_likelihood::<L>(call, l, x, log_p);
    })
}

pub(super) const fn fused<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "fused", &[X, WEIGHT, LOG_P, D_DECODED], |call| {
        let [x, weight, log_p, l] = [0, 1, 2, 3];
        log_likelihood::<L>(call, l, x, log_p);
        gradient::<L>(call, l, x, weight);
    })
}

pub(super) const fn backward<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "backward", &[X, WEIGHT, D_DECODED], |call| {
        let [x, weight, l] = [0, 1, 2];
        gradient::<L>(call, l, x, weight);
    })
}

pub(super) const fn mean<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "mean", &[DECODED, MEAN_X], |call| {
        let [l, mean_x] = [0, 1];
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            for d in 0..4 * p.vectors as usize {
                let mean = if d < p.dim as usize { L::mean(call.get(l, row, d)) } else { 0.0 };
                call.put(mean_x, row, d, mean);
            }
        }
    })
}

/// log_p[r] = sum_d log p(x | l).
fn log_likelihood<L: Pointwise>(call: &mut dyn Call, l: usize, x: usize, log_p: usize) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let datum = row / p.samples as usize;
        let sum = (0..p.dim as usize).map(|d| L::log_p(call.get(l, row, d), call.get(x, datum, d))).sum();
        call.put(log_p, 0, row, sum);
    }
}

/// -weight d log p / dl, in place of l.
fn gradient<L: Pointwise>(call: &mut dyn Call, l: usize, x: usize, weight: usize) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let (datum, weight) = (row / p.samples as usize, call.get(weight, 0, row));
        for d in 0..4 * p.vectors as usize {
            let inside = d < p.dim as usize;
            let slope = if inside { L::slope(call.get(l, row, d), call.get(x, datum, d)) } else { 0.0 };
            call.put(l, row, d, -weight * slope);
        }
    }
}

/// Appends a pass of such a likelihood, at about `flops` operations per value.
pub(super) fn append(kernels: &Kernels, flops: u64, plan: &mut Plan, target: &Target, pass: Pass) {
    let (kernel, share, tensors): (&'static Kernel, u64, Vec<Tensor>) = match pass {
        Pass::Forward { out, x, log_p, .. } => (kernels.forward, 2, vec![out, x, log_p]),
        Pass::Fused { out, x, weight, log_p, .. } => (kernels.fused, 3, vec![x, weight, log_p, out]),
        Pass::Backward { out, x, weight, .. } => (kernels.backward, 2, vec![x, weight, out]),
        Pass::Mean { out, mean } => (kernels.mean, 1, vec![out, mean]),
    };
    let out = pass.out();
    let (image, samples) = pass.image();
    let dim = image.cols;
    assert_eq!((out.cols, out.stride), (dim, image.stride), "the decoder gives one number for each value");
    let params =
        Params { rows: out.rows as u32, samples: samples as u32, dim: dim as u32, vectors: out.vectors() };
    let rows = RowSum::of(target);
    let mut cost = elementwise(0, &tensors);
    cost.flops = share * flops * (out.rows * out.cols) as u64;
    plan.push(Dispatch {
        kernel,
        label: pass.label().into(),
        consts: rows.consts(),
        params: params.to_bytes(),
        tensors,
        workgroups: rows.grid(out.rows),
        cost,
    });
}
