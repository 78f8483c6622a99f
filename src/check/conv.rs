//! The cases of convolutions, and of what lies between pictures and rows.

use super::products::{ROUNDED_TO_F16, before, epilogues, name_of};
use super::{Case, Fill, TRANSCENDENTAL};
use crate::kernels::batch_norm::{self, Tensors};
use crate::kernels::conv::{
    DATA, Geometry, Taps, Variant, WEIGHTS, Way, conv_with, d_weights_with, parts_of,
};
use crate::kernels::division::Parts;
use crate::kernels::extent::Extent;
use crate::kernels::matmul::{self, Epilogue};
use crate::kernels::norm::{self, Division};
use crate::kernels::picture::{self, Places};
use crate::kernels::resize;
use crate::kernels::row_sum::RowSum;
use crate::plan::{PAD, Target, Tensor, round_up};

/// Channels: no vector is full, several are, and more than a tile of them.
const CHANNELS: [usize; 5] = [1, 3, 5, 7, 64];
/// Ranks that measure the rows of a batch together.
const RANKS: usize = 3;
/// Heights and widths: no stride divides them all.
const SIDES: [usize; 6] = [7, 9, 4, 10, 5, 13];

pub(super) fn all(cases: &mut Vec<Case>, target: &Target) {
    let (mut first, plain) = (true, epilogues(false));
    for variant in DATA.iter().filter(|variant| variant.fits(target)) {
        for way in [Way::Gather, Way::Scatter] {
            for (number, geometry) in geometries().enumerate() {
                cases.push(data(variant, way, &geometry, plain[number % plain.len()]));
            }
            if first {
                let geometry = geometries().nth(9).expect("as many");
                for epilogue in epilogues(true) {
                    cases.push(data(variant, way, &geometry, epilogue));
                }
            }
        }
        first = false;
    }
    for variant in WEIGHTS.iter().filter(|variant| variant.fits(target)) {
        for (number, geometry) in geometries().enumerate() {
            weights(cases, variant, &geometry, number % 2 == 0, number % 3);
        }
    }
    pictures(cases);
    resizes(cases);
    norms(cases);
    batch_norms(cases);
}

/// Kernels from 1 to 7 with strides from 1 to 4, with no padding, the usual one, and as much as there can be, between
/// pictures of other sizes and channels each time.
fn geometries() -> impl Iterator<Item = Geometry> {
    let taps = (1..=7).flat_map(|kernel| (1..=4).map(move |stride| (kernel, stride)));
    taps.enumerate().map(|(i, (kernel, stride))| {
        let usual = Taps::new(kernel, stride);
        let pad = [usual.pad, 0, kernel - 1][i % 3];
        let side = |i: usize| SIDES[i % SIDES.len()].max(kernel);
        let fine = Extent { height: side(i), width: side(i / 2 + 1), channels: CHANNELS[i % 5] };
        Geometry::from_fine(fine, CHANNELS[(i / 5 + 2 * i) % 5], Taps { pad, ..usual }).expect("the taps fit")
    })
}

fn title(geometry: &Geometry, count: usize) -> String {
    let Geometry { fine, coarse, taps: Taps { kernel, stride, pad } } = geometry;
    format!("{count} x {fine} to {coarse} by {kernel}/{stride} pad {pad}")
}

fn picture(case: &mut Case, name: &str, count: usize, extent: Extent, fill: Fill) -> Tensor {
    case.tensor(name, count * extent.positions(), extent.channels, fill)
}

fn data(variant: &Variant, way: Way, geometry: &Geometry, epilogue: Epilogue<()>) -> Case {
    let count = 3;
    let shape = format!("{} {way:?} {} {}", variant.name, name_of(epilogue), title(geometry, count));
    let mut case = Case::new(variant.kernel.label(), shape);
    let [from, to] = way.ends(geometry);
    let x = picture(&mut case, "x", count, from, Fill::Normal(1.0));
    // Of a picture's last channels no gradient may be wanted: then the weights have more rows, or wider taps.
    let more = if epilogue == Epilogue::Store { PAD } else { 0 };
    let [rows, columns] = geometry.weight();
    let taps = geometry.taps.kernel * geometry.taps.kernel;
    let (rows, columns) = match way {
        Way::Gather => (rows + more, columns),
        Way::Scatter => (rows, columns + more * taps),
    };
    let w = case.tensor("w", rows, columns, Fill::Normal(0.3));
    let c = picture(&mut case, "c", count, to, before(epilogue));
    let epilogue = case.fused(epilogue, [1, to.channels], [c.rows, c.cols]);
    if variant.is_f16() {
        case.tolerance = ROUNDED_TO_F16;
    }
    conv_with(&mut case.plan, variant, "check", (way, geometry), (x, w, c), epilogue);
    case
}

