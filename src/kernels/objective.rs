//! Sums the terms of the ELBO (`shaders/objective.wgsl`).

use super::{elementwise, params, plain, shader};
use crate::plan::{
    Call, Const, Dispatch, Kernel, Matrix, Plan, Reference, Slot, StepBounds, Tensor, linear_grid, read,
    write,
};

/// Floats per row of the history: reconstruction, KL, objective, and one in reserve.
pub const TERMS: usize = 4;

params! {
    /// See `shaders/objective.wgsl`.
    struct Params {
        batch: u32,
        samples: u32,
        extra: u32,
    }
}

/// The objective, and the tensor that its value comes from on the device.
#[derive(Clone, Copy, Debug)]
pub enum Objective {
    /// Reconstruction minus the weighted KL.
    Elbo,
    /// The importance-weighted bound [1, B] of every datum.
    Importance(Tensor),
    /// Reconstruction minus the weighted sum of the KL over dimensions, each with its floor [1, Z].
    FreeBits(Tensor),
}

const ELBO: u32 = 0;
const IMPORTANCE: u32 = 1;
const FREE_BITS: u32 = 2;

const fn kernel(
    entry: &'static str,
    slots: &'static [Slot],
    variants: fn() -> Vec<Vec<Const>>,
    reference: Reference,
) -> Kernel {
    Kernel::new(shader!("objective"), entry, Params::FIELDS, slots, reference)
        .stepping()
        .in_variants(variants)
}

/// history\[history_row\] = the sums over the batch.
pub static BATCH_SUM: Kernel = kernel(
    "batch_sum",
    &[read(1, "log_p"), read(2, "kl"), read(3, "extra"), write(4, "history").updated()],
    || [ELBO, IMPORTANCE, FREE_BITS].map(|objective| vec![("OBJECTIVE", objective)]).to_vec(),
    |call: &dyn Call| {
        let [log_p, kl, extra, history] = call.slots();
        let p: Params = crate::plan::params(call);
        let step = *call.step();
        let (rows, beta) = (f64::from(step.valid_rows), f64::from(step.kl_weight));
        let sums = (0..step.valid_rows as usize).map(|datum| terms(&p, log_p, kl, datum));
        let (recon, kl) = sums.fold((0.0, 0.0), |sum, term| (sum.0 + term.0, sum.1 + term.1));
        let extra = |count: u32| (0..count as usize).map(|i| extra.at(i)).sum::<f64>();
        let trained = match call.constant("OBJECTIVE") {
            IMPORTANCE => extra(step.valid_rows),
            FREE_BITS => recon - beta * rows * extra(p.extra),
            _ => recon - beta * kl,
        };
        put_terms(history, step.history_row as usize, [recon, kl, trained, 0.0]);
    },
);

/// rows[history_row + b] = the terms of datum b.
pub static COLLECT: Kernel = kernel(
    "collect",
    &[read(1, "log_p"), read(2, "kl"), write(5, "rows").updated()],
    plain,
    |call: &dyn Call| {
        let [log_p, kl, rows] = call.slots();
        let p: Params = crate::plan::params(call);
        for datum in 0..call.step().valid_rows as usize {
            let (recon, kl) = terms(&p, log_p, kl, datum);
            let row = call.step().history_row as usize + datum;
            put_terms(rows, row, [recon, kl, 0.0, 0.0]);
        }
    },
);

/// A datum's reconstruction, averaged over its samples, and its KL.
fn terms(p: &Params, log_p: Matrix, kl: Matrix, datum: usize) -> (f64, f64) {
    let samples = p.samples as usize;
    let recon: f64 = (0..samples).map(|k| log_p.at(datum * samples + k)).sum();
    (recon / samples as f64, kl.at(datum))
}

fn put_terms(to: Matrix, row: usize, terms: [f64; TERMS]) {
    for (column, value) in terms.into_iter().enumerate() {
        to.put(row, column, value);
    }
}

/// Appends the sums over a batch, from log_p [B K] and kl \[B\] into a row of history [.., 4].
pub(crate) fn batch_sum(
    plan: &mut Plan,
    batch: usize,
    samples: usize,
    (log_p, kl): (Tensor, Tensor),
    objective: Objective,
    history: Tensor,
) {
    let (number, extra) = match objective {
        Objective::Elbo => (ELBO, kl),
        Objective::Importance(bound) => (IMPORTANCE, bound),
        Objective::FreeBits(floor_kl) => (FREE_BITS, floor_kl),
    };
    assert!(number != IMPORTANCE || extra.cols >= batch, "a bound for each datum");
    let params = Params { batch: batch as u32, samples: samples as u32, extra: extra.cols as u32 };
    let consts = vec![("OBJECTIVE", number)];
    plan.keep_within(StepBounds { batch, history: history.rows, ..StepBounds::ANY });
    push(plan, &BATCH_SUM, consts, [1, 1, 1], params, vec![log_p, kl, extra, history]);
}

/// Appends the terms of every datum, from log_p [B K] and kl \[B\] into rows [.., 4].
pub(crate) fn collect(
    plan: &mut Plan,
    batch: usize,
    samples: usize,
    log_p: Tensor,
    kl: Tensor,
    rows: Tensor,
) {
    let params = Params { batch: batch as u32, samples: samples as u32, extra: 0 };
    let workgroups = linear_grid(batch, super::WORKGROUP);
    plan.keep_within(StepBounds { batch, results: rows.rows, ..StepBounds::ANY });
    push(plan, &COLLECT, vec![], workgroups, params, vec![log_p, kl, rows]);
}

fn push(
    plan: &mut Plan,
    kernel: &'static Kernel,
    consts: Vec<Const>,
    workgroups: [u32; 3],
    params: Params,
    tensors: Vec<Tensor>,
) {
    let (batch, samples) = (params.batch as usize, params.samples as usize);
    assert_eq!(tensors[tensors.len() - 1].stride, TERMS, "a row of terms");
    let rows = batch.checked_mul(samples);
    assert!(
        rows.is_some_and(|rows| tensors[0].cols >= rows) && tensors[1].cols >= batch,
        "a term for each row"
    );
    plan.push(Dispatch {
        kernel,
        label: kernel.entry.into(),
        consts,
        params: params.to_bytes(),
        cost: elementwise(1, &tensors[..2]),
        tensors,
        workgroups,
    });
}
