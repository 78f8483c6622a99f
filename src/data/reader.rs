//! What readers share: the format's entry in the table, the result, and the limits.

use std::path::Path;

use super::options::ReadOptions;
use super::origin::Unread;
use super::progress::Watch;
use super::shape::Shape;
use super::split::Split;
use crate::error::Result;

/// Most rows of a source: row numbers have 32 bits.
pub(super) const MAX_ROWS: usize = 1 << 31;
/// Most bytes of values held in memory, 8 GiB: decompression stops here.
pub(super) const MAX_BYTES: u64 = 8 << 30;
/// Data that unpacks to more than this is suspect ..
pub(super) const PLENTY: u64 = 256 << 20;
/// .. and refused if it is this many times larger than its file, which real data never is.
pub(super) const BOMB: u64 = 200;
/// Most columns of a table: each needs a name, and a model takes fewer.
pub(super) const MAX_COLUMNS: usize = 1 << 17;
/// Name of the threads whose panics become errors: the command does not report them twice.
pub const GUARDED_THREAD: &str = "vae-gpu reader";
/// Most columns, files or rows that a warning names.
pub(super) const NAMED: usize = 5;

/// One kind of data, as a row of the table of formats.
pub(super) struct Format {
    /// The value of the setting `source.format`, and of `data` if the data is built in.
    pub name: &'static str,
    /// One line for the help text and the error message.
    pub describe: &'static str,
    /// Whether `open` is worth trying: looks only at names, so that damaged files are still detected.
    pub detect: fn(&str) -> bool,
    pub open: fn(&str, &ReadOptions, Watch) -> Result<Parts>,
}

/// What a reader gives.
#[derive(Debug)]
pub(super) struct Parts {
    pub name: String,
    pub shape: Shape,
    /// Names of a table's columns: all or none.
    pub columns: Vec<String>,
    /// The name of a table's column of labels.
    pub label: Option<String>,
    /// The names of the labels; empty if they only have numbers.
    pub classes: Vec<String>,
    pub train: Split,
    pub valid: Option<Split>,
    pub test: Option<Split>,
    /// Of bytes that could be binary data, whether they are: see [`super::options::ReadOptions::bits`].
    pub bits: Option<bool>,
    pub unread: Vec<Unread>,
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
    /// Columns whose values differ in the source, but are one 32-bit float.
    pub alike: Vec<usize>,
    /// Whether pictures were cut or resized.
    pub cut: bool,
}

impl Parts {
    /// The training part, and the others that there are.
    pub(super) fn splits(&self) -> impl Iterator<Item = &Split> {
        [&self.train].into_iter().chain(&self.valid).chain(&self.test)
    }

    /// Rows of one part, without names: what a reader starts from.
    pub(super) fn new(name: String, shape: Shape, train: Split) -> Parts {
        Parts {
            name,
            shape,
            columns: Vec::new(),
            label: None,
            classes: Vec::new(),
            train,
            valid: None,
            test: None,
            bits: None,
            unread: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
            alike: Vec::new(),
            cut: false,
        }
    }
}

/// Most characters of a column's name in a message.
pub(super) const LONG_NAME: usize = 60;

/// `column 3 (`age`)`; `column` counts from 0.
pub(super) fn column_name(column: usize, columns: &[String]) -> String {
    let number = column + 1;
    match columns.get(column) {
        Some(name) if name.chars().count() > LONG_NAME => {
            format!("column {number} (`{}..`)", name.chars().take(LONG_NAME).collect::<String>())
        }
        Some(name) if *name != number.to_string() => format!("column {number} (`{name}`)"),
        _ => format!("column {number}"),
    }
}

/// What the first bytes of a pointer of Git LFS are.
pub(super) const POINTS: &[u8] = b"version https://git-lfs";
/// What such a file is, and what to do about it.
pub(super) const POINTER: (&str, &str) =
    ("a pointer of Git LFS, and not the file itself", "fetch the file itself: git lfs pull");

/// Whether a file is a pointer of Git LFS: its name is that of the data. What cannot be read is none.
pub(super) fn is_pointer(path: &Path) -> bool {
    let mut start = [0; POINTS.len()];
    let read =
        std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start));
    read.is_ok() && start == POINTS
}

/// Most bytes that a file of `packed` bytes may unpack to.
pub(super) fn most_unpacked(packed: u64) -> u64 {
    MAX_BYTES.min(PLENTY.max(packed.saturating_mul(BOMB)))
}

/// Whether a source is a file name with one of these extensions, whether or not the file exists.
pub(super) fn has_extension(source: &str, extensions: &[&str]) -> bool {
    let extension = Path::new(source).extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|found| extensions.iter().any(|one| found.eq_ignore_ascii_case(one)))
}

/// A file's name without its extension.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned())
}
