//! How a text table is written: what separates its cells, its decimal sign, and where its names are.

use std::collections::HashSet;
use std::path::Path;

use csv::ByteRecord;

use super::super::options::{Decimal, Delimiter, Header, ReadOptions};
use super::super::reader::MAX_COLUMNS;
use super::super::table::{self, Found};
use super::cell::{self, Sign};
use super::comments;
use super::header::{Judged, are_row_names, counts, judge, names_below, names_in_comment, names_of};
use super::records::{broken, records};
use crate::error::{Error, Result};
use crate::settings::Named;

/// Rows that the dialect is found from, and most bytes of them if there are two.
const ROWS: usize = 100;
const BYTES: usize = 1 << 20;
/// Most characters of a comment in a note.
const SHOWN: usize = 40;
/// How names of columns begin that pandas gives to those without one ..
const UNNAMED: &str = "Unnamed: ";
/// .. and to those that were an index once.
const INDEX: &[&str] = &["Unnamed: 0", "__index_level_"];

/// How a table is written.
#[derive(Debug)]
pub(super) struct Dialect {
    pub delimiter: Delimiter,
    pub decimal: Decimal,
    /// Whether lines that begin with # are comments.
    pub comments: bool,
    /// Cells of a row.
    pub columns: usize,
    /// The byte of the text where the rows begin, and the lines before it.
    pub begin: (usize, u64),
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

/// What separates the cells, from the first lines, and how many bytes before them say so.
pub(super) fn delimiter(look: &[u8], options: &ReadOptions) -> (Delimiter, usize) {
    // Spreadsheet programs write and read a first line `sep=;`.
    let line = first_line(look);
    let said = line.trim_ascii_end().strip_prefix(b"sep=").map(<[u8]>::to_vec);
    let said = said.and_then(|said| Delimiter::ALL.iter().find(|one| said == [one.byte()]).copied());
    let begin = if said.is_some() { line.len() } else { 0 };
    let text = &look[begin..];
    let found = options.delimiter.or(said).unwrap_or_else(|| {
        // A semicolon marks a comment where it separates no cells.
        match guess(&text[comments::above(text, Delimiter::Comma)..]) {
            Delimiter::Semicolon => guess(&text[comments::above(text, Delimiter::Semicolon)..]),
            other => other,
        }
    });
    (found, begin + comments::above(text, found))
}

fn first_line(text: &[u8]) -> &[u8] {
    text.iter().position(|byte| *byte == b'\n').map_or(text, |end| &text[..=end])
}

/// The candidate that gives all rows the same number of cells, or else most of them; of several, the one most of whose cells
/// look like something.
fn guess(look: &[u8]) -> Delimiter {
    let sample = sample(look);
    let comments = has_comments(sample);
    let mut best = (Delimiter::Comma, (false, 0.0));
    for one in Delimiter::ALL {
        let score = match one {
            Delimiter::Blanks => score(*one, &parse(*one, comments, super::blanks::Blanks::new(sample))),
            one => score(*one, &parse(*one, comments, sample)),
        };
        // On a tie the first wins: a comma.
        let (fits, share) = best.1;
        if score.0 && !fits || score.0 == fits && score.1 > share + 1e-9 {
            best = (*one, score);
        }
    }
    best.0
}

/// The text of the first rows: whole lines, unless there is only one.
fn sample(look: &[u8]) -> &[u8] {
    let mut ends = look.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let second = ends.nth(2).unwrap_or(look.len());
    if first_line(look).len() == look.len() {
        // The beginning of one line shows its separators as well.
        return &look[..look.len().min(BYTES)];
    }
    let last = ends.take_while(|end| *end <= BYTES).take(ROWS).last().unwrap_or(second);
    &look[..last.max(second)]
}

fn parse(delimiter: Delimiter, comments: bool, text: impl std::io::Read) -> Vec<ByteRecord> {
    records(delimiter, comments, text).into_byte_records().filter_map(Result::ok).take(ROWS).collect()
}

/// Whether all rows have as many cells, and how many look right.
fn score(delimiter: Delimiter, rows: &[ByteRecord]) -> (bool, f64) {
    let mut widths: Vec<usize> = rows.iter().map(ByteRecord::len).collect();
    let Some(width) = usual(&mut widths).filter(|width| *width > 1) else { return (false, 0.0) };
    // A first line of names may have one less than there are cells.
    let fits = |(place, row): &(usize, &ByteRecord)| {
        row.len() == width || (*place == 0 && rows.len() > 2 && row.len() + 1 == width)
    };
    let fitting: Vec<&ByteRecord> = rows.iter().enumerate().filter(fits).map(|(_, row)| row).collect();
    let cells: usize = fitting.iter().map(|row| row.len()).sum();
    let clean = fitting.iter().flat_map(|row| row.iter()).filter(|cell| is_clean(cell, delimiter)).count();
    let share = fitting.len() as f64 / rows.len() as f64 * clean as f64 / cells.max(1) as f64;
    (rows.len() > 1 && fitting.len() == rows.len(), share)
}

/// The most frequent of these, the largest on a tie.
fn usual(widths: &mut [usize]) -> Option<usize> {
    widths.sort_unstable();
    widths.chunk_by(|a, b| a == b).max_by_key(|run| run.len()).map(|run| run[0])
}

/// Whether a cell is empty, a number, or text without another separator.
fn is_clean(cell: &[u8], delimiter: Delimiter) -> bool {
    let other = |byte: &u8| matches!(byte, b',' | b';' | b'\t' | b'|') && *byte != delimiter.byte();
    // Digits and blanks that are no number are several.
    let several =
        cell.trim_ascii().contains(&b' ') && cell.iter().all(|byte| b" 0123456789.,+-eE".contains(byte));
    cell::sign(cell) != Sign::Other || !(several || cell.iter().any(other))
}

/// Whether the text begins with a comment, as `numpy.savetxt` writes it.
fn has_comments(look: &[u8]) -> bool {
    look.trim_ascii_start().starts_with(b"#")
}

/// Finds the dialect and the columns of a text, whose first bytes, as many as `delimiter` says, stand above the table.
pub(super) fn find(
    path: &Path,
    look: &[u8],
    delimiter: (Delimiter, usize),
    options: &ReadOptions,
) -> Result<(Dialect, Found)> {
    let (delimiter, from) = delimiter;
    let text = &look[from..];
    let comments = has_comments(text) || look[..from].split(|byte| *byte == b'\n').any(has_comments);
    let mut reader = records(delimiter, comments, text);
    let (mut rows, mut ends) = (Vec::new(), Vec::new());
    let mut record = ByteRecord::new();
    while rows.len() < ROWS && (rows.len() < 3 || (reader.position().byte() as usize) < BYTES) {
        let more = reader.read_byte_record(&mut record).map_err(|error| broken(path, error))?;
        if rows.is_empty() && record.len() > MAX_COLUMNS {
            let problem = format!("its first line has more than {MAX_COLUMNS} columns");
            return Err(Error::file(path, problem, "write it as a table with one row per line"));
        }
        // What may be cut off is not looked at.
        if !more || (rows.len() > 2 && reader.position().byte() as usize >= text.len()) {
            break;
        }
        let position = reader.position();
        ends.push((position.byte() as usize, position.line() - 1));
        rows.push(std::mem::take(&mut record));
    }
    let mut notes = Vec::new();
    let mut warnings = Vec::new();
    let (decimal, doubt) = decimal(&rows, delimiter, options);
    if let Some(cell) = doubt {
        let mark = if cell.contains(',') { Decimal::Comma } else { Decimal::Point };
        let meaning = if mark == decimal { "decimals" } else { "thousands" };
        let other = if decimal == Decimal::Comma { Decimal::Point } else { Decimal::Comma };
        warnings.push(format!(
            "`{cell}` and the like have a {} before {meaning}{}",
            mark.name(),
            options.advice(|| format!("; if not, say `source.decimal` = {}", other.name()))
        ));
    }
    let lines_before = line_ends(&look[..from]);
    let commented = names_in_comment((&look[..from], text), delimiter, &rows);
    let Some((first, rest)) = rows.split_first() else {
        return Err(Error::file(path, "it is empty", "name a table with rows of numbers"));
    };
    let judged = match (&commented, options.header) {
        (_, Some(Header::Yes)) => Judged::Names,
        (Some(_), _) | (_, Some(Header::No)) => Judged::Row,
        (None, None) => judge(first, rest, decimal, options),
    };
    let named = judged.names();
    if let Some(below) = names_below(first, rest).filter(|_| named) {
        let line = lines_before + ends.get(below + 1).map_or(0, |(_, line)| *line);
        let above = if line == 2 { "line 1".to_owned() } else { format!("lines 1 to {}", line - 1) };
        let problem = format!("line {line} has the names of the columns, below a title");
        return Err(Error::file(path, problem, format!("remove {above}, so that the names come first")));
    }
    let (names, columns) = match (&commented, named) {
        (Some(names), false) => (names.clone(), first.len()),
        (_, true) => names_of(path, first, rest)?,
        (None, false) => (vec![String::new(); first.len()], first.len()),
    };
    let shown = |row: &ByteRecord| {
        let cells: Vec<_> = row.iter().map(cell::name).filter(|cell| !cell.is_empty()).take(4).collect();
        format!("{}{}", cells.join(", "), if row.len() > 4 { ", .." } else { "" })
    };
    match judged {
        Judged::DoubtfulNames => warnings.push(format!(
            "the first line, {}, is taken as the names of the columns{}",
            shown(first),
            options.advice(|| "; if it is a row, say `source.header` = no".into())
        )),
        Judged::Axis => notes.push(format!(
            "the first line, {}, goes up or down as no row does: it is taken as the names of the columns{}",
            shown(first),
            options.advice(|| "; `source.header` = no reads it as a row".into())
        )),
        Judged::DoubtfulRow => warnings.push(format!(
            "the first line, {}, is taken as a row{}",
            shown(first),
            options.advice(|| "; if it has the names of the columns, say `source.header` = yes".into())
        )),
        _ => {}
    }
    notes.insert(0, describe(delimiter, decimal, named, commented.is_some()));
    let remarks =
        look[..from].split(|byte| *byte == b'\n').filter(|line| comments::body(line, delimiter).is_some());
    if let Some(remark) = remarks.clone().next() {
        let (count, begin) = (remarks.count(), cell::name(remark).chars().take(SHOWN).collect::<String>());
        let are = if count == 1 {
            "line above the table is a comment"
        } else {
            "lines above the table are comments"
        };
        notes.push(format!("{count} {are}: `{}`", begin.replace('\t', " ")));
    }
    let data = if named { rest } else { &rows[..] };
    let found = columns_of(names, columns, data, named || commented.is_some());
    let begin = if named { (from + ends[0].0, lines_before + ends[0].1) } else { (from, lines_before) };
    Ok((Dialect { delimiter, decimal, comments, columns, begin, notes, warnings }, found))
}

/// Lines that end in a text.
pub(super) fn line_ends(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Bytes of the first `count` lines of a text.
pub(super) fn lines(text: &[u8], count: u64) -> usize {
    text.split_inclusive(|byte| *byte == b'\n').take(count as usize).map(<[u8]>::len).sum()
}

fn describe(delimiter: Delimiter, decimal: Decimal, named: bool, commented: bool) -> String {
    let separated = match delimiter {
        Delimiter::Comma => "commas",
        Delimiter::Semicolon => "semicolons",
        Delimiter::Tab => "tabs",
        Delimiter::Pipe => "vertical bars",
        Delimiter::Blanks => "blanks",
    };
    let decimals = if decimal == Decimal::Comma { ", decimal commas" } else { "" };
    let names = match (named, commented) {
        (true, _) => ", names in the first line",
        (false, true) => ", names in a comment",
        (false, false) => ", no names",
    };
    format!("text, cells separated by {separated}{decimals}{names}")
}

/// The decimal sign, and a cell that leaves it in doubt.
fn decimal(rows: &[ByteRecord], delimiter: Delimiter, options: &ReadOptions) -> (Decimal, Option<String>) {
    if let Some(decimal) = options.decimal {
        return (decimal, None);
    }
    let (mut points, mut commas, mut either, mut dotted) = (0, 0, None, None);
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            match cell::sign(cell) {
                Sign::Point => points += 1,
                Sign::Comma => commas += 1,
                Sign::Either => either = either.or(Some((column, cell))),
                Sign::None if cell.contains(&b'.') => dotted = dotted.or(Some(cell)),
                Sign::None | Sign::Other => {}
            }
        }
    }
    let quoted = |cell: &[u8]| String::from_utf8_lossy(cell.trim_ascii()).into_owned();
    match (points, commas, either) {
        (0, 0, Some((column, cell))) => {
            // Beside plain numbers in the same column, the comma stands before thousands.
            let column = rows.iter().filter_map(|row| row.get(column));
            let plain = column.filter(|cell| cell::sign(cell) == Sign::None).count() > 0;
            let thousands = plain || delimiter == Delimiter::Comma;
            let decimal = if thousands { Decimal::Point } else { Decimal::Comma };
            (decimal, Some(quoted(cell)))
        }
        // Semicolons separate the cells where a comma is the decimal sign, and a point stands between thousands.
        (0, 0, None) if delimiter == Delimiter::Semicolon => (Decimal::Point, dotted.map(quoted)),
        (points, commas, _) if commas > points => (Decimal::Comma, None),
        _ => (Decimal::Point, None),
    }
}

