//! The row weights of the ELBO (`shaders/row_weight.wgsl`).

use super::{elementwise, params, plain, shader};
use crate::plan::{Call, Dispatch, Kernel, Plan, Tensor, linear_grid, write};

params! {
    /// See `shaders/row_weight.wgsl`.
    struct Params {
        batch: u32,
        samples: u32,
    }
}

/// 1 / (K valid_rows) a row and 1 / valid_rows times beta a datum.
pub static ROW_WEIGHT: Kernel = Kernel {
    name: "row_weight",
    entry: "main",
    source: shader!("row_weight"),
    params: Params::FIELDS,
    slots: &[write(1, "recon_weight"), write(2, "kl_weight")],
    step: true,
    subgroups: false,
    variants: plain,
    reference: |call: &mut dyn Call| {
        let p: Params = crate::plan::params(call);
        let step = *call.step();
        for datum in 0..p.batch {
            let weight = if datum < step.valid_rows { 1.0 / f64::from(step.valid_rows) } else { 0.0 };
            for k in 0..p.samples {
                call.put(0, 0, (datum * p.samples + k) as usize, weight / f64::from(p.samples));
            }
            call.put(1, 0, datum as usize, weight * f64::from(step.kl_weight));
        }
    },
};

/// Appends the weights of `batch` data with `samples` rows each.
pub fn row_weight(plan: &mut Plan, batch: usize, samples: usize, recon_weight: Tensor, kl_weight: Tensor) {
    assert!(recon_weight.cols >= batch * samples && kl_weight.cols >= batch, "room for the weights");
    plan.push(Dispatch {
        kernel: &ROW_WEIGHT,
        label: "weights".into(),
        consts: vec![],
        params: Params { batch: batch as u32, samples: samples as u32 }.to_bytes(),
        tensors: vec![recon_weight, kl_weight],
        workgroups: linear_grid(batch * samples, super::WORKGROUP),
        cost: elementwise(2, &[recon_weight, kl_weight]),
    });
}
