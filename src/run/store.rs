//! Named f32 tensors in a safetensors file: 8 bytes of header length, a JSON header, the values.
//!
//! Any safetensors reader opens these files, and other programs' files of f32 tensors can be read. Our own files also
//! carry a checksum, because the format lacks one and a flipped bit in a weight would go unnoticed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use flate2::Crc;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Serialize;

use super::{write_atomic, write_keeping};
use crate::error::{Error, Result};

/// Most bytes of JSON read. A model's header has a few thousand; the format allows 100 MB.
const MAX_HEADER: u64 = 8 << 20;

/// The metadata of our files: the writer, and the checksum. The writer's entry makes the checksum mandatory, so that
/// damage to the word `crc32` itself does not switch the check off.
const WRITER: (&str, &str) = ("written_by", "vae-gpu");
const CHECKSUM: &str = "crc32";

const DAMAGED: &str = "the file is damaged: copy it again, or go back to an older one";
const FOREIGN: &str = "give a safetensors file of F32 tensors, such as the model.safetensors of a run";

/// A named tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Its name, unique in a file.
    pub name: String,
    /// Its dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Its values, row major, as many as the dimensions multiply to.
    pub values: Vec<f32>,
}

/// The JSON header. Maps are sorted, so that the same tensors always give the same bytes.
#[derive(Serialize)]
struct Header<'a> {
    #[serde(rename = "__metadata__")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(flatten)]
    tensors: BTreeMap<&'a str, TensorInfo>,
}

/// Writes `tensors`, in order, and `metadata` plus the checksum. The file is complete or untouched, and its bytes
/// depend only on the arguments.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
///
/// # Panics
/// If two tensors share a name, or the number of values does not match a shape.
pub fn write_tensors(
    path: &Path,
    tensors: &[NamedTensor],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    write_atomic(path, content(tensors, metadata))
}

/// As [`write_tensors`], but the old file is renamed to `previous`, as in [`write_keeping`].
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub fn write_tensors_keeping(
    path: &Path,
    previous: &Path,
    tensors: &[NamedTensor],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    write_keeping(path, previous, content(tensors, metadata))
}

/// The function that writes the file.
fn content<'a>(
    tensors: &'a [NamedTensor],
    metadata: &BTreeMap<String, String>,
) -> impl FnOnce(&mut dyn Write) -> io::Result<()> + use<'a> {
    let mut metadata = metadata.clone();
    metadata.insert(WRITER.0.to_owned(), WRITER.1.to_owned());
    metadata.insert(CHECKSUM.to_owned(), checksum(tensors, &metadata));

    let mut infos = BTreeMap::new();
    let mut end = 0;
    for NamedTensor { name, shape, values } in tensors {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "values of {name} {shape:?}");
        let start = end;
        end += size_of_val(values.as_slice());
        let info = TensorInfo { dtype: Dtype::F32, shape: shape.clone(), data_offsets: (start, end) };
        assert!(infos.insert(name.as_str(), info).is_none(), "two tensors are called {name}");
    }
    move |out| {
        let mut json = serde_json::to_vec(&Header { metadata: &metadata, tensors: infos })?;
        // Padded so that the values start at a multiple of 8, as the format recommends for mapping.
        json.resize(json.len().next_multiple_of(8), b' ');
        out.write_all(&(json.len() as u64).to_le_bytes())?;
        out.write_all(&json)?;
        tensors.iter().try_for_each(|tensor| out.write_all(&le_bytes(&tensor.values)))
    }
}

/// Reads every tensor, in the file's order, and the metadata without the checksum.
///
/// # Errors
/// [`Error::File`] if the file is cut off, damaged, or has tensors of a type other than F32;
/// [`Error::Io`] if it cannot be read.
pub fn read_tensors(path: &Path) -> Result<(Vec<NamedTensor>, BTreeMap<String, String>)> {
    let unreadable = |error| Error::io("read", path, error);
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    parse(path, &mut BufReader::with_capacity(1 << 16, file), length)
}

/// Reads the `length` bytes of `input`; `path` is for messages.
fn parse(
    path: &Path,
    input: &mut impl Read,
    length: u64,
) -> Result<(Vec<NamedTensor>, BTreeMap<String, String>)> {
    let header = read_header(path, input, length)?;
    let mut tensors = Vec::new();
    for name in header.offset_keys() {
        tensors.extend(header.info(&name).map(|info| read_tensor(path, input, name, info)).transpose()?);
    }
    let mut metadata: BTreeMap<_, _> = header.metadata().clone().unwrap_or_default().into_iter().collect();
    verify(path, &tensors, &mut metadata)?;
    Ok((tensors, metadata))
}

