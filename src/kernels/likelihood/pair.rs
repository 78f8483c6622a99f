//! Shared by the likelihoods that read a mean and a width per value (`shaders/shared/pair.wgsl`).

use std::marker::PhantomData;

use super::by_row::ByRow;
use super::definition::Kernels;
use super::kernel::{Params, each_value, push};
use super::pass::Pass;
use crate::kernels::elementwise;
use crate::plan::{Call, Field, Matrix, Nodes, Plan, Shader, Target};

/// The mathematics of one value, for the references.
pub(super) trait Pair {
    /// The shader.
    const SHADER: Shader;
    /// log p(x | mu, s).
    fn log_p(mu: f64, s: f64, x: f64) -> f64;
    /// Its derivatives by mu and s.
    fn slopes(mu: f64, s: f64, x: f64) -> [f64; 2];
    /// E[x | mu, s].
    fn mean(mu: f64, s: f64) -> f64;
    /// E[x | mu, s] in the operators of ONNX.
    const NODES: Nodes;
}

/// A likelihood pair by pair.
pub(super) struct ByPair<L>(PhantomData<L>);

impl<L: Pair> ByRow for ByPair<L> {
    const SHADER: Shader = L::SHADER;
    const PARAMS: &'static [Field] = Params::FIELDS;
    const NODES: Nodes = L::NODES;

    /// log_p[r] = sum_d log p(x | mu, s).
    fn log_likelihood(call: &dyn Call, decoded: Matrix, x: Matrix, log_p: Matrix) {
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
    fn gradient(call: &dyn Call, decoded: Matrix, x: Matrix, weight: Matrix) {
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

    fn mean(call: &dyn Call, decoded: Matrix, mean_x: Matrix) {
        each_value(call, mean_x, |row, d| {
            let [mu, s] = parts(call, decoded, row, d);
            L::mean(mu, s)
        });
    }

    fn values(call: &dyn Call, decoded: Matrix, x: Matrix, values: Matrix) {
        let p: Params = crate::plan::params(call);
        each_value(call, values, |row, d| {
            let [mu, s] = parts(call, decoded, row, d);
            L::log_p(mu, s, x.get(row / p.samples as usize, d))
        });
    }
}

/// mu and s of a value: s lies P columns after mu.
fn parts(call: &dyn Call, decoded: Matrix, row: usize, d: usize) -> [f64; 2] {
    let p: Params = crate::plan::params(call);
    [decoded.get(row, d), decoded.get(row, 4 * p.vectors as usize + d)]
}

/// Appends a pass of such a likelihood, at about `flops` operations per value.
pub(super) fn append(kernels: &Kernels, flops: u64, plan: &mut Plan, target: &Target, pass: Pass) {
    let (kernel, tensors) = kernels.of(&pass);
    let params = Params::of(&pass);
    let (image, _) = pass.image();
    assert_eq!(pass.out().stride, 2 * image.stride, "the decoder gives two numbers for each value");
    let mut cost = elementwise(0, &tensors);
    cost.flops = flops * (image.cols * pass.out().rows) as u64;
    push(plan, target, kernel, &pass, params.to_bytes(), tensors, (cost, image.vectors() as usize));
}
