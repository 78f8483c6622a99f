//! Parquet: compressed tables, stored by column. Columns of numbers, and of lists of numbers that all have one length.

use std::fs::File;
use std::path::Path;

use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::options::ReadOptions;
use super::progress::{Progress, Watch};
use super::reader::{
    Format, GUARDED_THREAD, MAX_COLUMNS, MAX_ROWS, Parts, column_name, has_extension, most_unpacked,
};
use super::table::{self, Labels};
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "parquet",
    describe: "a table of numbers, or of lists of numbers, as .parquet; one column may hold labels",
    detect: |source| has_extension(source, &["parquet", "pq"]),
    open,
};

/// Records unpacked in one go.
const BATCH: usize = 1 << 14;
/// Bytes per list item while it is read: a value and two levels.
const ITEM: u64 = 12;
/// Prefix of the index columns that pandas adds.
const INDEX: &str = "__index_level_";

/// A column to read.
struct Column {
    /// Its index among the file's columns.
    leaf: usize,
    name: String,
    /// Where its values go in a row of the table; None for labels.
    place: Option<usize>,
    /// Values per row: more than one for a column of lists.
    width: usize,
    /// Whether its integers are unsigned.
    unsigned: bool,
    /// The definition level of a value that is present.
    defined: i16,
}

/// Reads in a separate thread: the parquet crate panics on some damaged pages, which then ends only that thread.
fn open(source: &str, options: &ReadOptions, progress: Watch) -> Result<Parts> {
    let path = Path::new(source);
    let name = GUARDED_THREAD.to_owned();
    std::thread::scope(|scope| {
        let reader =
            std::thread::Builder::new().name(name).spawn_scoped(scope, || read_file(path, options, progress));
        let reader = reader.map_err(|error| Error::io("read", path, error))?;
        reader.join().unwrap_or_else(|_| Err(Error::file(path, "damaged: its pages make no sense", DAMAGED)))
    })
}

fn read_file(path: &Path, options: &ReadOptions, progress: Watch) -> Result<Parts> {
    let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    let packed = file.metadata().map_err(|error| Error::io("read", path, error))?.len();
    let reader = SerializedFileReader::new(file).map_err(|error| broken(path, &error))?;
    for column in reader.metadata().row_groups().iter().flat_map(|group| group.columns()) {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = start.checked_add(column.compressed_size());
        if start < 0 || column.compressed_size() < 0 || end.is_none_or(|end| end as u64 > packed) {
            return Err(Error::file(path, "damaged: a column lies outside the file", DAMAGED));
        }
    }
    let groups = reader.metadata().row_groups().iter();
    let groups: Vec<usize> =
        groups.map(|group| usize::try_from(group.num_rows()).unwrap_or(usize::MAX)).collect();
    let rows = groups.iter().try_fold(0usize, |sum, rows| sum.checked_add(*rows));
    let rows = rows
        .filter(|rows| *rows <= MAX_ROWS)
        .ok_or_else(|| Error::file(path, format!("it claims more than {MAX_ROWS} rows"), "split the data"))?;

    check_lists(path, &reader, packed)?;
    let (mut columns, names) = columns(path, &reader, options.label_column.as_deref())?;
    let dim = names.len();
    let bytes = (rows as u64).saturating_mul(4 * dim as u64);
    if bytes > most_unpacked(packed) {
        let problem = format!("its {packed} bytes claim to be {rows} rows of {dim} values");
        return Err(Error::file(path, problem, "save large tables as .npy, which is read in place"));
    }
    let mut values = vec![0.0; rows * dim];
    let mut labels = columns.iter().any(|column| column.place.is_none()).then(Labels::default);
    let mut first = 0;
    for (index, rows) in groups.into_iter().enumerate() {
        let group = reader.get_row_group(index).map_err(|error| broken(path, &error))?;
        for column in &mut columns {
            let chunk = group.get_column_reader(column.leaf).map_err(|error| broken(path, &error))?;
            let table = &mut values[first * dim..(first + rows) * dim];
            let mut take = |row: usize, item: usize, cell: &dyn Cell| match (column.place, &mut labels) {
                (Some(place), _) => table[row * dim + place + item] = cell.number(column.unsigned),
                (None, Some(labels)) => labels.push(&cell.text(column.unsigned)),
                (None, None) => {}
            };
            let done = read(chunk, column, rows, &mut take);
            done.map_err(|problem| problem.place(path, first, column, &names))?;
        }
        first += rows;
        progress(Progress {
            what: "reading rows",
            done: first as u64,
            total: values.len() as u64 / dim.max(1) as u64,
        });
    }
    table::parts(path, names, values, labels)
}

