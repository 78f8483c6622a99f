//! The cases of convolutions, and of what lies between pictures and rows.

use super::{Case, Fill};
use crate::kernels::activation::Activation;
use crate::kernels::conv::{
    DATA, Geometry, Parts, Taps, Variant, WEIGHTS, Way, conv_with, d_weights_with, parts_of,
};
use crate::kernels::extent::Extent;
use crate::kernels::matmul::{self, Epilogue};
use crate::kernels::picture::{self, Places};
use crate::plan::{PAD, Target, Tensor, round_up};

/// Channels: no vector is full, several are, and more than a tile of them.
const CHANNELS: [usize; 5] = [1, 3, 5, 7, 64];
/// Heights and widths: no stride divides them all.
const SIDES: [usize; 6] = [7, 9, 4, 10, 5, 13];

pub(super) fn all(cases: &mut Vec<Case>, target: &Target) {
    let mut first = true;
    for variant in DATA.iter().filter(|variant| variant.fits(target)) {
        for way in [Way::Gather, Way::Scatter] {
            for (number, geometry) in geometries().enumerate() {
                let epilogue = [0, 1, 2, 3][number % 4];
                cases.push(data(variant, way, &geometry, epilogue, Activation::Relu));
            }
            if first {
                use Activation::{Identity, Silu, Softplus, Tanh};
                for (epilogue, function) in
                    [(1, Identity), (1, Tanh), (1, Softplus), (2, Tanh), (2, Softplus), (2, Silu)]
                {
                    let geometry = geometries().nth(9).expect("as many");
                    cases.push(data(variant, way, &geometry, epilogue, function));
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

fn data(variant: &Variant, way: Way, geometry: &Geometry, epilogue: u32, function: Activation) -> Case {
    let count = 3;
    let name = ["store", "forward", "backward", "accumulate"][epilogue as usize];
    let shape = format!("{name} {function:?} {}", title(geometry, count));
    let mut case = Case::new(format!("conv {} {way:?}", variant.name), shape);
    let [from, to] = way.ends(geometry);
    let x = picture(&mut case, "x", count, from, Fill::Normal(1.0));
    let [rows, columns] = geometry.weight();
    let w = case.tensor("w", rows, columns, Fill::Normal(0.3));
    let fill = if epilogue == 3 { Fill::Normal(1.0) } else { Fill::Unwritten };
    let c = picture(&mut case, "c", count, to, fill);
    let epilogue = match epilogue {
        0 => Epilogue::Store,
        1 => Epilogue::Forward(function, case.tensor("bias", 1, to.channels, Fill::Normal(1.0))),
        2 => Epilogue::Backward(function, picture(&mut case, "kept", count, to, Fill::Normal(0.5))),
        _ => Epilogue::Accumulate,
    };
    if function != Activation::Identity {
        case.tolerance = super::cases::TRANSCENDENTAL;
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
        1 => Parts { count: 1, length: round_up(positions, PAD) },
        _ => Parts { count: positions.div_ceil(8), length: 8 },
    };
    let shape = format!("{} in {} parts, bias {bias}", title(geometry, count), parts.count);
    let mut case = Case::new(format!("conv {} weights", variant.name), shape);
    let coarse = picture(&mut case, "coarse", count, geometry.coarse, Fill::Normal(1.0));
    let fine = picture(&mut case, "fine", count, geometry.fine, Fill::Normal(1.0));
    let [rows, columns] = geometry.weight();
    let (d_w, d_bias) = matmul::gradients(&mut case.plan, rows, columns);
    case.fills.push((d_w, Fill::Unwritten));
    if bias {
        case.fills.push((d_bias, Fill::Unwritten));
    }
    let to = (d_w, bias.then_some(d_bias));
    d_weights_with(&mut case.plan, variant, "check", geometry, (coarse, fine), to, parts);
    cases.push(case);
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
