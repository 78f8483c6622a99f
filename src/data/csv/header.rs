//! Names of columns: whether the first line has them, and what they are.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::Path;

use csv::ByteRecord;

use super::super::options::{Decimal, Delimiter, ReadOptions};
use super::super::table;
use super::records::records;
use super::{cell, comments};
use crate::error::{Error, Result};

/// Numbers that are years rather than values.
const YEARS: RangeInclusive<i64> = 1900..=2100;
/// Fewest numbers that may be names for their order, and rows below them.
const AXIS: usize = 4;
const AXIS_ROWS: usize = 3;
/// Numbers from which on their order is no chance.
const LONG_AXIS: usize = 8;
/// How much one of even steps may differ from the mean, as numbers are rounded.
const UNEVEN: f64 = 0.02;
/// Rows below a title that may have the names.
const TITLE: usize = 20;

/// What the first line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Names,
    /// Names that could be a row.
    DoubtfulNames,
    Row,
    /// A row that could be names.
    DoubtfulRow,
    /// Names that are numbers, such as wavelengths, masses or times.
    Axis,
}

impl Judged {
    /// Whether the line has names.
    pub(super) fn names(self) -> bool {
        !matches!(self, Judged::Row | Judged::DoubtfulRow)
    }
}

/// It has names if it contains the label's or the model's, or no numbers, or text where the second line has a number, or
/// counts as data rarely does.
pub(super) fn judge(
    first: &ByteRecord,
    rest: &[ByteRecord],
    decimal: Decimal,
    options: &ReadOptions,
) -> Judged {
    let number = |cell: &[u8]| {
        let read = cell::read(cell, decimal);
        !read.value.is_nan() || matches!(read.kind, Some(table::Kind::Infinite | table::Kind::Beyond))
    };
    let missing =
        |cell: &[u8]| cell::is_missing(cell::trim(cell)) || cell::trim(cell).eq_ignore_ascii_case(b"nan");
    let text = |cell: &[u8]| !number(cell) && !missing(cell);
    let names: HashSet<Cow<str>> = first.iter().map(cell::name).collect();
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
    let cells: Vec<&[u8]> = first.iter().map(cell::trim).collect();
    let blank = cells.len() > 1 && cells[0].is_empty();
    if blank && !rest.is_empty() && counts(rest.iter().map(|row| row.get(0))) {
        return Judged::Names;
    }
    let numbers = &cells[usize::from(blank)..];
    let axis = axis(first, rest, decimal, options.expected.is_empty());
    // A blank and numbers above names of rows.
    if blank && labelled.is_none() && rest.len() > 1 && text_rows(rest) {
        return if axis == Judged::Axis { axis } else { Judged::DoubtfulNames };
    }
    if first.iter().any(text) && !rest.is_empty() {
        // Words over words: names if the numbers beside them are years or count, and those below are nothing of that kind.
        let beside = |row: &ByteRecord| {
            let cells = row.iter().zip(first).filter(|(_, first)| !text(first)).map(|(cell, _)| cell);
            progression(cells)
        };
        let Some(above) = beside(first).filter(Progression::names_columns) else { return axis };
        // One row in many may count by chance, and one person among many was born in no year.
        let like = rest.iter().filter_map(beside).filter(|row| row.is_like(&above)).count();
        return if 2 * like > rest.len() { Judged::Row } else { Judged::DoubtfulNames };
    }
    let whole: Option<Vec<i64>> =
        numbers.iter().map(|cell| std::str::from_utf8(cell).ok()?.parse().ok()).collect();
    let Some(whole) =
        whole.filter(|whole| !whole.is_empty() && whole.windows(2).all(|pair| pair[1] == pair[0] + 1))
    else {
        return axis;
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
            match below.iter().any(year) {
                true => Judged::Row,
                false if axis == Judged::Axis => axis,
                false => Judged::DoubtfulRow,
            }
        }
        _ => axis,
    }
}

