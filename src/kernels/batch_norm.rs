//! Normalisation of channels over the batch (`shaders/batch_norm.wgsl`).

use super::bias_grad::{bias_grad, sum_rows};
use super::norm::{EPSILON, divided, scaled_and_shifted};
use super::{bytes, elementwise, params, shader};
use crate::plan::{
    self, Call, Cost, Dispatch, Kernel, Matrix, PAD, Part, Plan, Reference, Slot, Tensor, linear_grid, pod,
    read, round_up, write,
};

/// How far the running mean and variance move towards those of a batch: PyTorch's default.
pub const MOMENTUM: f64 = 0.1;

params! {
    /// See `shaders/batch_norm.wgsl`.
    struct Params {
        rows: u32,
        per_datum: u32,
        vectors: u32,
        channels: u32,
        length: u32,
        ranks: u32,
    }
}

impl Params {
    fn channels(&self) -> std::ops::Range<usize> {
        0..self.channels as usize
    }

    /// R: the rows of valid data.
    fn valid(&self, call: &dyn Call) -> usize {
        (call.step().valid_rows * self.per_datum).min(self.rows) as usize
    }

    /// The rows that are measured together: of the valid data here and, if other ranks take part, there.
    fn measured(&self, call: &dyn Call) -> usize {
        let step = call.step();
        let beside = if self.ranks > 1 { step.rows_beside } else { 0 };
        ((step.valid_rows + beside) * self.per_datum) as usize
    }

    /// The valid rows of each part.
    fn parts(&self, call: &dyn Call) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let (length, valid) = (self.length as usize, self.valid(call));
        let range = move |part: usize| (part * length).min(valid)..((part + 1) * length).min(valid);
        (0..(self.rows as usize).div_ceil(length)).map(range)
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("batch_norm"), entry, Params::FIELDS, slots, reference)
}

const X: Slot = read(1, "x");
const STATS: Slot = read(3, "stats");
const W: Slot = read(4, "w");
const B: Slot = read(5, "b");
const D_Y: Slot = read(6, "d_y");
const Y: Slot = write(10, "y");

/// Means, and sums of squared distances from them, of parts of the rows.
pub static MOMENTS: Kernel = kernel("moments", &[X, write(11, "moments_of")], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [x, moments] = call.slots();
    for (part, rows) in p.parts(call).enumerate() {
        for c in p.channels() {
            let mean = rows.clone().map(|row| x.get(row, c)).sum::<f64>() / rows.len().max(1) as f64;
            moments.put(2 * part, c, mean);
            moments.put(2 * part + 1, c, rows.clone().map(|row| (x.get(row, c) - mean).powi(2)).sum());
        }
    }
})
.stepping();

/// The mean of all rows, and the sum of squared distances from it, from (rows, mean, sum of squared distances) of parts of them.
fn merged(parts: &[(f64, f64, f64)]) -> (f64, f64) {
    let count: f64 = parts.iter().map(|(rows, ..)| rows).sum();
    let sum: f64 = parts.iter().map(|(rows, mean, _)| rows * mean).sum();
    let mean = if count > 0.0 { sum / count } else { 0.0 };
    let around = |(rows, of_part, squares): &(f64, f64, f64)| squares + rows * (of_part - mean).powi(2);
    (mean, parts.iter().map(around).sum())
}

/// The same of all rows here, from the moments of their parts.
fn merged_parts(p: &Params, call: &dyn Call, moments: Matrix, c: usize) -> (f64, f64) {
    let of = |(part, rows): (usize, std::ops::Range<usize>)| {
        (rows.len() as f64, moments.get(2 * part, c), moments.get(2 * part + 1, c))
    };
    merged(&p.parts(call).enumerate().map(of).collect::<Vec<_>>())
}

/// The statistics of so many rows.
fn put_stats(stats: Matrix, c: usize, count: f64, (mean, squares): (f64, f64)) {
    stats.put(0, c, mean);
    stats.put(1, c, 1.0 / (squares / count.max(1.0) + EPSILON).sqrt());
    stats.put(2, c, squares / (count.max(2.0) - 1.0));
}

/// Mean, 1 / sqrt(variance + epsilon) and unbiased variance of all rows.
pub static MERGE: Kernel = kernel("merge", &[read(2, "parts"), write(12, "merged")], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [moments, stats] = call.slots();
    for c in p.channels() {
        put_stats(stats, c, p.valid(call) as f64, merged_parts(&p, call, moments, c));
    }
})
.stepping();

