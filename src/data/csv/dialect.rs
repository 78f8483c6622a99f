//! How a text table is written: what separates its cells, its decimal sign, and where its names are.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::super::options::{Decimal, Delimiter, Header, ReadOptions};
use super::super::reader::MAX_COLUMNS;
use super::super::table::{self, Found};
use super::cell::{self, Sign};
use crate::error::{Error, Result};
use crate::settings::Named;

/// Rows that the dialect is found from, and most bytes of them if there are two.
const ROWS: usize = 100;
const BYTES: usize = 1 << 20;
/// Numbers that are years rather than values.
const YEARS: RangeInclusive<i64> = 1900..=2100;
/// Names of columns that pandas gives to an index without one.
const UNNAMED: &[&str] = &["Unnamed: ", "__index_level_"];

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

/// What separates the cells, from the first lines, and how many bytes before them say so.
pub(super) fn delimiter(look: &[u8], options: &ReadOptions) -> (Delimiter, usize) {
    // Spreadsheet programs write and read a first line `sep=;`.
    let line = first_line(look);
    let said = line.trim_ascii_end().strip_prefix(b"sep=").map(<[u8]>::to_vec);
    let said = said.and_then(|said| Delimiter::ALL.iter().find(|one| said == [one.byte()]).copied());
    let begin = if said.is_some() { line.len() } else { 0 };
    let found = options.delimiter.or(said).unwrap_or_else(|| guess(&look[begin..]));
    (found, begin)
}

pub(super) fn first_line(text: &[u8]) -> &[u8] {
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

/// Finds the dialect and the columns of a text, whose `from` first bytes only say what separates its cells.
pub(super) fn find(
    path: &Path,
    look: &[u8],
    delimiter: (Delimiter, usize),
    options: &ReadOptions,
) -> Result<(Dialect, Found)> {
    let (delimiter, from) = delimiter;
    let text = &look[from..];
    let comments = has_comments(text);
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
    let lines_before = first_lines(&look[..from]);
    let commented = if comments { names_in_comment(text, delimiter, &rows) } else { None };
    let Some((first, rest)) = rows.split_first() else {
        return Err(Error::file(path, "it is empty", "name a table with rows of numbers"));
    };
    let judged = match (&commented, options.header) {
        (_, Some(Header::Yes)) => Judged::Names,
        (Some(_), _) | (_, Some(Header::No)) => Judged::Row,
        (None, None) => judge(first, rest, decimal, options),
    };
    let named = judged != Judged::Row && judged != Judged::DoubtfulRow;
    let (names, columns) = match (&commented, named) {
        (Some(names), false) => (names.clone(), first.len()),
        (_, true) => names_of(first, rest),
        (None, false) => (vec![String::new(); first.len()], first.len()),
    };
    let shown = |row: &ByteRecord| {
        let cells: Vec<String> = row.iter().take(4).map(|cell| table::text(cell).trim().to_owned()).collect();
        format!("{}{}", cells.join(", "), if row.len() > 4 { ", .." } else { "" })
    };
    match judged {
        Judged::DoubtfulNames => warnings.push(format!(
            "the first line, {}, is taken as the names of the columns{}",
            shown(first),
            options.advice(|| "; if it is a row, say `source.header` = no".into())
        )),
        Judged::DoubtfulRow => warnings.push(format!(
            "the first line, {}, is taken as a row{}",
            shown(first),
            options.advice(|| "; if it has the names of the columns, say `source.header` = yes".into())
        )),
        _ => {}
    }
    notes.push(describe(delimiter, decimal, named, commented.is_some()));
    let data = if named { rest } else { &rows[..] };
    let found = columns_of(names, columns, data, named || commented.is_some());
    let begin = if named { (from + ends[0].0, lines_before + ends[0].1) } else { (from, lines_before) };
    Ok((Dialect { delimiter, decimal, comments, columns, begin, notes, warnings }, found))
}

fn first_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
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

/// What the first line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    Names,
    /// Names that could be a row.
    DoubtfulNames,
    Row,
    /// A row that could be names.
    DoubtfulRow,
}

