//! What the gradient of a convolution's weights computes, and its CPU reference.

use crate::kernels::params;
use crate::plan::{self, Call, PAD};

params! {
    /// See `shaders/shared/conv_weights.wgsl`.
    pub(super) struct Params {
        count: u32,
        coarse_height: u32,
        coarse_width: u32,
        coarse_vectors: u32,
        fine_height: u32,
        fine_width: u32,
        fine_vectors: u32,
        rows: u32,
        row_vectors: u32,
        kernel: u32,
        stride: u32,
        pad: u32,
        length: u32,
        part_vectors: u32,
        bias_at: u32,
        coarse_first: u32,
        fine_first: u32,
    }
}

/// Each part of d_W and, if it is asked for, of d_bias.
pub(super) fn reference(call: &dyn Call) {
    let p: Params = plan::params(call);
    let [coarse, fine, parts] = call.slots();
    let size = |value: u32| value as usize;
    let (height, width) = (size(p.coarse_height), size(p.coarse_width));
    let positions = size(p.count) * height * width;
    let (tap_columns, part_words) = (PAD * size(p.fine_vectors), PAD * size(p.part_vectors));
    // Where a tap meets a position of the coarse picture in the fine one.
    let meet = |at: usize, tap: usize, length: u32| {
        (size(p.stride) * at + tap).checked_sub(size(p.pad)).filter(|at| *at < size(length))
    };
    for part in 0..parts.shape().cols / part_words {
        let places = (part * size(p.length)..positions.min((part + 1) * size(p.length))).map(|position| {
            let (row, column) = (position / width, position % width);
            (position, row / height, row % height, column)
        });
        for row in 0..size(p.rows) {
            for column in 0..PAD * size(p.row_vectors) {
                let (tap, channel) = (column / tap_columns, column % tap_columns);
                let (i, j) = (tap / size(p.kernel), tap % size(p.kernel));
                let mut sum = 0.0;
                for (position, image, y, x) in places.clone() {
                    let meeting = meet(y, i, p.fine_height).zip(meet(x, j, p.fine_width));
                    if let Some((y, x)) = meeting {
                        let at = (image * size(p.fine_height) + y) * size(p.fine_width) + x;
                        sum += coarse.get(position, row) * fine.get(at, channel);
                    }
                }
                parts.set(part * part_words + row * PAD * size(p.row_vectors) + column, sum);
            }
            if call.constant("BIAS") == 1 {
                let sum = places.clone().map(|(position, ..)| coarse.get(position, row)).sum();
                parts.set(part * part_words + PAD * size(p.bias_at) + row, sum);
            }
        }
    }
}
