//! IDX, the format of MNIST and its relatives: four bytes (0, 0, element type, number of
//! dimensions), each dimension as a big-endian u32, then the elements, row major.
//!
//! Reads only what images and labels need: bytes in one or three dimensions, plain or gzipped. The file is not trusted:
//! sizes are capped and multiplied with checks, memory grows with the bytes that actually arrive, and the file must end
//! where its header says.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::reader::{MAX_BYTES, Parts, most_unpacked};
use super::shape::Shape;
use super::split::Split;
use crate::error::{Error, Result};

/// Most data in one file: 16 million, which leaves room for u32 arithmetic on row numbers.
pub(super) const MAX_IMAGES: usize = 1 << 24;
/// Most pixels in a row or column of an image.
pub(super) const MAX_SIDE: usize = 1 << 12;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const TYPE_U8: u8 = 0x08;
const FETCH_AGAIN: &str = "fetch or copy the file again";
const NOT_IDX: &str = "give an IDX file of bytes, as MNIST has them; convert other data first";

/// A file to parse: its name for messages, its length, and its bytes.
pub(super) struct Source<'a> {
    pub path: PathBuf,
    pub length: u64,
    pub bytes: Box<dyn BufRead + 'a>,
}

/// A parsed file: `DIMS` sizes, and as many values as their product.
#[derive(Debug)]
struct Array<const DIMS: usize> {
    sizes: [usize; DIMS],
    values: Vec<u8>,
}

/// Reads a training split and, if there is one, a test split, each with images and, if present, labels.
pub(super) fn dataset(
    name: &str,
    train: (Source, Option<Source>),
    test: Option<(Source, Option<Source>)>,
) -> Result<Parts> {
    let (shape, train) = split(train.0, train.1)?;
    let parts = Parts::new(name.to_owned(), shape, train);
    let Some((images, labels)) = test else { return Ok(parts) };
    let test_path = images.path.clone();
    let (test_shape, test) = split(images, labels)?;
    if test_shape != shape {
        return Err(Error::file(
            test_path,
            format!("the test images are {test_shape}, but the training images are {shape}"),
            "both must come from the same data set",
        ));
    }
    Ok(Parts { test: Some(test), ..parts })
}

fn split(images: Source, labels: Option<Source>) -> Result<(Shape, Split)> {
    let images_path = images.path.clone();
    let Array { sizes: [count, height, width], values } = parse::<3>(images, "images")?;
    let labels = match labels {
        None => None,
        Some(labels) => {
            let path = labels.path.clone();
            let Array { sizes: [labelled], values } = parse::<1>(labels, "labels")?;
            if labelled != count {
                return Err(Error::file(
                    path,
                    format!("{labelled} labels, but {} has {count} images", images_path.display()),
                    "both must come from the same data set; without the labels file, none are read",
                ));
            }
            Some(values)
        }
    };
    let shape = Shape { width, height, channels: 1 };
    Ok((shape, Split::new(values, shape.dim(), labels)))
}

/// Parses one file of `what`, plain or gzipped.
fn parse<const DIMS: usize>(source: Source, what: &str) -> Result<Array<DIMS>> {
    let Source { path, length, mut bytes } = source;
    // `fill_buf` looks without consuming. A file of one byte is neither gzip nor IDX.
    let start = bytes.fill_buf().map_err(|error| Error::io("read", &path, error))?;
    if start.starts_with(&GZIP_MAGIC) {
        // MultiGzDecoder, because the one-member decoder stops silently before anything that follows the first member.
        parse_plain(&path, &mut MultiGzDecoder::new(bytes), most_unpacked(length), what)
    } else {
        parse_plain(&path, &mut bytes, MAX_BYTES, what)
    }
}

