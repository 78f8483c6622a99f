//! The encoding of a text: UTF-8, or UTF-16 by its mark or by its zeros.

use std::io::{self, Cursor, Read};
use std::path::Path;

use super::super::foreign::stranger;
use crate::error::{Error, Result};

/// Bytes that the encoding is found from.
const LOOK: usize = 1 << 12;
/// How characters become bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Encoding {
    Utf8,
    Utf16Little,
    Utf16Big,
}

impl Encoding {
    /// The encoding that a text names by the mark at its beginning, and the length of that.
    fn marked(look: &[u8]) -> Option<(Encoding, usize)> {
        match look {
            [0xef, 0xbb, 0xbf, ..] => Some((Encoding::Utf8, 3)),
            [0xff, 0xfe, ..] => Some((Encoding::Utf16Little, 2)),
            [0xfe, 0xff, ..] => Some((Encoding::Utf16Big, 2)),
            _ => None,
        }
    }
}

impl Encoding {
    /// The beginning of a text without the space before it, each letter as a byte; those that are not Latin as `?`.
    fn latin(self, look: &[u8]) -> Vec<u8> {
        let unit: fn([u8; 2]) -> u16 = match self {
            Encoding::Utf8 => return look.trim_ascii_start().to_vec(),
            Encoding::Utf16Little => u16::from_le_bytes,
            Encoding::Utf16Big => u16::from_be_bytes,
        };
        let letters = look.as_chunks().0.iter().map(|bytes| u8::try_from(unit(*bytes)).unwrap_or(b'?'));
        letters.skip_while(u8::is_ascii_whitespace).collect()
    }
}

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
        Encoding::marked(&look).map_or((None, 0), |(encoding, length)| (Some(encoding), length));
    if is_utf_32(&look) {
        return Err(Error::file(path, "it is in UTF-32, which is not read", "save it as UTF-8"));
    }
    let encoding = marked.unwrap_or_else(|| by_zeros(&look));
    if let Some((what, next)) = stranger(&encoding.latin(&look[mark..])) {
        return Err(Error::file(path, format!("it is {what}"), next));
    }
    if encoding == Encoding::Utf8 {
        if look.contains(&0) {
            let next = "name a table of text, or say with `source.format` what it is";
            return Err(Error::file(path, "it is no text: it has zero bytes", next));
        }
        return Ok((Box::new(Cursor::new(look.split_off(mark)).chain(input)), None));
    }
    let name = match (encoding, marked.is_some()) {
        (Encoding::Utf16Big, true) => "UTF-16, big-endian",
        (Encoding::Utf16Big, false) => "UTF-16, big-endian, without a mark",
        (_, true) => "UTF-16",
        (_, false) => "UTF-16 without a mark",
    };
    utf_16(path, encoding == Encoding::Utf16Big, Cursor::new(look).chain(input))
        .map(|text| (text, Some(name)))
}

#[cfg(feature = "formats")]
fn utf_16(_: &Path, big: bool, input: impl Read + Send + 'static) -> Result<Box<dyn Read + Send>> {
    let encoding = if big { encoding_rs::UTF_16BE } else { encoding_rs::UTF_16LE };
    let mut decoder = encoding_rs_io::DecodeReaderBytesBuilder::new();
    Ok(Box::new(decoder.encoding(Some(encoding)).bom_override(true).build(input)))
}

#[cfg(not(feature = "formats"))]
fn utf_16(path: &Path, _: bool, _: impl Read) -> Result<Box<dyn Read + Send>> {
    let next = "build vae-gpu with the feature `formats`, or save the text as UTF-8";
    Err(Error::file(path, "it is in UTF-16, which this build cannot read", next))
}

/// UTF-32 has a mark of four bytes, or is known by Latin letters between three zeros each.
fn is_utf_32(look: &[u8]) -> bool {
    let is_letter = |byte: u8| byte >= b' ' || byte.is_ascii_whitespace();
    let letters = look.as_chunks::<4>().0;
    let little = letters.iter().filter(|l| l[1..] == [0, 0, 0] && is_letter(l[0])).count();
    let big = letters.iter().filter(|l| l[..3] == [0, 0, 0] && is_letter(l[3])).count();
    let marked = look.starts_with(&[0xff, 0xfe, 0, 0]) || look.starts_with(&[0, 0, 0xfe, 0xff]);
    marked || (!letters.is_empty() && 10 * little.max(big) >= 9 * letters.len())
}