/// What numbers in the first line are that go up or down throughout: names, such as wavelengths, if they lie far from the
/// rows below, or if no row goes so and the numbers do not by chance. `new` says that no model wants the rows.
fn axis(first: &ByteRecord, rest: &[ByteRecord], decimal: Decimal, new: bool) -> Judged {
    let value = |cell: &[u8]| {
        let cell = cell::trim(cell);
        cell::plain::<f64>(cell, decimal).unwrap_or_else(|| cell::read(cell, decimal).value.into())
    };
    let number = |(column, cell): (usize, &[u8])| Some((column, value(cell))).filter(|(_, v)| v.is_finite());
    let (columns, axis): (Vec<usize>, Vec<f64>) = first.iter().enumerate().filter_map(number).unzip();
    if axis.len() < AXIS || rest.len() < AXIS_ROWS {
        return Judged::Row;
    }
    let cells = |column: usize| rest.iter().map(move |row| row.get(column).map_or(f64::NAN, value));
    let is_far = |(column, v): (&usize, &f64)| {
        let (least, most) = cells(*column)
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), v| (least.min(v), most.max(v)));
        least <= most && (least - v).max(v - most) > (most - least).max(f64::MIN_POSITIVE)
    };
    let far = columns.iter().zip(&axis).filter(|pair| is_far(*pair)).count();
    if !is_monotone(axis.iter().copied()) {
        return if far == axis.len() && rest.len() > LONG_AXIS { Judged::DoubtfulRow } else { Judged::Row };
    }
    if 2 * far > axis.len() {
        return Judged::Axis;
    }
    let row = |row: &ByteRecord| is_monotone(columns.iter().map(|at| row.get(*at).map_or(f64::NAN, value)));
    let mean = (axis[axis.len() - 1] - axis[0]) / (axis.len() - 1) as f64;
    let even = axis.windows(2).all(|pair| ((pair[1] - pair[0]) / mean - 1.0).abs() < UNEVEN);
    // A row of a few small numbers, such as 1, 2, 3, 4, may count by chance.
    let by_chance = axis.len() < LONG_AXIS && !(even && mean.fract() != 0.0);
    match new && !by_chance && !rest.iter().any(row) {
        true => Judged::Axis,
        false => Judged::Row,
    }
}

/// Whether numbers only go up or only go down.
fn is_monotone(numbers: impl Iterator<Item = f64> + Clone) -> bool {
    let pairs = || numbers.clone().zip(numbers.clone().skip(1));
    pairs().all(|(a, b)| a < b) || pairs().all(|(a, b)| a > b)
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
        cells.map(|cell| std::str::from_utf8(cell::trim(cell)).ok()?.parse().ok()).collect();
    let numbers = numbers?;
    let (first, last) = (*numbers.first()?, *numbers.last()?);
    let step = numbers.get(1).map_or(Some(0), |second| second.checked_sub(first).filter(|step| *step > 0))?;
    let even = numbers.windows(2).all(|pair| pair[1].checked_sub(pair[0]) == Some(step));
    even.then_some(Progression { first, last, step, count: numbers.len() })
}

/// Whether these cells count up by one.
pub(super) fn counts<'a>(cells: impl Iterator<Item = Option<&'a [u8]>>) -> bool {
    let numbers: Option<Vec<i64>> =
        cells.map(|cell| std::str::from_utf8(cell::trim(cell?)).ok()?.parse().ok()).collect();
    numbers.is_some_and(|numbers| numbers.windows(2).all(|pair| Some(pair[1]) == pair[0].checked_add(1)))
}

/// Whether the first cell of each row is a name of its own.
fn text_rows(rows: &[ByteRecord]) -> bool {
    let text = |cell: &[u8]| cell::read(cell, Decimal::Point).kind == Some(table::Kind::Text);
    let mut seen = HashSet::new();
    rows.iter().all(|row| row.get(0).map(cell::trim).is_some_and(|cell| text(cell) && seen.insert(cell)))
}