/// Of a rank's rows: the mean, the sum of squared distances from it, and how many they are.
pub static SUMMARY: Kernel =
    kernel("summary", &[read(2, "parts"), write(16, "summary_of")], |call: &dyn Call| {
        let p: Params = plan::params(call);
        let [moments, summary] = call.slots();
        for c in p.channels() {
            let (mean, squares) = merged_parts(&p, call, moments, c);
            for (row, value) in [mean, squares, p.valid(call) as f64].into_iter().enumerate() {
                summary.put(row, c, value);
            }
        }
    })
    .stepping();

/// What [`MERGE`] gives, from the summaries of all ranks.
pub static JOIN: Kernel = kernel("join", &[read(2, "parts"), write(12, "merged")], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [summaries, stats] = call.slots();
    for c in p.channels() {
        let of = |rank: usize| {
            let [mean, squares, rows] = [0, 1, 2].map(|row| summaries.get(3 * rank + row, c));
            (rows, mean, squares)
        };
        let parts: Vec<_> = (0..p.ranks as usize).map(of).collect();
        put_stats(stats, c, p.measured(call) as f64, merged(&parts));
    }
})
.stepping();

/// y by the statistics of the batch.
pub static FORWARD: Kernel = kernel("forward", &[X, STATS, W, B, Y], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [x, stats, w, b, y] = call.slots();
    for row in 0..p.rows as usize {
        for c in p.channels() {
            y.put(row, c, (x.get(row, c) - stats.get(0, c)) * stats.get(1, c) * w.at(c) + b.at(c));
        }
    }
});

/// The terms of d_w, of parts of the rows.
pub static SLOPES: Kernel = kernel("slopes", &[X, STATS, D_Y, write(13, "slopes_of")], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [x, stats, d_y, slopes] = call.slots();
    for (part, rows) in p.parts(call).enumerate() {
        for c in p.channels() {
            let normal = |row| (x.get(row, c) - stats.get(0, c)) * stats.get(1, c);
            slopes.put(part, c, rows.clone().map(|row| d_y.get(row, c) * normal(row)).sum());
        }
    }
})
.stepping();

/// d_x, zero past the valid rows.
pub static BACKWARD: Kernel = kernel(
    "backward",
    &[X, STATS, W, D_Y, read(7, "d_w"), read(8, "d_b"), write(14, "d_x")],
    |call: &dyn Call| {
        let p: Params = plan::params(call);
        let [x, stats, w, d_y, d_w, d_b, d_x] = call.slots();
        let (valid, measured) = (p.valid(call), p.measured(call).max(1) as f64);
        for row in 0..p.rows as usize {
            for c in p.channels() {
                let normal = (x.get(row, c) - stats.get(0, c)) * stats.get(1, c);
                let mean = (d_b.at(c) + normal * d_w.at(c)) / measured;
                let d = (d_y.get(row, c) - mean) * w.at(c) * stats.get(1, c);
                d_x.put(row, c, if row < valid { d } else { 0.0 });
            }
        }
    },
)
.stepping();

/// Moves the running mean and variance, unless the batch has a single row.
pub static FOLLOW: Kernel = kernel("follow", &[STATS, write(15, "followed").updated()], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [stats, running] = call.slots();
    if p.measured(call) < 2 {
        return;
    }
    for c in p.channels() {
        for (at, row) in [(c, 0), (PAD * p.vectors as usize + c, 2)] {
            running.set(at, running.at(at) + MOMENTUM * (stats.get(row, c) - running.at(at)));
        }
    }
})
.stepping();

/// y by the running mean and variance.
pub static EVALUATE: Kernel = kernel("evaluate", &[X, W, B, read(9, "running"), Y], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [x, w, b, running, y] = call.slots();
    for c in p.channels() {
        let (mean, variance) = (running.at(c), running.at(PAD * p.vectors as usize + c));
        for row in 0..p.rows as usize {
            y.put(row, c, (x.get(row, c) - mean) / (variance + EPSILON).sqrt() * w.at(c) + b.at(c));
        }
    }
})
.with_nodes(|graph| {
    let [x, w, b, running, y] = [0, 1, 2, 3, 4];
    let p: Params = pod(graph.params());
    let [channels, positions] = [p.channels, p.per_datum].map(i64::from);
    let value = graph.get(x)?;
    let [scale, shift] = [graph.get(w)?, graph.get(b)?];
    let [Part { value: mean, .. }, Part { value: variance, .. }] = graph.parts(running)?[..] else {
        return Err("it has no running mean and variance".into());
    };
    let column = graph.shape(&[1, channels, 1]);
    let [mean, variance] = [mean, variance].map(|vector| graph.apply("Reshape", &[vector, column]));
    let by_channel = graph.shape(&[-1, channels, positions]);
    let pictures = graph.apply("Reshape", &[value, by_channel]);
    let distance = graph.apply("Sub", &[pictures, mean]);
    let normal = divided(graph, distance, variance);
    let rows = scaled_and_shifted(graph, normal, [scale, shift], [channels, positions]);
    graph.set(y, rows);
    Ok(())
});

