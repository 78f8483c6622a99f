//! The cases of matrix products.

use super::{Case, Fill, TRANSCENDENTAL};
use crate::kernels::activation::Activation;
use crate::kernels::division::Parts;
use crate::kernels::matmul::{self, Epilogue, Layout};
use crate::plan::Target;

/// Operands rounded to 11 bits: at most 2^-11 each, and less in a sum.
pub(super) const ROUNDED_TO_F16: f64 = 1e-3;

/// Sizes around a tile: 1, a prime, tile - 1, tile, tile + 1.
fn around(tile: usize) -> [usize; 5] {
    [1, 13, tile.max(2) - 1, tile, tile + 1]
}

/// The epilogues to check: all of them or, where the same code has been checked already, one of each kind.
pub(super) fn epilogues(all: bool) -> Vec<Epilogue<()>> {
    use Epilogue::{Accumulate, Backward, Forward, Store};
    match all {
        true => Epilogue::all(),
        false => vec![Store, Forward(Activation::Relu, ()), Backward(Activation::Tanh, ()), Accumulate],
    }
}

/// Kind and function.
pub(super) fn name_of(epilogue: Epilogue<()>) -> String {
    format!("{epilogue:?}").replace("()", "").replace(", )", ")")
}

/// What the result holds before.
pub(super) fn before(epilogue: Epilogue<()>) -> Fill {
    if epilogue == Epilogue::Accumulate { Fill::Normal(1.0) } else { Fill::Unwritten }
}

impl Case {
    /// The epilogue with what it reads, a bias or what was kept, in these shapes.
    pub(super) fn fused(&mut self, epilogue: Epilogue<()>, bias: [usize; 2], kept: [usize; 2]) -> Epilogue {
        if epilogue.activation() != Activation::Identity {
            self.tolerance = TRANSCENDENTAL;
        }
        match epilogue {
            Epilogue::Forward(f, ()) => {
                Epilogue::Forward(f, self.tensor("bias", bias[0], bias[1], Fill::Normal(1.0)))
            }
            Epilogue::Backward(f, ()) => {
                Epilogue::Backward(f, self.tensor("kept", kept[0], kept[1], Fill::Normal(0.5)))
            }
            Epilogue::Store => Epilogue::Store,
            Epilogue::Accumulate => Epilogue::Accumulate,
            Epilogue::Gradient(()) | Epilogue::Divided => unreachable!("no fused function"),
        }
    }
}

pub(super) fn matmuls(cases: &mut Vec<Case>, target: &Target) {
    let (mut first, mut first_divided) = (true, true);
    for &variant in matmul::VARIANTS {
        for layout in [Layout::NN, Layout::NT, Layout::TN] {
            if !variant.fits(target, layout) {
                continue;
            }
            let rows = around(variant.tile_rows as usize);
            let cols = around(variant.tile_columns as usize);
            for (number, epilogue) in epilogues(first).into_iter().enumerate() {
                // Every pair of sizes occurs once over the epilogues; K is sometimes a multiple of 4, sometimes not.
                for i in 0..rows.len() {
                    let (m, n) = (rows[i], cols[(i + number) % cols.len()]);
                    let k = [1, 8, 13, 32, 57][(i + 2 * number) % 5];
                    cases.push(product(variant, layout, (m, n, k), epilogue, Parts::whole(k)));
                }
            }
            if layout == Layout::TN {
                for (m, n) in rows.into_iter().zip(cols.into_iter().rev()) {
                    cases.push(product(
                        variant,
                        layout,
                        (m, n, 13),
                        Epilogue::Gradient(()),
                        Parts::whole(13),
                    ));
                }
            }
            if variant.divides(layout) {
                for (number, epilogue) in epilogues(first_divided).into_iter().enumerate() {
                    for i in 0..rows.len() {
                        // Never one row by one column: a single sum may come to nearly nothing, and has no digits then.
                        let (m, n) = (rows[i], cols[(i + 1 + number % 4) % cols.len()]);
                        // Several rounds a part, and a last one that is shorter: of 13, 32 and 47 terms.
                        let (k, length) = [(109, 48), (80, 48), (175, 64)][(i + number) % 3];
                        let parts = Parts::of(k, k.div_ceil(length), length);
                        cases.push(product(variant, layout, (m, n, k), epilogue, parts));
                    }
                }
                first_divided = false;
            }
            first = false;
        }
    }
}

/// One ragged product of a variant: just past one tile in rows, just short of two in columns.
pub(super) fn ragged(variant: &'static matmul::Variant, layout: Layout) -> Case {
    let (m, n) = (variant.tile_rows as usize + 1, 2 * variant.tile_columns as usize - 1);
    product(variant, layout, (m, n, 57), Epilogue::Store, Parts::whole(57))
}

/// A product, with its sums in these parts.
fn product(
    variant: &'static matmul::Variant,
    layout: Layout,
    (m, n, k): (usize, usize, usize),
    epilogue: Epilogue<()>,
    parts: Parts,
) -> Case {
    let way = format!("{} {layout:?}", variant.name);
    let shape = format!("{} {m}x{k}x{n}", name_of(epilogue));
    let mut case = match parts.count {
        1 => Case::new(format!("matmul {way}"), shape),
        count => Case::new(matmul::JOIN.label(), format!("{count} parts, {way} {shape}")),
    };
    let [a, b] = layout.operands([m, k, n]);
    let a = case.tensor("a", a.0, a.1, Fill::Normal(1.0));
    let b = case.tensor("b", b.0, b.1, Fill::Normal(1.0));
    let (c, epilogue) = match epilogue {
        Epilogue::Gradient(()) => {
            let (c, d_bias) = case.gradients(m, n);
            (c, Epilogue::Gradient(d_bias))
        }
        _ => {
            let c = case.tensor("c", m, n, before(epilogue));
            (c, case.fused(epilogue, [1, n], [m, n]))
        }
    };
    if variant.is_f16() {
        case.tolerance = ROUNDED_TO_F16;
    }
    matmul::matmul_with(&mut case.plan, variant, "check", layout, (a, b, c), epilogue, parts);
    case
}

/// Sums as long as each variant adds them up on a software adapter, with one term more, and in parts: past its limit an
/// invocation would leave its sum at some term, without a word.
pub(super) fn long_sums(cases: &mut Vec<Case>, target: &Target) {
    let target = &Target { f16: false, cooperative: None, ..*target };
    for layout in [Layout::NN, Layout::NT] {
        let mut lengths = vec![1_100_003];
        let mut k = 1;
        loop {
            let most = matmul::choose(target, layout, [2, k, 3]).most_terms();
            if most < k {
                break;
            }
            k = most + 1;
            lengths.extend([most, k]);
        }
        for k in lengths {
            let mut case = Case::new(format!("matmul long {layout:?}"), format!("Store 2x{k}x3"));
            let [a, b] = layout.operands([2, k, 3]);
            let a = case.tensor("a", a.0, a.1, Fill::Normal(1.0));
            let b = case.tensor("b", b.0, b.1, Fill::Normal(1.0));
            let c = case.output("c", 2, 3);
            // Rounding adds up over so many terms; a single one that is missing would be an error of 1e-3.
            case.tolerance = 1e-4;
            matmul::matmul(&mut case.plan, target, false, "check", layout, (a, b, c), Epilogue::Store);
            cases.push(case);
        }
    }
}
