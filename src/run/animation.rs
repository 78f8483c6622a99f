//! Animations of data, as GIF or APNG.

use std::io;

use super::picture::enlarged;
use crate::data::Shape;
use crate::error::{Error, Result};

/// Small images are enlarged by the largest whole factor that keeps their longer side within this.
const SIDE: usize = 256;
/// Most pixels over all frames, before compression.
const MAX_PIXELS: usize = 1 << 28;
/// Most pixels per side of a GIF.
const MAX_GIF_SIDE: usize = u16::MAX as usize;
/// The speed of NeuQuant: 10 is its default balance between time and colours.
const GIF_SPEED: i32 = 10;

/// A file format for animations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Animation {
    /// GIF: every viewer shows it; at most 256 colours per frame, and times in hundredths of a second.
    Gif,
    /// APNG: all colours; browsers animate it, and other viewers show the first frame.
    Apng,
}

impl Animation {
    /// The N x D `frames` as a file in memory that loops.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no frame, if `shape` does not have 1 or 3 channels, or if there are more pixels
    /// than viewers can hold.
    ///
    /// # Panics
    /// If `frames` is not a whole number of images.
    pub fn encode(self, frames: &[f32], shape: Shape, frames_per_second: u16) -> Result<Vec<u8>> {
        let count = frames.len() / shape.dim();
        assert_eq!(frames.len(), count * shape.dim(), "frames of {shape}");
        let scale = (SIDE / shape.width.max(shape.height)).max(1);
        let (width, height) = (shape.width * scale, shape.height * scale);
        let pixels = width.saturating_mul(height).saturating_mul(count);
        let too_wide = self == Animation::Gif && width.max(height) > MAX_GIF_SIDE;
        if count == 0 || pixels > MAX_PIXELS || too_wide {
            return Err(Error::Usage(format!(
                "an animation of {count} frames of {width}x{height} pixels: use 1 to {} frames of this size",
                MAX_PIXELS / (width * height)
            )));
        }
        let frames: Vec<Vec<u8>> = frames
            .chunks_exact(shape.dim())
            .map(|frame| enlarged(frame, shape, scale))
            .collect::<Result<_>>()?;
        let encode = match self {
            Animation::Gif => gif,
            Animation::Apng => apng,
        };
        encode(&frames, (width as u32, height as u32), shape.channels, frames_per_second)
            .map_err(|error| Error::io("draw", "the animation", error))
    }
}

fn gif(frames: &[Vec<u8>], size: (u32, u32), channels: usize, fps: u16) -> io::Result<Vec<u8>> {
    let (width, height) = (size.0 as u16, size.1 as u16);
    // Grey needs no colour quantisation: the palette of all greys is exact.
    let greys: Vec<u8> =
        if channels == 1 { (0..=255).flat_map(|grey| [grey; 3]).collect() } else { Vec::new() };
    let mut out = Vec::new();
    let mut encoder = gif::Encoder::new(&mut out, width, height, &greys).map_err(io::Error::other)?;
    encoder.set_repeat(gif::Repeat::Infinite).map_err(io::Error::other)?;
    for pixels in frames {
        let mut frame = match channels {
            1 => gif::Frame::from_indexed_pixels(width, height, pixels.as_slice(), None),
            _ => gif::Frame::from_rgb_speed(width, height, pixels, GIF_SPEED),
        };
        frame.delay = (100 / fps.max(1)).max(1);
        encoder.write_frame(&frame).map_err(io::Error::other)?;
    }
    drop(encoder);
    Ok(out)
}

fn apng(frames: &[Vec<u8>], size: (u32, u32), channels: usize, fps: u16) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, size.0, size.1);
    encoder.set_color(if channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(frames.len() as u32, 0).map_err(io::Error::other)?;
    encoder.set_frame_delay(1, fps.max(1)).map_err(io::Error::other)?;
    let mut writer = encoder.write_header().map_err(io::Error::other)?;
    for pixels in frames {
        writer.write_image_data(pixels).map_err(io::Error::other)?;
    }
    writer.finish().map_err(io::Error::other)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Width, height, and the first pixel of each frame of an APNG.
    fn read_apng(bytes: &[u8]) -> (u32, u32, Vec<[u8; 3]>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let control = *reader.info().animation_control().expect("it moves");
        assert_eq!((control.num_plays, reader.info().frame_control().unwrap().delay_den), (0, 12));
        let (width, height) = (reader.info().width, reader.info().height);
        let mut frame = vec![0; reader.output_buffer_size().unwrap()];
        let first =
            |bytes: &[u8], samples| if samples == 1 { [bytes[0]; 3] } else { [bytes[0], bytes[1], bytes[2]] };
        let pixels = (0..control.num_frames).map(|_| {
            let info = reader.next_frame(&mut frame).unwrap();
            first(&frame, info.color_type.samples())
        });
        (width, height, pixels.collect())
    }

    /// Width, height, and the first pixel of each frame of a GIF.
    fn read_gif(bytes: &[u8]) -> (u32, u32, Vec<[u8; 3]>) {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(bytes).unwrap();
        let (width, height) = (decoder.width().into(), decoder.height().into());
        let mut pixels = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            assert_eq!(frame.delay, 8);
            pixels.push([frame.buffer[0], frame.buffer[1], frame.buffer[2]]);
        }
        assert_eq!(decoder.repeat(), gif::Repeat::Infinite);
        (width, height, pixels)
    }

    #[test]
    fn grey_frames_are_exact_in_either_file() {
        let shape = Shape { width: 3, height: 2, channels: 1 };
        let frames: Vec<f32> = (0..18).map(|i| (i / 6) as f32 / 5.0).collect();
        // Enlarged 256 / 3 = 85 times.
        let expected = (255, 170, vec![[0; 3], [51; 3], [102; 3]]);
        assert_eq!(read_gif(&Animation::Gif.encode(&frames, shape, 12).unwrap()), expected);
        assert_eq!(read_apng(&Animation::Apng.encode(&frames, shape, 12).unwrap()), expected);
    }

    #[test]
    fn colour_stays_colour() {
        let shape = Shape { width: 1, height: 1, channels: 3 };
        let frames = [1.0, 0.2, 0.4, 0.0, 0.6, 0.8];
        let expected = (256, 256, vec![[255, 51, 102], [0, 153, 204]]);
        assert_eq!(read_gif(&Animation::Gif.encode(&frames, shape, 12).unwrap()), expected);
        assert_eq!(read_apng(&Animation::Apng.encode(&frames, shape, 12).unwrap()), expected);
    }

    #[test]
    fn what_no_viewer_would_show_is_refused() {
        let shape = Shape { width: 1, height: 1, channels: 1 };
        for frames in [vec![], vec![0.0; 5000]] {
            let refusal = Animation::Gif.encode(&frames, shape, 12).unwrap_err().to_string();
            assert!(refusal.contains("use 1 to 4096 frames"), "{refusal}");
        }
        let two = Shape { channels: 2, ..shape };
        assert!(
            Animation::Apng.encode(&[0.0; 2], two, 12).unwrap_err().to_string().contains("this data has 2")
        );
    }
}
