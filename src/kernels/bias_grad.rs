//! The gradient of a bias (`shaders/bias_grad.wgsl`).

use super::{bytes, params, plain, shader};
use crate::plan::{Call, Cost, Dispatch, Kernel, Needs, Plan, Tensor, Trusted, linear_grid, read, write};

params! {
    /// See `shaders/bias_grad.wgsl`.
    struct Params {
        rows: u32,
        vectors: u32,
    }
}

/// d_bias = sum of dy over its rows.
pub static BIAS_GRAD: Kernel = Kernel {
    name: "bias_grad",
    entry: "main",
    source: shader!("bias_grad"),
    params: Params::FIELDS,
    slots: &[read(1, "dy"), write(2, "d_bias")],
    step: false,
    needs: Needs::Nothing,
    trusted: Trusted,
    nodes: None,
    variants: plain,
    reference: |call: &dyn Call| {
        let [dy, d_bias] = call.slots();
        let p: Params = crate::plan::params(call);
        for col in 0..4 * p.vectors as usize {
            let sum: f64 = (0..p.rows as usize).map(|row| dy.get(row, col)).sum();
            d_bias.set(col, sum);
        }
    },
};

/// Appends d_bias [1, N] from dy [B, N].
pub(crate) fn bias_grad(plan: &mut Plan, label: &str, dy: Tensor, d_bias: Tensor) {
    assert_eq!(dy.stride, d_bias.stride, "columns of dy and d_bias");
    plan.push(Dispatch {
        kernel: &BIAS_GRAD,
        label: format!("{label} d_bias"),
        consts: vec![],
        params: Params { rows: dy.rows as u32, vectors: dy.vectors() }.to_bytes(),
        tensors: vec![dy, d_bias],
        workgroups: linear_grid(dy.stride / 4, super::WORKGROUP),
        cost: Cost { flops: (dy.rows * dy.cols) as u64, bytes: bytes(&[dy, d_bias]) },
    });
}
