//! The cells of a column within a group of rows.

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;

use super::cell::{Cell, Reading};

/// Records unpacked in one go.
const BATCH: usize = 1 << 14;

/// A column of the file.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// Its index among the file's columns of values.
    pub leaf: usize,
    pub name: String,
    /// The name of its type.
    pub type_name: String,
    pub reading: Reading,
    /// Whether it is a list of values.
    pub list: bool,
    /// Values per row: more than one for a column of lists.
    pub width: usize,
    /// The definition level of a value that is there, and that of an item of a list, which may lack its value.
    pub defined: i16,
    pub item: i16,
}

/// What is wrong with a column.
pub(super) enum Problem {
    Broken(ParquetError),
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

/// Called with each value: its row, its place in the row's list, and the value, unless that is missing. A list that is
/// missing is one such call for its first place.
pub(super) type Take<'a> = &'a mut dyn FnMut(usize, usize, Option<&dyn Cell>);

/// Reads `rows` rows of a column.
pub(super) fn read(chunk: ColumnReader, column: &Leaf, rows: usize, take: Take) -> Result<(), Problem> {
    match chunk {
        ColumnReader::BoolColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::Int32ColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::Int64ColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::Int96ColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::FloatColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::DoubleColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::ByteArrayColumnReader(chunk) => cells(chunk, column, rows, take),
        ColumnReader::FixedLenByteArrayColumnReader(chunk) => cells(chunk, column, rows, take),
    }
}

fn cells<T: DataType>(
    mut chunk: ColumnReaderImpl<T>,
    column: &Leaf,
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
        let mut whole = true;
        for level in 0..levels {
            if level > 0 && repeated.get(level).is_none_or(|repeated| *repeated == 0) {
                ended(row, items, whole, column)?;
                (row, items, whole) = (row + 1, 0, true);
            }
            if row == rows {
                return Err(Problem::Rows(row + 1));
            }
            let level = defined.get(level).copied().unwrap_or(column.defined);
            if items == column.width {
                return Err(Problem::Ragged(row, items + 1));
            }
            match level == column.defined {
                true => take(row, items, Some(next.next().ok_or(Problem::Rows(row))?)),
                false => take(row, items, None),
            }
            // No list, or one without items.
            whole &= level >= column.item;
            items += 1;
        }
        ended(row, items, whole, column)?;
        if row + 1 != first + records {
            return Err(Problem::Rows(row + 1));
        }
        first += records;
    }
    Ok(())
}

fn ended(row: usize, items: usize, whole: bool, column: &Leaf) -> Result<(), Problem> {
    let fits = items == column.width || column.width == usize::MAX || (!whole && items == 1);
    if fits { Ok(()) } else { Err(Problem::Ragged(row, items)) }
}
