//! Rows of a text table: parsed in blocks of whole lines, on several threads.

use std::cell::Cell;
use std::io::{self, Read};
use std::path::Path;
use std::thread::ScopedJoinHandle;

use csv::ByteRecord;

use super::super::options::{Decimal, Delimiter};
use super::super::reader::MAX_ROWS;
use super::super::table::{self, Choice, Kind, Labels, Place, Tally};
use super::cell;
use super::records::{broken, records};
use super::seen::Seen;
use crate::error::{Error, Result};

/// Most bytes of a row: a longer one is not a row of any table that a model takes.
pub(super) const ROW: usize = 4 << 20;
/// What to do about a cell that spans lines.
const OPEN_QUOTE: &str = "a cell spans several lines: look for a quote that is never closed";

/// What every row must look like.
pub(super) struct Layout {
    pub delimiter: Delimiter,
    pub decimal: Decimal,
    pub comments: bool,
    /// What each cell is for.
    pub roles: Vec<Role>,
    /// Values in a row.
    pub dim: usize,
}

/// What a cell is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role {
    /// The value in this place of the row.
    Value(usize),
    Label,
    /// Nothing: it may hold what it likes.
    Ignored,
    /// It must be empty.
    Empty,
}

/// What each cell of a row of `columns` is for.
pub(super) fn roles(columns: usize, choice: &Choice) -> Vec<Role> {
    let mut roles = vec![Role::Ignored; columns];
    choice.empty.iter().for_each(|column| roles[*column] = Role::Empty);
    choice.values.iter().enumerate().for_each(|(place, column)| roles[*column] = Role::Value(place));
    choice.label.iter().for_each(|column| roles[*column] = Role::Label);
    roles
}

/// Parsed rows.
#[derive(Default)]
struct Rows {
    values: Vec<f32>,
    labels: Vec<Option<String>>,
    count: usize,
    tally: Tally,
    seen: Seen,
    /// The numbers of rows without any cell that is not empty, which are left out.
    hollow: Vec<u64>,
    /// Whether a label is no UTF-8.
    latin: bool,
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
    /// It has this many cells, and what it looks like.
    Ragged(usize, Looks),
    /// The cell in this column has something, where the column is empty above.
    Filled(usize),
    Broken(csv::Error),
    /// It exceeds [`ROW`] bytes.
    Endless,
}

/// What a row with another number of cells looks like: a cell over several lines, or a comment.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Looks {
    Spanning,
    Comment,
    Other,
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
        let mut reader = records(self.delimiter, self.comments, Rationed { input, left: &left });
        let mut record = ByteRecord::new();
        let mut rows = Rows { seen: Seen::new(self.dim), ..Rows::default() };
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

    /// Parses a block of whole lines, and counts its line breaks.
    fn parse_block(&self, bytes: &[u8]) -> (Rows, u64) {
        let lines = bytes.iter().filter(|b| **b == b'\n').count() as u64;
        (self.parse(bytes).settled(bytes), lines)
    }

    fn add(&self, record: &ByteRecord, rows: &mut Rows) -> Result<(), What> {
        let width = self.roles.len();
        let ragged = || {
            let text = record.as_slice();
            let looks = match text.trim_ascii_start().first() {
                _ if text.contains(&b'\n') => Looks::Spanning,
                Some(b'#' | b'%' | b'!' | b'/') => Looks::Comment,
                _ => Looks::Other,
            };
            What::Ragged(record.len(), looks)
        };
        let empty = |cell: &[u8]| cell::trim(cell).is_empty();
        // A separator too many at the end of a line is forgiven.
        let more = record.len() == width + 1 && record.get(width).is_some_and(empty);
        if record.len() != width && !more {
            return Err(ragged());
        }
        if width > 1 && record.as_slice().iter().all(u8::is_ascii_whitespace) {
            rows.hollow.push(rows.all());
            return Ok(());
        }
        let begin = rows.values.len();
        let row = rows.all();
        let place = || {
            record.position().map_or_else(Place::default, |at| Place {
                row,
                line: at.line(),
                byte: at.byte(),
            })
        };
        rows.values.resize(begin + self.dim, 0.0);
        for (column, (cell, role)) in record.iter().zip(&self.roles).enumerate() {
            match role {
                Role::Ignored => {}
                Role::Empty if empty(cell) => {}
                Role::Empty => return Err(What::Filled(column)),
                Role::Label => {
                    let cell = cell::trim(cell);
                    rows.latin |= std::str::from_utf8(cell).is_err();
                    let none = cell.is_empty() || cell.eq_ignore_ascii_case(b"nan");
                    if none {
                        rows.tally.add(column, Kind::Missing, place(), b"");
                    }
                    rows.labels.push((!none).then(|| table::text(cell).into_owned()));
                }
                Role::Value(at) => {
                    let read = cell::read(cell, self.decimal);
                    rows.values[begin + at] = read.value;
                    if let Some(kind) = read.kind {
                        let shown = if kind == Kind::Missing { b"" } else { cell };
                        rows.tally.add(column, kind, place(), shown);
                    }
                    if !rows.seen.differ[*at] {
                        rows.seen.look(*at, cell, self.decimal);
                    }
                }
            }
        }
        rows.count += 1;
        Ok(())
    }
}

