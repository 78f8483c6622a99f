//! Which positions of two pictures a convolution's taps tie together.

use crate::kernels::extent::Extent;
use crate::plan::{PAD, round_up};

/// Taps of a convolution: `kernel` x `kernel` of them, `stride` positions apart, with `pad` rows and columns of zeros around
/// the fine picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taps {
    /// Taps along a side.
    pub kernel: usize,
    /// S: positions of the fine picture from one of the coarse to the next.
    pub stride: usize,
    /// P.
    pub pad: usize,
}

impl Taps {
    /// Taps with the padding under which a stride divides the picture's size: ceil((kernel - stride) / 2) and, without a
    /// stride, (kernel - 1) / 2, rounded down.
    pub fn new(kernel: usize, stride: usize) -> Taps {
        let pad = if stride == 1 { (kernel - 1) / 2 } else { kernel.saturating_sub(stride).div_ceil(2) };
        Taps { kernel, stride, pad }
    }

    /// The length of the coarse side that belongs to a fine one; None if the taps do not fit into it.
    pub fn coarse(self, fine: usize) -> Option<usize> {
        let room = (fine + 2 * self.pad).checked_sub(self.kernel)?;
        Some(room / self.stride + 1)
    }

    /// The fine side that a transposed convolution makes of a coarse one where none is asked for: `stride` times as long, if
    /// the padding allows it; else the nearest to that.
    pub fn fine(self, coarse: usize) -> Option<usize> {
        let Taps { kernel, stride, pad } = self;
        let least =
            (coarse.checked_sub(1)? * stride + kernel).checked_sub(2 * pad).filter(|side| *side > 0)?;
        Some((coarse * stride).clamp(least, least + stride - 1))
    }
}

/// A fine picture, the coarse one that a convolution makes of it, and the taps between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The input of a convolution, the output of a transposed one.
    pub fine: Extent,
    /// The output of a convolution, the input of a transposed one.
    pub coarse: Extent,
    /// The taps.
    pub taps: Taps,
}

impl Geometry {
    /// Between a fine picture and the coarse one of so many channels that belongs to it. None if the taps do not fit.
    pub fn from_fine(fine: Extent, channels: usize, taps: Taps) -> Option<Geometry> {
        let (height, width) = (taps.coarse(fine.height)?, taps.coarse(fine.width)?);
        Some(Geometry { fine, coarse: Extent { height, width, channels }, taps })
    }

    /// Columns of the fine picture's channels in a tap of the weights, padded to whole vectors.
    pub fn tap(&self) -> usize {
        round_up(self.fine.channels, PAD)
    }

    /// Rows and columns of the weights: [O, kernel x kernel x C], with each tap's channels padded to whole vectors.
    pub fn weight(&self) -> [usize; 2] {
        [self.coarse.channels, self.taps.kernel * self.taps.kernel * self.tap()]
    }

    /// Multiply-adds for one datum: each tap inside the fine picture or around it.
    pub fn multiply_adds(&self) -> usize {
        self.coarse.len() * self.taps.kernel * self.taps.kernel * self.fine.channels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stride_divides_the_size_of_a_picture() {
        for (kernel, stride, pad) in [
            (4, 2, 1),
            (3, 1, 1),
            (3, 2, 1),
            (5, 2, 2),
            (1, 1, 0),
            (7, 1, 3),
            (2, 2, 0),
            (1, 2, 0),
            (7, 4, 2),
        ] {
            let taps = Taps::new(kernel, stride);
            assert_eq!(taps.pad, pad, "{kernel}/{stride}");
            assert_eq!(taps.coarse(28), Some(28 / stride), "{kernel}/{stride}");
            assert_eq!(taps.fine(28 / stride), Some(28), "{kernel}/{stride}");
        }
        // An even kernel without a stride has no middle.
        assert_eq!(Taps::new(4, 1).coarse(28), Some(27));
        assert_eq!(Taps::new(4, 1).fine(27), Some(28));
        assert_eq!(Taps { kernel: 5, stride: 1, pad: 0 }.coarse(4), None);
        assert_eq!(Taps { kernel: 4, stride: 1, pad: 0 }.fine(1), Some(4));
        assert_eq!(Taps { kernel: 1, stride: 1, pad: 3 }.fine(2), None);
    }
}
