//! What a cell of a text table says.

use std::borrow::Cow;
use std::str::FromStr;

use super::super::options::Decimal;
use super::super::table::{Kind, text};

/// What is read of a cell, and what is to be said of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    /// NaN for what is no number.
    pub value: f32,
    /// None for a plain number.
    pub kind: Option<Kind>,
}

/// The minus sign of Unicode.
const MINUS: char = '\u{2212}';

/// Cells that mean a missing value, besides an empty one: those of pandas, UCI and spreadsheets, in any case.
const MISSING: [&str; 24] = [
    "NA", "N/A", "n.a.", "<NA>", "#N/A", "#N/A N/A", "#NA", "NaN", "-NaN", "NaT", "NULL", "None", "nil", "?",
    ".", "-", "--", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "#DIV/0!", "#VALUE!", "#NUM!",
];

/// Whether nothing is seen of a character: a blank of any kind, or a mark without a width.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// A cell without the blanks at its ends, those of Unicode too.
pub(super) fn trim(cell: &[u8]) -> &[u8] {
    let cell = cell.trim_ascii();
    if cell.first().is_none_or(u8::is_ascii) && cell.last().is_none_or(u8::is_ascii) {
        return cell;
    }
    std::str::from_utf8(cell).map_or(cell, |text| text.trim_matches(is_blank).as_bytes())
}

/// A cell as the name of a column.
pub(super) fn name(cell: &[u8]) -> Cow<'_, str> {
    match text(cell) {
        Cow::Borrowed(name) => name.trim_matches(is_blank).into(),
        Cow::Owned(name) => name.trim_matches(is_blank).to_owned().into(),
    }
}

/// A cell without what is not seen at its ends, and with hyphens for the minus sign of Unicode, unless it is so.
fn tidied(cell: &[u8]) -> Option<Vec<u8>> {
    let trimmed = trim(cell);
    let text = std::str::from_utf8(trimmed).ok().filter(|text| text.contains(MINUS));
    match text {
        Some(text) => Some(text.replace(MINUS, "-").into_bytes()),
        None => (trimmed.len() < cell.trim_ascii().len()).then(|| trimmed.to_vec()),
    }
}

/// Reads a cell with this decimal sign.
pub(super) fn read(cell: &[u8], decimal: Decimal) -> Cell {
    let cell = cell.trim_ascii();
    match plain::<f32>(cell, decimal) {
        Some(value) if value.is_finite() => Cell { value, kind: None },
        _ => strange(cell, decimal),
    }
}

/// The fast way: a number without anything else, rounded once.
pub(super) fn plain<T: FromStr>(cell: &[u8], decimal: Decimal) -> Option<T> {
    match decimal {
        Decimal::Point => std::str::from_utf8(cell).ok()?.parse().ok(),
        Decimal::Comma => {
            // A point would stand between thousands.
            let mut buffer = [0; 64];
            let copy = buffer.get_mut(..cell.len()).filter(|_| !cell.contains(&b'.'))?;
            copy.copy_from_slice(cell);
            copy.iter_mut().filter(|byte| **byte == b',').for_each(|byte| *byte = b'.');
            std::str::from_utf8(copy).ok()?.parse().ok()
        }
    }
}

fn strange(cell: &[u8], decimal: Decimal) -> Cell {
    if let Some(cell) = tidied(cell) {
        return read(&cell, decimal);
    }
    let of = |kind| Cell { value: f32::NAN, kind: Some(kind) };
    if is_missing(cell) {
        return of(Kind::Missing);
    }
    let Ok(text) = std::str::from_utf8(cell) else {
        // Latin-1: a no-break space may stand between thousands.
        let spaced: Vec<u8> = cell.iter().map(|byte| if *byte == 0xa0 { b' ' } else { *byte }).collect();
        return if spaced.is_ascii() { read(&spaced, decimal) } else { of(Kind::Text) };
    };
    if let Some(value) = plain::<f32>(cell, decimal) {
        // `inf`, or a number that 32 bits have no room for.
        let digits = text.bytes().any(|byte| byte.is_ascii_digit());
        return of(match value.is_nan() {
            true => Kind::Missing,
            false if digits => Kind::Beyond,
            false => Kind::Infinite,
        });
    }
    match text.to_ascii_lowercase().as_str() {
        "true" => return Cell { value: 1.0, kind: Some(Kind::Truth) },
        "false" => return Cell { value: 0.0, kind: Some(Kind::Truth) },
        _ => {}
    }
    let (number, percent) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), true),
        None => (text, false),
    };
    let grouped = without_groups(number, decimal);
    let plain_number = grouped.as_deref().unwrap_or(number);
    match plain::<f32>(plain_number.as_bytes(), decimal) {
        Some(value) if value.is_infinite() => of(Kind::Beyond),
        Some(value) if !value.is_nan() => {
            Cell { value, kind: Some(if percent { Kind::Percent } else { Kind::Thousands }) }
        }
        _ => of(Kind::Text),
    }
}

