//! The row weights of a reconstruction without a latent sample (`shaders/row_weight.wgsl`). Where there is one, it comes
//! with its weights: `latent::training`.

use super::{elementwise, params, plain, shader};
use crate::plan::{Call, Dispatch, Kernel, Needs, Plan, Tensor, Trusted, linear_grid, write};

params! {
    /// See `shaders/row_weight.wgsl`.
    struct Params {
        batch: u32,
    }
}

/// 1 / valid_rows a row.
pub static ROW_WEIGHT: Kernel = Kernel {
    name: "row_weight",
    entry: "main",
    source: shader!("row_weight"),
    params: Params::FIELDS,
    slots: &[write(1, "weight")],
    step: true,
    needs: Needs::Nothing,
    trusted: Trusted,
    variants: plain,
    reference: |call: &mut dyn Call| {
        let p: Params = crate::plan::params(call);
        let rows = call.step().valid_rows;
        for datum in 0..p.batch {
            call.put(0, 0, datum as usize, if datum < rows { 1.0 / f64::from(rows) } else { 0.0 });
        }
    },
};

/// Appends the weights \[B\] of `batch` data.
pub(crate) fn row_weight(plan: &mut Plan, batch: usize, weight: Tensor) {
    assert!(weight.cols >= batch, "room for the weights");
    plan.push(Dispatch {
        kernel: &ROW_WEIGHT,
        label: "weights".into(),
        consts: vec![],
        params: Params { batch: batch as u32 }.to_bytes(),
        tensors: vec![weight],
        workgroups: linear_grid(batch, super::WORKGROUP),
        cost: elementwise(1, &[weight]),
    });
}
