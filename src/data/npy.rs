//! NumPy's `.npy`: a header, then the elements of one array.
//!
//! Rows stay in the file and are read when needed, so the file may be larger than memory.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::array;
use super::file_rows::FileRows;
use super::foreign;
use super::npy_header::{Header, MAGIC};
use super::number::Number;
use super::options::ReadOptions;
use super::progress::Watch;
use super::reader::{Format, MAX_BYTES, Parts, has_extension, stem};
use super::split::Split;
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "npy",
    describe: "a .npy file of numbers: [N, D], [N, H, W] or [N, H, W, C]; may be larger than memory",
    detect: |source| has_extension(source, &["npy"]),
    open,
};

fn open(source: &str, options: &ReadOptions, _: Watch) -> Result<Parts> {
    let path = Path::new(source);
    let unreadable = |error| Error::io("read", path, error);
    let mut file = File::open(path).map_err(unreadable)?;
    foreign::check(path, MAGIC)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let header = Header::read(path, &mut BufReader::new(&file))?;
    let kind = header.kind(path)?;
    let (count, shape) = array::rows(path, &header.shape, options.image_size)?;
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
    let train = if header.is_turned() {
        // Rows that do not lie together are brought together in memory, as floats.
        if values.is_none_or(|n| n > MAX_BYTES / size_of::<f32>() as u64) {
            let problem =
                format!("its columns are stored one after another (Fortran order), {:?}", header.shape);
            let next =
                "so large a file is read where it lies: write it with np.save(.., np.ascontiguousarray(x))";
            return Err(Error::file(path, problem, next));
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(header.length)).map_err(unreadable)?;
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        header.split(kind, bytes, shape.dim())
    } else {
        let rows = FileRows { path: path.to_owned(), file, start: header.length, kind };
        Split::in_file(rows, count, shape.dim())
    };
    let notes = header.note(kind).into_iter().collect();
    let bits = (kind.number == Number::Bool).then_some(true);
    let warnings = header.single().into_iter().collect();
    Ok(Parts { notes, warnings, bits, ..Parts::new(stem(path), shape, train) })
}

#[cfg(test)]
mod tests;
