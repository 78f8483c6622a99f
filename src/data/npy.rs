//! NumPy's `.npy`: a magic string, a version, the length of the header, the header as a Python dict, then the elements.
//!
//! Rows stay in the file and are read when needed, so the file may be larger than memory.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::options::ReadOptions;
use super::progress::Watch;
use super::reader::{Format, MAX_ROWS, Parts, has_extension, stem};
use super::shape::{Shape, Size};
use super::split::Split;
use super::split::{FileKind, FileRows};
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "npy",
    describe: "a .npy file of u8, f32 or f64: [N, D], [N, H, W] or [N, H, W, C]; may be larger than memory",
    detect: |source| has_extension(source, &["npy"]),
    open,
};

pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Most bytes of a header; NumPy's own take about a hundred.
const MAX_HEADER: usize = 1 << 16;
/// Most dimensions of an array, as in NumPy.
const MAX_DIMS: usize = 64;
/// Most values per datum; a model takes far fewer.
const MAX_DIM: usize = 1 << 24;

/// The content of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// NumPy's name of the element type, such as `<f4`.
    pub descr: String,
    /// The dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Bytes before the first element.
    pub length: u64,
}

fn open(source: &str, options: &ReadOptions, _: Watch) -> Result<Parts> {
    let path = Path::new(source);
    let unreadable = |error| Error::io("read", path, error);
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let header = Header::read(path, &mut BufReader::new(&file))?;
    let kind = header.kind(path)?;
    let (count, shape) = rows(path, &header.shape, options.image_size)?;
    let values = (count as u64).checked_mul(shape.dim() as u64);
    let end = values.and_then(|n| n.checked_mul(kind.bytes() as u64)?.checked_add(header.length));
    if end != Some(size) {
        let promised = end.map_or("more bytes than any file has".into(), |end| format!("{end} bytes"));
        return Err(Error::file(
            path,
            format!("its header promises {promised} for {:?}, but the file has {size}", header.shape),
            "write it again with np.save, one array per file",
        ));
    }
    let rows = FileRows { path: path.to_owned(), file, start: header.length, kind };
    let train = Split::in_file(rows, count, shape.dim());
    Ok(Parts::new(stem(path), shape, train))
}

/// N and the shape of a datum, from an array's dimensions.
pub(super) fn rows(path: &Path, dims: &[usize], size: Option<Size>) -> Result<(usize, Shape)> {
    let fail = |problem: String, next: &str| Err(Error::file(path, problem, next));
    let (count, shape) = match *dims {
        [count, dim] => (count, Shape::table(dim)),
        [count, height, width] => (count, Shape { width, height, channels: 1 }),
        [count, height, width, channels @ (1 | 3)] => (count, Shape { width, height, channels }),
        [_, 1 | 3, _, _] => {
            return fail(
                format!("an array of {dims:?}: the channels must come last"),
                "reorder it with x.transpose(0, 2, 3, 1)",
            );
        }
        _ => {
            return fail(
                format!(
                    "an array of {dims:?}, but data is [N, D], [N, H, W] or [N, H, W, C] of 1 or 3 channels"
                ),
                "reshape it with x.reshape(len(x), -1)",
            );
        }
    };
    if dims.contains(&0) {
        return fail(format!("an array of {dims:?}: there is nothing in it"), "write the data again");
    }
    if count > MAX_ROWS || shape.dim() > MAX_DIM {
        return fail(
            format!("an array of {dims:?}, more than {MAX_ROWS} rows of {MAX_DIM} values"),
            "split or shrink the data",
        );
    }
    match size {
        Some(size) if shape.is_table() => Ok((count, reshaped(path, shape.width, size)?)),
        _ => Ok((count, shape)),
    }
}

/// The shape that the setting `source.image_size` gives to rows of `dim` values.
fn reshaped(path: &Path, dim: usize, Size { width, height }: Size) -> Result<Shape> {
    let channels = dim / (width * height);
    let shape = Shape { width, height, channels };
    if shape.dim() == dim && matches!(channels, 1 | 3) {
        return Ok(shape);
    }
    let problem = format!("{} has rows of {dim} values, which do not make such a picture", path.display());
    Err(Error::value("source.image_size", Size { width, height }, problem))
}

impl Header {
    /// Reads the header, up to the first element.
    pub(super) fn read(path: &Path, input: &mut dyn Read) -> Result<Header> {
        let mut start = [0; 8];
        read_exact(path, input, &mut start)?;
        if start[..6] != *MAGIC {
            let problem = format!("not a .npy file: it starts with {:02x?}", &start[..6]);
            return Err(Error::file(path, problem, "write it with np.save"));
        }
        let length = match start[6] {
            1 => {
                let mut length = [0; 2];
                read_exact(path, input, &mut length)?;
                usize::from(u16::from_le_bytes(length))
            }
            2 | 3 => {
                let mut length = [0; 4];
                read_exact(path, input, &mut length)?;
                u32::from_le_bytes(length) as usize
            }
            version => {
                let problem = format!(".npy of version {version}, but 1 to 3 are known");
                return Err(Error::file(path, problem, "write it with np.save"));
            }
        };
        if length > MAX_HEADER {
            let problem = format!("its header claims {length} bytes, more than {MAX_HEADER}");
            return Err(Error::file(path, problem, "write it with np.save"));
        }
        let mut text = vec![0; length];
        read_exact(path, input, &mut text)?;
        let before = if start[6] == 1 { 10 } else { 12 };
        let text = String::from_utf8_lossy(&text);
        let (descr, fortran, shape) = parse(&text).ok_or_else(|| {
            let problem = format!("its header makes no sense: {}", text.trim());
            Error::file(path, problem, "write it with np.save")
        })?;
        if fortran && shape.len() > 1 {
            return Err(Error::file(
                path,
                "its columns are stored one after another (Fortran order), but rows are needed",
                "write it with np.save(.., np.ascontiguousarray(x))",
            ));
        }
        Ok(Header { descr, shape, length: (before + length) as u64 })
    }

