//! Files that are something else than their name or `source.format` says, by their first bytes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// Bytes of a file that are looked at.
const START: usize = 1 << 10;
/// Kinds of files that are not text, by how they begin, and what to do with them. Of those that begin with letters, a table
/// may have a name that begins so: they have bytes that no text has.
const BINARY: &[(&[u8], &str, &str)] = &[
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
    (b"SQLite format 3", "an SQLite database, which is not read", "export the table as CSV"),
];
/// Kinds of text that are no table, by how they begin in small letters.
const STRANGERS: &[(&[&str], &str, &str)] = &[
    (&["%pdf-"], "a PDF document", "export the table as CSV"),
    (
        &["<!doctype", "<?xml", "<!--", "<html", "<head", "<body", "<table", "<svg", "<kml", "<rss"],
        "a web page or XML",
        "fetch the file itself, or export the table as CSV",
    ),
    (&["{\"", "{}", "[{"], "JSON, which is not read", "write the table as CSV or Parquet"),
];

/// What the file is if it is no table, and what to do with it.
pub(super) fn stranger(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let is_text = |byte: &u8| *byte >= b' ' || byte.is_ascii_whitespace();
    let binary = || BINARY.iter().find(|(begin, ..)| start.starts_with(begin));
    if let Some((_, what, next)) = binary().filter(|_| !start.iter().all(is_text)) {
        return Some((what, next));
    }
    // A brace, then a name in quotes.
    let begin: String =
        start.iter().filter(|byte| !byte.is_ascii_whitespace()).take(16).map(|b| *b as char).collect();
    let begin = begin.to_lowercase();
    let strange = STRANGERS.iter().find(|(begins, ..)| begins.iter().any(|one| begin.starts_with(one)));
    strange.map(|(_, what, next)| (*what, *next))
}

/// The first bytes of a file.
pub(super) fn start(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(START as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Whether these bytes are text that has numbers.
pub(super) fn is_text(start: &[u8]) -> bool {
    let is_plain = |byte: &u8| *byte >= b' ' || byte.is_ascii_whitespace();
    start.iter().all(is_plain) && start.iter().any(u8::is_ascii_digit)
}

/// Refuses a file that begins as one of another kind, and not with `magic`.
///
/// # Errors
/// [`Error::File`] that says what it is, and how it is read.
pub(super) fn check(path: &Path, magic: &[u8]) -> Result<()> {
    // What cannot be opened is refused by those who read it.
    let Ok(start) = start(path) else { return Ok(()) };
    if start.starts_with(magic) {
        return Ok(());
    }
    match stranger(start.trim_ascii_start()) {
        Some((what, next)) => Err(Error::file(path, format!("it is {what}"), next)),
        None if is_text(&start) => {
            Err(Error::file(path, "it is text", "if that is a table, `source.format` = csv reads it"))
        }
        None => Ok(()),
    }
}
