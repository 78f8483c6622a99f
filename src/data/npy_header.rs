//! The header of NumPy's `.npy`: a magic string, a version, the length of a Python dict, the dict. The elements follow.

use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, Result};

pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Most bytes of a header; NumPy's own take about a hundred.
const MAX_HEADER: usize = 1 << 16;
/// Most dimensions of an array, as in NumPy.
const MAX_DIMS: usize = 64;

/// The content of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// NumPy's name of the element type, such as `<f4`.
    pub descr: String,
    /// Whether the first dimension lies together, not the last.
    pub fortran: bool,
    /// The dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Bytes before the first element.
    pub length: u64,
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
        Ok(Header { descr, fortran, shape, length: (before + length) as u64 })
    }
}

fn read_exact(path: &Path, input: &mut dyn Read, into: &mut [u8]) -> Result<()> {
    input.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::file(path, "cut off within its header", "copy the file again"),
        _ => Error::io("read", path, error),
    })
}

/// descr, fortran_order and shape of `{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }`.
pub(super) fn parse(text: &str) -> Option<(String, bool, Vec<usize>)> {
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
        '[' => "[".to_owned(),
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
