//! Tables of several blocks, read by one thread and by more: every batch of blocks after the first is read ahead.

use super::*;

/// Bytes of a line such as `007,008`, and lines of a block.
const LINE: usize = 8;
const LINES: usize = 8;
/// Rows of a table: six blocks and a little more.
const ROWS: usize = 6 * LINES + 3;
/// A row in the first, the second and the fifth block, from 1.
const PLACES: [usize; 3] = [3, LINES + 5, 4 * LINES + 1];

/// Row `number`, from 1.
fn row(number: usize) -> String {
    format!("{number:03},{:03}\n", number + 1)
}

/// A table in which some rows are others.
fn table(others: &[(usize, &str)]) -> String {
    let other =
        |number: usize| others.iter().find(|(at, _)| *at == number).map(|(_, text)| (*text).to_owned());
    (1..=ROWS).map(|number| other(number).unwrap_or_else(|| row(number))).collect()
}

fn read(input: impl Read, threads: usize) -> Result<Vec<f32>> {
    let layout = Layout {
        delimiter: Delimiter::Comma,
        decimal: Decimal::Point,
        comments: false,
        roles: vec![Role::Value(0), Role::Value(1)],
        dim: 2,
    };
    let failed = |error| Error::io("read", "t.csv", error);
    // After a line of names.
    let table = Table::new(Path::new("t.csv"), &layout, 1, &failed);
    let pace = Pace { block: LINE * LINES, threads };
    table.read(input, pace, &|_| {}).map(|(read, _)| read.values)
}

/// Fails where the text ends.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0 {
            [] => Err(io::Error::other("the disk is gone")),
            _ => self.0.read(buffer),
        }
    }
}

fn values() -> Vec<f32> {
    (1..=ROWS).flat_map(|number| [number as f32, number as f32 + 1.0]).collect()
}

#[test]
fn all_rows_are_read_in_order() {
    for threads in 1..=3 {
        assert_eq!(read(table(&[]).as_bytes(), threads).unwrap(), values(), "{threads} threads");
    }
}

#[test]
fn a_bad_row_is_found_in_every_block() {
    for (threads, place) in (1..=3).flat_map(|threads| PLACES.map(|place| (threads, place))) {
        let text = table(&[(place, "1,2,3\n")]);
        let message = read(text.as_bytes(), threads).unwrap_err().to_string();
        let words = format!("row {place} (line {}) has 3 cells", place + 1);
        assert!(message.contains(&words), "{threads} threads: {message}");
    }
}

#[test]
fn from_a_quote_on_the_rest_is_one_block_and_lines_are_counted_on() {
    for (threads, place) in (1..=3).flat_map(|threads| PLACES.map(|place| (threads, place))) {
        let quoted = format!("\"{place}\n\",{}\n", place + 1);
        let text = table(&[(place, &quoted)]);
        assert_eq!(read(text.as_bytes(), threads).unwrap(), values(), "{threads} threads, {place}");
        let text = table(&[(place, &quoted), (ROWS - 1, "1\n")]);
        let message = read(text.as_bytes(), threads).unwrap_err().to_string();
        // One line for the names, and one that the cell goes on in.
        let words = format!("row {} (line {}) has 1 cell", ROWS - 1, ROWS + 1);
        assert!(message.contains(&words), "{threads} threads, {place}: {message}");
    }
}

#[test]
fn a_read_that_fails_is_told_unless_a_row_before_is_bad() {
    for threads in 1..=2 {
        for bytes in [0, 20, LINE * LINES, 3 * LINE * LINES + 5, 5 * LINE * LINES] {
            let text = table(&[]);
            let error = read(Failing(&text.as_bytes()[..bytes]), threads).unwrap_err();
            assert!(error.to_string().contains("the disk is gone"), "{threads} threads, {bytes}: {error}");
        }
        let text = table(&[(3, "1,2,3\n")]);
        // In the batch after the bad row's, and later.
        for bytes in [threads * LINE * LINES, 3 * LINE * LINES + 5, 5 * LINE * LINES] {
            let error = read(Failing(&text.as_bytes()[..bytes]), threads).unwrap_err();
            assert!(error.to_string().contains("row 3 (line 4)"), "{threads} threads, {bytes}: {error}");
        }
    }
}
