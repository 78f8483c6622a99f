//! What the kernels of pointwise and Gaussian likelihoods have in common: their parameters and their row sums.

use super::pass::Pass;
use crate::kernels::params;
use crate::kernels::row_sum::RowSum;
use crate::plan::{Call, Cost, Dispatch, Kernel, Matrix, Plan, Reference, Shader, Slot, Target, Tensor};

params! {
    /// R = B K rows, K per datum; D values per row, in so many vectors.
    pub(super) struct Params {
        rows: u32,
        samples: u32,
        dim: u32,
        vectors: u32,
    }
}

impl Params {
    /// Of a pass.
    pub(super) fn of(pass: &Pass) -> Params {
        let (image, samples) = pass.image();
        Params {
            rows: pass.out().rows as u32,
            samples: samples as u32,
            dim: image.cols as u32,
            vectors: image.vectors(),
        }
    }
}

/// Appends a pass's dispatch of a kernel that sums over rows, each in so many rounds of loops.
pub(super) fn push(
    plan: &mut Plan,
    target: &Target,
    kernel: &'static Kernel,
    pass: &Pass,
    params: Vec<u8>,
    tensors: Vec<Tensor>,
    (cost, rounds): (Cost, usize),
) {
    let rows = RowSum::within(target, rounds);
    plan.push(Dispatch {
        kernel,
        label: pass.label().into(),
        consts: rows.consts(),
        params,
        tensors,
        workgroups: rows.grid(pass.out().rows),
        cost,
    });
}

/// A kernel of a shader.
pub(super) const fn kernel(
    shader: Shader,
    entry: &'static str,
    slots: &'static [Slot],
    reference: Reference,
) -> Kernel {
    Kernel::new(shader, entry, Params::FIELDS, slots, reference).in_variants(RowSum::variants)
}

/// Stores a number for each value of each row; zero in the padding.
pub(super) fn each_value(call: &dyn Call, to: Matrix, of: impl Fn(usize, usize) -> f64) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        for d in 0..4 * p.vectors as usize {
            to.put(row, d, if d < p.dim as usize { of(row, d) } else { 0.0 });
        }
    }
}