fn weights(cases: &mut Vec<Case>, variant: &Variant, geometry: &Geometry, bias: bool, division: usize) {
    let count = 3;
    let positions = count * geometry.coarse.positions();
    // As a plan would divide the sum, in one part, and in many short ones.
    let parts = match division {
        0 => parts_of(positions, geometry.weight()),
        1 => Parts::of(positions, 1, PAD),
        _ => Parts { count: positions.div_ceil(8), length: 8 },
    };
    let title = title(geometry, count);
    let shape = format!("{} {title} in {} parts, bias {bias}", variant.name, parts.count);
    let mut case = Case::new(variant.kernel.label(), shape);
    let coarse = picture(&mut case, "coarse", count, geometry.coarse, Fill::Normal(1.0));
    let fine = picture(&mut case, "fine", count, geometry.fine, Fill::Normal(1.0));
    let [rows, columns] = geometry.weight();
    let (d_w, d_bias) = matmul::gradients(&mut case.plan, rows, columns);
    case.fills.push((d_w, Fill::Unwritten));
    if bias {
        case.fills.push((d_bias, Fill::Unwritten));
    }
    if variant.is_f16() {
        case.tolerance = ROUNDED_TO_F16;
    }
    let to = (d_w, bias.then_some(d_bias));
    d_weights_with(&mut case.plan, variant, "check", geometry, (coarse, fine), to, parts);
    cases.push(case);
}

fn resizes(cases: &mut Vec<Case>) {
    for (height, width, channels, factors) in [(4, 6, 3, [2, 2]), (7, 5, 8, [3, 2]), (3, 5, 1, [3, 5])] {
        let large = Extent { height, width, channels };
        let small = Extent { height: height / factors[0], width: width / factors[1], ..large };
        let shape = format!("{small} and {large}");
        let mut case = Case::new("resize:grow", &shape);
        let from = picture(&mut case, "small", 3, small, Fill::Normal(1.0));
        let to = picture(&mut case, "to_large", 3, large, Fill::Unwritten);
        resize::grow(&mut case.plan, "check", (from, to), [small, large], factors, 0.5);
        cases.push(case);

        let mut case = Case::new("resize:shrink", &shape);
        let from = picture(&mut case, "large", 3, large, Fill::Normal(1.0));
        let to = picture(&mut case, "to_small", 3, small, Fill::Unwritten);
        resize::shrink(&mut case.plan, "check", (from, to), [large, small], factors, 0.25);
        cases.push(case);
    }
}

fn norms(cases: &mut Vec<Case>) {
    // The last has more vectors than llvmpipe has rounds of loops.
    for (count, positions, channels, groups) in
        [(3, 1, 5, 1), (7, 12, 3, 1), (40, 6, 16, 2), (2, 49, 24, 6), (1, 4096, 32, 1)]
    {
        for target in [Target::SOFTWARE, Target::PORTABLE] {
            let lanes =
                RowSum::within(&target, 3 * positions * usize::div_ceil(channels, PAD) / groups).lanes;
            let shape = format!("{count} x {positions} x {channels} in {groups} lanes={lanes}");
            let division = Division { positions, groups };
            let matrix =
                |case: &mut Case, name: &str, fill| case.tensor(name, count * positions, channels, fill);
            let mut case = Case::new("norm:forward", &shape);
            let x = matrix(&mut case, "x", Fill::Normal(3.0));
            let [w, b] = ["w", "b"].map(|name| case.tensor(name, 1, channels, Fill::Normal(1.0)));
            let y = matrix(&mut case, "y", Fill::Unwritten);
            let stats = case.output("stats", count * groups, PAD);
            norm::forward(&mut case.plan, &target, "check", division, (x, w, b), (y, stats));
            case.tolerance = TRANSCENDENTAL;
            cases.push(case);

            let mut case = Case::new("norm:backward", &shape);
            let x = matrix(&mut case, "x", Fill::Normal(3.0));
            let w = case.tensor("w", 1, channels, Fill::Normal(1.0));
            let d_y = matrix(&mut case, "d_y", Fill::Normal(1.0));
            let stats = case.tensor("stats", count * groups, PAD, Fill::Normal(0.5));
            let [d_x, d_w] = ["d_x", "d_w"].map(|name| matrix(&mut case, name, Fill::Unwritten));
            norm::backward(&mut case.plan, &target, "check", division, (x, w, d_y, stats), (d_x, d_w));
            case.tolerance = TRANSCENDENTAL;
            cases.push(case);
        }
    }
}

