//! Products whose sums over k are divided (`shaders/matmul/join.wgsl`): so that a card's cores all have work, or where they are
//! too long for a software adapter.

use super::operation::{ACCUMULATES, Epilogue, Layout};
use super::variants::{TILED_32, Variant};
use crate::kernels::division::Parts;
use crate::kernels::{WORKGROUP, bytes, params, shader};
use crate::plan::{self, Call, Cost, Dispatch, Kernel, Plan, Slot, Target, Tensor, linear_grid, read, write};

/// A multiple of the terms that a tile takes each round, so that no round reaches into the next part.
const PART_ALIGN: usize = 16;

/// The parts of the sums of a product [m, n] over k, by `variant` on `target`; with `spread`, as a card's cores want them.
pub(super) fn parts_of(
    target: &Target,
    spread: bool,
    variant: &Variant,
    layout: Layout,
    mkn: [usize; 3],
) -> Parts {
    let [_, k, _] = mkn;
    let parts = match target.software {
        true => Parts::of(k, k.div_ceil(variant.most_terms()), PART_ALIGN),
        false if spread => spread_over(layout, mkn),
        false => Parts::whole(k),
    };
    // In TN k counts the rows of a batch, at most 65,536 (`train.batch_size`, `train.samples`): its sums are never too long.
    assert!(layout != Layout::TN || parts.count == 1, "a sum over {k} rows is too long for this adapter");
    parts
}

/// The parts that give a card's cores work: a function of the shape alone, so that all cards divide alike and, with 32 bits, add
/// in the same order. As many as give 128 workgroups, the number of cores of the largest cards (see `by_size`), and all but the
/// last with so many terms that they are worth their way through memory. This is reasoning: nothing was measured on a card. In
/// TN k counts the rows of a batch: those sums are short, and the tiles of a weight many.
fn spread_over(layout: Layout, [m, k, n]: [usize; 3]) -> Parts {
    const WORKGROUPS: usize = 128;
    const SHORTEST: usize = 128;
    if layout == Layout::TN {
        return Parts::whole(k);
    }
    let tiles = TILED_32.workgroups(m, n).map(|n| n as usize).iter().product::<usize>();
    let wanted = WORKGROUPS.div_ceil(tiles).min(k / SHORTEST).max(1);
    // Lengths are rounded up, so the last part may be left with a few terms: rather fewer parts than that.
    let is_long = |parts: &Parts| k - (parts.count - 1) * parts.length >= SHORTEST / 2;
    let divided = (2..=wanted).rev().map(|count| Parts::of(k, count, PART_ALIGN)).find(is_long);
    divided.unwrap_or(Parts::whole(k))
}

params! {
    /// See `shaders/matmul/join.wgsl`.
    struct Params {
        m: u32,
        n: u32,
        parts: u32,
        vectors: u32,
        c_stride: u32,
        extra_stride: u32,
    }
}

const SLOTS: &[Slot] = &[read(1, "parts"), read(2, "extra"), write(3, "c").updated_where(ACCUMULATES)];

/// c = epilogue(the sum of the parts).
pub(crate) static JOIN: Kernel =
    Kernel::new(shader!("matmul/join"), "main", Params::FIELDS, SLOTS, |call: &dyn Call| {
        let [parts, extra, c] = call.slots();
        let p: Params = plan::params(call);
        let rows = p.m as usize;
        let epilogue = Epilogue::from_constants(|name| call.constant(name)).map(|()| extra);
        for m in 0..p.m as usize {
            for n in 0..p.n as usize {
                let sum = (0..p.parts as usize).map(|part| parts.get(part * rows + m, n)).sum();
                c.put(m, n, epilogue.finish(sum, c, m, n));
            }
        }
    })
    .in_variants(|| Epilogue::all().iter().map(|epilogue| epilogue.constants().to_vec()).collect());