/// Whether the first cell of each row numbers it or names it: whole numbers or text, none of them twice.
pub(super) fn are_row_names(rows: &[ByteRecord]) -> bool {
    let mut seen = HashSet::new();
    let whole = |cell: &[u8]| std::str::from_utf8(cell::trim(cell)).ok()?.parse::<i64>().ok();
    let numbered =
        rows.iter().all(|row| row.get(0).and_then(whole).is_some_and(|number| seen.insert(number)));
    numbered || text_rows(rows)
}

/// The row below that has the names, where the first line is a title: few of its cells have something.
pub(super) fn names_below(first: &ByteRecord, rest: &[ByteRecord]) -> Option<usize> {
    let text = |cell: &[u8]| cell::read(cell, Decimal::Point).kind == Some(table::Kind::Text);
    let named = first.iter().filter(|cell| !cell::trim(cell).is_empty()).count();
    // A blank before names stands above an index.
    let index = named + 1 == first.len() && first.get(0).is_some_and(|cell| cell::trim(cell).is_empty());
    if index || first.len() < 2 || 2 * named > first.len() {
        return None;
    }
    let names = |row: &ByteRecord| row.len() == first.len() && row.iter().all(text);
    let at = rest.iter().take(TITLE).position(names)?;
    rest.get(at + 1).is_some_and(|row| !row.iter().all(text)).then_some(at)
}

/// The names in the line of names, and how many cells the rows have: a nameless column of row names may come first, or an
/// empty cell last.
pub(super) fn names_of(path: &Path, first: &ByteRecord, rest: &[ByteRecord]) -> Result<(Vec<String>, usize)> {
    let mut names: Vec<String> = first.iter().map(|name| cell::name(name).into_owned()).collect();
    let all = |width: usize| !rest.is_empty() && rest.iter().all(|row| row.len() == width);
    // Names below a single name: that is a title, and no name beside a column of row names.
    let is_text = |cell: &[u8]| cell::sign(cell) == cell::Sign::Other && !cell::trim(cell).is_empty();
    let is_title = names.len() == 1
        && matches!(rest, [below, next, ..] if below.iter().all(is_text) && !next.iter().all(is_text));
    if all(names.len() + 1) && !is_title {
        let trailing =
            rest.iter().all(|row| row.iter().next_back().is_some_and(|cell| cell::trim(cell).is_empty()));
        // As R writes row names. Other columns would get the names of their neighbours.
        if !trailing && !are_row_names(rest) {
            let (few, many) = (names.len(), names.len() + 1);
            let have = if few == 1 { "1 name".to_owned() } else { format!("{few} names") };
            let problem = format!("its first line has {have}, but the rows have {many} cells");
            return Err(Error::file(path, problem, "write the name that is missing into the first line"));
        }
        names.insert(if trailing { names.len() } else { 0 }, String::new());
    } else if names.len() > 1 && all(names.len() - 1) && names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    let columns = names.len();
    Ok((names, columns))
}

/// The names in the last comment before the rows, if it has one for each cell. `above` is what stands above the table.
pub(super) fn names_in_comment(
    (above, text): (&[u8], &[u8]),
    delimiter: Delimiter,
    rows: &[ByteRecord],
) -> Option<Vec<String>> {
    let lines = |text| <[u8]>::split(text, |byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let begin = lines(text).take_while(|line| line.is_empty() || line.starts_with(b"#"));
    let line = lines(above).chain(begin).filter_map(|line| comments::body(line, delimiter)).last()?;
    let names = records(delimiter, false, line.trim_ascii()).into_byte_records().next()?.ok()?;
    let width = rows.first()?.len();
    let text = |cell: &[u8]| cell::read(cell, Decimal::Point).kind == Some(table::Kind::Text);
    let sound = names.len() == width && names.iter().any(text);
    sound.then(|| names.iter().map(|name| cell::name(name).into_owned()).collect())
}