/// It has names if it contains the label's or the model's, or no numbers, or text where the second line has a number, or
/// counts as data rarely does.
fn judge(first: &ByteRecord, rest: &[ByteRecord], decimal: Decimal, options: &ReadOptions) -> Judged {
    let number = |cell: &[u8]| {
        let read = cell::read(cell, decimal);
        !read.value.is_nan() || matches!(read.kind, Some(table::Kind::Infinite | table::Kind::Beyond))
    };
    let missing =
        |cell: &[u8]| cell::is_missing(cell.trim_ascii()) || cell.trim_ascii().eq_ignore_ascii_case(b"nan");
    let text = |cell: &[u8]| !number(cell) && !missing(cell);
    let names: HashSet<Cow<str>> = first.iter().map(|cell| table::text(cell.trim_ascii())).collect();
    let labelled = options.label_column.as_deref();
    let expected =
        !options.expected.is_empty() && options.expected.iter().all(|name| names.contains(name.as_str()));
    // A label may be named by its number.
    if expected || labelled.is_some_and(|label| names.contains(label) && text(label.as_bytes())) {
        return Judged::Names;
    }
    if first.iter().all(|cell| !number(cell)) && first.iter().any(text) {
        return Judged::Names;
    }
    let second = rest.first();
    if second.is_some_and(|second| first.iter().zip(second).any(|(a, b)| text(a) && number(b))) {
        return Judged::Names;
    }
    // A blank and numbers above a column that counts: pandas' index and columns without names.
    let cells: Vec<&[u8]> = first.iter().map(<[u8]>::trim_ascii).collect();
    let blank = cells.len() > 1 && cells[0].is_empty();
    if blank && !rest.is_empty() && counts(rest.iter().map(|row| row.get(0))) {
        return Judged::Names;
    }
    let numbers = &cells[usize::from(blank)..];
    if first.iter().any(text) && !rest.is_empty() {
        // Words over words: names if the numbers beside them are years or count, and those below are nothing of that kind.
        let beside = |row: &ByteRecord| {
            let cells = row.iter().zip(first).filter(|(_, first)| !text(first)).map(|(cell, _)| cell);
            progression(cells)
        };
        let Some(above) = beside(first).filter(Progression::names_columns) else { return Judged::Row };
        // One row in many may count by chance, and one person among many was born in no year.
        let like = rest.iter().filter_map(beside).filter(|row| row.is_like(&above)).count();
        return if 2 * like > rest.len() { Judged::Row } else { Judged::DoubtfulNames };
    }
    let whole: Option<Vec<i64>> =
        numbers.iter().map(|cell| std::str::from_utf8(cell).ok()?.parse().ok()).collect();
    let Some(whole) =
        whole.filter(|whole| !whole.is_empty() && whole.windows(2).all(|pair| pair[1] == pair[0] + 1))
    else {
        return Judged::Row;
    };
    let below: Vec<f32> =
        rest.iter().flat_map(|row| row.iter().map(|cell| cell::read(cell, decimal).value)).collect();
    let fractions = below.iter().filter(|value| value.fract() != 0.0 && value.is_finite()).count();
    let mostly_fractions = 2 * fractions > below.len();
    let binary = below.iter().all(|value| *value == 0.0 || *value == 1.0);
    let first_cells = [first].into_iter().chain(rest).map(|row| row.get(0));
    match whole[..] {
        _ if below.is_empty() => Judged::Row,
        // 0, 1, 2 ..: pandas' names of columns without names.
        [0] if mostly_fractions => Judged::DoubtfulNames,
        [0, 1] if binary || (rest.len() > 1 && counts(first_cells)) => Judged::DoubtfulRow,
        [0, _, ..] => Judged::DoubtfulNames,
        // Such as years, above numbers that are not whole.
        [_, _, ..] if mostly_fractions => Judged::DoubtfulNames,
        [first, .., last] if rest.len() > 2 && YEARS.contains(&first) && YEARS.contains(&last) => {
            let year = |value: &f32| (*YEARS.start() as f32..=*YEARS.end() as f32).contains(value);
            if below.iter().any(year) { Judged::Row } else { Judged::DoubtfulRow }
        }
        _ => Judged::Row,
    }
}

/// Whole numbers that go up in even steps; the step of a single one is 0.
struct Progression {
    first: i64,
    last: i64,
    step: i64,
    count: usize,
}

impl Progression {
    /// Whether they are years, or three or more that count from 0 or 1.
    fn names_columns(&self) -> bool {
        self.are_years() || (self.count > 2 && self.step == 1 && (0..=1).contains(&self.first))
    }

    fn are_years(&self) -> bool {
        YEARS.contains(&self.first) && YEARS.contains(&self.last)
    }

    /// Whether a row is of the same kind as another one: beside years only years are.
    fn is_like(&self, other: &Progression) -> bool {
        self.step == other.step && (self.are_years() || !other.are_years())
    }
}

fn progression<'a>(cells: impl Iterator<Item = &'a [u8]>) -> Option<Progression> {
    let numbers: Option<Vec<i64>> =
        cells.map(|cell| std::str::from_utf8(cell.trim_ascii()).ok()?.parse().ok()).collect();
    let numbers = numbers?;
    let (first, last) = (*numbers.first()?, *numbers.last()?);
    let step = numbers.get(1).map_or(Some(0), |second| second.checked_sub(first).filter(|step| *step > 0))?;
    let even = numbers.windows(2).all(|pair| pair[1].checked_sub(pair[0]) == Some(step));
    even.then_some(Progression { first, last, step, count: numbers.len() })
}

