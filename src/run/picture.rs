//! Pictures of data: a grid of images as a PNG file.
//!
//! Values run from 0 (black) to 1 (white). Values outside are clamped and NaN is black, since pictures of a broken
//! model should still be drawn.

use std::fs;
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::write_atomic;
use crate::data::Shape;
use crate::error::{Error, Result};

/// Images with shorter sides are drawn at twice their size.
const SMALL: usize = 40;
/// Pixels around each image.
const SEPARATOR: usize = 2;
/// Pixels between a reconstruction and the next original below it.
const PAIR_GAP: usize = 8;
/// The colour of both gaps: dark, but the black images of digits still show their edges.
const SEPARATOR_GREY: u8 = 64;
/// Most pixels of a picture: 8192 x 8192, which viewers still open.
pub(crate) const MAX_PIXELS: usize = 1 << 26;

/// Writes the N x D `images` to `path`, `columns` per row, as [`grid_png`] draws them.
///
/// # Errors
/// As [`grid_png`]; [`Error::Io`].
pub fn grid(path: &Path, images: &[f32], shape: Shape, columns: usize) -> Result<()> {
    write(path, &grid_png(images, shape, columns)?)
}

/// Writes a picture, and makes the folder that it is to be in.
fn write(path: &Path, png: &[u8]) -> Result<()> {
    // A run that was taken away is not made anew: then the write says so.
    let _ = path.parent().map(fs::create_dir);
    write_atomic(path, |out| out.write_all(png))
}

/// The N x D `images` as a PNG file in memory, `columns` per row.
///
/// # Errors
/// [`Error::Usage`] if there is no image, if `shape` does not have 1 or 3 channels, or if the picture is larger than
/// viewers can open.
///
/// # Panics
/// If `images` is not a whole number of images.
pub fn grid_png(images: &[f32], shape: Shape, columns: usize) -> Result<Vec<u8>> {
    draw(&[images], SEPARATOR, shape, columns)
}

/// Writes N x D `originals`, each above its reconstruction, to `path`, `columns` per row, as
/// [`reconstruction_grid_png`] draws them.
///
/// # Errors
/// As [`grid_png`]; [`Error::Io`].
pub fn reconstruction_grid(
    path: &Path,
    originals: &[f32],
    reconstructions: &[f32],
    shape: Shape,
    columns: usize,
) -> Result<()> {
    write(path, &reconstruction_grid_png(originals, reconstructions, shape, columns)?)
}

/// N x D `originals`, each above its reconstruction, as a PNG file in memory.
///
/// # Errors
/// As [`grid_png`].
///
/// # Panics
/// As [`grid_png`], and if the numbers of originals and reconstructions differ.
pub fn reconstruction_grid_png(
    originals: &[f32],
    reconstructions: &[f32],
    shape: Shape,
    columns: usize,
) -> Result<Vec<u8>> {
    draw(&[originals, reconstructions], PAIR_GAP, shape, columns)
}

/// N x D `originals` as a PNG file in memory, each above its reconstruction and a map of `nats` [N, D], -log p of each value:
/// black where the image is least strange to the model, over red and yellow to white where it is strangest. Each map has
/// a scale of its own.
///
/// # Errors
/// As [`grid_png`].
///
/// # Panics
/// As [`reconstruction_grid_png`], and if there are not as many `nats`.
pub fn strangeness_grid_png(
    originals: &[f32],
    reconstructions: &[f32],
    nats: &[f32],
    shape: Shape,
    columns: usize,
) -> Result<Vec<u8>> {
    let coloured = |images: &[f32]| match shape.channels {
        1 => images.iter().flat_map(|value| [*value; 3]).collect(),
        _ => images.to_vec(),
    };
    let maps: Vec<f32> = nats.chunks(shape.dim()).flat_map(|nats| heat_map(nats, shape.channels)).collect();
    let (originals, reconstructions) = (coloured(originals), coloured(reconstructions));
    draw(&[&originals, &reconstructions, &maps], PAIR_GAP, Shape { channels: 3, ..shape }, columns)
}

/// The nats of each pixel, all its channels together.
pub fn nats_of_pixels(nats: &[f32], channels: usize) -> Vec<f32> {
    nats.chunks(channels).map(|pixel| pixel.iter().sum()).collect()
}

/// Red, green and blue of each pixel, from the least nats (black) to the most (white).
fn heat_map(nats: &[f32], channels: usize) -> Vec<f32> {
    let pixels = nats_of_pixels(nats, channels);
    let least = pixels.iter().copied().fold(f32::INFINITY, f32::min);
    let most = pixels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let spread = if most > least { most - least } else { 1.0 };
    let heat = |nats: f32| [0.0, 1.0, 2.0].map(|from| (3.0 * (nats - least) / spread - from).clamp(0.0, 1.0));
    pixels.into_iter().flat_map(heat).collect()
}

