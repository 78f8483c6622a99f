//! Decodes pictures.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::error::{ImageFormatHint, UnsupportedErrorKind};
use image::imageops::FilterType;
use image::{
    DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, Rgba,
};
use tiff::decoder::DecodingResult;

use super::super::reader::{POINTS, most_unpacked};
use super::tiff_pages::Page;

/// Most pixels per side of a picture before it is resized.
const MAX_SIDE: u32 = 1 << 15;
/// Most bytes of one decoded picture: 16 bits of four channels of 8192 x 8192.
const MAX_ALLOC: u64 = 512 << 20;
/// Most bytes of a picture file.
const MAX_FILE: u64 = 1 << 30;

/// Decodes a picture, or the page that stands there in the file; rotated as its camera recorded, on black where it is
/// transparent. If that fails, why, on one line.
pub(super) fn load(path: &Path, page: Option<u64>) -> Result<Picture, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?;
    if !size.is_file() {
        return Err(if size.is_dir() { "it is a folder" } else { "it is not a file" }.into());
    }
    if let Some(offset) = page {
        // Only this page is read of the file, which may have many.
        let open = || Page::new(BufReader::new(File::open(path)?), offset);
        let page = || open().map_err(|error| error.to_string());
        let picture =
            decode(ImageReader::with_format(BufReader::new(page()?), ImageFormat::Tiff), size.len());
        return picture.or_else(|why| grey_numbers(page()?, size.len()).map_err(|_| why));
    }
    if size.len() > MAX_FILE {
        return Err(format!("a file of more than {} MiB", MAX_FILE >> 20));
    }
    load_bytes(&fs::read(path).map_err(|error| error.to_string())?)
}

/// Decodes a picture from its file's content, as [`load`] does.
pub(super) fn load_bytes(bytes: &[u8]) -> Result<Picture, String> {
    if let Some(why) = no_picture(bytes) {
        return Err(why.to_owned());
    }
    // Content decides the format, not the name.
    let reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    let is_tiff = reader.format() == Some(ImageFormat::Tiff);
    let length = bytes.len() as u64;
    decode(reader, length).or_else(|why| match is_tiff {
        true => grey_numbers(Cursor::new(bytes), length).map_err(|_| why),
        false => Err(why),
    })
}

/// What a file is that only its name makes a picture.
fn no_picture(bytes: &[u8]) -> Option<&'static str> {
    let start = bytes.trim_ascii_start();
    match bytes {
        [] => Some("the file is empty"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => {
            Some("it is AVIF: convert it to png or jpeg")
        }
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("it is HEIC: convert it to png or jpeg"),
        _ if start.starts_with(POINTS) => Some("a pointer of Git LFS: fetch the file itself"),
        _ if start.starts_with(b"<") => Some("it is a page of the web, or an SVG"),
        _ => None,
    }
}

fn decode<R: BufRead + Seek>(mut reader: ImageReader<R>, length: u64) -> Result<Picture, String> {
    let told = |error: ImageError| unreadable(&error);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(told)?;
    // Those limits cover the decoder's own memory; the pixels come on top, and a header may lie.
    let pixels = decoder.total_bytes();
    let most = MAX_ALLOC.min(most_unpacked(length));
    if pixels > most {
        let (width, height) = decoder.dimensions();
        return Err(format!(
            "its {length} bytes claim to be {width}x{height} pixels, {} MiB, more than {} MiB",
            pixels >> 20,
            most >> 20
        ));
    }
    let orientation = decoder.orientation().map_err(told)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(told)?;
    if picture.width() == 0 || picture.height() == 0 {
        return Err("no pixels".into());
    }
    picture.apply_orientation(orientation);
    Ok(Picture::new(picture))
}

/// Why a picture cannot be read: of a kind that is not read, with what helps.
fn unreadable(error: &ImageError) -> String {
    let said = one_line(&error.to_string());
    let ImageError::Unsupported(unsupported) = error else { return said };
    if matches!(unsupported.kind(), UnsupportedErrorKind::Format(_)) {
        return said;
    }
    if unsupported.format_hint() != ImageFormatHint::Exact(ImageFormat::Tiff) {
        return format!("{said}: convert it to png");
    }
    let kinds = [("Palette", "a palette"), ("YCbCr", "colours in YCbCr"), ("CIELab", "colours in CIELab")];
    let kind = match kinds.iter().find(|(name, _)| said.contains(name)) {
        Some((_, kind)) => kind,
        None if matches!(unsupported.kind(), UnsupportedErrorKind::Color(_)) => "other colours than RGB",
        None => return format!("{said}: convert it to png"),
    };
    format!("a TIFF with {kind}, which is not read: convert it to png")
}

