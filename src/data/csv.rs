//! Tables as text: one row per line, with or without a header.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::options::ReadOptions;
use super::progress::{Progress, Watch};
use super::reader::{Format, MAX_COLUMNS, MAX_ROWS, Parts, column_name, has_extension};
use super::table::{self, Labels};
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "csv",
    describe: "a table of numbers as .csv or .tsv, with or without names; one column may hold labels",
    detect: |source| has_extension(source, &["csv", "tsv"]),
    open,
};

/// Bytes at the start that separator and header are detected from: two lines of the widest table that a model takes.
const LOOK: usize = 4 << 20;
/// Most bytes of a row: a longer one is not a row of any table that a model takes.
const ROW: usize = LOOK;
/// Bytes that a thread parses in one go.
const BLOCK: usize = 4 << 20;
/// What to do about a numeric cell that spans lines.
const OPEN_QUOTE: &str = "a cell spans several lines: look for a quote that is never closed";
/// Cells that mean a missing value, besides an empty one.
const MISSING: [&[u8]; 6] = [b"NA", b"N/A", b"NULL", b"null", b"None", b"?"];

fn open(source: &str, options: &ReadOptions, progress: Watch) -> Result<Parts> {
    let path = Path::new(source);
    let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    let size = file.metadata().map_err(|error| Error::io("read", path, error))?.len();
    read(path, file, options.label_column.as_deref(), BLOCK, &|done| {
        progress(Progress { what: "reading bytes", done, total: size });
    })
}

fn read(
    path: &Path,
    mut input: impl Read,
    label: Option<&str>,
    block: usize,
    progress: &dyn Fn(u64),
) -> Result<Parts> {
    let unreadable = |error| Error::io("read", path, error);
    let mut look = Vec::new();
    input.by_ref().take(LOOK as u64).read_to_end(&mut look).map_err(unreadable)?;
    let delimiter = separator(&look);
    let mut reader = reader(delimiter, &look[..]);
    let (mut first, mut second) = (ByteRecord::new(), ByteRecord::new());
    if !reader.read_byte_record(&mut first).map_err(|error| broken(path, error))? {
        return Err(Error::file(path, "it is empty", "name a table with rows of numbers"));
    }
    if first.len() > MAX_COLUMNS {
        let problem = format!("its first line has more than {MAX_COLUMNS} columns");
        return Err(Error::file(path, problem, "write it as a table with one row per line"));
    }
    let (names_end, names_lines) = (reader.position().byte() as usize, reader.position().line() - 1);
    let more = reader.read_byte_record(&mut second).map_err(|error| broken(path, error))?;
    let header = is_header(&first, more.then_some(&second), label);
    let names = first.iter().enumerate().map(|(column, name)| match name.trim_ascii() {
        name if header && !name.is_empty() => String::from_utf8_lossy(name).into_owned(),
        _ => (column + 1).to_string(),
    });
    let mut columns: Vec<String> = names.collect();
    let label = table::label_column(path, label, &columns)?;

    let layout = Layout { delimiter, columns: columns.len(), label };
    let begin = if header { (names_end, names_lines) } else { (0, 0) };
    let mut table = Table {
        path,
        columns: &columns,
        values: Vec::new(),
        labels: Labels::default(),
        rows: 0,
        lines: begin.1,
    };
    let mut rest = (&look[begin.0..]).chain(input);
    table.read(&layout, &mut rest, block, progress)?;
    let Table { values, labels, .. } = table;
    let labels = label.map(|label| {
        columns.remove(label);
        labels
    });
    table::parts(path, columns, values, labels)
}

fn reader<R: Read>(delimiter: u8, input: R) -> csv::Reader<R> {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter).buffer_capacity(1 << 18);
    builder.from_reader(input)
}

/// What every row must look like.
struct Layout {
    delimiter: u8,
    columns: usize,
    label: Option<usize>,
}

/// Parsed rows.
#[derive(Default)]
struct Rows {
    values: Vec<f32>,
    labels: Vec<String>,
    count: usize,
    /// The row after them, if it is bad.
    bad: Option<Bad>,
}

/// A line that is not a valid row.
struct Bad {
    /// Its line within the block, from 1, and the byte where the row before ends.
    line: u64,
    byte: u64,
    what: What,
}