/// One image of D values as a PNG file in memory, at its own size.
///
/// # Errors
/// As [`grid_png`].
///
/// # Panics
/// If there are not D values.
pub fn image_png(image: &[f32], shape: Shape) -> Result<Vec<u8>> {
    let pixels = enlarged(image, shape, 1)?;
    Ok(encode_png(&pixels, (shape.width, shape.height), shape.channels))
}

/// The pixels of one image, enlarged `scale` times.
pub(super) fn enlarged(image: &[f32], shape: Shape, scale: usize) -> Result<Vec<u8>> {
    assert_eq!(image.len(), shape.dim(), "an image of {shape}");
    let mut canvas = Canvas::new(shape.width * scale, shape.height * scale, shape.channels)?;
    canvas.blit(image, shape.width, scale, (0, 0));
    Ok(canvas.pixels)
}

/// Draws rows of blocks; a block holds one image from each layer, one below the other. `gap` is extra space between
/// rows of blocks.
fn draw(layers: &[&[f32]], gap: usize, shape: Shape, columns: usize) -> Result<Vec<u8>> {
    let dim = shape.dim();
    let count = layers[0].len() / dim;
    assert!(layers.iter().all(|layer| layer.len() == count * dim), "layers of {count} images of {shape}");
    if count == 0 {
        return Err(Error::Usage("a picture needs at least one image".to_owned()));
    }
    let columns = columns.clamp(1, count);
    let scale = if shape.width.max(shape.height) < SMALL { 2 } else { 1 };
    let cell = (shape.width * scale + SEPARATOR, shape.height * scale + SEPARATOR);
    let block_height = layers.len() * cell.1 + gap - SEPARATOR;

    // A separator on every side; the last gap counts as one.
    let width = columns * cell.0 + SEPARATOR;
    let height = count.div_ceil(columns) * block_height - gap + 2 * SEPARATOR;
    let mut canvas = Canvas::new(width, height, shape.channels)?;
    for (layer, images) in layers.iter().enumerate() {
        for (index, image) in images.chunks_exact(dim).enumerate() {
            let x = SEPARATOR + index % columns * cell.0;
            let y = SEPARATOR + index / columns * block_height + layer * cell.1;
            canvas.blit(image, shape.width, scale, (x, y));
        }
    }
    Ok(encode_png(&canvas.pixels, (width, height), shape.channels))
}

/// A picture being drawn: rows of pixels, with a pixel's channels together.
struct Canvas {
    width: usize,
    channels: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    fn new(width: usize, height: usize, channels: usize) -> Result<Canvas> {
        if !matches!(channels, 1 | 3) {
            return Err(Error::Usage(format!(
                "a picture has 1 channel (grey) or 3 (red, green, blue), but this data has {channels}"
            )));
        }
        match width.checked_mul(height) {
            Some(area) if area <= MAX_PIXELS => {
                Ok(Canvas { width, channels, pixels: vec![SEPARATOR_GREY; area * channels] })
            }
            _ => Err(Error::Usage(format!(
                "the picture would be {width}x{height} pixels, more than {MAX_PIXELS} in all\n  \
                 ask for fewer images"
            ))),
        }
    }

    /// Draws `image`, rows of `width` pixels, with its top left corner at (`left`, `top`).
    fn blit(&mut self, image: &[f32], width: usize, scale: usize, (left, top): (usize, usize)) {
        for (y, row) in image.chunks_exact(width * self.channels).enumerate() {
            let wide = row
                .chunks_exact(self.channels)
                .flat_map(|pixel| std::iter::repeat_n(pixel, scale))
                .flatten()
                .map(|&value| to_byte(value));
            let start = ((top + y * scale) * self.width + left) * self.channels;
            let end = start + row.len() * scale;
            for (pixel, value) in self.pixels[start..end].iter_mut().zip(wide) {
                *pixel = value;
            }
            for copy in 1..scale {
                self.pixels.copy_within(start..end, start + copy * self.width * self.channels);
            }
        }
    }
}

/// Width and height of a PNG file written by this crate; 0 for anything else.
#[cfg(feature = "export")]
pub(super) fn png_size(png: &[u8]) -> (u32, u32) {
    // The signature, and the length and name of the header, come first.
    let number =
        |at: usize| png.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    (number(16), number(20))
}

/// [0, 1] to 0..=255. The cast saturates, and turns NaN into 0.
pub(crate) fn to_byte(value: f32) -> u8 {
    (value * 255.0).round() as u8
}

