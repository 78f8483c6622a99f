//! Shared by the likelihoods that read one decoder output l per value x (`shaders/shared/pointwise.wgsl`).

use std::marker::PhantomData;

use super::by_row::ByRow;
use super::definition::Kernels;
use super::kernel::{Params, each_value, push};
use super::pass::Pass;
use crate::kernels::elementwise;
use crate::plan::{Call, Field, Graph, Matrix, Nodes, Plan, Shader, Target, Value};

/// The mathematics of one value, for the references.
pub(super) trait Pointwise {
    /// The shader.
    const SHADER: Shader;
    /// log p(x | l).
    fn log_p(l: f64, x: f64) -> f64;
    /// d log p(x | l) / dl.
    fn slope(l: f64, x: f64) -> f64;
    /// E[x | l].
    fn mean(l: f64) -> f64;
    /// E[x | l] in the operators of ONNX.
    fn mean_nodes(graph: &mut dyn Graph, l: Value) -> Value;
}

/// A likelihood value by value.
pub(super) struct ByValue<L>(PhantomData<L>);

impl<L: Pointwise> ByRow for ByValue<L> {
    const SHADER: Shader = L::SHADER;
    const PARAMS: &'static [Field] = Params::FIELDS;
    const NODES: Nodes = |graph| {
        let [l, mean_x] = [0, 1];
        let l = graph.get(l)?;
        let mean = L::mean_nodes(graph, l);
        graph.set(mean_x, mean);
        Ok(())
    };

    /// log_p[r] = sum_d log p(x | l).
    fn log_likelihood(call: &dyn Call, l: Matrix, x: Matrix, log_p: Matrix) {
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            let datum = row / p.samples as usize;
            let sum = (0..p.dim as usize).map(|d| L::log_p(l.get(row, d), x.get(datum, d))).sum();
            log_p.set(row, sum);
        }
    }

    /// -weight d log p / dl, in place of l.
    fn gradient(call: &dyn Call, l: Matrix, x: Matrix, weight: Matrix) {
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

    fn mean(call: &dyn Call, l: Matrix, mean_x: Matrix) {
        each_value(call, mean_x, |row, d| L::mean(l.get(row, d)));
    }

    fn values(call: &dyn Call, l: Matrix, x: Matrix, values: Matrix) {
        let p: Params = crate::plan::params(call);
        let datum = |row: usize| row / p.samples as usize;
        each_value(call, values, |row, d| L::log_p(l.get(row, d), x.get(datum(row), d)));
    }
}

/// Appends a pass of such a likelihood, at about `flops` operations per value.
pub(super) fn append(kernels: &Kernels, flops: u64, plan: &mut Plan, target: &Target, pass: Pass) {
    let (kernel, tensors) = kernels.of(&pass);
    let share = match pass {
        Pass::Fused { .. } => 3,
        Pass::Forward { .. } | Pass::Backward { .. } | Pass::Values { .. } => 2,
        Pass::Mean { .. } => 1,
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
