//! Normalisation of groups of channels (`shaders/norm.wgsl`).

use super::row_sum::RowSum;
use super::{elementwise, params, shader};
use crate::plan::{
    self, Call, Dispatch, Graph, Kernel, PAD, Plan, Reference, Slot, Target, Tensor, Value, pod, read, write,
};

/// What is added to a variance: PyTorch's default.
pub const EPSILON: f64 = 1e-5;

params! {
    /// See `shaders/norm.wgsl`.
    struct Params {
        groups: u32,
        per_datum: u32,
        positions: u32,
        vectors: u32,
        quads: u32,
        channels: u32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("norm"), entry, Params::FIELDS, slots, reference).in_variants(RowSum::variants)
}

impl Params {
    /// The rows and channels of a group.
    fn places(&self, group: usize) -> impl Iterator<Item = (usize, usize)> + Clone + use<> {
        let (per_datum, positions) = (self.per_datum as usize, self.positions as usize);
        let (datum, width) = (group / per_datum, PAD * self.quads as usize);
        let first = group % per_datum * width;
        let channels = first..(first + width).min(self.channels as usize);
        (datum * positions..(datum + 1) * positions)
            .flat_map(move |row| channels.clone().map(move |c| (row, c)))
    }
}

/// y = normalised x, scaled and shifted.
pub static FORWARD: Kernel = kernel(
    "forward",
    &[read(1, "x"), read(2, "w"), read(3, "b"), write(6, "y"), write(7, "stats")],
    |call: &dyn Call| {
        let p: Params = plan::params(call);
        let [x, w, b, y, stats] = call.slots();
        for group in 0..p.groups as usize {
            let places = p.places(group);
            let count = places.clone().count() as f64;
            let mean = places.clone().map(|(row, c)| x.get(row, c)).sum::<f64>() / count;
            let variance = places.clone().map(|(row, c)| (x.get(row, c) - mean).powi(2)).sum::<f64>() / count;
            let scale = 1.0 / (variance + EPSILON).sqrt();
            for (row, c) in places {
                y.put(row, c, (x.get(row, c) - mean) * scale * w.at(c) + b.at(c));
            }
            for (column, value) in [mean, scale, 0.0, 0.0].into_iter().enumerate() {
                stats.put(group, column, value);
            }
        }
    },
)
.with_nodes(|graph| {
    let [x, w, b, y] = [0, 1, 2, 3];
    let p: Params = pod(graph.params());
    let [groups, positions, channels] = [p.per_datum, p.positions, p.channels].map(i64::from);
    let value = graph.get(x)?;
    let [scale, shift] = [graph.get(w)?, graph.get(b)?];
    let by_group = graph.shape(&[-1, groups, channels / groups * positions]);
    let grouped = graph.apply("Reshape", &[value, by_group]);
    let mean = graph.apply_lists("ReduceMean", &[grouped], &[("axes", &[2])]);
    let distance = graph.apply("Sub", &[grouped, mean]);
    let squares = graph.apply("Mul", &[distance, distance]);
    let variance = graph.apply_lists("ReduceMean", &[squares], &[("axes", &[2])]);
    let normal = divided(graph, distance, variance);
    let by_channel = graph.shape(&[-1, channels, positions]);
    let normal = graph.apply("Reshape", &[normal, by_channel]);
    let rows = scaled_and_shifted(graph, normal, [scale, shift], [channels, positions]);
    graph.set(y, rows);
    Ok(())
});

/// The nodes of distance / sqrt(variance + [`EPSILON`]).
pub(super) fn divided(graph: &mut dyn Graph, distance: Value, variance: Value) -> Value {
    let epsilon = graph.number(EPSILON);
    let above = graph.apply("Add", &[variance, epsilon]);
    let deviation = graph.apply("Sqrt", &[above]);
    graph.apply("Div", &[distance, deviation])
}

