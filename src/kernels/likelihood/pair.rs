//! Shared by the likelihoods that read a mean and a width per value (`shaders/shared/pair.wgsl`).

use super::definition::Kernels;
use super::kernel::{Params, each_value, kernel, push};
use super::pass::Pass;
use crate::kernels::elementwise;
use crate::plan::{Call, Kernel, Matrix, Nodes, Plan, Slot, Target, Tensor, read, write};

/// The mathematics of one value, for the references.
pub(super) trait Pair {
    /// log p(x | mu, s).
    fn log_p(mu: f64, s: f64, x: f64) -> f64;
    /// Its derivatives by mu and s.
    fn slopes(mu: f64, s: f64, x: f64) -> [f64; 2];
    /// E[x | mu, s].
    fn mean(mu: f64, s: f64) -> f64;
    /// E[x | mu, s] in the operators of ONNX.
    const NODES: Nodes;
}

const DECODED: Slot = read(1, "decoded");
const X: Slot = read(2, "x");
const WEIGHT: Slot = read(3, "weight");
const LOG_P: Slot = write(4, "log_p");
const D_DECODED: Slot = write(5, "d_decoded").updated();
const BY_VALUE: Slot = write(6, "by_value");

type Shader = (&'static str, &'static str);

pub(super) const fn forward<L: Pair>(shader: Shader) -> Kernel {
    kernel(shader, "forward", &[DECODED, X, LOG_P], |call| {
        let [decoded, x, log_p] = call.slots();
        log_likelihood::<L>(call, decoded, x, log_p);
    })
}

pub(super) const fn fused<L: Pair>(shader: Shader) -> Kernel {
    kernel(shader, "fused", &[X, WEIGHT, LOG_P, D_DECODED], |call| {
        let [x, weight, log_p, decoded] = call.slots();
        log_likelihood::<L>(call, decoded, x, log_p);
        gradient::<L>(call, x, weight, decoded);
    })
}

pub(super) const fn backward<L: Pair>(shader: Shader) -> Kernel {
    kernel(shader, "backward", &[X, WEIGHT, D_DECODED], |call| {
        let [x, weight, decoded] = call.slots();
        gradient::<L>(call, x, weight, decoded);
    })
}

pub(super) const fn mean<L: Pair>(shader: Shader) -> Kernel {
    let kernel = kernel(shader, "mean", &[DECODED, BY_VALUE], |call| {
        let [decoded, mean_x] = call.slots();
        each_value(call, mean_x, |row, d| {
            let [mu, s] = parts(call, decoded, row, d);
            L::mean(mu, s)
        });
    });
    kernel.with_nodes(L::NODES)
}

pub(super) const fn values<L: Pair>(shader: Shader) -> Kernel {
    kernel(shader, "values", &[DECODED, X, BY_VALUE], |call| {
        let [decoded, x, values] = call.slots();
        let p: Params = crate::plan::params(call);
        each_value(call, values, |row, d| {
            let [mu, s] = parts(call, decoded, row, d);
            L::log_p(mu, s, x.get(row / p.samples as usize, d))
        });
    })
}

/// mu and s of a value: s lies P columns after mu.
fn parts(call: &dyn Call, decoded: Matrix, row: usize, d: usize) -> [f64; 2] {
    let p: Params = crate::plan::params(call);
    [decoded.get(row, d), decoded.get(row, 4 * p.vectors as usize + d)]
}

/// log_p[r] = sum_d log p(x | mu, s).
fn log_likelihood<L: Pair>(call: &dyn Call, decoded: Matrix, x: Matrix, log_p: Matrix) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let datum = row / p.samples as usize;
        let of = |d: usize| {
            let [mu, s] = parts(call, decoded, row, d);
            L::log_p(mu, s, x.get(datum, d))
        };
        log_p.set(row, (0..p.dim as usize).map(of).sum());
    }
}

/// d_mu and d_s in place of mu and s.
fn gradient<L: Pair>(call: &dyn Call, x: Matrix, weight: Matrix, decoded: Matrix) {
    let p: Params = crate::plan::params(call);
    let columns = 4 * p.vectors as usize;
    for row in 0..p.rows as usize {
        for d in 0..columns {
            let [mu, s] = parts(call, decoded, row, d);
            let inside = d < p.dim as usize;
            let here = || L::slopes(mu, s, x.get(row / p.samples as usize, d));
            let [by_mu, by_s] = if inside { here() } else { [0.0, 0.0] };
            decoded.put(row, d, -weight.at(row) * by_mu);
            decoded.put(row, columns + d, -weight.at(row) * by_s);
        }
    }
}

/// Appends a pass of such a likelihood, at about `flops` operations per value.
pub(super) fn append(kernels: &Kernels, flops: u64, plan: &mut Plan, target: &Target, pass: Pass) {
    let (kernel, tensors): (&'static Kernel, Vec<Tensor>) = match pass {
        Pass::Forward { out, x, log_p, .. } => (kernels.forward, vec![out, x, log_p]),
        Pass::Fused { out, x, weight, log_p, .. } => (kernels.fused, vec![x, weight, log_p, out]),
        Pass::Backward { out, x, weight, .. } => (kernels.backward, vec![x, weight, out]),
        Pass::Mean { out, mean } => (kernels.mean, vec![out, mean]),
        Pass::Values { out, x, values, .. } => (kernels.values, vec![out, x, values]),
    };
    let params = Params::of(&pass);
    let (image, _) = pass.image();
    assert_eq!(pass.out().stride, 2 * image.stride, "the decoder gives two numbers for each value");
    let mut cost = elementwise(0, &tensors);
    cost.flops = flops * (image.cols * pass.out().rows) as u64;
    push(plan, target, kernel, &pass, params.to_bytes(), tensors, (cost, image.vectors() as usize));
}
