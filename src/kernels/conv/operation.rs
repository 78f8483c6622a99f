//! What a convolution computes, and its CPU reference.

use super::geometry::{Geometry, Taps};
use crate::kernels::extent::Extent;
use crate::kernels::matmul::Epilogue;
use crate::kernels::params;
use crate::plan::{self, Call, PAD};

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
        x_first: u32,
        w_first: u32,
        extra_first: u32,
    }
}

impl Params {
    /// The taps.
    pub fn taps(&self) -> Taps {
        let [kernel, stride, pad] = [self.kernel, self.stride, self.pad].map(|size| size as usize);
        Taps { kernel, stride, pad }
    }
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

/// c = epilogue(sum over taps and channels).
pub(super) fn reference(call: &dyn Call) {
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
                c.put(at, channel, epilogue.finish(sum, c, at, channel));
            }
        }
    }
}
