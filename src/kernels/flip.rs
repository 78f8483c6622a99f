//! Mirrors pictures by chance (`shaders/flip.wgsl`).

use super::{elementwise, params, philox, shader};
use crate::plan::{Call, Dispatch, Kernel, Plan, Tensor, linear_grid, read, write};

params! {
    /// See `shaders/flip.wgsl`.
    struct Params {
        batch: u32,
        dim: u32,
        vectors: u32,
        width: u32,
        channels: u32,
    }
}

/// y\[b\] = x\[b\] or its mirror image.
pub static FLIP: Kernel = Kernel::new(
    shader!("flip"),
    "main",
    Params::FIELDS,
    &[read(1, "x"), write(2, "y")],
    |call: &dyn Call| {
        let [x, y] = call.slots();
        let p: Params = crate::plan::params(call);
        let (width, channels) = (p.width as usize, p.channels as usize);
        for row in 0..p.batch as usize {
            let (step, place) = (call.step(), call.step().first_place as usize + row);
            let word = philox::word(call, step.step, place, 0, philox::STREAM_FLIP + step.stream);
            for d in 0..4 * p.vectors as usize {
                let (pixel, channel) = (d / channels, d % channels);
                let (line, column) = (pixel / width, pixel % width);
                let from = if word >> 31 == 1 {
                    (line * width + width - 1 - column) * channels + channel
                } else {
                    d
                };
                y.put(row, d, if d < p.dim as usize { x.get(row, from) } else { 0.0 });
            }
        }
    },
)
.stepping();

/// What is mirrored: pixels in a row of a picture, and values of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Pixels in a row.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
}

/// Appends y [B, D], from pictures x [B, D].
pub(crate) fn flip(plan: &mut Plan, Mirror { width, channels }: Mirror, x: Tensor, y: Tensor) {
    assert_eq!((x.rows, x.cols, x.stride), (y.rows, y.cols, y.stride), "shape of the mirror images");
    assert!(x.cols.is_multiple_of(width * channels), "whole rows of pixels");
    let params = Params {
        batch: x.rows as u32,
        dim: x.cols as u32,
        vectors: x.vectors(),
        width: width as u32,
        channels: channels as u32,
    };
    plan.push(Dispatch {
        kernel: &FLIP,
        label: "mirrored".into(),
        consts: vec![],
        params: params.to_bytes(),
        tensors: vec![x, y],
        workgroups: linear_grid(y.words() / 4, super::WORKGROUP),
        cost: elementwise(1, &[x, y]),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::Memory;
    use crate::plan::Step;

    const ROWS: usize = 400;

    /// The rows after a step, each a picture of 2 x 3 pixels with 2 channels.
    fn mirrored(step: u32) -> (Vec<f64>, Vec<f64>) {
        let mut plan = Plan::new("flip");
        let (x, y) = (plan.tensor("x", ROWS, 12), plan.tensor("y", ROWS, 12));
        flip(&mut plan, Mirror { width: 3, channels: 2 }, x, y);
        let mut memory = Memory::new(&plan);
        let before: Vec<f64> = (0..ROWS * 12).map(|i| i as f64).collect();
        memory.floats(x).copy_from_slice(&before);
        memory.run(&plan, &Step { step, seed_lo: 3, ..Step::default() });
        (before, memory.floats(y).to_vec())
    }

    #[test]
    fn about_half_of_the_pictures_are_turned_round_and_others_in_each_step() {
        let turned = |step| -> Vec<bool> {
            let (before, after) = mirrored(step);
            let pictures = before.chunks(12).zip(after.chunks(12));
            pictures
                .map(|(x, y)| {
                    // Pixel by pixel: the rows of three pixels keep their places.
                    let image: Vec<f64> = [4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7].map(|i| x[i]).to_vec();
                    assert!(y == x || y == image, "{x:?} became {y:?}");
                    y == image
                })
                .collect()
        };
        let (first, second) = (turned(1), turned(2));
        for turned in [&first, &second] {
            let count = turned.iter().filter(|turned| **turned).count();
            assert!((160..240).contains(&count), "{count} of {ROWS}");
        }
        assert_ne!(first, second);
        assert_eq!(first, turned(1));
    }
}