fn batch_norms(cases: &mut Vec<Case>) {
    // One part and several, with rows to spare and without; and a single valid row.
    for (count, per_datum, channels, valid) in
        [(3, 1, 5, 1), (7, 12, 3, 6), (40, 6, 16, 40), (9, 49, 24, 5), (70, 3, 1, 64)]
    {
        let shape = format!("{valid} of {count} x {per_datum} x {channels}");
        let begin = |entry: &str| {
            let mut case = Case::new(format!("batch_norm:{entry}"), &shape);
            case.step.valid_rows = valid;
            case.tolerance = TRANSCENDENTAL;
            case
        };
        let matrix = |case: &mut Case, name: &str, fill| case.tensor(name, count * per_datum, channels, fill);
        let vector = |case: &mut Case, name: &str| case.tensor(name, 1, channels, Fill::Normal(1.0));
        let columns = batch_norm::running_columns(channels);

        let mut case = begin("forward");
        let (x, w) = (matrix(&mut case, "x", Fill::Normal(3.0)), vector(&mut case, "w"));
        let (b, y) = (vector(&mut case, "b"), matrix(&mut case, "y", Fill::Unwritten));
        let stats = case.output("stats", 3, channels);
        let of = Tensors { x, w, stats, per_datum, ranks: 1 };
        batch_norm::forward(&mut case.plan, "check", of, b, y);
        cases.push(case);

        let mut case = begin("summary");
        let (x, w) = (matrix(&mut case, "x", Fill::Normal(3.0)), vector(&mut case, "w"));
        let [stats, own] = ["stats", "own"].map(|name| case.output(name, 3, channels));
        let of = Tensors { x, w, stats, per_datum, ranks: RANKS };
        batch_norm::summary(&mut case.plan, "check", of, own);
        cases.push(case);

        let mut case = begin("join");
        let (x, w) = (matrix(&mut case, "x", Fill::Normal(3.0)), vector(&mut case, "w"));
        let stats = case.output("stats", 3, channels);
        let all = case.tensor("all", 3 * RANKS, channels, Fill::Square);
        case.step.rows_beside = 2 * valid;
        let of = Tensors { x, w, stats, per_datum, ranks: RANKS };
        batch_norm::join(&mut case.plan, "check", of, all);
        cases.push(case);

        let mut case = begin("backward");
        let (x, w) = (matrix(&mut case, "x", Fill::Normal(3.0)), vector(&mut case, "w"));
        let stats = case.tensor("stats", 3, channels, Fill::Normal(0.5));
        let d_y = matrix(&mut case, "d_y", Fill::Normal(1.0));
        let sums = ["d_w", "d_b"].map(|name| case.output(name, 1, channels)).into();
        let d_x = matrix(&mut case, "d_x", Fill::Unwritten);
        let of = Tensors { x, w, stats, per_datum, ranks: 1 };
        batch_norm::backward(&mut case.plan, "check", of, d_y, sums, Some(d_x));
        cases.push(case);

        let mut case = begin("follow");
        let (x, w) = (matrix(&mut case, "x", Fill::Normal(1.0)), vector(&mut case, "w"));
        let stats = case.tensor("stats", 3, channels, Fill::Normal(1.0));
        let running = case.tensor("running", 1, columns, Fill::Square);
        let of = Tensors { x, w, stats, per_datum, ranks: 1 };
        batch_norm::follow(&mut case.plan, "check", of, running);
        cases.push(case);

        let mut case = begin("evaluate");
        let (x, w) = (matrix(&mut case, "x", Fill::Normal(3.0)), vector(&mut case, "w"));
        let (b, y) = (vector(&mut case, "b"), matrix(&mut case, "y", Fill::Unwritten));
        let running = case.tensor("running", 1, columns, Fill::Square);
        batch_norm::evaluate(&mut case.plan, "check", per_datum, (x, w, b), running, y);
        cases.push(case);
    }
}

fn pictures(cases: &mut Vec<Case>) {
    for (height, width, channels) in [(1, 1, 1), (3, 5, 1), (4, 3, 3), (2, 7, 5), (5, 5, 64)] {
        for count in [1, 7] {
            let extent = Extent { height, width, channels };
            // The second of two parts.
            let at = Places { column: round_up(extent.len(), PAD), channel: round_up(channels, PAD) };
            let shape = format!("{count} x {extent}");
            let mut case = Case::new("picture:spread", &shape);
            let rows = case.tensor("rows", count, at.column + extent.len(), Fill::Normal(1.0));
            let whole = Extent { channels: at.channel + channels, ..extent };
            let to = picture(&mut case, "picture", count, whole, Fill::Normal(1.0));
            picture::spread(&mut case.plan, "check", (rows, to), extent, at);
            cases.push(case);

            let mut case = Case::new("picture:collect", &shape);
            let from = picture(&mut case, "picture", count, whole, Fill::Normal(1.0));
            let rows = case.tensor("rows", count, at.column + extent.len(), Fill::Normal(1.0));
            picture::collect(&mut case.plan, "check", (from, rows), extent, at);
            cases.push(case);
        }
    }
}