enum What {
    /// The cell in this column is not a number.
    Cell(usize, Vec<u8>),
    /// It has this many cells, and whether one of them contains a line break.
    Ragged(usize, bool),
    Broken(csv::Error),
    /// It exceeds [`ROW`] bytes.
    Endless,
}

/// Reads at most [`ROW`] bytes per row: a quote that is never closed would take the rest of the file into memory.
struct Rationed<'a, R> {
    input: R,
    left: &'a Cell<usize>,
}

impl<R: Read> Read for Rationed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            let more = self.input.read(&mut [0])? > 0;
            return if more { Err(io::Error::other("the row is too long")) } else { Ok(0) };
        }
        let most = buffer.len().min(self.left.get());
        let count = self.input.read(&mut buffer[..most])?;
        self.left.set(self.left.get() - count);
        Ok(count)
    }
}

impl Layout {
    /// Parses rows up to the end or the first bad row.
    fn parse(&self, input: impl Read) -> Rows {
        let left = Cell::new(ROW);
        let mut reader = reader(self.delimiter, Rationed { input, left: &left });
        let mut record = ByteRecord::new();
        let mut rows = Rows::default();
        let what = loop {
            left.set(ROW);
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return rows,
                Err(_) if left.get() == 0 => break What::Endless,
                Err(error) => break What::Broken(error),
            }
            if let Err(what) = self.add(&record, &mut rows) {
                break what;
            }
        };
        let (line, byte) = record.position().map_or((1, 0), |place| (place.line(), place.byte()));
        rows.bad = Some(Bad { line, byte, what });
        rows
    }

    fn add(&self, record: &ByteRecord, rows: &mut Rows) -> Result<(), What> {
        if record.len() != self.columns {
            return Err(What::Ragged(record.len(), record.as_slice().contains(&b'\n')));
        }
        for (column, cell) in record.iter().enumerate() {
            if self.label == Some(column) {
                rows.labels.push(String::from_utf8_lossy(cell.trim_ascii()).into_owned());
                continue;
            }
            match number(cell) {
                Some(value) if value.is_finite() => rows.values.push(value),
                _ => return Err(What::Cell(column, cell.trim_ascii().to_vec())),
            }
        }
        rows.count += 1;
        Ok(())
    }
}

/// A table being read.
struct Table<'a> {
    path: &'a Path,
    columns: &'a [String],
    values: Vec<f32>,
    labels: Labels,
    rows: usize,
    /// Lines so far, header included.
    lines: u64,
}