/// Whether a cell has no value.
pub(super) fn is_missing(cell: &[u8]) -> bool {
    cell.is_empty() || MISSING.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(cell))
}

/// The number without what stands between its thousands, if groups of three digits are all that it has there.
fn without_groups(number: &str, decimal: Decimal) -> Option<String> {
    let point = if decimal == Decimal::Point { '.' } else { ',' };
    let (whole, _) = number.split_once(point).unwrap_or((number, ""));
    let mark = whole.chars().find(|c| !c.is_ascii_digit() && !matches!(c, '+' | '-'))?;
    let other = if decimal == Decimal::Point { ',' } else { '.' };
    if mark != other && !matches!(mark, '\'' | '\u{2019}' | ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}') {
        return None;
    }
    let mut groups = whole.trim_start_matches(['+', '-']).split(mark);
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups
        .next()
        .is_some_and(|group| (1..=3).contains(&group.len()) && digits(group) && !group.starts_with('0'));
    let sound = first && groups.all(|group| group.len() == 3 && digits(group));
    sound.then(|| format!("{}{}", whole.replace(mark, ""), &number[whole.len()..]))
}

/// What a cell tells of the decimal sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A decimal point for certain, as in `1.5` or `1,234.5`.
    Point,
    /// A decimal comma for certain, as in `1,5` or `1.234,5`.
    Comma,
    /// `1,234`, which is either.
    Either,
    /// A whole number without any mark.
    None,
    /// No number.
    Other,
}