impl Rows {
    /// The number of rows, with those that are left out.
    fn all(&self) -> u64 {
        (self.count + self.hollow.len()) as u64
    }

    /// The numbers of the rows that are kept, unless that is all of them.
    fn kept(&self) -> Option<Vec<u64>> {
        let mut hollow = self.hollow.iter().peekable();
        let is_kept = |row: &u64| hollow.next_if_eq(&row).is_none();
        (!self.hollow.is_empty()).then(|| (0..self.all()).filter(is_kept).collect())
    }

    /// With the blank lines before each row, as far as these bytes show them.
    fn settled(mut self, bytes: &[u8]) -> Rows {
        if let Some(bad) = &mut self.bad {
            bad.line += blank_lines(bytes, bad.byte);
        }
        self.tally.settle(|byte| blank_lines(bytes, byte));
        self
    }
}

/// How much of a table is read at a time.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// Bytes of a block, about.
    pub block: usize,
    /// Blocks at a time, each parsed by a thread.
    pub threads: usize,
}

/// What is read of a table at a time.
struct Blocks {
    /// Blocks of whole lines.
    whole: Vec<Vec<u8>>,
    /// The beginning of a line after them or, unless `plain`, of all that is left.
    over: Vec<u8>,
    /// Whether lines may be told apart: no quote and no endless line was met.
    plain: bool,
    /// Whether the input ends with them.
    end: bool,
}

impl Blocks {
    /// Reads `most` blocks of about `block` bytes, which begin with those that were left over.
    fn read(input: &mut impl Read, mut over: Vec<u8>, most: usize, block: usize) -> io::Result<Blocks> {
        let mut whole = Vec::with_capacity(most);
        let (mut plain, mut end) = (true, false);
        while plain && !end && whole.len() < most {
            let mut bytes = std::mem::take(&mut over);
            let before = bytes.len();
            bytes.reserve(block);
            input.by_ref().take(block as u64).read_to_end(&mut bytes)?;
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
                    whole.push(bytes);
                }
                _ => over = bytes,
            }
        }
        Ok(Blocks { whole, over, plain, end })
    }
}

/// What follows blocks.
enum Rest {
    /// More of them, or why they cannot be read.
    Blocks(io::Result<Blocks>),
    /// No more: what is left over, to be parsed in one piece.
    Over(Vec<u8>),
}

/// A table being read.
pub(super) struct Table<'a> {
    path: &'a Path,
    layout: &'a Layout,
    /// What to make of a failed read.
    failed: &'a dyn Fn(io::Error) -> Error,
    /// Lines so far, those before the rows included.
    lines: u64,
    rows: Rows,
    labels: Labels,
}