/// Reads the header and checks the sizes it claims against the file's `length`, so that no more is ever allocated than
/// the disk holds.
fn read_header(path: &Path, input: &mut impl Read, length: u64) -> Result<Metadata> {
    let mut prefix = [0; 8];
    read_exact(path, input, &mut prefix)?;
    let size = u64::from_le_bytes(prefix);
    let rest = length.saturating_sub(8);
    if size > MAX_HEADER {
        let problem = format!("it claims a header of {size} bytes, more than {MAX_HEADER}");
        return Err(Error::file(path, problem, FOREIGN));
    }
    if size > rest {
        let problem = format!("cut off: its header has {size} bytes, but only {rest} follow");
        return Err(Error::file(path, problem, DAMAGED));
    }
    // At most MAX_HEADER, so the cast keeps the number.
    let mut json = vec![0; size as usize];
    read_exact(path, input, &mut json)?;
    // Deserialising also checks that the tensors lie one after another without gap or overlap, and that every shape,
    // multiplied with checks, matches its size.
    let header: Metadata = serde_json::from_slice(&json)
        .map_err(|error| Error::file(path, format!("its header makes no sense: {error}"), FOREIGN))?;
    let (claimed, there) = (header.data_len() as u64, rest - size);
    if claimed != there {
        let problem = format!("its header describes {claimed} bytes of tensors, but {there} are there");
        return Err(Error::file(path, problem, DAMAGED));
    }
    Ok(header)
}

fn read_tensor(path: &Path, input: &mut impl Read, name: String, info: &TensorInfo) -> Result<NamedTensor> {
    if info.dtype != Dtype::F32 {
        let problem = format!("tensor `{name}` has type {:?}, but only F32 is read", info.dtype);
        return Err(Error::file(path, problem, "convert it to F32 first"));
    }
    let mut bytes = vec![0; info.data_offsets.1 - info.data_offsets.0];
    read_exact(path, input, &mut bytes)?;
    let (words, _) = bytes.as_chunks::<4>();
    let values = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
    Ok(NamedTensor { name, shape: info.shape.clone(), values })
}

fn read_exact(path: &Path, input: &mut impl Read, into: &mut [u8]) -> Result<()> {
    input.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::file(path, "cut off", DAMAGED),
        _ => Error::io("read", path, error),
    })
}

/// Removes our own entries from `metadata` and checks them. Files of other writers lack them.
fn verify(path: &Path, tensors: &[NamedTensor], metadata: &mut BTreeMap<String, String>) -> Result<()> {
    let expected = metadata.remove(CHECKSUM);
    let actual = checksum(tensors, metadata);
    let ours = metadata.remove(WRITER.0).as_deref() == Some(WRITER.1);
    match expected {
        Some(expected) if expected == actual => Ok(()),
        Some(expected) => {
            let problem = format!("its content has checksum {actual}, but its header says {expected}");
            Err(Error::file(path, problem, DAMAGED))
        }
        None if ours => Err(Error::file(path, format!("its header has lost the {CHECKSUM} entry"), DAMAGED)),
        None => Ok(()),
    }
}

/// The CRC-32 (as in gzip) of everything a reader gets: each pair of metadata, then each tensor's name, shape and
/// values. Every part is preceded by its length, so that parts cannot run into each other.
fn checksum(tensors: &[NamedTensor], metadata: &BTreeMap<String, String>) -> String {
    let mut crc = Crc::new();
    let mut part = |bytes: &[u8]| {
        crc.update(&(bytes.len() as u64).to_le_bytes());
        crc.update(bytes);
    };
    for (key, value) in metadata.iter().filter(|(key, _)| *key != CHECKSUM) {
        part(key.as_bytes());
        part(value.as_bytes());
    }
    for NamedTensor { name, shape, values } in tensors {
        part(name.as_bytes());
        let shape: Vec<u8> = shape.iter().flat_map(|&size| (size as u64).to_le_bytes()).collect();
        part(&shape);
        part(&le_bytes(values));
    }
    format!("{:08x}", crc.sum())
}

/// The values as stored in the file: on nearly every machine, their bytes in memory.
fn le_bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

#[cfg(test)]
mod tests;