/// A page of numbers in one channel that pictures for a screen do not have, such as 32-bit floats.
fn grey_numbers(file: impl Read + Seek, length: u64) -> Result<Picture, String> {
    let told = |error: tiff::TiffError| one_line(&error.to_string());
    let mut limits = tiff::decoder::Limits::default();
    limits.decoding_buffer_size = MAX_ALLOC as usize;
    let mut decoder = tiff::decoder::Decoder::new(file).map_err(told)?.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(told)?;
    if !matches!(decoder.colortype().map_err(told)?, tiff::ColorType::Gray(_)) {
        return Err("not in one channel".into());
    }
    let bytes = u64::from(width) * u64::from(height) * size_of::<Rgb<f32>>() as u64;
    if bytes > MAX_ALLOC.min(most_unpacked(length)) {
        return Err(format!("its {length} bytes claim to be {width}x{height} pixels"));
    }
    let values: Vec<f32> = match decoder.read_image().map_err(told)? {
        DecodingResult::F16(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::F32(values) => values,
        DecodingResult::F64(values) => values.into_iter().map(|v| v as f32).collect(),
        DecodingResult::I8(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::I16(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::I32(values) => values.into_iter().map(|v| v as f32).collect(),
        DecodingResult::U32(values) => values.into_iter().map(|v| v as f32).collect(),
        _ => return Err("of a type that is not read".into()),
    };
    let values = values.into_iter().flat_map(|v| [v; 3]).collect();
    let pixels = ImageBuffer::<Rgb<f32>, Vec<f32>>::from_raw(width, height, values)
        .filter(|p| p.width() * p.height() > 0);
    Ok(Picture { image: pixels.ok_or("no pixels")?.into(), coloured: false })
}

/// The text on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A decoded picture.
pub(super) struct Picture {
    image: DynamicImage,
    /// Whether it is more than shades of grey. Grey floats are stored as three equal channels.
    pub coloured: bool,
}

impl Picture {
    fn new(image: DynamicImage) -> Picture {
        let image = if image.color().has_alpha() { on_black(image) } else { image };
        Picture { coloured: image.color().has_color(), image }
    }

    pub(super) fn size(&self) -> (u32, u32) {
        (self.image.width(), self.image.height())
    }

    /// Whether its values have more than eight bits.
    pub(super) fn is_deep(&self) -> bool {
        is_deep(&self.image)
    }

    /// The largest central part with that aspect ratio, resized: Lanczos to shrink, linear to enlarge.
    pub(super) fn resized(self, width: u32, height: u32) -> Picture {
        let shrinks = self.image.width() >= width && self.image.height() >= height;
        let filter = if shrinks { FilterType::Lanczos3 } else { FilterType::Triangle };
        let image = match self.image {
            DynamicImage::ImageRgb32F(mut pixels) => {
                // Resizing clips floats at 0 and 1, which other numbers must not notice.
                let (min, max) = pixels
                    .iter()
                    .fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), v| (min.min(*v), max.max(*v)));
                let spread = if max > min { max - min } else { 1.0 };
                pixels.iter_mut().for_each(|v| *v = (*v - min) / spread);
                let mut pixels =
                    DynamicImage::ImageRgb32F(pixels).resize_to_fill(width, height, filter).into_rgb32f();
                pixels.iter_mut().for_each(|v| *v = *v * spread + min);
                pixels.into()
            }
            image => image.resize_to_fill(width, height, filter),
        };
        Picture { image, ..self }
    }

    /// Its bytes, in one channel or three.
    pub(super) fn bytes(self, channels: usize, values: &mut [u8]) {
        match channels {
            1 => values.copy_from_slice(self.image.into_luma8().as_raw()),
            _ => values.copy_from_slice(self.image.into_rgb8().as_raw()),
        }
    }

    /// Its values, in one channel or three: those of whole numbers as shares of the largest that there can be.
    pub(super) fn floats(self, channels: usize, values: &mut [f32]) {
        let Picture { image, coloured } = self;
        match (image, channels) {
            (image, 1) if !is_deep(&image) => spread(image.into_luma8().as_raw(), u8::MAX, values),
            (image, _) if !is_deep(&image) => spread(image.into_rgb8().as_raw(), u8::MAX, values),
            (DynamicImage::ImageRgb32F(pixels), 1) if !coloured => {
                values.iter_mut().zip(pixels.pixels()).for_each(|(value, pixel)| *value = pixel.0[0]);
            }
            (image @ DynamicImage::ImageRgb32F(_), 1) => values.copy_from_slice(image.to_luma32f().as_raw()),
            (DynamicImage::ImageRgb32F(pixels), _) => values.copy_from_slice(pixels.as_raw()),
            (image, 1) => spread(image.into_luma16().as_raw(), u16::MAX, values),
            (image, _) => spread(image.into_rgb16().as_raw(), u16::MAX, values),
        }
    }
}

fn spread<T: Copy + Into<f32>>(from: &[T], most: T, values: &mut [f32]) {
    values.iter_mut().zip(from).for_each(|(value, from)| *value = (*from).into() / most.into());
}

fn is_deep(image: &DynamicImage) -> bool {
    image.color().bytes_per_pixel() > image.color().channel_count()
}

/// Blends the picture with black, in the number of channels that its colours need.
fn on_black(image: DynamicImage) -> DynamicImage {
    let coloured = image.color().has_color();
    match image {
        DynamicImage::ImageRgba32F(pixels) => {
            let blend = |Rgba([r, g, b, a]): &Rgba<f32>| [r * a, g * a, b * a];
            let (width, height) = pixels.dimensions();
            let values = pixels.pixels().flat_map(blend).collect();
            ImageBuffer::<Rgb<f32>, _>::from_raw(width, height, values).expect("three values a pixel").into()
        }
        image if is_deep(&image) => {
            let mut pixels = image.into_rgba16();
            for pixel in pixels.pixels_mut() {
                let [r, g, b, a] = pixel.0;
                let shade = |v: u16| ((u64::from(v) * u64::from(a) + 32767) / 65535) as u16;
                pixel.0 = [shade(r), shade(g), shade(b), u16::MAX];
            }
            let image = DynamicImage::ImageRgba16(pixels);
            if coloured { image.into_rgb16().into() } else { image.into_luma16().into() }
        }
        image => {
            let mut pixels = image.into_rgba8();
            for pixel in pixels.pixels_mut() {
                let [r, g, b, a] = pixel.0;
                let shade = |v: u8| ((u32::from(v) * u32::from(a) + 127) / 255) as u8;
                pixel.0 = [shade(r), shade(g), shade(b), 255];
            }
            let image = DynamicImage::ImageRgba8(pixels);
            if coloured { image.into_rgb8().into() } else { image.into_luma8().into() }
        }
    }
}
