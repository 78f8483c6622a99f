//! Whether the cells of a column say different numbers: 32-bit floats may not tell them apart.

use super::super::options::Decimal;
use super::cell;

/// What was seen of each column, by its place among a row's values.
#[derive(Default)]
pub(super) struct Seen {
    /// The first cell of each column that is not empty.
    first: Vec<Vec<u8>>,
    /// Whether a column has another number than that.
    pub differ: Vec<bool>,
}

impl Seen {
    /// Nothing yet, of this many columns.
    pub fn new(columns: usize) -> Seen {
        Seen { first: vec![Vec::new(); columns], differ: vec![false; columns] }
    }

    /// Looks at another cell of a column.
    pub fn look(&mut self, place: usize, cell: &[u8], decimal: Decimal) {
        let (first, cell) = (&mut self.first[place], cell.trim_ascii());
        if first.is_empty() {
            first.extend_from_slice(cell);
        } else {
            self.differ[place] = differ(first, cell, decimal);
        }
    }

    /// Adds what was seen of later rows.
    pub fn join(&mut self, next: Seen, decimal: Decimal) {
        if self.first.is_empty() {
            *self = next;
            return;
        }
        for (place, theirs) in next.first.into_iter().enumerate() {
            self.differ[place] |= next.differ[place];
            if !self.differ[place] {
                self.look(place, &theirs, decimal);
            }
        }
    }
}

/// Whether two cells are different numbers, however little.
fn differ(a: &[u8], b: &[u8], decimal: Decimal) -> bool {
    if a == b {
        return false;
    }
    match (cell::plain::<f64>(a, decimal), cell::plain::<f64>(b, decimal)) {
        // Beyond 2^53, a float is no proof that two whole numbers are the same.
        (Some(x), Some(y)) => x != y || x.abs() >= 9e15,
        _ => false,
    }
}
