//! Tables as text: a row a line, with or without a line of names above.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::table::{self, Labels};
use super::{Format, MAX_ROWS, Options, Parts, Progress, Step, column_name, has_extension};
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "csv",
    describe: "a table of numbers as .csv or .tsv, with or without names; labels by --label-column",
    detect: |source| has_extension(source, &["csv", "tsv"]),
    open,
};

/// Bytes of the beginning by which the separator is chosen.
const LOOK: usize = 1 << 16;
/// Cells without a value, besides an empty one.
const MISSING: [&[u8]; 6] = [b"NA", b"N/A", b"NULL", b"null", b"None", b"?"];
/// Rows between two calls of progress.
const PACE: usize = 1 << 14;

fn open(source: &str, options: &Options, progress: Progress) -> Result<Parts> {
    let path = Path::new(source);
    let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    let size = file.metadata().map_err(|error| Error::io("read", path, error))?.len();
    let input = BufReader::with_capacity(1 << 18, file);
    read(path, input, options.label_column.as_deref(), &|done| {
        progress(Step { what: "reading bytes", done, total: size });
    })
}

fn read(path: &Path, mut input: impl BufRead, label: Option<&str>, progress: &dyn Fn(u64)) -> Result<Parts> {
    let mut look = Vec::new();
    let unreadable = |error| Error::io("read", path, error);
    input.by_ref().take(LOOK as u64).read_to_end(&mut look).map_err(unreadable)?;
    let delimiter = separator(&look);
    let whole = (&look[..]).chain(input);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .buffer_capacity(1 << 18)
        .from_reader(whole);

    let (mut first, mut second) = (ByteRecord::new(), ByteRecord::new());
    let mut next = |record: &mut ByteRecord| reader.read_byte_record(record).map_err(|e| broken(path, e));
    if !next(&mut first)? {
        return Err(Error::file(path, "it is empty", "name a table with rows of numbers"));
    }
    let more = next(&mut second)?;
    let header = is_header(&first, more.then_some(&second), label);
    let columns: Vec<String> = (0..first.len())
        .map(|column| match first.get(column).unwrap_or_default().trim_ascii() {
            name if header && !name.is_empty() => String::from_utf8_lossy(name).into_owned(),
            _ => (column + 1).to_string(),
        })
        .collect();
    let mut table = Table {
        path,
        label: table::label_column(path, label, &columns)?,
        columns,
        header,
        values: Vec::new(),
        labels: Labels::default(),
        rows: 0,
    };
    if !header {
        table.add(&first)?;
    }
    if more {
        table.add(&second)?;
        let mut record = second;
        while reader.read_byte_record(&mut record).map_err(|error| broken(path, error))? {
            table.add(&record)?;
            if table.rows.is_multiple_of(PACE) {
                progress(reader.position().byte());
            }
        }
    }
    table.finish()
}

/// A table while it is read.
struct Table<'a> {
    path: &'a Path,
    columns: Vec<String>,
    label: Option<usize>,
    header: bool,
    values: Vec<f32>,
    labels: Labels,
    rows: usize,
}

impl Table<'_> {
    fn add(&mut self, record: &ByteRecord) -> Result<()> {
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return Err(Error::file(
                self.path,
                format!("it has more than {MAX_ROWS} rows"),
                "split the data",
            ));
        }
        for (column, cell) in record.iter().enumerate() {
            if self.label == Some(column) {
                self.labels.push(&String::from_utf8_lossy(cell.trim_ascii()));
                continue;
            }
            match number(cell) {
                Some(value) if value.is_finite() => self.values.push(value),
                _ => return Err(self.bad(column, cell)),
            }
        }
        Ok(())
    }

    /// What is wrong with a cell of the present row.
    #[cold]
    fn bad(&self, column: usize, cell: &[u8]) -> Error {
        let cell = cell.trim_ascii();
        let name = column_name(column, &self.columns);
        let line = if self.header { format!(" (line {})", self.rows + 1) } else { String::new() };
        let place = format!("row {}{line}, {name}", self.rows);
        let missing = "remove the rows or columns without a value, or fill them in";
        if is_missing(cell) || number(cell).is_some_and(f32::is_nan) {
            return Error::file(self.path, format!("{place}: the value is missing"), missing);
        }
        if number(cell).is_some() {
            let problem = format!("{place}: {} is no finite number", String::from_utf8_lossy(cell));
            return Error::file(self.path, problem, missing);
        }
        let text: String = String::from_utf8_lossy(cell).chars().take(40).collect();
        let problem = format!("{place}: `{}` is no number", text.escape_debug());
        let next = "remove the column, turn it into numbers, or name it with --label-column";
        Error::file(self.path, problem, next)
    }

    fn finish(mut self) -> Result<Parts> {
        let labels = self.label.map(|label| {
            self.columns.remove(label);
            self.labels
        });
        table::parts(self.path, self.columns, self.values, labels)
    }
}

fn number(cell: &[u8]) -> Option<f32> {
    std::str::from_utf8(cell.trim_ascii()).ok()?.parse().ok()
}

fn is_missing(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    cell.is_empty() || MISSING.contains(&cell)
}