/// Whether these cells count up by one.
fn counts<'a>(cells: impl Iterator<Item = Option<&'a [u8]>>) -> bool {
    let numbers: Option<Vec<i64>> =
        cells.map(|cell| std::str::from_utf8(cell?.trim_ascii()).ok()?.parse().ok()).collect();
    numbers.is_some_and(|numbers| numbers.windows(2).all(|pair| Some(pair[1]) == pair[0].checked_add(1)))
}

/// The names in the line of names, and how many cells the rows have: a nameless column of row names may come first, or an
/// empty cell last.
fn names_of(first: &ByteRecord, rest: &[ByteRecord]) -> (Vec<String>, usize) {
    let mut names: Vec<String> = first.iter().map(|name| table::text(name).trim().to_owned()).collect();
    let all = |width: usize| !rest.is_empty() && rest.iter().all(|row| row.len() == width);
    // Names below a single name: that is a title, and no name beside a column of row names.
    let is_text = |cell: &[u8]| cell::sign(cell) == Sign::Other && !cell.trim_ascii().is_empty();
    let is_title = names.len() == 1
        && matches!(rest, [below, next, ..] if below.iter().all(is_text) && !next.iter().all(is_text));
    if all(names.len() + 1) && !is_title {
        let trailing =
            rest.iter().all(|row| row.iter().next_back().is_some_and(|cell| cell.trim_ascii().is_empty()));
        names.insert(if trailing { names.len() } else { 0 }, String::new());
    } else if names.len() > 1 && all(names.len() - 1) && names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    let columns = names.len();
    (names, columns)
}

/// The names in the last comment before the rows, if it has one for each cell.
fn names_in_comment(text: &[u8], delimiter: Delimiter, rows: &[ByteRecord]) -> Option<Vec<String>> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let last = lines
        .take_while(|line| line.is_empty() || line.starts_with(b"#"))
        .filter(|line| !line.is_empty())
        .last()?;
    let line = last.trim_ascii_start().strip_prefix(b"#")?.trim_ascii();
    let names = records(delimiter, false, line).into_byte_records().next()?.ok()?;
    let width = rows.first()?.len();
    let text = |cell: &[u8]| cell::read(cell, Decimal::Point).kind == Some(table::Kind::Text);
    let sound = names.len() == width && names.iter().any(text);
    sound.then(|| names.iter().map(|name| table::text(name).trim().to_owned()).collect())
}

/// The columns: those without a name get numbers, and are looked at.
fn columns_of(names: Vec<String>, columns: usize, rows: &[ByteRecord], named: bool) -> Found {
    let mut found = Found { named, ..Found::default() };
    let cells = |column: usize| rows.iter().map(move |row| row.get(column).map(<[u8]>::trim_ascii));
    let mut names = names;
    names.resize(columns, String::new());
    let void =
        |column: usize| !rows.is_empty() && cells(column).all(|cell| cell.is_some_and(<[u8]>::is_empty));
    // Where no column has a name, those at the end of each line.
    let last =
        if named { 0 } else { columns - (0..columns).rev().take_while(|column| void(*column)).count() };
    for (column, name) in names.iter().enumerate() {
        let nameless = name.is_empty();
        if nameless && columns > 1 && column >= last && void(column) {
            found.empty.push(column);
        } else if named && (nameless || UNNAMED.iter().any(|start| name.starts_with(start))) {
            let whole: Option<Vec<i64>> =
                cells(column).map(|cell| std::str::from_utf8(cell?).ok()?.parse().ok()).collect();
            let text = |cell: Option<&[u8]>| {
                cell.is_some_and(|cell| cell::read(cell, Decimal::Point).kind == Some(table::Kind::Text))
            };
            let distinct = |numbers: &Vec<i64>| {
                let mut sorted = numbers.clone();
                sorted.sort_unstable();
                sorted.windows(2).all(|pair| pair[0] < pair[1])
            };
            if counts(cells(column)) || (column == 0 && whole.as_ref().is_some_and(distinct)) {
                found.index.push((column, "numbers"));
            } else if column == 0 && !rows.is_empty() && cells(column).all(text) {
                found.index.push((column, "names"));
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

/// The error of a text that is no table.
pub(super) fn broken(path: &Path, error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::io("read", path, error),
        kind => Error::file(path, format!("not a table: {kind:?}"), "write it again as CSV"),
    }
}

#[cfg(test)]
mod tests;
