//! What the cells of a table hold besides plain numbers, column by column.

use std::collections::BTreeMap;
use std::fmt;

use super::text::text;

/// What a cell holds if it is no plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Kind {
    /// No value.
    Missing,
    /// Text.
    Text,
    /// An infinity.
    Infinite,
    /// A finite number beyond the range of 32-bit floats.
    Beyond,
    /// A number with a percent sign, which is left out.
    Percent,
    /// A number with marks between its thousands.
    Thousands,
    /// True or false, which count as 1 and 0.
    Truth,
}

/// Where a row is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in super::super) struct Place {
    /// Its number, from 0.
    pub row: u64,
    /// Its line in the file, from 1; 0 where there are no lines.
    pub line: u64,
    /// The byte where the row before ends: blank lines may follow.
    pub byte: u64,
}

/// The cells of one kind in a column.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Cells {
    pub count: u64,
    /// Where the first is.
    pub place: Place,
    /// What is in it.
    pub text: String,
}

/// Most characters of a cell in a message.
const SHOWN: usize = 40;

/// A character as a message shows it: those that have no look are spelt out.
fn shown(c: char) -> String {
    // Marks without a width, which make text of a number.
    let is_seen = !c.is_control()
        && !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}' | '\u{feff}');
    match c {
        _ if is_seen => c.to_string(),
        c if c.is_control() => c.escape_debug().to_string(),
        c => c.escape_unicode().to_string(),
    }
}

/// The cells that are no plain numbers, by column and kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct Tally(BTreeMap<(usize, Kind), Cells>);

impl Tally {
    /// Counts a cell.
    pub(in super::super) fn add(&mut self, column: usize, kind: Kind, place: Place, bytes: &[u8]) {
        let new = || {
            let text = text(bytes).trim().chars().take(SHOWN).map(shown).collect();
            Cells { count: 0, place, text }
        };
        self.0.entry((column, kind)).or_insert_with(new).count += 1;
    }

    /// Appends the cells of the rows that follow `rows` rows and `lines` lines.
    pub(in super::super) fn join(&mut self, next: Tally, rows: u64, lines: u64) {
        for (key, cells) in next.0 {
            let Place { row, line, byte } = cells.place;
            let moved = Cells { place: Place { row: row + rows, line: line + lines, byte }, ..cells };
            self.0.entry(key).and_modify(|known| known.count += moved.count).or_insert(moved);
        }
    }

    /// Adds the blank lines before each row, given the byte where the row before ends.
    pub(in super::super) fn settle(&mut self, blank_lines: impl Fn(u64) -> u64) {
        self.0.values_mut().for_each(|cells| cells.place.line += blank_lines(cells.place.byte));
    }

    pub(in super::super) fn get(&self, column: usize, kind: Kind) -> Option<&Cells> {
        self.0.get(&(column, kind))
    }

    fn count(&self, column: usize, kind: Kind) -> u64 {
        self.get(column, kind).map_or(0, |cells| cells.count)
    }

    /// The columns that have such cells, with them.
    pub(in super::super) fn of(&self, kind: Kind) -> impl Iterator<Item = (usize, &Cells)> {
        self.0
            .iter()
            .filter(move |((_, found), _)| *found == kind)
            .map(|((column, _), cells)| (*column, cells))
    }

    /// The columns whose cells do not go together, in a table of `rows` rows: what is wrong with each.
    pub(in super::super) fn faults(&self, rows: u64) -> BTreeMap<usize, Vec<String>> {
        let mut faults: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for ((column, kind), cells) in &self.0 {
            let others = || rows - cells.count - self.count(*column, Kind::Missing);
            let problem = match kind {
                Kind::Missing | Kind::Thousands => continue,
                Kind::Text => format!("text in {cells}"),
                Kind::Infinite => format!("an infinity in {cells}"),
                Kind::Beyond => {
                    format!("a number beyond 3.4e38, the most that 32-bit floats hold, in {cells}")
                }
                Kind::Percent | Kind::Truth if others() == 0 => continue,
                Kind::Percent => format!("percent signs in some cells and none in others, in {cells}"),
                Kind::Truth => format!("true or false among other values, in {cells}"),
            };
            faults.entry(*column).or_default().push(problem);
        }
        faults
    }
}

impl fmt::Display for Place {
    /// `row 2 (line 3)`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (row, line) = (self.row + 1, self.line);
        write!(f, "row {row}")?;
        if line > 0 && line != row { write!(f, " (line {line})") } else { Ok(()) }
    }
}

impl fmt::Display for Cells {
    /// `3 rows, first in row 2 (line 3): "red"`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Cells { count, place, text } = self;
        match count {
            1 => write!(f, "{place}")?,
            count => write!(f, "{count} rows, first in {place}")?,
        }
        if text.is_empty() { Ok(()) } else { write!(f, ": `{text}`") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_counted_and_the_first_is_named() {
        let mut tally = Tally::default();
        let place = |row, line| Place { row, line, byte: 9 };
        tally.add(1, Kind::Text, place(4, 6), b" red ");
        tally.add(1, Kind::Text, place(5, 7), b"blue");
        let mut next = Tally::default();
        next.add(1, Kind::Text, place(0, 1), b"green");
        next.add(0, Kind::Beyond, place(2, 2), b"1e39");
        next.settle(|byte| u64::from(byte == 9));
        tally.join(next, 10, 12);
        let faults = tally.faults(20);
        assert_eq!(faults[&1], ["text in 3 rows, first in row 5 (line 6): `red`"]);
        assert!(faults[&0][0].ends_with("in row 13 (line 15): `1e39`"), "{faults:?}");
    }

    #[test]
    fn percent_signs_are_in_all_cells_or_in_none() {
        let mut tally = Tally::default();
        tally.add(0, Kind::Percent, Place::default(), b"1%");
        tally.add(0, Kind::Missing, Place::default(), b"");
        assert!(tally.faults(2).is_empty());
        assert!(tally.faults(3)[&0][0].starts_with("percent signs in some cells"));
    }
}
