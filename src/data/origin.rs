//! Where a row came from: what its source calls it.

use std::fmt;

/// What a source calls one of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A file, by its path below the source's folder with `/` between names. Page 2 of a file of several is `file.tif#2`.
    File(&'a str),
    /// A row of a table or an array, counted from 0; rows that are left out keep their numbers.
    Row(u64),
}

impl fmt::Display for Origin<'_> {
    /// As messages name it: rows are counted from 1 there.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Origin::File(name) => write!(f, "{name}"),
            Origin::Row(row) => write!(f, "row {}", row + 1),
        }
    }
}

/// The origins of a reader's rows, where these are not simply all rows in order.
#[derive(Debug)]
pub(super) enum Origins {
    /// Each row is a file.
    Files(Vec<String>),
    /// Rows were left out: the numbers of the others.
    Rows(Vec<u64>),
}

impl Origins {
    /// The origin of the reader's row `place`.
    pub(super) fn get(&self, place: usize) -> Origin<'_> {
        match self {
            Origins::Files(names) => Origin::File(&names[place]),
            Origins::Rows(rows) => Origin::Row(rows[place]),
        }
    }

    /// For how many rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Origins::Files(names) => names.len(),
            Origins::Rows(rows) => rows.len(),
        }
    }
}

/// A part of a source's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// To learn from.
    Train,
    /// To choose by, while training.
    Valid,
    /// To judge by.
    Test,
}

/// A row that the source has and the data lacks, because it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What the source calls it: see [`Origin::File`].
    pub file: String,
    /// Why, on one line.
    pub reason: String,
    /// The part that it would be in; none where the source has no parts of its own.
    pub part: Option<Part>,
}

#[cfg(test)]
mod tests {
    use super::super::split::Split;
    use super::*;

    #[test]
    fn rows_have_the_numbers_of_their_source() {
        let split = Split::new(vec![0; 4], 1, None);
        assert_eq!(split.select(&[3, 1]).origin(0), Origin::Row(3));
        let gaps = split.with_origins(Origins::Rows(vec![0, 5, 6, 9])).select(&[3, 1]);
        assert_eq!((gaps.origin(0), gaps.origin(1)), (Origin::Row(9), Origin::Row(5)));
        assert_eq!(gaps.origin(1).to_string(), "row 6");
    }
}
