//! The encoding of a text: UTF-8, or UTF-16 by its mark or by its zeros.

use std::io::{self, Cursor, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// Bytes that the encoding is found from.
const LOOK: usize = 1 << 12;
/// Bytes that are decoded at a time: an even number.
const PIECE: usize = 1 << 16;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Encoding {
    Utf8,
    Utf16 { big: bool },
}

/// What a text may begin with to say how it is encoded.
const MARKS: [(&[u8], Encoding); 3] = [
    (b"\xef\xbb\xbf", Encoding::Utf8),
    (b"\xff\xfe", Encoding::Utf16 { big: false }),
    (b"\xfe\xff", Encoding::Utf16 { big: true }),
];
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
    let marked = MARKS.iter().find(|(mark, _)| look.starts_with(mark));
    let mark = marked.map_or(0, |(mark, _)| mark.len());
    let encoding = marked.map_or_else(|| by_zeros(&look), |(_, encoding)| *encoding);
    let start = look[mark..].trim_ascii_start();
    let stranger = STRANGERS.iter().find(|(begin, ..)| start.starts_with(begin));
    if let Some((_, what, next)) = stranger {
        return Err(Error::file(path, format!("it is {what}"), *next));
    }
    let Encoding::Utf16 { big } = encoding else {
        if look.contains(&0) {
            let next = "name a table of text, or say with `source.format` what it is";
            return Err(Error::file(path, "it is no text: it has zero bytes", next));
        }
        return Ok((Box::new(Cursor::new(look.split_off(mark)).chain(input)), None));
    };
    let name = match (big, marked.is_some()) {
        (false, true) => "UTF-16",
        (false, false) => "UTF-16 without a mark",
        (true, true) => "UTF-16, big-endian",
        (true, false) => "UTF-16, big-endian, without a mark",
    };
    let input = Cursor::new(look.split_off(mark)).chain(input);
    let text = Utf16 { input, big, high: None, text: Cursor::default(), ended: false };
    Ok((Box::new(text), Some(name)))
}

/// UTF-16, read as UTF-8. Halves of characters become U+FFFD.
struct Utf16<R> {
    input: R,
    big: bool,
    /// The first half of a character whose second half is in the next piece.
    high: Option<u16>,
    /// What has been decoded.
    text: Cursor<Vec<u8>>,
    ended: bool,
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.text.read(into)?;
            if read > 0 || into.is_empty() || self.ended {
                return Ok(read);
            }
            self.decode_piece()?;
        }
    }
}

impl<R: Read> Utf16<R> {
    fn decode_piece(&mut self) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(PIECE);
        self.input.by_ref().take(PIECE as u64).read_to_end(&mut bytes)?;
        self.ended = bytes.len() < PIECE;
        let (pairs, odd) = bytes.as_chunks::<2>();
        let unit =
            |pair: &[u8; 2]| if self.big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
        let mut units: Vec<u16> = self.high.take().into_iter().chain(pairs.iter().map(unit)).collect();
        self.high = units.pop_if(|last| !self.ended && (0xd800..0xdc00).contains(last));
        let characters = char::decode_utf16(units).map(|found| found.unwrap_or(char::REPLACEMENT_CHARACTER));
        let mut text: String = characters.collect();
        if !odd.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        self.text = Cursor::new(text.into_bytes());
        Ok(())
    }
}

/// UTF-16 of mostly Latin letters has a zero in every other byte.
fn by_zeros(look: &[u8]) -> Encoding {
    let zeros = |first: usize| look.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let most = look.len() / 2;
    match () {
        _ if most > 0 && odd * 10 >= most * 9 && even * 10 < most => Encoding::Utf16 { big: false },
        _ if most > 0 && even * 10 >= most * 9 && odd * 10 < most => Encoding::Utf16 { big: true },
        _ => Encoding::Utf8,
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

    /// Characters of two halves, wherever the pieces part them; halves alone, at the end too.
    #[test]
    fn utf_16_has_characters_of_two_halves() {
        for shift in 0..3 {
            let text = format!("{}{}", "x".repeat(shift), "a,𝄞\n".repeat(PIECE / 4));
            for little in [true, false] {
                assert!(read(utf_16(&format!("\u{feff}{text}"), little)).0 == text, "{shift}");
            }
        }
        let units =
            |units: &[u16]| [0xfeff, 0x61].iter().chain(units).flat_map(|unit| unit.to_le_bytes()).collect();
        let text = |bytes: Vec<u8>| read(bytes).0;
        assert_eq!(text(units(&[0xd834, 0xdd1e])), "a𝄞");
        assert_eq!(text(units(&[0xd834, 0x62])), "a\u{fffd}b");
        assert_eq!(text(units(&[0xdd1e, 0xd834])), "a\u{fffd}\u{fffd}");
        let odd: Vec<u8> = units(&[0x62]);
        assert_eq!(text([&odd[..], b"c"].concat()), "ab\u{fffd}");
    }
}