/// Every kernel of this file.
pub const KERNELS: [&Kernel; 9] =
    [&MOMENTS, &MERGE, &SUMMARY, &JOIN, &FORWARD, &SLOPES, &BACKWARD, &FOLLOW, &EVALUATE];

/// The tensors of a layer in training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tensors {
    /// x [B P, C].
    pub x: Tensor,
    /// The scale [1, C].
    pub w: Tensor,
    /// The statistics of the batch [3, C].
    pub stats: Tensor,
    /// P: the rows of a datum.
    pub per_datum: usize,
    /// The ranks, with a part of a batch each, that measure together; one where this part is measured by itself.
    pub ranks: usize,
}

impl Tensors {
    fn params(&self) -> Params {
        params_of(self.x, self.per_datum, self.ranks)
    }
}

/// Columns of the running means and variances of so many channels, which lie side by side.
pub(crate) fn running_columns(channels: usize) -> usize {
    2 * round_up(channels, PAD)
}

/// Rows of a summary.
const SUMMARY_ROWS: usize = 3;

/// The fewest rows of a part: enough that a part's own overhead is small.
const SHORTEST: usize = 64;

/// Rows of a part: about as many as there are parts, so that neither sum is long.
fn length_of(rows: usize) -> usize {
    rows.isqrt().max(SHORTEST)
}

fn params_of(x: Tensor, per_datum: usize, ranks: usize) -> Params {
    assert_eq!(x.rows % per_datum, 0, "rows of a datum");
    Params {
        rows: x.rows as u32,
        per_datum: per_datum as u32,
        vectors: x.vectors(),
        channels: x.cols as u32,
        length: length_of(x.rows) as u32,
        ranks: ranks as u32,
    }
}

/// Appends the statistics of the batch, and y [B P, C] from x, w and the shift b [1, C].
pub(crate) fn forward(plan: &mut Plan, label: &str, of: Tensors, b: Tensor, y: Tensor) {
    let Tensors { x, w, stats, ranks, .. } = of;
    let (params, vectors) = (of.params(), x.vectors() as usize);
    if ranks > 1 {
        let own = plan.tensor(format!("{label} summary"), SUMMARY_ROWS, x.cols);
        summary(plan, label, of, own);
        let all = plan.tensor(format!("{label} summaries"), ranks * SUMMARY_ROWS, x.cols);
        plan.exchange(own, all, ranks);
        join(plan, label, of, all);
    } else {
        let moments = moments(plan, label, of);
        push(plan, &MERGE, &format!("{label} statistics"), params, vec![moments, stats], vectors);
    }
    push(plan, &FORWARD, label, params, vec![x, stats, w, b, y], x.rows * vectors);
}

/// Appends the moments of the parts of x.
fn moments(plan: &mut Plan, label: &str, of: Tensors) -> Tensor {
    let Tensors { x, stats, .. } = of;
    assert_eq!((stats.rows, stats.stride), (3, x.stride), "{label}: shape of the statistics");
    let parts = x.rows.div_ceil(length_of(x.rows));
    let moments = plan.tensor(format!("{label} moments"), 2 * parts, x.cols);
    let (params, invocations) = (of.params(), parts * x.vectors() as usize);
    push(plan, &MOMENTS, &format!("{label} moments"), params, vec![x, moments], invocations);
    moments
}

/// Appends the summary [3, C] of a rank's rows.
pub(crate) fn summary(plan: &mut Plan, label: &str, of: Tensors, own: Tensor) {
    assert_eq!((own.rows, own.stride), (SUMMARY_ROWS, of.x.stride), "{label}: shape of a summary");
    let moments = moments(plan, label, of);
    let vectors = of.x.vectors() as usize;
    push(plan, &SUMMARY, &format!("{label} summary"), of.params(), vec![moments, own], vectors);
}

