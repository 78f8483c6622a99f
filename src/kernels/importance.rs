//! Importance weights of a datum's samples (`shaders/importance.wgsl`).

use super::{elementwise, params, shader};
use crate::plan::{
    Call, Dispatch, Kernel, Matrix, Plan, Reference, Slot, StepBounds, Tensor, linear_grid, read, write,
};

params! {
    /// See `shaders/importance.wgsl`.
    struct Params {
        batch: u32,
        samples: u32,
        total: u32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("importance"), entry, Params::FIELDS, slots, reference).stepping()
}

const LOG_P: Slot = read(1, "log_p");
const LOG_RATIO: Slot = read(2, "log_ratio");

/// The bound of each datum, and the weight of each of its samples.
pub static WEIGHTS: Kernel =
    kernel("weights", &[LOG_P, LOG_RATIO, write(3, "weight"), write(4, "bound")], |call: &dyn Call| {
        let [log_p, log_ratio, weight, bound] = call.slots();
        let p: Params = crate::plan::params(call);
        let step = *call.step();
        for datum in 0..p.batch as usize {
            let log_w = log_weights([log_p, log_ratio], &p, datum, f64::from(step.kl_weight), p.samples);
            let (largest, sum) = log_sum(&log_w);
            let is_valid = datum < step.valid_rows as usize;
            let rows = if is_valid { f64::from(step.batch_rows()) } else { f64::INFINITY };
            for (k, log_w) in log_w.iter().enumerate() {
                weight.set(datum * p.samples as usize + k, (log_w - largest).exp() / sum / rows);
            }
            bound.set(datum, largest + (sum / f64::from(p.samples)).ln());
        }
    });

/// The running (largest log w, sum of e^(log w - largest)) of each datum over rounds of K samples.
pub static ACCUMULATE: Kernel =
    kernel("accumulate", &[LOG_P, LOG_RATIO, write(5, "rows").updated()], |call: &dyn Call| {
        let [log_p, log_ratio, rows] = call.slots();
        let p: Params = crate::plan::params(call);
        let step = *call.step();
        let left = p.total - step.round * p.samples;
        for datum in 0..step.valid_rows as usize {
            let row = step.history_row as usize + datum;
            let log_w = log_weights([log_p, log_ratio], &p, datum, 1.0, p.samples.min(left));
            let (mut largest, mut sum) = log_sum(&log_w);
            if step.round > 0 {
                let (before, sum_before) = (rows.get(row, 0), rows.get(row, 1));
                let top = largest.max(before);
                sum = sum * (largest - top).exp() + sum_before * (before - top).exp();
                largest = top;
            }
            for (column, value) in [largest, sum, 0.0, 0.0].into_iter().enumerate() {
                rows.put(row, column, value);
            }
        }
    });

/// log p(x|z) + scale (log p(z) - log q(z|x)) of a datum's first `count` samples.
fn log_weights(
    [log_p, log_ratio]: [Matrix; 2],
    p: &Params,
    datum: usize,
    scale: f64,
    count: u32,
) -> Vec<f64> {
    let first = datum * p.samples as usize;
    (first..first + count as usize).map(|row| log_p.at(row) + scale * log_ratio.at(row)).collect()
}

/// The largest value, and the sum of e^(value - largest).
fn log_sum(values: &[f64]) -> (f64, f64) {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (largest, values.iter().map(|value| (value - largest).exp()).sum())
}

/// Appends weight [B K] and bound \[B\], from log_p [B K] and log_ratio [B K].
pub(crate) fn weights(
    plan: &mut Plan,
    batch: usize,
    samples: usize,
    (log_p, log_ratio): (Tensor, Tensor),
    (weight, bound): (Tensor, Tensor),
) {
    assert!(weight.cols >= log_p.cols && bound.cols >= batch, "room for the weights");
    push(plan, &WEIGHTS, [batch, samples, samples], vec![log_p, log_ratio, weight, bound]);
}

/// Appends a round of K samples per datum into rows [.., 4]; all rounds together take `total` samples.
pub(crate) fn accumulate(
    plan: &mut Plan,
    batch: usize,
    samples: usize,
    total: usize,
    (log_p, log_ratio): (Tensor, Tensor),
    rows: Tensor,
) {
    assert_eq!(rows.stride, 4, "a row of largest and sum");
    plan.keep_within(StepBounds { batch, results: rows.rows, ..StepBounds::ANY });
    push(plan, &ACCUMULATE, [batch, samples, total], vec![log_p, log_ratio, rows]);
}

fn push(plan: &mut Plan, kernel: &'static Kernel, sizes: [usize; 3], tensors: Vec<Tensor>) {
    let [batch, samples, total] = sizes.map(|size| size as u32);
    let rows = sizes[0].checked_mul(sizes[1]);
    assert!(tensors[..2].iter().all(|t| rows.is_some_and(|rows| t.cols >= rows)), "a term for each row");
    plan.push(Dispatch {
        kernel,
        label: kernel.entry.into(),
        consts: vec![],
        params: Params { batch, samples, total }.to_bytes(),
        cost: elementwise(10, &tensors[..2]),
        tensors,
        workgroups: linear_grid(sizes[0], super::WORKGROUP),
    });
}
