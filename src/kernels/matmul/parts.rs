//! Products whose sums over k are divided, so that a card's cores all have work (`shaders/matmul/join.wgsl`).

use super::operation::{ACCUMULATES, Epilogue, Layout};
use super::variants::TILED_32;
use crate::kernels::activation::Activation;
use crate::kernels::{WORKGROUP, bytes, params, shader};
use crate::plan::{
    self, Call, Cost, Dispatch, Element, Kernel, PAD, Plan, Role, Slot, Tensor, linear_grid, read, round_up,
    write,
};
use crate::settings::Named;

/// A multiple of all tiles' k, so that no round of a tile reaches into the next part.
pub(super) const PART_ALIGN: usize = 16;

/// How many parts the sums of a product [m, n] over k have, on adapters that divide sums: a function of the shape alone, so
/// that all of them add in the same order. As many as give 128 workgroups, the number of cores of the largest cards (see
/// `by_size`), and none so short that it is not worth its way through memory. This is reasoning: nothing was measured on a
/// card. In TN k counts the rows of a batch: those sums are short, and the tiles of a weight many.
pub(super) fn parts_of(layout: Layout, [m, k, n]: [usize; 3]) -> usize {
    const WORKGROUPS: usize = 128;
    const SHORTEST: usize = 128;
    if layout == Layout::TN {
        return 1;
    }
    let tiles = TILED_32.workgroups(m, n).map(|n| n as usize).iter().product::<usize>();
    let parts = WORKGROUPS.div_ceil(tiles).min(k / SHORTEST).max(1);
    k.div_ceil(length_of(k, parts))
}

/// The terms of each of so many parts but the last.
pub(super) fn length_of(k: usize, parts: usize) -> usize {
    round_up(k.div_ceil(parts), PART_ALIGN)
}

params! {
    /// See `shaders/matmul/join.wgsl`.
    struct Params {
        m: u32,
        n: u32,
        parts: u32,
        part_vectors: u32,
        vectors: u32,
        c_stride: u32,
        extra_stride: u32,
    }
}

const SLOTS: &[Slot] = &[read(1, "parts"), read(2, "extra"), write(3, "c").updated_where(ACCUMULATES)];

/// c = epilogue(the sum of the parts).
pub(in crate::kernels) static JOIN: Kernel =
    Kernel::new(shader!("matmul/join"), "main", Params::FIELDS, SLOTS, |call: &dyn Call| {
        let [parts, extra, c] = call.slots();
        let p: Params = plan::params(call);
        let rows = (p.part_vectors / p.vectors) as usize;
        let epilogue = Epilogue::from_constants(|name| call.constant(name)).map(|()| extra);
        for m in 0..p.m as usize {
            for n in 0..p.n as usize {
                let sum = (0..p.parts as usize).map(|part| parts.get(part * rows + m, n)).sum();
                c.put(m, n, epilogue.finish(sum, c, m, n));
            }
        }
    })
    .in_variants(|| {
        let mut epilogues = vec![Epilogue::Store, Epilogue::Accumulate];
        let fused = Activation::ALL.iter().filter(|f| !f.keeps_input());
        epilogues.extend(fused.map(|f| Epilogue::Forward(*f, ())));
        epilogues.extend(Activation::HIDDEN.map(|f| Epilogue::Backward(f, ())));
        epilogues.iter().map(|epilogue| epilogue.constants().to_vec()).collect()
    });

/// Adds the tensor for so many parts of c.
pub(super) fn tensor(plan: &mut Plan, label: &str, c: Tensor, count: usize) -> Tensor {
    let (rows, stride) = (count * round_up(c.rows, PAD), round_up(c.cols, PAD));
    let buffer = plan.buffer(format!("{label} parts"), rows * stride, Element::F32, Role::Private);
    Tensor { buffer, offset: 0, rows, cols: c.cols, stride }
}

/// Appends c = epilogue(the sum of the parts).
pub(super) fn join(plan: &mut Plan, label: &str, parts: Tensor, c: Tensor, epilogue: Epilogue) {
    let part_rows = round_up(c.rows, PAD);
    let count = parts.rows / part_rows;
    // The slot must be bound to something.
    let extra = epilogue.extra().unwrap_or(parts);
    let params = Params {
        m: c.rows as u32,
        n: c.cols as u32,
        parts: count as u32,
        part_vectors: part_rows as u32 * parts.vectors(),
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
            (Layout::TN, [40, 1024, 40], 1),
            (Layout::NT, [1, 1_000_000, 1], 128),
        ] {
            let [_, k, _] = shape;
            assert_eq!(parts_of(layout, shape), parts, "{layout:?} {shape:?}");
            let length = length_of(k, parts);
            assert!(length.is_multiple_of(PART_ALIGN) || parts == 1);
            assert!(length * parts >= k && length * (parts - 1) < k, "{layout:?} {shape:?}");
        }
    }
}