/// Whether the first line has names: it holds the label's name, or no number at all, or text where the second has a number.
fn is_header(first: &ByteRecord, second: Option<&ByteRecord>, label: Option<&str>) -> bool {
    let text = |cell: &[u8]| number(cell).is_none() && !is_missing(cell);
    let above = |second: &ByteRecord| first.iter().zip(second).any(|(a, b)| text(a) && number(b).is_some());
    first.iter().any(|cell| label.is_some_and(|label| cell.trim_ascii() == label.as_bytes() && text(cell)))
        || first.iter().all(|cell| number(cell).is_none()) && first.iter().any(text)
        || second.is_some_and(above)
}

/// The most frequent separator of the first line, quoted text apart.
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
    // The first of equals: a comma.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| *separator)
}

fn broken(path: &Path, error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::io("read", path, error),
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.map_or("?".into(), |pos| pos.line().to_string());
            let problem = format!("line {line} has {len} cells, but the first has {expected_len}");
            Error::file(path, problem, "give each row a cell for each column")
        }
        kind => Error::file(path, format!("no table: {kind:?}"), "write it again as CSV"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::write::Matrix;
    use proptest::prelude::*;

    fn parse(text: &[u8], label: Option<&str>) -> Result<Parts> {
        read(Path::new("t.csv"), text, label, &|_| {})
    }

    fn table(text: &str) -> (Vec<String>, Vec<f32>) {
        let parts = parse(text.as_bytes(), None).unwrap();
        (parts.columns, parts.train.x(0..parts.train.count).unwrap())
    }

    #[track_caller]
    fn refuse(text: &[u8], words: &str) {
        let error = parse(text, None).expect_err("a refusal");
        assert!(matches!(error, Error::File { .. }) && error.to_string().contains(words), "{error}");
    }

    #[test]
    fn a_line_of_names_is_told_from_numbers() {
        assert_eq!(table("a,b\n1,2\n"), (vec!["a".into(), "b".into()], vec![1.0, 2.0]));
        assert_eq!(table("1,2\n3,4"), (vec!["1".into(), "2".into()], vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(table("0,1,y\n3,4,5\n").0, ["0", "1", "y"]);
        assert_eq!(table("\u{feff}\"a, b\"\r\n -1e-3 \r\n"), (vec!["a, b".into()], vec![-1e-3]));
        assert_eq!(table("a;b\n1;2\n").0, ["a", "b"]);
        assert_eq!(table("a\tb\n1\t2\n").1, [1.0, 2.0]);
        assert_eq!(table(",a\n0,5\n").0, ["1", "a"]);
    }

    #[test]
    fn the_label_column_is_taken_out() {
        let parts = parse(b"x,kind,y\n1,dog,2\n3,cat,4\n", Some("kind")).unwrap();
        assert_eq!(
            (&parts.columns[..], &parts.classes[..]),
            (&["x".into(), "y".into()][..], &["cat".into(), "dog".into()][..])
        );
        assert_eq!(parts.train.labels.as_deref(), Some(&[1, 0][..]));
        assert_eq!(parts.train.x(0..2).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        // A table without names, and its third column.
        let parts = parse(b"1,2,dog\n3,4,cat\n", Some("3")).unwrap();
        assert_eq!(parts.train.labels.as_deref(), Some(&[1, 0][..]));
        assert_eq!(parse(b"a,b\n1,2\n", Some("c")).err().map(|error| error.exit_code()), Some(2));
    }

    #[test]
    fn cells_without_a_number_are_named_with_row_and_column() {
        refuse(b"a,b\n1,2\n3,\n", "row 2 (line 3), column 2 (`b`): the value is missing");
        refuse(b"1,2\nnan,4\n", "row 2, column 1: the value is missing");
        refuse(b"1,2\nNA,4\n", "row 2, column 1: the value is missing");
        refuse(b"1,2\n3,inf\n", "row 2, column 2: inf is no finite number");
        refuse(b"1,2\n3,1e39\n", "1e39 is no finite number");
        refuse(b"a,b\n1,2\n3,red\n", "row 2 (line 3), column 2 (`b`): `red` is no number");
        refuse(b"1,2\n3,\xff\n", "is no number");
        refuse(b"1,2\n3,0x10\n", "`0x10` is no number");
    }

    #[test]
    fn tables_of_no_or_ragged_rows_are_refused() {
        refuse(b"", "it is empty");
        refuse(b"\n\n", "it is empty");
        refuse(b"a,b\n", "it has no rows");
        refuse(b"a,b\n1,2\n3\n", "line 3 has 1 cells, but the first has 2");
        refuse(b"1,2\n3,4,5\n", "line 2 has 3 cells");
        let error = parse(b"a\ncat\n", Some("a")).err().unwrap();
        assert!(error.to_string().contains("no column of numbers"), "{error}");
    }

    proptest! {
        #[test]
        fn a_matrix_survives_writing_and_reading(
            values in prop::collection::vec([any::<f32>(), any::<f32>()], 1..9),
        ) {
            let values: Vec<f32> =
                values.concat().into_iter().map(|v| if v.is_finite() { v } else { 0.0 }).collect();
            for names in [&["a, \"b\"".to_owned(), "ü".to_owned()][..], &[]] {
                let mut text = Vec::new();
                Matrix::Csv.write(&mut text, names, 2, &values).unwrap();
                let parts = parse(&text, None).unwrap();
                let got = parts.train.x(0..parts.train.count).unwrap();
                prop_assert!(got.iter().zip(&values).all(|(a, b)| a == b) && got.len() == values.len());
                if !names.is_empty() {
                    prop_assert_eq!(&parts.columns[..], names);
                }
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&text, None);
            let _ = parse(&text, Some("1"));
        }
    }
}