/// Looks for a decimal sign.
pub(super) fn sign(cell: &[u8]) -> Sign {
    let tidy = if cell.is_ascii() { None } else { tidied(cell) };
    let cell = tidy.as_deref().unwrap_or(cell.trim_ascii());
    let Ok(text) = std::str::from_utf8(cell) else { return Sign::Other };
    let text = text.strip_suffix('%').map_or(text, str::trim_end);
    let number = |decimal| {
        let text = without_groups(text, decimal);
        text.is_some_and(|text| plain::<f64>(text.as_bytes(), decimal).is_some_and(f64::is_finite))
    };
    let simple = |decimal| plain::<f64>(text.as_bytes(), decimal).is_some_and(f64::is_finite);
    // No group of thousands is 0.
    let zero = text.trim_start_matches(['+', '-']).starts_with('0');
    match (text.matches(',').count(), text.matches('.').count()) {
        (0, 0) if simple(Decimal::Point) => Sign::None,
        // `1.234` has a decimal point unless something else speaks for a comma.
        (0, 1) if simple(Decimal::Point) && number(Decimal::Comma) && !zero => Sign::None,
        (0, 1) if simple(Decimal::Point) => Sign::Point,
        (0, _) if number(Decimal::Comma) => Sign::Comma,
        (1, 0) if simple(Decimal::Comma) && number(Decimal::Point) && !zero => Sign::Either,
        (1, 0) if simple(Decimal::Comma) => Sign::Comma,
        (_, 0) if number(Decimal::Point) => Sign::Point,
        (1, _) if number(Decimal::Comma) => Sign::Comma,
        (_, 1) if number(Decimal::Point) => Sign::Point,
        _ => Sign::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_usual_spelling() {
        for (cell, decimal, value, kind) in [
            ("1.5", Decimal::Point, 1.5, None),
            (" -1e-3 ", Decimal::Point, -1e-3, None),
            ("1,5", Decimal::Comma, 1.5, None),
            ("-2,5e3", Decimal::Comma, -2500.0, None),
            ("1,234,567.5", Decimal::Point, 1_234_567.5, Some(Kind::Thousands)),
            ("-1.234,5", Decimal::Comma, -1234.5, Some(Kind::Thousands)),
            ("1.234", Decimal::Comma, 1234.0, Some(Kind::Thousands)),
            ("12'345", Decimal::Point, 12345.0, Some(Kind::Thousands)),
            ("1\u{a0}234,5", Decimal::Comma, 1234.5, Some(Kind::Thousands)),
            ("12.5%", Decimal::Point, 12.5, Some(Kind::Percent)),
            ("1,5 %", Decimal::Comma, 1.5, Some(Kind::Percent)),
            ("True", Decimal::Point, 1.0, Some(Kind::Truth)),
            ("FALSE", Decimal::Point, 0.0, Some(Kind::Truth)),
            // What is not seen, and the minus sign of Unicode.
            ("\u{a0}1.5\u{202f}", Decimal::Point, 1.5, None),
            ("\u{feff}\u{200b}-1,5\u{2009}", Decimal::Comma, -1.5, None),
            ("\u{2212}1.5e\u{2212}3", Decimal::Point, -1.5e-3, None),
            ("\u{2212}1\u{202f}234,5\u{a0}", Decimal::Comma, -1234.5, Some(Kind::Thousands)),
            ("12,5\u{a0}%", Decimal::Comma, 12.5, Some(Kind::Percent)),
        ] {
            assert_eq!(read(cell.as_bytes(), decimal), Cell { value, kind }, "{cell}");
        }
        assert_eq!(read(b"1\xa0234\xa0", Decimal::Point).value, 1234.0);
    }

    #[test]
    fn what_is_no_number_is_told_apart() {
        for (cell, kind) in [
            ("", Kind::Missing),
            ("nan", Kind::Missing),
            ("NULL", Kind::Missing),
            ("?", Kind::Missing),
            ("<NA>", Kind::Missing),
            ("inf", Kind::Infinite),
            ("-Infinity", Kind::Infinite),
            ("1e39", Kind::Beyond),
            ("3e299", Kind::Beyond),
            ("-1e400", Kind::Beyond),
            ("red", Kind::Text),
            ("0x10", Kind::Text),
            ("2024-01-01", Kind::Text),
            ("1,2", Kind::Text),
            ("1,23,456", Kind::Text),
            ("1234,567", Kind::Text),
            ("030 123", Kind::Text),
            ("%", Kind::Text),
            ("1.2.3", Kind::Text),
        ] {
            let read = read(cell.as_bytes(), Decimal::Point);
            assert!(read.value.is_nan() && read.kind == Some(kind), "{cell}: {read:?}");
        }
        // With a decimal comma, a point never is one.
        assert_eq!(read(b"1.5", Decimal::Comma).kind, Some(Kind::Text));
        assert_eq!(read(b"\xff", Decimal::Point).kind, Some(Kind::Text));
    }

    #[test]
    fn a_cell_tells_its_decimal_sign() {
        for (cell, expected) in [
            ("1", Sign::None),
            ("1.5", Sign::Point),
            ("1.234", Sign::None),
            ("1,234", Sign::Either),
            ("0,234", Sign::Comma),
            ("0.234", Sign::Point),
            ("1,5", Sign::Comma),
            ("1234,567", Sign::Comma),
            ("1,234,567", Sign::Point),
            ("1,234.5", Sign::Point),
            ("1.234.567", Sign::Comma),
            ("1.234,5", Sign::Comma),
            ("12,5%", Sign::Comma),
            ("\u{a0}1,5", Sign::Comma),
            ("\u{2212}1.5", Sign::Point),
            ("a,b", Sign::Other),
            ("1,2,3", Sign::Other),
            ("", Sign::Other),
        ] {
            assert_eq!(sign(cell.as_bytes()), expected, "{cell}");
        }
    }
}