/// Refuses lists that unpack to more than the file can hold: a list is read whole, and repeated items cost the file
/// nothing.
fn check_lists(path: &Path, reader: &SerializedFileReader<File>, packed: u64) -> Result<()> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let lists = (0..schema.num_columns()).filter(|leaf| schema.column(*leaf).max_rep_level() > 0);
    for leaf in lists {
        let mut items = 0u64;
        for index in 0..reader.num_row_groups() {
            let group = reader.get_row_group(index).map_err(|error| broken(path, &error))?;
            let mut pages = group.get_column_page_reader(leaf).map_err(|error| broken(path, &error))?;
            while let Some(page) = pages.peek_next_page().map_err(|error| broken(path, &error))? {
                items = items.saturating_add(page.num_levels.or(page.num_rows).unwrap_or(0) as u64);
                pages.skip_next_page().map_err(|error| broken(path, &error))?;
            }
        }
        if items.saturating_mul(ITEM) > most_unpacked(packed) {
            let name = schema.get_column_root(leaf).name();
            let problem = format!("its {packed} bytes claim {items} items in the lists of column `{name}`");
            return Err(Error::file(path, problem, "save large tables as .npy, which is read in place"));
        }
    }
    Ok(())
}

/// The columns to read, and the names of the table's columns.
fn columns(
    path: &Path,
    reader: &SerializedFileReader<File>,
    label: Option<&str>,
) -> Result<(Vec<Column>, Vec<String>)> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let all: Vec<String> =
        (0..schema.num_columns()).map(|leaf| schema.get_column_root(leaf).name().to_owned()).collect();
    let label = table::label_column(path, label, &all)?;
    let (mut columns, mut names) = (Vec::new(), Vec::new());
    for (leaf, name) in all.into_iter().enumerate() {
        let described = schema.column(leaf);
        if name.starts_with(INDEX) && label != Some(leaf) {
            continue;
        }
        let unsigned = matches!(
            described.converted_type(),
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        );
        if label == Some(leaf) && described.max_rep_level() > 0 {
            return Err(Error::value("source.label_column", name, "a column of lists cannot be the label"));
        }
        let mut column =
            Column { leaf, name, place: None, width: 1, unsigned, defined: described.max_def_level() };
        if label != Some(leaf) {
            check(path, &described, &column, schema.get_column_root(leaf).is_list_or_primitive())?;
            if described.max_rep_level() > 0 {
                column.width = list_width(path, reader, &column)?;
            }
            column.place = Some(names.len());
            let number = |item: usize| format!("{}[{item}]", column.name);
            if names.len().saturating_add(column.width) > MAX_COLUMNS {
                let problem = format!("its rows have more than {MAX_COLUMNS} columns");
                return Err(Error::file(path, problem, "remove columns, or shorten their lists"));
            }
            match described.max_rep_level() {
                0 => names.push(column.name.clone()),
                _ => names.extend((0..column.width).map(number)),
            }
        }
        columns.push(column);
    }
    Ok((columns, names))
}

/// Checks that a column holds numbers, or lists of them.
fn check(path: &Path, described: &ColumnDescriptor, column: &Column, simple: bool) -> Result<()> {
    let numbers = matches!(
        described.physical_type(),
        Type::BOOLEAN | Type::INT32 | Type::INT64 | Type::FLOAT | Type::DOUBLE
    );
    let plain = matches!(described.logical_type_ref(), None | Some(LogicalType::Integer(_)))
        && !matches!(
            described.converted_type(),
            ConvertedType::DECIMAL
                | ConvertedType::DATE
                | ConvertedType::TIME_MILLIS
                | ConvertedType::TIME_MICROS
                | ConvertedType::TIMESTAMP_MILLIS
                | ConvertedType::TIMESTAMP_MICROS
        );
    if numbers && plain && simple && described.max_rep_level() <= 1 {
        return Ok(());
    }
    let what = match described.logical_type_ref() {
        Some(logical) => format!("{logical:?}"),
        None => described.physical_type().to_string(),
    };
    let kind = if simple { what } else { "nested columns".to_owned() };
    Err(Error::file(
        path,
        format!("column `{}` holds {kind}, not numbers or lists of numbers", column.name),
        "remove the column, turn it into numbers, or name it with `source.label_column`",
    ))
}

/// The length of a column's first list.
fn list_width(path: &Path, reader: &SerializedFileReader<File>, column: &Column) -> Result<usize> {
    for index in 0..reader.num_row_groups() {
        let group = reader.get_row_group(index).map_err(|error| broken(path, &error))?;
        if group.metadata().num_rows() == 0 {
            continue;
        }
        let chunk = group.get_column_reader(column.leaf).map_err(|error| broken(path, &error))?;
        let mut width = 0;
        let any = Column { width: usize::MAX, name: column.name.clone(), ..*column };
        read(chunk, &any, 1, &mut |_, item, _| width = item + 1)
            .map_err(|problem| problem.place(path, 0, column, &[]))?;
        return Ok(width.max(1));
    }
    Ok(1)
}

/// A value of any type.
trait Cell {
    fn number(&self, unsigned: bool) -> f32;
    fn text(&self, unsigned: bool) -> String;
}