/// Parses a file with at most `most` bytes of values.
fn parse_plain<const DIMS: usize>(
    path: &Path,
    bytes: &mut dyn Read,
    most: u64,
    what: &str,
) -> Result<Array<DIMS>> {
    let mut magic = [0; 4];
    read_header(path, bytes, &mut magic)?;
    check_magic::<DIMS>(path, magic, what)?;

    let mut sizes = [0; DIMS];
    for size in &mut sizes {
        let mut word = [0; 4];
        read_header(path, bytes, &mut word)?;
        // Lossless: usize has at least 32 bits wherever wgpu runs.
        *size = u32::from_be_bytes(word) as usize;
    }
    let total = check_sizes(path, &sizes, what)?;
    if total > most {
        let problem =
            format!("its header says {sizes:?}, {total} bytes, more than a file of its size can unpack to");
        return Err(Error::file(path, problem, "unpack it with gunzip, and check its content"));
    }

    let mut values = Vec::new();
    bytes.take(total).read_to_end(&mut values).map_err(|error| broken(path, error))?;
    if (values.len() as u64) < total {
        let problem = format!(
            "cut off: the header promises {total} bytes of {what}, but only {} arrived",
            values.len()
        );
        return Err(Error::file(path, problem, FETCH_AGAIN));
    }
    // Reading to the end also makes the gzip decoder compare its checksum.
    if bytes.read(&mut [0]).map_err(|error| broken(path, error))? != 0 {
        let problem = format!("goes on after the {total} bytes of {what} that its header promises");
        return Err(Error::file(path, problem, FETCH_AGAIN));
    }
    Ok(Array { sizes, values })
}

fn read_header(path: &Path, bytes: &mut dyn Read, into: &mut [u8]) -> Result<()> {
    bytes.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::file(path, "cut off within its header", FETCH_AGAIN),
        _ => broken(path, error),
    })
}

/// The error of a failed read: damaged gzip content, or the disk.
fn broken(path: &Path, error: io::Error) -> Error {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error.kind() {
        InvalidData | InvalidInput => {
            Error::file(path, format!("damaged gzip stream ({error})"), FETCH_AGAIN)
        }
        UnexpectedEof => Error::file(path, "cut off within its gzip stream", FETCH_AGAIN),
        _ => Error::io("read", path, error),
    }
}

fn check_magic<const DIMS: usize>(path: &Path, magic: [u8; 4], what: &str) -> Result<()> {
    let [zero, also_zero, element, dims] = magic;
    let problem = if (zero, also_zero) != (0, 0) {
        format!("not an IDX file: it starts with {magic:02x?}")
    } else if element != TYPE_U8 {
        format!("its elements have type 0x{element:02x}, but only bytes (0x{TYPE_U8:02x}) are read")
    } else if usize::from(dims) != DIMS {
        format!("it has {dims} dimensions, but {what} have {DIMS}: is it the other file of the pair?")
    } else {
        return Ok(());
    };
    Err(Error::file(path, problem, NOT_IDX))
}

/// The number of values, once every size is within its cap.
fn check_sizes(path: &Path, sizes: &[usize], what: &str) -> Result<u64> {
    let fail = |problem: String, next: &str| Err(Error::file(path, problem, next));
    // The first dimension counts images or labels; the others are an image's sides.
    for (index, &size) in sizes.iter().enumerate() {
        let (noun, cap) = if index == 0 { (what, MAX_IMAGES) } else { ("pixels per side", MAX_SIDE) };
        if size == 0 {
            return fail(format!("its header says 0 {noun}"), FETCH_AGAIN);
        }
        if size > cap {
            return fail(
                format!("its header says {size} {noun}, more than {cap}"),
                "split or shrink the data",
            );
        }
    }
    let total = sizes.iter().try_fold(1u64, |product, &size| product.checked_mul(size as u64));
    match total {
        Some(total) if total <= MAX_BYTES => Ok(total),
        _ => fail(
            format!("its header says {sizes:?}, more than {} GiB", MAX_BYTES >> 30),
            "split or shrink the data",
        ),
    }
}

#[cfg(test)]
mod tests;