/// Rows of 1- or 3-channel pixels as a PNG file. The caller has capped the size.
pub(crate) fn encode_png(pixels: &[u8], size: (usize, usize), channels: usize) -> Vec<u8> {
    let colour = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive)
        .write_image(pixels, size.0 as u32, size.1 as u32, colour)
        .expect("encoding into memory meets no failing disk");
    png
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const GREY: Shape = Shape { width: 3, height: 2, channels: 1 };
    const EDGE: u8 = SEPARATOR_GREY;

    pub(in crate::run) fn decode(png: &[u8]) -> image::DynamicImage {
        image::load_from_memory_with_format(png, image::ImageFormat::Png).unwrap()
    }

    #[test]
    fn every_pixel_is_where_it_belongs() {
        // Two images of 3x2 at twice their size: 2 + 6 + 2 + 6 + 2 wide, 2 + 4 + 2 high.
        let images: Vec<f32> = (1..=12).map(|value| value as f32 / 255.0).collect();
        let picture = decode(&grid_png(&images, GREY, 2).unwrap()).into_luma8();
        assert_eq!(picture.dimensions(), (18, 8));
        for (x, y, pixel) in picture.enumerate_pixels() {
            let inside = |x: u32| (2..8).contains(&x) || (10..16).contains(&x);
            let expected = if inside(x) && (2..6).contains(&y) {
                let image = (x - 2) / 8;
                1 + image * 6 + (y - 2) / 2 * 3 + (x - 2) % 8 / 2
            } else {
                u32::from(EDGE)
            };
            assert_eq!(u32::from(pixel.0[0]), expected, "at {x}, {y}");
        }
    }

    #[test]
    fn an_unfinished_row_is_filled_with_the_separator() {
        let picture = decode(&grid_png(&[1.0; 18], GREY, 2).unwrap()).into_luma8();
        assert_eq!(picture.dimensions(), (18, 14));
        assert_eq!((picture.get_pixel(3, 9).0, picture.get_pixel(11, 9).0), ([255], [EDGE]));
    }

    #[test]
    fn more_columns_than_images_make_no_empty_columns() {
        let picture = decode(&grid_png(&[1.0; 6], GREY, 100).unwrap());
        assert_eq!((picture.width(), picture.height()), (10, 8));
        // A column count of 0 counts as 1.
        assert_eq!(decode(&grid_png(&[1.0; 12], GREY, 0).unwrap()).width(), 10);
    }

    #[test]
    fn reconstructions_lie_below_their_originals_with_a_gap_between_pairs() {
        let (originals, reconstructions) = ([1.0; 12], [0.0; 12]);
        let png = reconstruction_grid_png(&originals, &reconstructions, GREY, 1).unwrap();
        let picture = decode(&png).into_luma8();
        let column: Vec<u8> = (0..picture.height()).map(|y| picture.get_pixel(4, y).0[0]).collect();
        let run = |value: u8, length: usize| vec![value; length];
        let pair = [run(255, 4), run(EDGE, 2), run(0, 4)].concat();
        assert_eq!(column, [run(EDGE, 2), pair.clone(), run(EDGE, 8), pair, run(EDGE, 2)].concat());
    }

    #[test]
    fn values_outside_are_clamped_and_nan_is_black() {
        let values = [f32::NAN, f32::INFINITY, -3.0, 1.5, 0.5, f32::NEG_INFINITY];
        assert_eq!(values.map(to_byte), [0, 255, 0, 255, 128, 0]);
    }

    #[test]
    fn colours_stay_together_and_large_images_keep_their_size() {
        let shape = Shape { width: 40, height: 1, channels: 3 };
        let mut image = vec![0.0; shape.dim()];
        image[3..6].copy_from_slice(&[1.0, 0.2, 0.4]);
        let picture = decode(&grid_png(&image, shape, 1).unwrap()).into_rgb8();
        assert_eq!(picture.dimensions(), (44, 5));
        assert_eq!(picture.get_pixel(3, 2).0, [255, 51, 102]);
    }

    #[test]
    fn a_single_image_has_its_own_pixels_and_nothing_around() {
        let values = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
        let picture = decode(&image_png(&values, GREY).unwrap()).into_luma8();
        assert_eq!(
            (picture.dimensions(), &picture.into_raw()[..]),
            ((3, 2), &[0, 51, 102, 153, 204, 255][..])
        );
        assert_eq!(
            enlarged(&values[..2], Shape { height: 1, width: 2, channels: 1 }, 2).unwrap(),
            [0, 0, 51, 51, 0, 0, 51, 51]
        );
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let refusal = |images: &[f32], shape| grid_png(images, shape, 1).unwrap_err().to_string();
        assert!(refusal(&[], GREY).contains("at least one image"));
        let two = Shape { width: 1, height: 1, channels: 2 };
        assert!(refusal(&[0.0, 0.0], two).contains("this data has 2"));
        let dot = Shape { width: 1, height: 1, channels: 1 };
        assert!(refusal(&vec![0.0; 1 << 22], dot).contains("ask for fewer images"));
    }
}
