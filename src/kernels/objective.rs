//! Sums the terms of the ELBO (`shaders/objective.wgsl`).

use super::{elementwise, params, plain, shader};
use crate::plan::{Call, Dispatch, Kernel, Plan, Reference, Slot, Tensor, linear_grid, read, write};

/// Floats of a row of the history: reconstruction, KL, and two in reserve.
pub const TERMS: usize = 4;

params! {
    /// See `shaders/objective.wgsl`.
    struct Params {
        batch: u32,
        samples: u32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel {
        name: "objective",
        entry,
        source: shader!("objective"),
        params: Params::FIELDS,
        slots,
        step: true,
        subgroups: false,
        variants: plain,
        reference,
    }
}

/// history[history_row] = the sums over the batch.
pub static BATCH_SUM: Kernel =
    kernel("batch_sum", &[read(1, "log_p"), read(2, "kl"), write(3, "history")], |call: &mut dyn Call| {
        let row = call.step().history_row as usize;
        let sums = (0..call.step().valid_rows as usize).map(|datum| terms(call, datum));
        let (recon, kl) = sums.fold((0.0, 0.0), |sum, term| (sum.0 + term.0, sum.1 + term.1));
        put_terms(call, row, recon, kl);
    });

/// rows[first_row + b] = every datum's own terms.
pub static COLLECT: Kernel =
    kernel("collect", &[read(1, "log_p"), read(2, "kl"), write(4, "rows")], |call: &mut dyn Call| {
        for datum in 0..call.step().valid_rows as usize {
            let (recon, kl) = terms(call, datum);
            let row = call.step().first_row as usize + datum;
            put_terms(call, row, recon, kl);
        }
    });

/// A datum's reconstruction, averaged over its samples, and its KL.
fn terms(call: &dyn Call, datum: usize) -> (f64, f64) {
    let p: Params = crate::plan::params(call);
    let samples = p.samples as usize;
    let recon: f64 = (0..samples).map(|k| call.get(0, 0, datum * samples + k)).sum();
    (recon / samples as f64, call.get(1, 0, datum))
}

fn put_terms(call: &mut dyn Call, row: usize, recon: f64, kl: f64) {
    for (column, value) in [recon, kl, 0.0, 0.0].into_iter().enumerate() {
        call.put(2, row, column, value);
    }
}

/// Appends the sums over a batch: log_p [B K] and kl [B] into a row of history [.., 4].
pub fn batch_sum(plan: &mut Plan, batch: usize, samples: usize, log_p: Tensor, kl: Tensor, history: Tensor) {
    push(plan, &BATCH_SUM, [1, 1, 1], batch, samples, [log_p, kl, history]);
}

/// Appends the terms of each datum: log_p [B K] and kl [B] into rows [.., 4].
pub fn collect(plan: &mut Plan, batch: usize, samples: usize, log_p: Tensor, kl: Tensor, rows: Tensor) {
    push(plan, &COLLECT, linear_grid(batch, super::WORKGROUP), batch, samples, [log_p, kl, rows]);
}

fn push(
    plan: &mut Plan,
    kernel: &'static Kernel,
    workgroups: [u32; 3],
    batch: usize,
    samples: usize,
    tensors: [Tensor; 3],
) {
    assert_eq!(tensors[2].stride, TERMS, "a row of terms");
    assert!(tensors[0].cols >= batch * samples && tensors[1].cols >= batch, "a term for each row");
    plan.push(Dispatch {
        kernel,
        label: kernel.entry.into(),
        consts: vec![],
        params: Params { batch: batch as u32, samples: samples as u32 }.to_bytes(),
        tensors: tensors.to_vec(),
        workgroups,
        cost: elementwise(1, &tensors[..2]),
    });
}
