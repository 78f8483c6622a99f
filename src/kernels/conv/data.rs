//! c = epilogue(convolution or transposed convolution of x).

use super::geometry::Geometry;
use super::operation::{Params, Way};
use super::variants::{DATA, Variant, choose, constants};
use crate::kernels::bytes;
use crate::kernels::matmul::Epilogue;
use crate::plan::{self, Cost, Dispatch, PAD, Plan, Target, Tensor};

/// Appends c = epilogue(x convolved with w) with the variant that [`choose`] picks.
pub(crate) fn conv(
    plan: &mut Plan,
    target: &Target,
    label: &str,
    (way, geometry): (Way, &Geometry),
    tensors: (Tensor, Tensor, Tensor),
    epilogue: Epilogue,
) {
    let (x, w, c) = tensors;
    let images =
        target.images && [Some(x), Some(w), epilogue.extra()].iter().flatten().all(|t| plan.fits_image(t));
    let variant = choose(DATA, &Target { images, ..*target }, c.cols);
    conv_with(plan, variant, label, (way, geometry), tensors, epilogue);
}

/// Appends c = epilogue(x convolved with w) with a given variant. Pictures have a row per position; w is
/// [`Geometry::weight`].
pub(crate) fn conv_with(
    plan: &mut Plan,
    variant: &Variant,
    label: &str,
    (way, geometry): (Way, &Geometry),
    (x, w, c): (Tensor, Tensor, Tensor),
    epilogue: Epilogue,
) {
    let Geometry { fine, coarse, taps } = *geometry;
    let [from, to] = way.ends(geometry);
    let count = c.rows / to.positions();
    assert_eq!(count * to.positions(), c.rows, "{label}: positions of c");
    assert_eq!(count * from.positions(), x.rows, "{label}: positions of x");
    assert_eq!((x.cols, c.cols), (from.channels, to.channels), "{label}: channels");
    // Of a picture's last channels no gradient may be wanted: the weights have more rows, or wider taps.
    let w_tap = w.cols / (taps.kernel * taps.kernel);
    assert!(w.rows >= coarse.channels && w_tap >= geometry.tap(), "{label}: shape of the weights");
    assert_eq!(w_tap * taps.kernel * taps.kernel, w.cols, "{label}: taps of the weights");
    assert_eq!(taps.coarse(fine.height), Some(coarse.height), "{label}: heights");
    assert_eq!(taps.coarse(fine.width), Some(coarse.width), "{label}: widths");
    // `quotient` in the shader divides numbers below 2^20.
    let sizes = [fine.height, fine.width, coarse.height, coarse.width, taps.kernel, taps.pad];
    assert!(sizes.iter().all(|size| *size < 1 << 19), "{label}: sides");
    assert!((1..=255).contains(&taps.stride), "{label}: stride");
    let of_products = matches!(epilogue, Epilogue::Gradient(_) | Epilogue::Divided);
    assert!(!of_products, "{label}: {epilogue:?} is for products alone");
    epilogue.check(label, [c.rows, c.cols]);
    // The slot must be bound to something.
    let extra = epilogue.extra().unwrap_or(x);
    let tiles = to.channels.div_ceil(variant.channels as usize) as u32;
    let params = Params {
        count: count as u32,
        source_height: from.height as u32,
        source_width: from.width as u32,
        source_vectors: x.vectors(),
        height: to.height as u32,
        width: to.width as u32,
        channels: to.channels as u32,
        c_vectors: c.vectors(),
        extra_vectors: extra.vectors(),
        kernel: taps.kernel as u32,
        stride: taps.stride as u32,
        pad: taps.pad as u32,
        w_row: w.vectors(),
        w_tap: (w_tap / PAD) as u32,
        tiles,
        x_first: x.first_vector(),
        w_first: w.first_vector(),
        extra_first: extra.first_vector(),
    };
    let (phases, per_phase) = match way {
        Way::Gather => (1, to.positions()),
        Way::Scatter => {
            let side = |length: usize| length.div_ceil(taps.stride);
            (taps.stride * taps.stride, side(to.height) * side(to.width))
        }
    };
    let [groups_x, groups_y, _] = plan::linear_grid((count * per_phase).div_ceil(PAD), variant.blocks);
    plan.push(Dispatch {
        kernel: variant.kernel,
        label: label.into(),
        consts: constants(variant, way, way == Way::Gather && from.channels == 1, &epilogue),
        params: params.to_bytes(),
        tensors: vec![x, w, extra, c],
        workgroups: [groups_x, groups_y, phases as u32 * tiles],
        cost: Cost { flops: 2 * (count * geometry.multiply_adds()) as u64, bytes: bytes(&[x, w, c]) },
    });
}

/// A plan of one convolution, or of the gradient of its weights, for tests and benches.
#[derive(Clone, Debug)]
pub struct SingleConv {
    /// The plan.
    pub plan: Plan,
    /// The tensors that it reads.
    pub inputs: [Tensor; 2],
    /// The tensor that it computes; of a gradient, the first part of it.
    pub output: Tensor,
}

/// A plan of a convolution of `count` pictures by one variant.
pub fn single_conv(variant: &Variant, way: Way, geometry: &Geometry, count: usize) -> SingleConv {
    let mut plan = Plan::new("convolution");
    let [from, to] = way.ends(geometry);
    let [rows, columns] = geometry.weight();
    let x = plan.picture("x", count, from.positions(), from.channels);
    let w = plan.tensor("w", rows, columns);
    let c = plan.picture("c", count, to.positions(), to.channels);
    conv_with(&mut plan, variant, "convolution", (way, geometry), (x, w, c), Epilogue::Store);
    SingleConv { plan, inputs: [x, w], output: c }
}
