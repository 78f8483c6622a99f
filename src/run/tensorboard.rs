//! Event files for TensorBoard: records of one event each, framed as in TensorFlow.
//!
//! ```text
//! length: u64, crc(length): u32, event: [u8; length], crc(event): u32      all little-endian
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{EVENT_FILE, time};
use crate::data::Shape;
use crate::error::{Error, Result};
use crate::protobuf::{Message, messages};

/// The version of the format, stored in the first record.
const VERSION: &str = "brain.Event:2";
/// Buckets of a histogram.
const BUCKETS: usize = 40;

// The fields' numbers are those of TensorFlow's `event.proto` and `summary.proto`.
messages! {
    /// A record.
    struct Event {
        1 => wall_time: f64,
        2 => step: i64,
        3 => file_version: String,
        5 => summary: Option<Summary>,
        7 => session_log: Option<SessionLog>,
    }

    struct SessionLog {
        1 => status: i64,
    }

    struct Summary {
        1 => value: Vec<Value>,
    }

    struct Value {
        1 => tag: String,
        2 => simple_value: Option<f32>,
        4 => image: Option<Image>,
        5 => histo: Option<Histogram>,
    }

    struct Image {
        1 => height: i64,
        2 => width: i64,
        3 => colorspace: i64,
        4 => encoded_image_string: Vec<u8>,
    }

    struct Histogram {
        1 => min: f64,
        2 => max: f64,
        3 => num: f64,
        4 => sum: f64,
        5 => sum_squares: f64,
        6 => bucket_limit: Vec<f64>,
        7 => bucket: Vec<f64>,
    }
}

/// The status of a session that starts: what was written for later steps is void.
const START: i64 = 1;

/// An event file open for writing.
pub struct EventFile {
    path: PathBuf,
    file: File,
}

/// The values logged after an epoch.
#[derive(Default)]
pub struct Scalars {
    values: Vec<Value>,
}

impl Scalars {
    /// A scalar under that tag, grouped by the part before a `/`.
    pub fn scalar(&mut self, tag: &str, value: f64) {
        self.values.push(Value { tag: tag.into(), simple_value: Some(value as f32), ..Value::default() });
    }

    /// A PNG file of `size` with the channels of `shape`.
    pub fn image(&mut self, tag: &str, png: Vec<u8>, shape: Shape) {
        let (width, height) = super::picture::png_size(&png);
        let image = Image {
            height: height.into(),
            width: width.into(),
            colorspace: shape.channels as i64,
            encoded_image_string: png,
        };
        self.values.push(Value { tag: tag.into(), image: Some(image), ..Value::default() });
    }

    /// The distribution of `values`; those that are not finite are left out.
    pub fn histogram(&mut self, tag: &str, values: &[f32]) {
        let histo = Some(histogram(values.iter().map(|value| f64::from(*value)).filter(|v| v.is_finite())));
        self.values.push(Value { tag: tag.into(), histo, ..Value::default() });
    }
}

impl EventFile {
    /// Creates a new file in `folder`, which is created if missing. Events of later steps in its other files become
    /// void, since training continues from `step`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(folder: &Path, step: u64) -> Result<EventFile> {
        fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
        // Files are read in the order of their names.
        let number = fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))?.count();
        let seconds = time::seconds(SystemTime::now()) as u64;
        let path = folder.join(format!("{EVENT_FILE}{seconds:010}.vae-gpu.{number:06}"));
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let file = file.map_err(|error| Error::io("create", &path, error))?;
        let mut events = EventFile { path, file };
        events.write(Event { file_version: VERSION.into(), ..Event::default() })?;
        let session_log = Some(SessionLog { status: START });
        events.write(Event { step: step as i64 + 1, session_log, ..Event::default() })?;
        Ok(events)
    }

    /// Appends the values of `step`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&mut self, step: u64, scalars: Scalars) -> Result<()> {
        let summary = Some(Summary { value: scalars.values });
        self.write(Event { step: step as i64, summary, ..Event::default() })
    }

    fn write(&mut self, event: Event) -> Result<()> {
        let event = Event { wall_time: time::seconds(SystemTime::now()), ..event };
        let written = self.file.write_all(&record(&event.to_bytes()));
        written.map_err(|error| Error::io("write", &self.path, error))
    }
}

fn record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), event, &masked(event)].concat()
}

/// CRC-32C, rotated and offset, so that data containing checksums is not mistaken for a record.
fn masked(bytes: &[u8]) -> [u8; 4] {
    const SHIFT: u32 = 0xa282_ead8;
    crc32c(bytes).rotate_right(15).wrapping_add(SHIFT).to_le_bytes()
}

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum: u32, byte| CRC[usize::from(sum as u8 ^ byte)] ^ (sum >> 8))
}

/// What each value of a byte does to the sum.
const CRC: [u32; 256] = {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

/// Buckets of equal width from the smallest to the largest value.
fn histogram(values: impl Iterator<Item = f64> + Clone) -> Histogram {
    let (min, max) = values
        .clone()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if min > max {
        return Histogram::default();
    }
    // Equal values get a bucket too.
    let width = ((max - min) / BUCKETS as f64).max(1e-12);
    let mut bucket = vec![0.0; BUCKETS];
    values.clone().for_each(|value| bucket[(((value - min) / width) as usize).min(BUCKETS - 1)] += 1.0);
    Histogram {
        min,
        max,
        num: bucket.iter().sum(),
        sum: values.clone().sum(),
        sum_squares: values.map(|value| value * value).sum(),
        bucket_limit: (1..=BUCKETS).map(|i| min + width * i as f64).collect(),
        bucket,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_framed_with_their_checksums() {
        // The check value of the polynomial, and RFC 3720's examples; rotated by 15, the first is 2507c60d.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!((crc32c(&[0; 32]), crc32c(&[0xff; 32])), (0x8a91_36aa, 0x62a8_ab43));
        assert_eq!(u32::from_le_bytes(masked(b"123456789")), 0x2507_c60du32.wrapping_add(0xa282_ead8));
        let bytes = record(b"123456789");
        assert_eq!((bytes.len(), &bytes[..8]), (8 + 4 + 9 + 4, &[9, 0, 0, 0, 0, 0, 0, 0][..]));
        assert_eq!((&bytes[12..21], &bytes[21..]), (&b"123456789"[..], &masked(b"123456789")[..]));
    }

    #[test]
    fn a_histogram_counts_every_value_once() {
        let values: Vec<f64> = (0..=100).map(|i| f64::from(i) / 50.0 - 1.0).collect();
        let found = histogram(values.iter().copied());
        assert_eq!((found.min, found.max, found.num), (-1.0, 1.0, 101.0));
        assert!(found.sum.abs() < 1e-12 && found.bucket.iter().all(|n| (2.0..=4.0).contains(n)), "{found:?}");
        assert!((found.bucket_limit[BUCKETS - 1] - 1.0).abs() < 1e-12);
        let equal = histogram([0.5; 3].into_iter());
        assert_eq!((equal.num, equal.bucket[0]), (3.0, 3.0));
        assert_eq!(histogram([].into_iter()), Histogram::default());
    }
}
