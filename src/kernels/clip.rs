//! Clipping of the gradient's norm (`shaders/clip.wgsl`).

use super::{elementwise, params, shader};
use crate::plan::{self, Call, Dispatch, Kernel, Plan, Reference, Slot, Tensor, linear_grid, read, write};

/// Partial sums of the squares, one per invocation: enough for every core.
pub const PARTIALS: usize = 2048;

/// As in PyTorch's clip_grad_norm_.
const TINY: f64 = 1e-6;

params! {
    /// See `shaders/clip.wgsl`.
    struct Params {
        vectors: u32,
        limit: f32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("clip"), entry, Params::FIELDS, slots, reference)
}

/// Partial sums of the gradient's squares.
pub static SQUARES: Kernel =
    kernel("squares", &[read(1, "gradients"), write(3, "squares_out")], |call: &dyn Call| {
        let p: Params = plan::params(call);
        let [gradients, partial] = call.slots();
        for i in 0..PARTIALS {
            let vectors = (i..p.vectors as usize).step_by(PARTIALS);
            let elements = vectors.flat_map(|v| 4 * v..4 * v + 4);
            partial.set(i, elements.map(|i| gradients.at(i).powi(2)).sum());
        }
    });

/// (factor, norm, 0, 0) from the partial sums.
pub static FACTOR: Kernel = kernel("factor", &[read(2, "partial"), write(4, "scale")], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [partial, scale] = call.slots();
    let norm = (0..PARTIALS).map(|i| partial.at(i)).sum::<f64>().sqrt();
    let factor = (f64::from(p.limit) / (norm + TINY)).min(1.0);
    [factor, norm, 0.0, 0.0].into_iter().enumerate().for_each(|(i, value)| scale.set(i, value));
});

/// Appends scale [1, 4], whose first number brings the norm of `gradients` [1, P] down to `limit`.
pub(crate) fn clip(plan: &mut Plan, limit: f32, gradients: Tensor, scale: Tensor) {
    assert_eq!(scale.stride, 4, "the factor, the norm, and padding");
    let partial = plan.tensor("squares", 1, PARTIALS);
    let params = Params { vectors: gradients.vectors(), limit }.to_bytes();
    let dispatch = |kernel: &'static Kernel, tensors: Vec<Tensor>, workgroups| Dispatch {
        kernel,
        label: format!("gradient {}", kernel.entry),
        consts: vec![],
        params: params.clone(),
        cost: elementwise(2, &tensors[..1]),
        tensors,
        workgroups,
    };
    plan.push(dispatch(&SQUARES, vec![gradients, partial], linear_grid(PARTIALS, super::WORKGROUP)));
    plan.push(dispatch(&FACTOR, vec![partial, scale], [1, 1, 1]));
}
