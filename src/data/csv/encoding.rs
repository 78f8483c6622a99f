//! The encoding of a text: UTF-8, or UTF-16 by its mark or by its zeros.

use std::io::{self, Cursor, Read};
use std::path::Path;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::error::{Error, Result};

/// Bytes that the encoding is found from.
const LOOK: usize = 1 << 12;
/// Kinds of files that are not text, by how they begin, and what to do with them.
const STRANGERS: &[(&[u8], &str, &str)] = &[
    (b"PAR1", "a Parquet file", "give it a name that ends with .parquet, or say `source.format` = parquet"),
    (b"\x93NUMPY", "a NumPy array", "give it a name that ends with .npy, or say `source.format` = npy"),
    (b"\x89HDF", "an HDF5 file, which is not read", "save the array as .npy, or the table as CSV or Parquet"),
    (b"ARROW1", "an Arrow file, which is not read", "write it as Parquet"),
    (b"FEA1", "a Feather file, which is not read", "write it as Parquet"),
    (
        b"\xd0\xcf\x11\xe0",
        "an Excel workbook, which is not read",
        "save the sheet as CSV in your spreadsheet program",
    ),
    (b"%PDF", "a PDF document", "export the table as CSV"),
    (b"SQLite format 3", "an SQLite database, which is not read", "export the table as CSV"),
    (b"<", "a web page or XML", "fetch the file itself, or export the table as CSV"),
    (b"{", "JSON, which is not read", "write the table as CSV or Parquet"),
    (b"[{", "JSON, which is not read", "write the table as CSV or Parquet"),
];

/// A text in UTF-8 without a mark, and the encoding that it has in the file unless that is UTF-8.
pub(super) type Decoded = (Box<dyn Read + Send>, Option<&'static str>);

/// Decodes a text.
pub(super) fn decode(
    path: &Path,
    mut input: Box<dyn Read + Send>,
    failed: impl Fn(io::Error) -> Error,
) -> Result<Decoded> {
    let mut look = Vec::new();
    input.by_ref().take(LOOK as u64).read_to_end(&mut look).map_err(failed)?;
    let (marked, mark) =
        Encoding::for_bom(&look).map_or((None, 0), |(encoding, length)| (Some(encoding), length));
    let encoding = marked.unwrap_or_else(|| by_zeros(&look));
    let start = look[mark..].trim_ascii_start();
    let stranger = STRANGERS.iter().find(|(begin, ..)| start.starts_with(begin));
    if let Some((_, what, next)) = stranger {
        return Err(Error::file(path, format!("it is {what}"), *next));
    }
    if encoding == UTF_8 {
        if look.contains(&0) {
            let next = "name a table of text, or say with `source.format` what it is";
            return Err(Error::file(path, "it is no text: it has zero bytes", next));
        }
        return Ok((Box::new(Cursor::new(look.split_off(mark)).chain(input)), None));
    }
    let text = DecodeReaderBytesBuilder::new()
        .encoding(Some(encoding))
        .bom_override(true)
        .build(Cursor::new(look).chain(input));
    let name = match (encoding == UTF_16LE, marked.is_some()) {
        (true, true) => "UTF-16",
        (true, false) => "UTF-16 without a mark",
        (false, true) => "UTF-16, big-endian",
        (false, false) => "UTF-16, big-endian, without a mark",
    };
    Ok((Box::new(text), Some(name)))
}

/// UTF-16 of mostly Latin letters has a zero in every other byte.
fn by_zeros(look: &[u8]) -> &'static Encoding {
    let zeros = |first: usize| look.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let most = look.len() / 2;
    match () {
        _ if most > 0 && odd * 10 >= most * 9 && even * 10 < most => UTF_16LE,
        _ if most > 0 && even * 10 >= most * 9 && odd * 10 < most => UTF_16BE,
        _ => UTF_8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: Vec<u8>) -> (String, Option<&'static str>) {
        let failed = |error| Error::io("read", "t.csv", error);
        let (mut text, name) = decode(Path::new("t.csv"), Box::new(Cursor::new(bytes)), failed).unwrap();
        let mut read = String::new();
        text.read_to_string(&mut read).unwrap();
        (read, name)
    }

    fn utf_16(text: &str, little: bool) -> Vec<u8> {
        let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn marks_and_zeros_tell_the_encoding() {
        let text = format!("größe,b\n{}", "1,2\n".repeat(5000));
        assert_eq!(read(text.clone().into_bytes()), (text.clone(), None));
        assert_eq!(read(format!("\u{feff}{text}").into_bytes()), (text.clone(), None));
        for (little, name) in [(true, "UTF-16"), (false, "UTF-16, big-endian")] {
            let (got, found) = read(utf_16(&format!("\u{feff}{text}"), little));
            assert!(got == text && found == Some(name), "{found:?}");
            let (got, found) = read(utf_16(&text, little));
            assert!(got == text && found.is_some_and(|found| found.ends_with("without a mark")), "{found:?}");
        }
        assert_eq!(read(Vec::new()), (String::new(), None));
    }
}
