//! The records of a text, which are cells that a delimiter separates.

use std::path::Path;

use csv::ReaderBuilder;

use super::super::options::Delimiter;
use crate::error::Error;

impl Delimiter {
    /// The byte between two cells; runs of blanks are turned into tabs before.
    pub(super) fn byte(self) -> u8 {
        match self {
            Delimiter::Comma => b',',
            Delimiter::Semicolon => b';',
            Delimiter::Tab | Delimiter::Blanks => b'\t',
            Delimiter::Pipe => b'|',
        }
    }
}

/// A reader of the records of a text.
pub(super) fn records<R: std::io::Read>(delimiter: Delimiter, comments: bool, input: R) -> csv::Reader<R> {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter.byte()).buffer_capacity(1 << 18);
    builder.comment(comments.then_some(b'#'));
    builder.from_reader(input)
}

/// The error of a text that is no table.
pub(super) fn broken(path: &Path, error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::io("read", path, error),
        kind => Error::file(path, format!("not a table: {kind:?}"), "write it again as CSV"),
    }
}
