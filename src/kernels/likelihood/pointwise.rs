//! Shared by the likelihoods that read one decoder output l per value x (`shaders/shared/pointwise.wgsl`).

use super::definition::Kernels;
use super::kernel::{Params, each_value, kernel, push};
use super::pass::Pass;
use crate::kernels::elementwise;
use crate::plan::{Call, Graph, Kernel, Matrix, Plan, Slot, Target, Tensor, Value, read, write};

/// The mathematics of one value, for the references.
pub(super) trait Pointwise {
    /// log p(x | l).
    fn log_p(l: f64, x: f64) -> f64;
    /// d log p(x | l) / dl.
    fn slope(l: f64, x: f64) -> f64;
    /// E[x | l].
    fn mean(l: f64) -> f64;
    /// E[x | l] in the operators of ONNX.
    fn mean_nodes(graph: &mut dyn Graph, l: Value) -> Value;
}

const DECODED: Slot = read(1, "decoded");
const X: Slot = read(2, "x");
const WEIGHT: Slot = read(3, "weight");
const LOG_P: Slot = write(4, "log_p");
const D_DECODED: Slot = write(5, "d_decoded").updated();
const BY_VALUE: Slot = write(6, "by_value");

pub(super) const fn forward<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "forward", &[DECODED, X, LOG_P], |call| {
        let [l, x, log_p] = call.slots();
        log_likelihood::<L>(call, l, x, log_p);
    })
}

pub(super) const fn fused<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "fused", &[X, WEIGHT, LOG_P, D_DECODED], |call| {
        let [x, weight, log_p, l] = call.slots();
        log_likelihood::<L>(call, l, x, log_p);
        gradient::<L>(call, l, x, weight);
    })
}

pub(super) const fn backward<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "backward", &[X, WEIGHT, D_DECODED], |call| {
        let [x, weight, l] = call.slots();
        gradient::<L>(call, l, x, weight);
    })
}

pub(super) const fn mean<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "mean", &[DECODED, BY_VALUE], |call| {
        let [l, mean_x] = call.slots();
        each_value(call, mean_x, |row, d| L::mean(l.get(row, d)));
    })
    .with_nodes(|graph| {
        let [l, mean_x] = [0, 1];
        let l = graph.get(l)?;
        let mean = L::mean_nodes(graph, l);
        graph.set(mean_x, mean);
        Ok(())
    })
}

pub(super) const fn values<L: Pointwise>(shader: (&'static str, &'static str)) -> Kernel {
    kernel(shader, "values", &[DECODED, X, BY_VALUE], |call| {
        let [l, x, values] = call.slots();
        let p: Params = crate::plan::params(call);
        let datum = |row: usize| row / p.samples as usize;
        each_value(call, values, |row, d| L::log_p(l.get(row, d), x.get(datum(row), d)));
    })
}

/// log_p[r] = sum_d log p(x | l).
fn log_likelihood<L: Pointwise>(call: &dyn Call, l: Matrix, x: Matrix, log_p: Matrix) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let datum = row / p.samples as usize;
        let sum = (0..p.dim as usize).map(|d| L::log_p(l.get(row, d), x.get(datum, d))).sum();
        log_p.set(row, sum);
    }
}

/// -weight d log p / dl, in place of l.
fn gradient<L: Pointwise>(call: &dyn Call, l: Matrix, x: Matrix, weight: Matrix) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let (datum, weight) = (row / p.samples as usize, weight.at(row));
        for d in 0..4 * p.vectors as usize {
            let inside = d < p.dim as usize;
            let slope = if inside { L::slope(l.get(row, d), x.get(datum, d)) } else { 0.0 };
            l.put(row, d, -weight * slope);
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
        Pass::Values { out, x, values, .. } => (kernels.values, 2, vec![out, x, values]),
    };
    let out = pass.out();
    let (image, _) = pass.image();
    assert_eq!(
        (out.cols, out.stride),
        (image.cols, image.stride),
        "the decoder gives one number for each value"
    );
    let mut cost = elementwise(0, &tensors);
    cost.flops = share * flops * (out.rows * out.cols) as u64;
    let rounds = out.vectors() as usize;
    push(plan, target, kernel, &pass, Params::of(&pass).to_bytes(), tensors, (cost, rounds));
}
