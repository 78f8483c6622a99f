//! Event files for TensorBoard: records of one event each, framed as in TensorFlow.
//!
//! ```text
//! length: u64, crc(length): u32, event: [u8; length], crc(event): u32      all little-endian
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use prost::{Enumeration, Message};

use super::{EVENT_FILE, time};
use crate::data::Shape;
use crate::error::{Error, Result};

/// The version of the format, stored in the first record.
const VERSION: &str = "brain.Event:2";
/// Buckets of a histogram.
const BUCKETS: usize = 40;

/// A record. The fields' numbers are those of TensorFlow's `event.proto` and `summary.proto`.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(enumeration = "Status", tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
enum Status {
    Unspecified = 0,
    Start = 1,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Image>,
    #[prost(message, optional, tag = "5")]
    histo: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    #[prost(int32, tag = "3")]
    colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    encoded_image_string: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(double, tag = "1")]
    min: f64,
    #[prost(double, tag = "2")]
    max: f64,
    #[prost(double, tag = "3")]
    num: f64,
    #[prost(double, tag = "4")]
    sum: f64,
    #[prost(double, tag = "5")]
    sum_squares: f64,
    #[prost(double, repeated, tag = "6")]
    bucket_limit: Vec<f64>,
    #[prost(double, repeated, tag = "7")]
    bucket: Vec<f64>,
}

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
            height: height as i32,
            width: width as i32,
            colorspace: shape.channels as i32,
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
        events.write(Event { file_version: Some(VERSION.into()), ..Event::default() })?;
        let session_log = Some(SessionLog { status: Status::Start.into() });
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
        let written = self.file.write_all(&record(&event.encode_to_vec()));
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
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(SHIFT).to_le_bytes()
}

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
        // CRC-32C of "123456789" is e3069283; rotated by 15 it is 2507c60d.
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
