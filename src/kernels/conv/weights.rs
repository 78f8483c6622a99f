//! The gradient of a convolution's weights and, for a convolution that is not transposed, of its bias.

use super::data::SingleConv;
use super::geometry::Geometry;
use super::gradient::Params;
use super::variants::{Variant, WEIGHTS, choose};
use crate::kernels::bias_grad::sum_rows;
use crate::kernels::division::Parts;
use crate::kernels::extent::Extent;
use crate::kernels::{ROUNDS, bytes};
use crate::plan::{BINDING_ALIGN, Cost, Dispatch, Element, PAD, Plan, Role, Target, Tensor, round_up};

/// The parts of a sum over `positions` for weights [rows, columns]: a function of the shape alone, so that the same sums are
/// added in the same order everywhere. So many that a card's cores all have a tile, and that none is shorter than it takes to
/// be worth its way through memory.
pub(crate) fn parts_of(positions: usize, [rows, columns]: [usize; 2]) -> Parts {
    const TILES: usize = 64;
    const SHORTEST: usize = 256;
    // A round takes four positions: these are 32,768 rounds.
    const LONGEST: usize = 131_072;
    const { assert!(LONGEST / PAD <= ROUNDS) };
    let tiles = rows.div_ceil(32) * columns.div_ceil(64);
    let wanted = (TILES / tiles).clamp(1, positions.div_ceil(SHORTEST)).max(positions.div_ceil(LONGEST));
    Parts::of(positions, wanted, PAD)
}

/// Appends d_w and, with `d_bias`, the sums of the coarse picture's channels, with the variant that [`choose`] picks.
pub(crate) fn d_weights(
    plan: &mut Plan,
    target: &Target,
    label: &str,
    geometry: &Geometry,
    (coarse, fine): (Tensor, Tensor),
    (d_w, d_bias): (Tensor, Option<Tensor>),
) {
    let images = target.images && plan.fits_image(&coarse) && plan.fits_image(&fine);
    let variant = choose(WEIGHTS, &Target { images, ..*target }, geometry.coarse.channels);
    let parts = parts_of(coarse.rows, geometry.weight());
    d_weights_with(plan, variant, label, geometry, (coarse, fine), (d_w, d_bias), parts);
}

/// The same with a given variant and division. d_bias follows d_w in the same buffer.
pub(crate) fn d_weights_with(
    plan: &mut Plan,
    variant: &Variant,
    label: &str,
    geometry: &Geometry,
    (coarse, fine): (Tensor, Tensor),
    (d_w, d_bias): (Tensor, Option<Tensor>),
    parts: Parts,
) {
    let Geometry { fine: of_fine, coarse: of_coarse, taps } = *geometry;
    let count = coarse.rows / of_coarse.positions();
    assert_eq!(count * of_coarse.positions(), coarse.rows, "{label}: positions of the coarse picture");
    assert_eq!(count * of_fine.positions(), fine.rows, "{label}: positions of the fine picture");
    assert_eq!((coarse.cols, fine.cols), (of_coarse.channels, of_fine.channels), "{label}: channels");
    assert_eq!([d_w.rows, d_w.cols], geometry.weight(), "{label}: shape of the weights");
    assert!(parts.length.is_multiple_of(PAD), "{label}: parts of whole vectors");
    assert!(parts.hold(coarse.rows), "{label}: parts of all positions");
    // What a part holds: the weights and, with their distance in the arena, the bias.
    let (mut words, mut bias_at) = (round_up(d_w.rows, PAD) * d_w.stride, 0);
    if let Some(d_bias) = d_bias {
        assert_eq!((d_bias.buffer, d_bias.rows, d_bias.cols), (d_w.buffer, 1, d_w.rows), "{label}: d_bias");
        assert!(d_bias.offset >= d_w.offset + words, "{label}: d_bias follows the weights");
        bias_at = d_bias.offset - d_w.offset;
        words = bias_at + d_bias.stride;
    }
    let whole = Tensor { rows: 1, cols: words, stride: words, ..d_w };
    let to = if parts.count == 1 {
        whole
    } else {
        let words = round_up(words, BINDING_ALIGN) * parts.count;
        let buffer = plan.buffer(format!("{label} parts"), words, Element::F32, Role::Private);
        Tensor { buffer, offset: 0, rows: 1, cols: words, stride: words }
    };
    let part_words = to.cols / parts.count;
    let params = Params {
        count: count as u32,
        coarse_height: of_coarse.height as u32,
        coarse_width: of_coarse.width as u32,
        coarse_vectors: coarse.vectors(),
        fine_height: of_fine.height as u32,
        fine_width: of_fine.width as u32,
        fine_vectors: fine.vectors(),
        rows: d_w.rows as u32,
        row_vectors: d_w.vectors(),
        kernel: taps.kernel as u32,
        stride: taps.stride as u32,
        pad: taps.pad as u32,
        length: parts.length as u32,
        part_vectors: (part_words / PAD) as u32,
        bias_at: (bias_at / PAD) as u32,
        coarse_first: coarse.first_vector(),
        fine_first: fine.first_vector(),
    };
    let tiles = |length: usize, tile: u32| length.div_ceil(tile as usize) as u32;
    plan.push(Dispatch {
        kernel: variant.kernel,
        label: label.into(),
        consts: variant.specialise(&[("BIAS", u32::from(d_bias.is_some()))]),
        params: params.to_bytes(),
        tensors: vec![coarse, fine, to],
        workgroups: [
            tiles(d_w.stride / PAD, variant.blocks),
            tiles(d_w.rows, variant.channels),
            parts.count as u32,
        ],
        cost: Cost {
            flops: 2 * (count * geometry.multiply_adds()) as u64,
            bytes: bytes(&[coarse, fine, to]),
        },
    });
    if parts.count > 1 {
        let rows = Tensor { rows: parts.count, cols: whole.cols, stride: part_words, ..to };
        sum_rows(plan, &format!("{label} sum"), rows, whole);
    }
}

/// A plan of the gradient of a convolution's weights over `count` pictures by one variant.
pub fn single_gradient(variant: &Variant, geometry: &Geometry, count: usize) -> SingleConv {
    let mut plan = Plan::new("gradient");
    let picture = |plan: &mut Plan, name, extent: Extent| {
        plan.picture(name, count, extent.positions(), extent.channels)
    };
    let (coarse, fine) =
        (picture(&mut plan, "coarse", geometry.coarse), picture(&mut plan, "fine", geometry.fine));
    let [rows, columns] = geometry.weight();
    let d_w = plan.tensor("d_w", rows, columns);
    let parts = parts_of(coarse.rows, geometry.weight());
    d_weights_with(&mut plan, variant, "gradient", geometry, (coarse, fine), (d_w, None), parts);
    SingleConv { plan, inputs: [coarse, fine], output: d_w }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sum_is_divided_by_its_shape() {
        for (positions, weight, count) in [
            (65_536, [32, 48], 64),
            (100_352, [32, 64], 64),
            (100_000, [64, 512], 4),
            (6_272, [64, 512], 4),
            (6_272, [512, 2304], 1),
            (300, [4, 4], 2),
            (524_288, [128, 1152], 4),
            (1_048_576, [64, 576], 8),
            (3, [4, 4], 1),
        ] {
            let parts = parts_of(positions, weight);
            assert_eq!(parts.count, count, "{positions} {weight:?}");
            assert!(parts.hold(positions) && parts.length.is_multiple_of(PAD));
        }
    }
}