impl Table<'_> {
    /// Reads blocks of whole lines, as many at a time as there are cores. A quote may contain a line break: from the
    /// first quote on, the rest is one block.
    fn read(
        &mut self,
        layout: &Layout,
        input: &mut impl Read,
        block: usize,
        progress: &dyn Fn(u64),
    ) -> Result<()> {
        let path = self.path;
        let unreadable = |error| Error::io("read", path, error);
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        let (mut over, mut done) = (Vec::new(), 0);
        loop {
            let mut blocks = Vec::new();
            let (mut plain, mut end) = (true, false);
            while plain && !end && blocks.len() < threads {
                let mut bytes = std::mem::take(&mut over);
                let before = bytes.len();
                input.by_ref().take(block as u64).read_to_end(&mut bytes).map_err(unreadable)?;
                end = bytes.len() - before < block;
                let cut = if end {
                    Some(bytes.len())
                } else {
                    bytes.iter().rposition(|b| *b == b'\n').map(|at| at + 1)
                };
                plain = cut.is_some() && !bytes.contains(&b'"');
                match cut {
                    Some(cut) if plain => {
                        over = bytes.split_off(cut);
                        done += bytes.len() as u64;
                        blocks.push(bytes);
                    }
                    _ => over = bytes,
                }
            }
            let parsed: Vec<Rows> = std::thread::scope(|scope| {
                let workers: Vec<_> =
                    blocks.iter().map(|bytes| scope.spawn(|| layout.parse(&bytes[..]))).collect();
                workers
                    .into_iter()
                    .map(|w| w.join().unwrap_or_else(|e| std::panic::resume_unwind(e)))
                    .collect()
            });
            for (mut rows, bytes) in parsed.into_iter().zip(&blocks) {
                if let Some(bad) = &mut rows.bad {
                    bad.line += blank_lines(bytes, bad.byte);
                }
                self.append(rows)?;
                self.lines += bytes.iter().filter(|b| **b == b'\n').count() as u64;
            }
            progress(done);
            if !plain {
                return self.append(layout.parse((&over[..]).chain(input)));
            }
            if end {
                return Ok(());
            }
        }
    }

    fn append(&mut self, rows: Rows) -> Result<()> {
        self.values.extend_from_slice(&rows.values);
        rows.labels.iter().for_each(|label| self.labels.push(label));
        self.rows += rows.count;
        if let Some(bad) = rows.bad {
            return Err(self.describe(bad));
        }
        if self.rows > MAX_ROWS {
            return Err(Error::file(
                self.path,
                format!("it has more than {MAX_ROWS} rows"),
                "split the data",
            ));
        }
        Ok(())
    }

    /// The error for the bad row after those that were read.
    fn describe(&self, Bad { line, what, .. }: Bad) -> Error {
        let (row, line) = (self.rows + 1, self.lines + line);
        let row = if line == row as u64 { format!("row {row}") } else { format!("row {row} (line {line})") };
        let (column, cell) = match what {
            What::Broken(error) => return broken(self.path, error),
            What::Endless => {
                let problem = format!("{row} has more than {} MiB", ROW >> 20);
                return Error::file(
                    self.path,
                    problem,
                    "write one row per line, and look for a quote that is never closed",
                );
            }
            What::Ragged(cells, quoted) => {
                let problem = format!("{row} has {cells} cells, but the first has {}", self.columns.len());
                let next = if quoted { OPEN_QUOTE } else { "give each row a cell for each column" };
                return Error::file(self.path, problem, next);
            }
            What::Cell(column, cell) => (column, cell),
        };
        let place = format!("{row}, {}", column_name(column, self.columns));
        let text: String = String::from_utf8_lossy(&cell).chars().take(40).collect();
        let fill = "remove the rows or columns without a value, or fill them in";
        if is_missing(&cell) || number(&cell).is_some_and(f32::is_nan) {
            return Error::file(self.path, format!("{place}: the value is missing"), fill);
        }
        if number(&cell).is_some() {
            return Error::file(self.path, format!("{place}: {text} is not a finite number"), fill);
        }
        let problem = format!("{place}: `{}` is not a number", text.escape_debug());
        let next = match cell.contains(&b'\n') {
            false => "remove the column, turn it into numbers, or name it with `source.label_column`",
            true => OPEN_QUOTE,
        };
        Error::file(self.path, problem, next)
    }
}

/// Line breaks from this byte to the next other byte: the CSV reader skips them.
fn blank_lines(bytes: &[u8], from: u64) -> u64 {
    let rest = bytes.get(from as usize..).unwrap_or(&[]);
    let ends = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    ends.filter(|byte| **byte == b'\n').count() as u64
}

fn number(cell: &[u8]) -> Option<f32> {
    std::str::from_utf8(cell.trim_ascii()).ok()?.parse().ok()
}

fn is_missing(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    cell.is_empty() || MISSING.contains(&cell)
}

/// Whether the first line is a header: it contains the label's name, or no numbers, or text where the second line has a
/// number.
fn is_header(first: &ByteRecord, second: Option<&ByteRecord>, label: Option<&str>) -> bool {
    let text = |cell: &[u8]| number(cell).is_none() && !is_missing(cell);
    let above = |second: &ByteRecord| first.iter().zip(second).any(|(a, b)| text(a) && number(b).is_some());
    first.iter().any(|cell| label.is_some_and(|label| cell.trim_ascii() == label.as_bytes() && text(cell)))
        || first.iter().all(|cell| number(cell).is_none()) && first.iter().any(text)
        || second.is_some_and(above)
}

/// The most frequent separator in the first line, outside quotes.
fn separator(look: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in look {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if quoted => {}
            byte => counts.iter_mut().filter(|(s, _)| s == byte).for_each(|(_, count)| *count += 1),
        }
    }
    // On a tie the first wins: a comma.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| *separator)
}

fn broken(path: &Path, error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::io("read", path, error),
        kind => Error::file(path, format!("not a table: {kind:?}"), "write it again as CSV"),
    }
}

#[cfg(test)]
mod tests;
