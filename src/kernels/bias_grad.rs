//! The gradient of a bias, and other sums of a matrix's columns (`shaders/bias_grad.wgsl`).

use super::{bytes, params, shader};
use crate::plan::{Call, Cost, Dispatch, Kernel, PAD, Plan, Tensor, linear_grid, read, write};

params! {
    /// See `shaders/bias_grad.wgsl`.
    struct Params {
        rows: u32,
        vectors: u32,
        stride: u32,
        length: u32,
    }
}

/// d_bias = sums of dy over its rows.
pub static BIAS_GRAD: Kernel = Kernel::new(
    shader!("bias_grad"),
    "main",
    Params::FIELDS,
    &[read(1, "dy"), write(2, "d_bias")],
    |call: &dyn Call| {
        let [dy, d_bias] = call.slots();
        let p: Params = crate::plan::params(call);
        let (rows, length) = (p.rows as usize, p.length as usize);
        for part in 0..rows.div_ceil(length) {
            for col in 0..PAD * p.vectors as usize {
                let group = part * length..rows.min((part + 1) * length);
                d_bias.put(part, col, group.map(|row| dy.get(row, col)).sum());
            }
        }
    },
);

/// Rows that an invocation adds up before their number makes a second step worth it.
const LENGTH: usize = 256;

/// Appends d_bias [1, N] from dy [B, N].
pub(crate) fn bias_grad(plan: &mut Plan, label: &str, dy: Tensor, d_bias: Tensor) {
    assert_eq!(dy.stride, d_bias.stride, "columns of dy and d_bias");
    let label = format!("{label} d_bias");
    if dy.rows <= 2 * LENGTH {
        return push(plan, &label, dy, d_bias, dy.rows);
    }
    let parts = plan.tensor(format!("{label} parts"), dy.rows.div_ceil(LENGTH), dy.cols);
    push(plan, &format!("{label} parts"), dy, parts, LENGTH);
    push(plan, &label, parts, d_bias, parts.rows);
}

/// Appends y [1, N] = the sums of the columns of x [R, N], whose rows may lie further apart.
pub(super) fn sum_rows(plan: &mut Plan, label: &str, x: Tensor, y: Tensor) {
    push(plan, label, x, y, x.rows);
}

fn push(plan: &mut Plan, label: &str, dy: Tensor, d_bias: Tensor, length: usize) {
    assert_eq!(d_bias.rows, dy.rows.div_ceil(length), "{label}: groups of rows");
    assert!(dy.stride >= d_bias.stride, "{label}: columns");
    plan.push(Dispatch {
        kernel: &BIAS_GRAD,
        label: label.into(),
        consts: vec![],
        params: Params {
            rows: dy.rows as u32,
            vectors: d_bias.vectors(),
            stride: dy.vectors(),
            length: length as u32,
        }
        .to_bytes(),
        tensors: vec![dy, d_bias],
        workgroups: linear_grid(d_bias.words() / PAD, super::WORKGROUP),
        cost: Cost { flops: (dy.rows * dy.cols) as u64, bytes: bytes(&[dy, d_bias]) },
    });
}