/// Appends c = epilogue(the sum of the parts), which lie one below the other.
pub(super) fn join(plan: &mut Plan, label: &str, parts: Tensor, c: Tensor, epilogue: Epilogue) {
    let count = parts.rows / c.rows;
    // The slot must be bound to something.
    let extra = epilogue.extra().unwrap_or(parts);
    let params = Params {
        m: c.rows as u32,
        n: c.cols as u32,
        parts: count as u32,
        vectors: parts.vectors(),
        c_stride: c.vectors(),
        extra_stride: extra.vectors(),
    };
    plan.push(Dispatch {
        kernel: &JOIN,
        label: label.into(),
        consts: epilogue.constants().to_vec(),
        params: params.to_bytes(),
        tensors: vec![parts, extra, c],
        workgroups: linear_grid(c.rows * parts.vectors() as usize, WORKGROUP),
        cost: Cost { flops: (count * c.rows * c.cols) as u64, bytes: bytes(&[parts, c]) },
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::activation::Activation;
    use crate::kernels::matmul::{VARIANTS, choose, matmul_with};

    #[test]
    fn sums_are_divided_where_tiles_are_few_and_terms_many() {
        for (layout, shape, parts) in [
            (Layout::NT, [128, 784, 400], 3),
            (Layout::NN, [128, 400, 400], 3),
            (Layout::NT, [128, 400, 784], 2),
            (Layout::NT, [128, 400, 40], 3),
            (Layout::NT, [20, 784, 200], 6),
            (Layout::NT, [1024, 784, 200], 1),
            (Layout::NT, [128, 20, 400], 1),
            (Layout::NN, [128, 255, 20], 1),
            (Layout::NN, [128, 257, 20], 2),
            (Layout::NT, [32, 1153, 32], 7),
            (Layout::TN, [40, 1024, 40], 1),
            (Layout::NT, [1, 1_000_000, 1], 128),
        ] {
            let [_, k, _] = shape;
            let variant = choose(&Target::PORTABLE, layout, shape);
            let spread = parts_of(&Target::PORTABLE, true, variant, layout, shape);
            assert_eq!(spread.count, parts, "{layout:?} {shape:?}");
            assert!(spread.hold(k) && (parts == 1 || spread.length.is_multiple_of(PART_ALIGN)));
            assert_eq!(parts_of(&Target::PORTABLE, false, variant, layout, shape).count, 1);
        }
    }

    /// A product [4, 100] x [100, 8] in these parts, whose bias has so many columns.
    fn product(layout: Layout, parts: Parts, bias: usize, gradient: bool) -> Plan {
        let mut plan = Plan::new("divided");
        let [a, b] = layout.operands([4, 100, 8]);
        let (a, b) = (plan.tensor("a", a.0, a.1), plan.tensor("b", b.0, b.1));
        let (c, bias) = (plan.tensor("c", 4, 8), plan.tensor("bias", 1, bias));
        let epilogue = match gradient {
            true => Epilogue::Gradient(bias),
            false => Epilogue::Forward(Activation::Relu, bias),
        };
        matmul_with(&mut plan, &TILED_32, "y", layout, (a, b, c), epilogue, parts);
        plan
    }

    #[test]
    fn parts_lie_one_below_the_other_and_are_joined() {
        let plan = product(Layout::NT, Parts { count: 3, length: 48 }, 8, false);
        let [parts, join] = plan.dispatches() else { panic!("{plan}") };
        assert_eq!((parts.label.as_str(), parts.workgroups), ("y parts", [1, 1, 3]));
        assert_eq!((parts.tensors[3].rows, parts.tensors[3].cols), (12, 8));
        assert_eq!((join.label.as_str(), join.kernel.label().as_str()), ("y", "matmul/join"));
    }

    #[test]
    #[should_panic(expected = "y: shape of the bias")]
    fn what_a_divided_product_reads_is_checked() {
        product(Layout::NT, Parts { count: 3, length: 48 }, 7, false);
    }

    #[test]
    #[should_panic(expected = "y: a gradient's sums are not divided")]
    fn a_gradient_is_not_divided() {
        product(Layout::NN, Parts { count: 3, length: 48 }, 4, true);
    }

    #[test]
    #[should_panic(expected = "y: tiled-32 computes no parts in TN")]
    fn no_tile_divides_sums_over_rows() {
        product(Layout::TN, Parts { count: 3, length: 48 }, 8, false);
    }

    #[test]
    #[should_panic(expected = "y: Parts { count: 4, length: 48 } of 100 terms")]
    fn an_empty_part_is_refused() {
        product(Layout::NT, Parts { count: 4, length: 48 }, 8, false);
    }

    #[test]
    fn no_round_reaches_into_the_next_part() {
        let mut dividing = 0;
        for variant in VARIANTS.iter().filter(|v| Layout::ALL.iter().any(|layout| v.divides(*layout))) {
            assert!(PART_ALIGN.is_multiple_of(variant.terms_a_round()), "{}", variant.name);
            dividing += 1;
        }
        assert_eq!(dividing, 4);
    }

    #[test]
    fn a_software_adapter_gets_no_sum_that_is_too_long_and_a_card_no_tile_that_cannot_divide() {
        let software = |subgroup, images, f16| Target { subgroup, images, f16, ..Target::SOFTWARE };
        let card = |f16, cooperative| Target { f16, cooperative, ..Target::PORTABLE };
        let targets = [
            software(None, false, false),
            software(Some(4), false, false),
            software(Some(8), true, false),
            software(Some(16), true, false),
            software(Some(8), true, true),
            card(false, None),
            card(true, None),
            card(true, Some(8)),
            card(true, Some(16)),
        ];
        let lengths = [1, 20, 784, 200_000, 200_001, 400_001, 800_000, 800_001, 1_081_600, 1 << 24];
        for (target, k) in targets.iter().flat_map(|target| lengths.map(|k| (target, k))) {
            for (m, n) in [1, 4, 33, 128, 5000].into_iter().flat_map(|m| [1, 20, 4096].map(|n| (m, n))) {
                for layout in [Layout::NN, Layout::NT] {
                    let variant = choose(target, layout, [m, k, n]);
                    for spread in [false, true] {
                        let parts = parts_of(target, spread, variant, layout, [m, k, n]);
                        let at = format!("{target:?} {layout:?} {m}x{k}x{n} {} {parts:?}", variant.name);
                        assert!(parts.hold(k), "{at}");
                        assert!(parts.count == 1 || variant.divides(layout), "{at}");
                        if target.software {
                            assert!(k.min(parts.length) <= variant.most_terms(), "{at}");
                            // A row's result does not depend on how many there are.
                            let alone = choose(target, layout, [1, k, n]);
                            assert_eq!(parts, parts_of(target, spread, alone, layout, [1, k, n]), "{at}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "a sum over 800001 rows is too long")]
    fn a_gradient_of_more_rows_than_a_batch_may_have_is_refused() {
        let shape = [4, 800_001, 4];
        let variant = choose(&Target::SOFTWARE, Layout::TN, shape);
        parts_of(&Target::SOFTWARE, false, variant, Layout::TN, shape);
    }
}