/// UTF-16 of mostly Latin letters has a zero in every other byte.
fn by_zeros(look: &[u8]) -> Encoding {
    let zeros = |first: usize| look.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let most = look.len() / 2;
    match () {
        _ if most > 0 && odd * 10 >= most * 9 && even * 10 < most => Encoding::Utf16Little,
        _ if most > 0 && even * 10 >= most * 9 && odd * 10 < most => Encoding::Utf16Big,
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
    fn other_files_are_named_and_tables_that_begin_like_them_are_read() {
        let page = b"\n <!DOCTYPE html>\n<p>".to_vec();
        for (bytes, what) in [
            (b"PAR1\x15\x04\x15\x10".to_vec(), "a Parquet file"),
            (b"FEA1\0\0\0\0".to_vec(), "a Feather file"),
            (b"%PDF-1.4\n%".to_vec(), "a PDF document"),
            (page, "a web page or XML"),
            (utf_16("\u{feff}<!DOCTYPE html><p>", true), "a web page or XML"),
            (b"{\n  \"a\": [1, 2]}".to_vec(), "JSON"),
            (b"[ {\"a\": 1}]".to_vec(), "JSON"),
        ] {
            let failed = |error| Error::io("read", "t.csv", error);
            let refused = decode(Path::new("t.csv"), Box::new(Cursor::new(bytes)), failed).err().unwrap();
            assert!(refused.to_string().contains(&format!("it is {what}")), "{refused}");
        }
        for text in [
            "PAR1,x\n1,2\n",
            "FEA1;FEA2\n1;2\n",
            "<5,>5\n1,2\n",
            "<b>,a\n1,2\n",
            "%PDF,x\n1,2\n",
            "{a},b\n1,2\n",
        ] {
            assert_eq!(read(text.into()), (text.to_owned(), None));
        }
        // The first letter is `[{` in bytes.
        let text = "\u{7b5b}\u{9009},b\n1,2\n";
        if cfg!(feature = "formats") {
            assert_eq!(read(utf_16(&format!("\u{feff}{text}"), true)).0, text);
        }
    }

    #[test]
    fn marks_and_zeros_tell_the_encoding() {
        let text = format!("größe,b\n{}", "1,2\n".repeat(5000));
        assert_eq!(read(text.clone().into_bytes()), (text.clone(), None));
        assert_eq!(read(format!("\u{feff}{text}").into_bytes()), (text.clone(), None));
        let both = [(true, "UTF-16"), (false, "UTF-16, big-endian")];
        for (little, name) in both.into_iter().filter(|_| cfg!(feature = "formats")) {
            let (got, found) = read(utf_16(&format!("\u{feff}{text}"), little));
            assert!(got == text && found == Some(name), "{found:?}");
            let (got, found) = read(utf_16(&text, little));
            assert!(got == text && found.is_some_and(|found| found.ends_with("without a mark")), "{found:?}");
        }
        assert_eq!(read(Vec::new()), (String::new(), None));
    }

    #[test]
    fn utf_32_is_named() {
        for (mark, big) in [("\u{feff}", true), ("\u{feff}", false), ("", true), ("", false)] {
            let bytes = |c: char| if big { u32::from(c).to_be_bytes() } else { u32::from(c).to_le_bytes() };
            let text: Vec<u8> = format!("{mark}a,b\n1,2\n").chars().flat_map(bytes).collect();
            let failed = |error| Error::io("read", "t.csv", error);
            let refused = decode(Path::new("t.csv"), Box::new(Cursor::new(text)), failed).err().unwrap();
            assert!(
                refused.to_string().contains("UTF-32") && refused.to_string().contains("UTF-8"),
                "{refused}"
            );
        }
    }
}
