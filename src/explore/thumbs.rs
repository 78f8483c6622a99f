//! Small pictures of data, all in one PNG.

use image::{DynamicImage, GrayImage, RgbImage};
use serde::Serialize;

use crate::data::Shape;
use crate::error::{Error, Result};
use crate::run::picture;

/// Most pixels of a side of a small picture.
const SIDE: usize = 32;

/// How the pictures lie in the PNG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Thumbs {
    /// Of one picture.
    pub width: usize,
    /// Of one picture.
    pub height: usize,
    /// Pictures in a row.
    pub columns: usize,
}

impl Thumbs {
    /// The PNG of the pictures x [N, D], and how they lie in it.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is larger than browsers decode.
    pub fn of(x: &[f32], shape: Shape) -> Result<(Thumbs, Vec<u8>)> {
        let count = x.len() / shape.dim();
        let columns = (count as f64).sqrt().ceil() as usize;
        let largest = shape.width.max(shape.height);
        let side = |side: usize| if largest <= SIDE { side } else { (side * SIDE).div_ceil(largest) };
        let thumbs = Thumbs { width: side(shape.width), height: side(shape.height), columns };
        let size = (thumbs.width * columns, thumbs.height * count.div_ceil(columns));
        if size.0.saturating_mul(size.1) > picture::MAX_PIXELS {
            return Err(Error::Usage(format!(
                "small pictures of {count} data are more than browsers show at once: use a smaller `limit`"
            )));
        }
        let mut pixels = vec![0u8; size.0 * size.1 * shape.channels];
        for (number, values) in x.chunks_exact(shape.dim()).enumerate() {
            let (left, top) = (number % columns * thumbs.width, number / columns * thumbs.height);
            let small = thumbs.small(values, shape);
            let row = thumbs.width * shape.channels;
            for (y, line) in small.chunks_exact(row).enumerate() {
                let at = ((top + y) * size.0 + left) * shape.channels;
                pixels[at..at + row].copy_from_slice(line);
            }
        }
        Ok((thumbs, picture::encode_png(&pixels, size, shape.channels)))
    }

    /// The bytes of one picture.
    fn small(self, x: &[f32], shape: Shape) -> Vec<u8> {
        let bytes: Vec<u8> = x.iter().map(|v| picture::to_byte(*v)).collect();
        let (width, height) = (shape.width as u32, shape.height as u32);
        if (self.width, self.height) == (shape.width, shape.height) {
            return bytes;
        }
        let image = match shape.channels {
            1 => GrayImage::from_raw(width, height, bytes).map(DynamicImage::from),
            _ => RgbImage::from_raw(width, height, bytes).map(DynamicImage::from),
        };
        let image = image.expect("as many bytes as the shape says");
        image.thumbnail_exact(self.width as u32, self.height as u32).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_row_by_row_and_large_ones_are_made_small() {
        let shape = Shape { width: 2, height: 1, channels: 1 };
        let (thumbs, png) =
            Thumbs::of(&[0.0, 1.0, 0.2, 0.4, 0.6, 0.8], Shape { height: 2, width: 1, ..shape }).unwrap();
        assert_eq!(thumbs, Thumbs { width: 1, height: 2, columns: 2 });
        let picture = image::load_from_memory(&png).unwrap().into_luma8();
        assert_eq!(
            (picture.dimensions(), &picture.into_raw()[..]),
            ((2, 4), &[0, 51, 255, 102, 153, 0, 204, 0][..])
        );
        let large = Shape { width: 64, height: 48, channels: 3 };
        let (thumbs, png) = Thumbs::of(&vec![0.5; large.dim()], large).unwrap();
        assert_eq!(thumbs, Thumbs { width: 32, height: 24, columns: 1 });
        assert!(image::load_from_memory(&png).unwrap().into_rgb8().into_raw().iter().all(|v| *v == 128));
        let one = Shape { width: 1, height: 1, channels: 1 };
        let refusal = Thumbs::of(&vec![0.0; (1 << 26) + 1], one).unwrap_err().to_string();
        assert!(refusal.contains("use a smaller `limit`"), "{refusal}");
    }
}
