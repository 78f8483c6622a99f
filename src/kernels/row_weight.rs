//! The weights of the ELBO: what one nat adds to the mean over a batch (`shaders/row_weight.wgsl`).

use super::{elementwise, params, shader};
use crate::plan::{Call, Dispatch, Kernel, Plan, Tensor, linear_grid, write};

params! {
    /// See `shaders/row_weight.wgsl`.
    struct Params {
        batch: u32,
        samples: u32,
    }
}

/// 1 / (K rows) per row, and beta / rows per datum, for the rows of the whole batch.
pub static ROW_WEIGHT: Kernel = Kernel::new(
    shader!("row_weight"),
    "main",
    Params::FIELDS,
    &[write(1, "recon_weight"), write(2, "kl_weight")],
    |call: &dyn Call| {
        let [recon_weight, kl_weight] = call.slots();
        let p: Params = crate::plan::params(call);
        let step = *call.step();
        for datum in 0..p.batch {
            let of_datum = if datum < step.valid_rows { 1.0 / f64::from(step.batch_rows()) } else { 0.0 };
            for row in datum * p.samples..(datum + 1) * p.samples {
                recon_weight.set(row as usize, of_datum / f64::from(p.samples));
            }
            kl_weight.set(datum as usize, of_datum * f64::from(step.kl_weight));
        }
    },
)
.stepping();

/// Appends recon_weight [B K] and kl_weight \[B\].
pub(crate) fn row_weight(
    plan: &mut Plan,
    batch: usize,
    samples: usize,
    recon_weight: Tensor,
    kl_weight: Tensor,
) {
    let rows = batch.checked_mul(samples).expect("rows that can be counted");
    assert!(recon_weight.cols >= rows && kl_weight.cols >= batch, "room for the weights");
    plan.push(Dispatch {
        kernel: &ROW_WEIGHT,
        label: "weights".into(),
        consts: vec![],
        params: Params { batch: batch as u32, samples: samples as u32 }.to_bytes(),
        tensors: vec![recon_weight, kl_weight],
        workgroups: linear_grid(rows, super::WORKGROUP),
        cost: elementwise(1, &[kl_weight, recon_weight]),
    });
}