/// Appends the statistics of the whole batch from the summaries [3 ranks, C].
pub(crate) fn join(plan: &mut Plan, label: &str, of: Tensors, all: Tensor) {
    let (rows, vectors) = (of.ranks * SUMMARY_ROWS, of.x.vectors() as usize);
    assert_eq!((all.rows, all.stride), (rows, of.x.stride), "{label}: shape of the summaries");
    push(plan, &JOIN, &format!("{label} statistics"), of.params(), vec![all, of.stats], vectors);
}

/// Appends d_w and d_b, both [1, C], and d_x [B P, C], if it is wanted, from the gradient d_y.
pub(crate) fn backward(
    plan: &mut Plan,
    label: &str,
    of: Tensors,
    d_y: Tensor,
    (d_w, d_b): (Tensor, Tensor),
    d_x: Option<Tensor>,
) {
    let Tensors { x, w, stats, ranks, .. } = of;
    let parts = x.rows.div_ceil(length_of(x.rows));
    let slopes = plan.tensor(format!("{label} slopes"), parts, x.cols);
    let params = of.params();
    let vectors = x.vectors() as usize;
    push(plan, &SLOPES, &format!("{label} slopes"), params, vec![x, stats, d_y, slopes], parts * vectors);
    bias_grad(plan, &format!("{label} d_w"), slopes, d_w);
    bias_grad(plan, label, d_y, d_b);
    if let Some(d_x) = d_x {
        // The gradients of w and b stay those of this rank's rows.
        let [d_w, d_b] = match ranks {
            1 => [d_w, d_b],
            _ => sums_of_ranks(plan, label, [("d_w", d_w), ("d_b", d_b)], ranks),
        };
        let tensors = vec![x, stats, w, d_y, d_w, d_b, d_x];
        push(plan, &BACKWARD, &format!("{label} d_x"), params, tensors, x.rows * vectors);
    }
}

/// Appends the sums [1, C] over all ranks of vectors that each of them has.
fn sums_of_ranks(plan: &mut Plan, label: &str, own: [(&str, Tensor); 2], ranks: usize) -> [Tensor; 2] {
    let all = own.map(|(name, own)| {
        let all = plan.tensor(format!("{label} {name} of ranks"), ranks, own.cols);
        plan.exchange(own, all, ranks);
        (name, all)
    });
    all.map(|(name, all)| {
        let sum = plan.tensor(format!("{label} {name} of all"), 1, all.cols);
        sum_rows(plan, &format!("{label} {name} of all"), all, sum);
        sum
    })
}

/// Appends the step of the running means and variances [1, [`running_columns`]].
pub(crate) fn follow(plan: &mut Plan, label: &str, of: Tensors, running: Tensor) {
    assert_eq!(running.cols, running_columns(of.x.cols), "{label}: running means and variances");
    let (params, vectors) = (of.params(), of.x.vectors() as usize);
    push(plan, &FOLLOW, &format!("{label} running"), params, vec![of.stats, running], vectors);
}

/// Appends y [B P, C] from x, w and b by the running means and variances.
pub(crate) fn evaluate(
    plan: &mut Plan,
    label: &str,
    per_datum: usize,
    (x, w, b): (Tensor, Tensor, Tensor),
    running: Tensor,
    y: Tensor,
) {
    assert_eq!(running.cols, running_columns(x.cols), "{label}: running means and variances");
    let invocations = x.rows * x.vectors() as usize;
    push(plan, &EVALUATE, label, params_of(x, per_datum, 1), vec![x, w, b, running, y], invocations);
}

fn push(
    plan: &mut Plan,
    kernel: &'static Kernel,
    label: &str,
    params: Params,
    tensors: Vec<Tensor>,
    invocations: usize,
) {
    let alike = |t: &Tensor| t.cols != params.channels as usize || t.vectors() == params.vectors;
    assert!(tensors.iter().all(alike), "{label}: shapes");
    plan.push(Dispatch {
        kernel,
        label: label.into(),
        consts: vec![],
        params: params.to_bytes(),
        workgroups: linear_grid(invocations, super::WORKGROUP),
        // The first tensor is what it goes through: x, the moments of the parts, or the statistics.
        cost: Cost { bytes: bytes(&tensors), ..elementwise(4, &tensors[..1]) },
        tensors,
    });
}