/// The nodes that scale and shift normal values [B, C, P] by channel, as rows.
pub(super) fn scaled_and_shifted(
    graph: &mut dyn Graph,
    normal: Value,
    by: [Value; 2],
    [channels, positions]: [i64; 2],
) -> Value {
    let column = graph.shape(&[1, channels, 1]);
    let [scale, shift] = by.map(|vector| graph.apply("Reshape", &[vector, column]));
    let scaled = graph.apply("Mul", &[normal, scale]);
    let shifted = graph.apply("Add", &[scaled, shift]);
    let flat = graph.shape(&[-1, channels * positions]);
    graph.apply("Reshape", &[shifted, flat])
}

/// d_x, and d_w of each position.
pub static BACKWARD: Kernel = kernel(
    "backward",
    &[read(1, "x"), read(2, "w"), read(4, "d_y"), read(5, "kept"), write(8, "d_x"), write(9, "d_w")],
    |call: &dyn Call| {
        let p: Params = plan::params(call);
        let [x, w, d_y, stats, d_x, d_w] = call.slots();
        for group in 0..p.groups as usize {
            let places = p.places(group);
            let count = places.clone().count() as f64;
            let (mean, scale) = (stats.get(group, 0), stats.get(group, 1));
            let normal = |row, c| (x.get(row, c) - mean) * scale;
            let g = |row, c| d_y.get(row, c) * w.at(c);
            let mean_g = places.clone().map(|(row, c)| g(row, c)).sum::<f64>() / count;
            let slope = places.clone().map(|(row, c)| g(row, c) * normal(row, c)).sum::<f64>() / count;
            for (row, c) in places {
                d_x.put(row, c, (g(row, c) - mean_g - normal(row, c) * slope) * scale);
                d_w.put(row, c, d_y.get(row, c) * normal(row, c));
            }
        }
    },
);

/// How x [B P, C] is divided: P positions of a datum and G groups of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Division {
    pub positions: usize,
    pub groups: usize,
}

/// Appends y [B P, C] and stats [B G, 4] from x, the scale w [1, C] and the shift b [1, C].
pub(crate) fn forward(
    plan: &mut Plan,
    target: &Target,
    label: &str,
    division: Division,
    (x, w, b): (Tensor, Tensor, Tensor),
    (y, stats): (Tensor, Tensor),
) {
    push(plan, target, &FORWARD, label, division, x, vec![x, w, b, y, stats]);
}

/// Appends d_x and d_w, both [B P, C], from the gradient d_y.
pub(crate) fn backward(
    plan: &mut Plan,
    target: &Target,
    label: &str,
    division: Division,
    (x, w, d_y, stats): (Tensor, Tensor, Tensor, Tensor),
    (d_x, d_w): (Tensor, Tensor),
) {
    push(plan, target, &BACKWARD, label, division, x, vec![x, w, d_y, stats, d_x, d_w]);
}

fn push(
    plan: &mut Plan,
    target: &Target,
    kernel: &'static Kernel,
    label: &str,
    Division { positions, groups }: Division,
    x: Tensor,
    tensors: Vec<Tensor>,
) {
    let whole =
        |t: &Tensor| (t.rows, t.cols, t.stride) == (x.rows, x.cols, x.stride) || t.cols == PAD || t.rows == 1;
    assert!(tensors.iter().all(whole), "{label}: shapes");
    assert!(x.rows.is_multiple_of(positions) && x.cols.is_multiple_of(groups), "{label}: groups");
    assert!(groups == 1 || (x.cols / groups).is_multiple_of(PAD), "{label}: groups of whole vectors");
    let all = x.rows / positions * groups;
    let params = Params {
        groups: all as u32,
        per_datum: groups as u32,
        positions: positions as u32,
        vectors: x.vectors(),
        quads: x.vectors() / groups as u32,
        channels: x.cols as u32,
    };
    // The forward pass goes through a group three times.
    let rows = RowSum::within(target, 3 * positions * params.quads as usize);
    plan.push(Dispatch {
        kernel,
        label: label.into(),
        consts: rows.consts(),
        params: params.to_bytes(),
        workgroups: rows.grid(all),
        cost: elementwise(8, &tensors),
        tensors,
    });
}
