//! Tables as text: one row per line. What separates the cells, the decimal sign, the encoding and the compression are found
//! by looking, and so is a line of names.

use std::io::{self, Read};
use std::path::Path;

use super::options::{Delimiter, ReadOptions};
use super::progress::{Progress, Watch};
use super::reader::{Format, Parts, has_extension};
use super::table;
use super::unpack::{self, Unpacked};
use crate::error::{Error, Result};

mod blanks;
mod cell;
mod comments;
mod dialect;
mod encoding;
mod header;
mod records;
mod rows;
mod seen;

use rows::{Layout, Pace, ROW, Table};

pub(super) const FORMAT: Format = Format {
    name: "csv",
    describe: "a table of numbers as text: .csv, .tsv, .txt or .dat, also as .gz, .zst or .zip; one column may hold labels",
    detect,
    open,
};

/// Bytes at the start that the dialect is detected from: two lines of the widest table that a model takes.
const LOOK: usize = ROW;
/// Bytes that a thread parses in one go.
const BLOCK: usize = 4 << 20;

/// By the name before that of a compression.
fn detect(source: &str) -> bool {
    let packed = Path::new(source).file_stem().and_then(|stem| stem.to_str());
    let plain = match has_extension(source, &["gz", "zst", "zip", "bz2", "xz"]) {
        true => packed.unwrap_or(""),
        false => source,
    };
    has_extension(plain, &["csv", "tsv", "tab", "txt", "dat", "data", "psv"])
}

fn open(source: &str, options: &ReadOptions, progress: Watch) -> Result<Parts> {
    let path = Path::new(source);
    let Unpacked { input, packed, size } = unpack::open(path)?;
    let failed = |error| unpack::broken(path, packed, error);
    let (input, encoding) = encoding::decode(path, input, failed)?;
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let pace = Pace { block: BLOCK, threads };
    let mut parts = read(path, input, options, pace, &failed, &|done| {
        progress(Progress { what: "reading bytes", done, total: size.max(done) });
    })?;
    parts.notes.splice(0..0, [packed, encoding].into_iter().flatten().map(str::to_owned));
    Ok(parts)
}

fn read(
    path: &Path,
    mut input: impl Read,
    options: &ReadOptions,
    pace: Pace,
    failed: &dyn Fn(io::Error) -> Error,
    progress: &dyn Fn(u64),
) -> Result<Parts> {
    let mut look = Vec::new();
    input.by_ref().take(LOOK as u64).read_to_end(&mut look).map_err(failed)?;
    let delimiter = dialect::delimiter(&look, options);
    match delimiter {
        (Delimiter::Blanks, said) => {
            let above = dialect::line_ends(&look[..said]);
            let mut input = blanks::Blanks::new(io::Cursor::new(look).chain(input));
            let mut look = Vec::new();
            input.by_ref().take(LOOK as u64).read_to_end(&mut look).map_err(failed)?;
            // The lines above the table have other blanks now.
            let said = dialect::lines(&look, above);
            read_rows((path, options), look, (delimiter.0, said), input, pace, failed, progress)
        }
        _ => read_rows((path, options), look, delimiter, input, pace, failed, progress),
    }
}

fn read_rows(
    (path, options): (&Path, &ReadOptions),
    look: Vec<u8>,
    delimiter: (Delimiter, usize),
    input: impl Read,
    pace: Pace,
    failed: &dyn Fn(io::Error) -> Error,
    progress: &dyn Fn(u64),
) -> Result<Parts> {
    let (dialect, found) = dialect::find(path, &look, delimiter, options)?;
    let mut choice = table::choose(path, found, options)?;
    choice.notes.splice(0..0, dialect.notes);
    choice.warnings.splice(0..0, dialect.warnings);
    let layout = Layout {
        delimiter: dialect.delimiter,
        decimal: dialect.decimal,
        comments: dialect.comments,
        roles: rows::roles(dialect.columns, &choice),
        dim: choice.values.len(),
    };
    let (begin, lines) = dialect.begin;
    let table = Table::new(path, &layout, lines, failed);
    let (read, warnings) = table.read((&look[begin..]).chain(input), pace, progress)?;
    choice.warnings.extend(warnings);
    table::parts(path, options, choice, read)
}

#[cfg(test)]
mod tests;