/// The columns: those without a name get numbers, and are looked at.
fn columns_of(names: Vec<String>, columns: usize, rows: &[ByteRecord], named: bool) -> Found {
    let mut found = Found { named, ..Found::default() };
    let cells = |column: usize| rows.iter().map(move |row| row.get(column).map(cell::trim));
    let mut names = names;
    names.resize(columns, String::new());
    let void =
        |column: usize| !rows.is_empty() && cells(column).all(|cell| cell.is_some_and(<[u8]>::is_empty));
    // Where no column has a name, those at the end of each line.
    let last =
        if named { 0 } else { columns - (0..columns).rev().take_while(|column| void(*column)).count() };
    let unnamed = |column: usize| names[column].is_empty() || names[column].starts_with(UNNAMED);
    // A first column without a name beside columns that all have one.
    let alone = named && (1..columns).all(|column| !names[column].is_empty() || void(column));
    for (column, name) in names.iter().enumerate() {
        let was_index = INDEX.iter().any(|index| name.starts_with(index));
        if name.is_empty() && columns > 1 && column >= last && void(column) {
            found.empty.push(column);
        } else if named && (unnamed(column) || was_index) {
            let is_text = |cell: Option<&[u8]>| {
                cell.is_some_and(|cell| cell::read(cell, Decimal::Point).kind == Some(table::Kind::Text))
            };
            let first = column == 0 && !rows.is_empty();
            let names_rows = first && (are_row_names(rows) || cells(column).all(is_text));
            if was_index || counts(cells(column)) || (first && alone) || names_rows {
                found.index.push((column, if cells(column).any(is_text) { "names" } else { "numbers" }));
            }
        }
    }
    // pandas calls columns 0, 1 and 2 that have no names, and its index nothing.
    let taken: HashSet<&str> = names.iter().map(String::as_str).collect();
    let number = |(column, name): (usize, &String)| {
        if !name.is_empty() {
            return name.clone();
        }
        let mut number = (column + 1).to_string();
        while taken.contains(number.as_str()) {
            number = format!("nameless {number}");
        }
        number
    };
    found.names = names.iter().enumerate().map(number).collect();
    // An index alone is data.
    if found.index.len() + found.empty.len() >= columns {
        found.index.clear();
    }
    found
}

#[cfg(test)]
mod tests;
