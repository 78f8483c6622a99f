//! c = epilogue(convolution or transposed convolution of x).

use super::geometry::{Geometry, Taps};
use super::nodes::nodes;
use super::variants::{DATA, Variant, choose, data_specialisations};
use crate::kernels::extent::Extent;
use crate::kernels::matmul::{ACCUMULATES, Epilogue};
use crate::kernels::{bytes, params, shader};
use crate::plan::{
    self, Call, Const, Cost, Dispatch, Kernel, Needs, PAD, Plan, Slot, Target, Tensor, Trusted, read, write,
};

/// Which of the two pictures is computed from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Way {
    /// The coarse one from the fine one: a convolution.
    Gather = 0,
    /// The fine one from the coarse one: a transposed convolution.
    Scatter = 1,
}

impl Way {
    /// The way with this number in the shaders; panics on a number that stands for none.
    pub fn from_u32(value: u32) -> Way {
        match value {
            0 => Way::Gather,
            1 => Way::Scatter,
            _ => panic!("{value} is not the number of a way"),
        }
    }

    /// From the picture that is read to the one that is computed.
    pub(crate) fn ends(self, geometry: &Geometry) -> [Extent; 2] {
        match self {
            Way::Gather => [geometry.fine, geometry.coarse],
            Way::Scatter => [geometry.coarse, geometry.fine],
        }
    }
}

params! {
    /// See `shaders/shared/conv.wgsl`.
    pub(super) struct Params {
        count: u32,
        source_height: u32,
        source_width: u32,
        source_vectors: u32,
        height: u32,
        width: u32,
        channels: u32,
        c_vectors: u32,
        extra_vectors: u32,
        kernel: u32,
        stride: u32,
        pad: u32,
        w_row: u32,
        w_tap: u32,
        tiles: u32,
    }
}

impl Params {
    /// The taps.
    pub fn taps(&self) -> Taps {
        let [kernel, stride, pad] = [self.kernel, self.stride, self.pad].map(|size| size as usize);
        Taps { kernel, stride, pad }
    }
}

const SLOTS: &[Slot] =
    &[read(1, "x"), read(2, "w"), read(3, "extra"), write(4, "c").updated_where(ACCUMULATES)];

const fn kernel(
    name: &'static str,
    source: &'static str,
    needs: Needs,
    variants: fn() -> Vec<Vec<Const>>,
) -> Kernel {
    Kernel {
        name,
        entry: "main",
        source,
        params: Params::FIELDS,
        slots: SLOTS,
        step: false,
        needs,
        trusted: Trusted,
        nodes: Some(nodes),
        variants,
        reference,
    }
}

pub(super) static PORTABLE: Kernel =
    kernel("conv/portable", shader!("conv/portable"), Needs::Nothing, || data_specialisations(&PORTABLE));

pub(super) static SUBGROUP: Kernel =
    kernel("conv/subgroup", shader!("conv/subgroup"), Needs::Lanes, || data_specialisations(&SUBGROUP));

pub(super) fn constants<T>(variant: &Variant, way: Way, epilogue: &Epilogue<T>) -> Vec<Const> {
    let [number, activation] = epilogue.constants();
    variant.specialise(&[("WAY", way as u32), number, activation])
}

/// Where tap number `tap` of a side meets position `at` of c in x; None if it does not, or in the zeros around x.
fn meet(way: Way, taps: Taps, at: usize, tap: usize, source: usize) -> Option<usize> {
    let position = match way {
        Way::Gather => (taps.stride * at + tap).checked_sub(taps.pad)?,
        Way::Scatter => {
            let distance = (at + taps.pad).checked_sub(tap)?;
            if !distance.is_multiple_of(taps.stride) {
                return None;
            }
            distance / taps.stride
        }
    };
    (position < source).then_some(position)
}

fn reference(call: &dyn Call) {
    let p: Params = plan::params(call);
    let (way, taps) = (Way::from_u32(call.constant("WAY")), p.taps());
    let [x, w, extra, c] = call.slots();
    let epilogue = Epilogue::from_constants(|name| call.constant(name)).map(|()| extra);
    let [height, width, channels] = [p.height, p.width, p.channels].map(|size| size as usize);
    let [source_height, source_width] = [p.source_height, p.source_width].map(|size| size as usize);
    let (sources, tap_columns) = (x.shape().cols, PAD * p.w_tap as usize);
    for image in 0..p.count as usize {
        for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
            let at = (image * height + row) * width + column;
            for channel in 0..channels {
                let mut sum = 0.0;
                for i in 0..taps.kernel {
                    let Some(y) = meet(way, taps, row, i, source_height) else { continue };
                    for j in 0..taps.kernel {
                        let Some(z) = meet(way, taps, column, j, source_width) else { continue };
                        let from = (image * source_height + y) * source_width + z;
                        let tap = (i * taps.kernel + j) * tap_columns;
                        for source in 0..sources {
                            let weight = match way {
                                Way::Gather => w.get(channel, tap + source),
                                Way::Scatter => w.get(source, tap + channel),
                            };
                            sum += x.get(from, source) * weight;
                        }
                    }
                }
                match epilogue {
                    Epilogue::Store => c.put(at, channel, sum),
                    Epilogue::Forward(f, bias) => c.put(at, channel, f.apply(sum + bias.at(channel))),
                    Epilogue::Backward(f, kept) => {
                        c.put(at, channel, sum * f.derivative(kept.get(at, channel)));
                    }
                    Epilogue::Accumulate => c.put(at, channel, c.get(at, channel) + sum),
                    Epilogue::Gradient(_) => panic!("the gradient of weights has a kernel of its own"),
                }
            }
        }
    }
}

/// Appends c = epilogue(x convolved with w) with the variant that [`choose`] picks.
pub(crate) fn conv(
    plan: &mut Plan,
    target: &Target,
    label: &str,
    (way, geometry): (Way, &Geometry),
    tensors: (Tensor, Tensor, Tensor),
    epilogue: Epilogue,
) {
    let variant = choose(DATA, target, tensors.2.cols);
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
    let extra = match epilogue {
        // The slot must be bound to something.
        Epilogue::Store | Epilogue::Accumulate => x,
        Epilogue::Forward(activation, bias) => {
            assert_eq!((bias.rows, bias.cols), (1, c.cols), "{label}: shape of the bias");
            assert!(!activation.keeps_input(), "{label}: this activation needs a kernel of its own");
            bias
        }
        Epilogue::Backward(_, kept) => {
            assert_eq!((kept.rows, kept.cols), (c.rows, c.cols), "{label}: shape of kept");
            kept
        }
        Epilogue::Gradient(_) => panic!("{label}: the gradient of weights has a kernel of its own"),
    };
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
    };
    let (phases, per_phase) = match way {
        Way::Gather => (1, to.positions()),
        Way::Scatter => {
            let side = |length: usize| length.div_ceil(taps.stride);
            (taps.stride * taps.stride, side(to.height) * side(to.width))
        }
    };
    let [groups_x, groups_y, _] = plan::linear_grid((count * per_phase).div_ceil(PAD), variant.invocations);
    plan.push(Dispatch {
        kernel: variant.kernel,
        label: label.into(),
        consts: constants(variant, way, &epilogue),
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