macro_rules! cell {
    ($type:ty, $self:ident, $unsigned:ident, $number:expr, $text:expr) => {
        impl Cell for $type {
            fn number(&$self, $unsigned: bool) -> f32 {
                $number
            }
            fn text(&$self, $unsigned: bool) -> String {
                $text
            }
        }
    };
}
cell!(bool, self, _unsigned, u8::from(*self).into(), self.to_string());
cell!(
    i32,
    self,
    unsigned,
    if unsigned { *self as u32 as f32 } else { *self as f32 },
    if unsigned { (*self as u32).to_string() } else { self.to_string() }
);
cell!(
    i64,
    self,
    unsigned,
    if unsigned { *self as u64 as f32 } else { *self as f32 },
    if unsigned { (*self as u64).to_string() } else { self.to_string() }
);
cell!(f32, self, _unsigned, *self, self.to_string());
cell!(f64, self, _unsigned, *self as f32, self.to_string());
// Labels only: columns of bytes are not numbers.
cell!(ByteArray, self, _unsigned, f32::NAN, String::from_utf8_lossy(self.data()).into_owned());

/// What is wrong with a column.
enum Problem {
    Broken(ParquetError),
    /// The row has no value.
    Missing(usize),
    /// The row's list has another length, of this many items.
    Ragged(usize, usize),
    /// The column has this many rows, too few or too many.
    Rows(usize),
}

impl From<ParquetError> for Problem {
    fn from(error: ParquetError) -> Problem {
        Problem::Broken(error)
    }
}

impl Problem {
    fn place(self, path: &Path, first: usize, column: &Column, names: &[String]) -> Error {
        let name = match column.place {
            Some(place) if column.width == 1 => column_name(place, names),
            _ => format!("column `{}`", column.name),
        };
        let at = |row: usize| format!("row {}, {name}", first + row + 1);
        let (problem, next) = match self {
            Problem::Broken(error) => return broken(path, &error),
            Problem::Missing(row) => (
                format!("{}: the value is missing", at(row)),
                "remove the rows or columns without a value, or fill them in",
            ),
            Problem::Ragged(row, items) => (
                format!("{}: a list of {items} numbers, but the first has {}", at(row), column.width),
                "give all lists the same length",
            ),
            Problem::Rows(rows) => {
                (format!("{name} has {rows} rows, not as many as the file promises"), DAMAGED)
            }
        };
        Error::file(path, problem, next)
    }
}

/// Called with each value: its row, its place in the row's list, and the value.
type Take<'a> = &'a mut dyn FnMut(usize, usize, &dyn Cell);

fn read(chunk: ColumnReader, column: &Column, rows: usize, take: Take) -> Result<(), Problem> {
    match chunk {
        ColumnReader::BoolColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::Int32ColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::Int64ColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::FloatColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::DoubleColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::ByteArrayColumnReader(chunk) => cells(chunk, column, rows, take),
        _ => Err(ParquetError::General("a column of a type that is not read".into()).into()),
    }
}

/// Reads `rows` rows of a column.
fn cells<T: DataType>(
    mut chunk: ColumnReaderImpl<T>,
    column: &Column,
    rows: usize,
    take: Take,
) -> Result<(), Problem>
where
    T::T: Cell,
{
    let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    let mut first = 0;
    while first < rows {
        values.clear();
        defined.clear();
        repeated.clear();
        let now = BATCH.min(rows - first);
        let (records, _, levels) =
            chunk.read_records(now, Some(&mut defined), Some(&mut repeated), &mut values)?;
        if records == 0 {
            return Err(Problem::Rows(first));
        }
        // Levels are empty if every row has exactly one value, or none is missing.
        let (mut row, mut items, mut next) = (first, 0, values.iter());
        for level in 0..levels {
            if level > 0 && repeated.get(level).is_none_or(|repeated| *repeated == 0) {
                ended(row, items, column)?;
                (row, items) = (row + 1, 0);
            }
            if row == rows {
                return Err(Problem::Rows(row + 1));
            }
            let there = defined.get(level).is_none_or(|level| *level == column.defined);
            match next.next().filter(|_| there) {
                Some(_) if items == column.width => return Err(Problem::Ragged(row, items + 1)),
                Some(value) => take(row, items, value),
                None => return Err(Problem::Missing(row)),
            }
            items += 1;
        }
        ended(row, items, column)?;
        if row + 1 != first + records {
            return Err(Problem::Rows(row + 1));
        }
        first += records;
    }
    Ok(())
}

fn ended(row: usize, items: usize, column: &Column) -> Result<(), Problem> {
    let whole = items == column.width || column.width == usize::MAX;
    if whole { Ok(()) } else { Err(Problem::Ragged(row, items)) }
}

const DAMAGED: &str = "write it again, or copy it again";

fn broken(path: &Path, error: &ParquetError) -> Error {
    Error::file(path, format!("damaged, or not a Parquet file: {error}"), DAMAGED)
}

/// A top-level field that is a number, or a list with one column of numbers.
trait Simple {
    fn is_list_or_primitive(&self) -> bool;
}

impl Simple for parquet::schema::types::Type {
    fn is_list_or_primitive(&self) -> bool {
        let mut field = self;
        while field.is_group() {
            match field.get_fields() {
                [only] => field = only,
                _ => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