impl<'a> Table<'a> {
    /// A table without rows yet, after `lines` lines.
    pub(super) fn new(
        path: &'a Path,
        layout: &'a Layout,
        lines: u64,
        failed: &'a dyn Fn(io::Error) -> Error,
    ) -> Table<'a> {
        Table { path, layout, failed, lines, rows: Rows::default(), labels: Labels::default() }
    }

    /// Reads blocks of whole lines, some at a time, while the ones before are parsed. A quote may contain a line break: from the
    /// first quote on, the rest is one block.
    pub(super) fn read(
        mut self,
        mut input: impl Read,
        Pace { block, threads }: Pace,
        progress: &dyn Fn(u64),
    ) -> Result<(table::Read, Vec<String>)> {
        let layout = self.layout;
        let mut done = 0;
        let mut next = Blocks::read(&mut input, Vec::new(), threads, block);
        loop {
            let Blocks { whole, over, plain, end } = next.map_err(self.failed)?;
            let more = plain && !end;
            let (parsed, rest) = std::thread::scope(|scope| {
                let parse = |bytes| scope.spawn(move || layout.parse_block(bytes));
                let workers: Vec<_> = whole.iter().map(|bytes| parse(&bytes[..])).collect();
                let rest = match more {
                    true => Rest::Blocks(Blocks::read(&mut input, over, threads, block)),
                    false => Rest::Over(over),
                };
                let join = |w: ScopedJoinHandle<_>| w.join().unwrap_or_else(|e| std::panic::resume_unwind(e));
                (workers.into_iter().map(join).collect::<Vec<_>>(), rest)
            });
            for (rows, lines) in parsed {
                self.append(rows)?;
                self.lines += lines;
            }
            done += whole.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
            progress(done);
            match rest {
                Rest::Blocks(blocks) => next = blocks,
                Rest::Over(over) => {
                    if !plain {
                        self.append(layout.parse((&over[..]).chain(input)).settled(&over))?;
                    }
                    return Ok(self.finish());
                }
            }
        }
    }

    fn append(&mut self, rows: Rows) -> Result<()> {
        let all = &mut self.rows;
        let before = all.all();
        all.tally.join(rows.tally, before, self.lines);
        all.seen.join(rows.seen, self.layout.decimal);
        all.values.extend_from_slice(&rows.values);
        for label in &rows.labels {
            match label {
                Some(name) => self.labels.push(name),
                None => self.labels.push_none(),
            }
        }
        all.count += rows.count;
        all.hollow.extend(rows.hollow.iter().map(|row| before + row));
        all.latin |= rows.latin;
        if let Some(bad) = rows.bad {
            return Err(self.describe(bad));
        }
        if all.count > MAX_ROWS {
            let problem = format!("it has more than {MAX_ROWS} rows");
            return Err(Error::file(self.path, problem, "split the data"));
        }
        Ok(())
    }

    /// What was read, and warnings of it.
    fn finish(self) -> (table::Read, Vec<String>) {
        let kept = self.rows.kept();
        let Rows { values, tally, seen, hollow, latin, count, .. } = self.rows;
        let mut warnings = Vec::new();
        match &hollow[..] {
            [] => {}
            [row] => warnings.push(format!("row {}, without any value, is left out", row + 1)),
            [row, ..] => warnings.push(format!(
                "{} rows without any value are left out, the first is row {}",
                hollow.len(),
                row + 1
            )),
        }
        if latin {
            warnings.push("some labels are no UTF-8: they are read as Latin-1 (Windows-1252)".into());
        }
        let labels = self.layout.roles.contains(&Role::Label).then_some(self.labels);
        (table::Read { values, labels, rows: count, kept, tally, differ: seen.differ }, warnings)
    }

    /// The error for the bad row after those that were read.
    fn describe(&self, Bad { line, what, .. }: Bad) -> Error {
        let (row, line) = (self.rows.all() + 1, self.lines + line);
        let row = if line == row { format!("row {row}") } else { format!("row {row} (line {line})") };
        let (problem, next) = match what {
            What::Broken(error) if error.is_io_error() => match error.into_kind() {
                csv::ErrorKind::Io(error) => return (self.failed)(error),
                _ => unreachable!("asked before"),
            },
            What::Broken(error) => return broken(self.path, error),
            What::Endless => (
                format!("{row} has more than {} MiB", ROW >> 20),
                "write one row per line, and look for a quote that is never closed",
            ),
            What::Filled(column) => (
                format!("{row}, column {}: it is empty in the rows above, and has no name", column + 1),
                "give the column a name in the first line",
            ),
            What::Ragged(cells, looks) => {
                let (width, few) = (self.layout.roles.len(), cells == 1);
                // The first line is none of the rows, or the first of them.
                let below_first = width < cells && self.rows.all() < 2;
                let cells = if few { "1 cell".to_owned() } else { format!("{cells} cells") };
                let problem = format!("{row} has {cells}, but the first has {width}");
                let next = match looks {
                    Looks::Spanning => OPEN_QUOTE,
                    Looks::Comment => "remove that line if it is a comment",
                    Looks::Other if below_first => {
                        "remove what stands above the names of the columns, such as a title or a comment; if the cells \
                              are not separated so, say by what with `source.delimiter`"
                    }
                    Looks::Other if few => {
                        "remove that line if it is a note; if the cells are not separated so, say by what with \
                              `source.delimiter`"
                    }
                    Looks::Other => {
                        "give each row a cell for each column; if the cells are not separated so, say by what \
                              with `source.delimiter`"
                    }
                };
                (problem, next)
            }
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

#[cfg(test)]
mod tests;