    /// The element type, if data may have it.
    pub(super) fn kind(&self, path: &Path) -> Result<FileKind> {
        Ok(match self.descr.as_str() {
            "|u1" | "<u1" | "u1" => FileKind::U8,
            "<f4" => FileKind::F32,
            "<f8" => FileKind::F64,
            _ => return Err(self.wrong_type(path, "u8, f32 and f64 are read")),
        })
    }

    /// Whole numbers of `bytes`, as labels.
    pub(super) fn labels(&self, path: &Path, bytes: &[u8]) -> Result<Vec<u32>> {
        fn integers<const N: usize>(bytes: &[u8], value: fn([u8; N]) -> i128) -> Vec<i128> {
            bytes.as_chunks().0.iter().map(|chunk| value(*chunk)).collect()
        }
        let values = match self.descr.as_str() {
            "|u1" | "|b1" => integers(bytes, |b| u8::from_le_bytes(b).into()),
            "|i1" => integers(bytes, |b| i8::from_le_bytes(b).into()),
            "<u2" => integers(bytes, |b| u16::from_le_bytes(b).into()),
            "<i2" => integers(bytes, |b| i16::from_le_bytes(b).into()),
            "<u4" => integers(bytes, |b| u32::from_le_bytes(b).into()),
            "<i4" => integers(bytes, |b| i32::from_le_bytes(b).into()),
            "<u8" => integers(bytes, |b| u64::from_le_bytes(b).into()),
            "<i8" => integers(bytes, |b| i64::from_le_bytes(b).into()),
            _ => return Err(self.wrong_type(path, "labels are whole numbers")),
        };
        let label = |(row, value): (usize, i128)| {
            u32::try_from(value).map_err(|_| {
                let problem = format!("row {}: the label {value} is not from 0 to {}", row + 1, u32::MAX);
                Error::file(path, problem, "number the classes from 0")
            })
        };
        values.into_iter().enumerate().map(label).collect()
    }

    /// Bytes per element of any type; 0 if the name does not say.
    pub(super) fn element_bytes(&self) -> usize {
        self.descr.trim_start_matches(['<', '>', '|', '=', 'u', 'i', 'f', 'b']).parse().unwrap_or(0)
    }

    fn wrong_type(&self, path: &Path, expected: &str) -> Error {
        let Header { descr, .. } = self;
        let what = match descr.chars().next() {
            _ if descr.ends_with('O') => "Python objects".to_owned(),
            Some('>') => format!("big-endian elements ({descr})"),
            _ => format!("elements of type {descr}"),
        };
        Error::file(path, format!("it has {what}, but {expected}"), "convert it with x.astype(np.float32)")
    }
}

fn read_exact(path: &Path, input: &mut dyn Read, into: &mut [u8]) -> Result<()> {
    input.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::file(path, "cut off within its header", "copy the file again"),
        _ => Error::io("read", path, error),
    })
}

/// descr, fortran_order and shape of `{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }`.
fn parse(text: &str) -> Option<(String, bool, Vec<usize>)> {
    let text = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let value = |key: &str| {
        let quoted = [format!("'{key}'"), format!("\"{key}\"")];
        let (_, rest) = quoted.iter().find_map(|key| text.split_once(key.as_str()))?;
        rest.trim_start().strip_prefix(':').map(str::trim_start)
    };
    let descr = value("descr")?;
    let descr = match descr.chars().next()? {
        quote @ ('\'' | '"') => descr[1..].split_once(quote)?.0.to_owned(),
        // A list of named fields: recognised here, then refused.
        '[' => "with named fields".to_owned(),
        _ => return None,
    };
    let fortran = value("fortran_order")?;
    let fortran = match (fortran.starts_with("True"), fortran.starts_with("False")) {
        (true, false) => true,
        (false, true) => false,
        _ => return None,
    };
    let (shape, _) = value("shape")?.strip_prefix('(')?.split_once(')')?;
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape: Vec<usize> = sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?;
    (shape.len() <= MAX_DIMS).then_some((descr, fortran, shape))
}

/// A header as `np.save` writes it.
pub(super) fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", sizes.trim_end());
    // The elements start at a multiple of 64, after a line feed.
    let length = (10 + dict.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(dict.as_bytes());
    bytes.resize(10 + length - 1, b' ');
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests;
