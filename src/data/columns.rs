//! Named columns of numbers or text, written as files for other programs.

use std::io::{self, Write};
use std::sync::Arc;

use csv::QuoteStyle;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Kind};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::write::unwritten;

/// The content of a column, one value per row.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Floats.
    Real(Vec<f64>),
    /// Floats, some of which may be missing.
    Maybe(Vec<Option<f64>>),
    /// The same with 32 bits.
    Single(Vec<Option<f32>>),
    /// Text.
    Text(Vec<String>),
}

impl Column {
    fn cell(&self, row: usize) -> String {
        match self {
            Column::Whole(values) => values[row].to_string(),
            Column::Real(values) => values[row].to_string(),
            Column::Maybe(values) => values[row].map_or_else(String::new, |value| value.to_string()),
            Column::Single(values) => values[row].map_or_else(String::new, |value| value.to_string()),
            Column::Text(values) => values[row].clone(),
        }
    }

    /// Whether no value is missing.
    fn is_whole(&self) -> bool {
        match self {
            Column::Maybe(values) => values.iter().all(Option::is_some),
            Column::Single(values) => values.iter().all(Option::is_some),
            Column::Whole(_) | Column::Real(_) | Column::Text(_) => true,
        }
    }

    fn len(&self) -> usize {
        match self {
            Column::Whole(values) => values.len(),
            Column::Real(values) => values.len(),
            Column::Maybe(values) => values.len(),
            Column::Single(values) => values.len(),
            Column::Text(values) => values.len(),
        }
    }
}

/// Writes the columns as CSV, with a header; each number has enough digits to be read back exactly.
///
/// # Errors
/// Those of `out`.
///
/// # Panics
/// If the columns differ in length.
pub fn write_csv<N: AsRef<str>>(out: &mut dyn Write, columns: &[(N, Column)]) -> io::Result<()> {
    // Readers that guess the separator, as ours does, could split an unquoted name at another separator.
    let other = |(name, _): &(N, Column)| name.as_ref().contains([';', '\t', '|']);
    let quotes = if columns.iter().any(other) { QuoteStyle::NonNumeric } else { QuoteStyle::Necessary };
    let mut csv = csv::WriterBuilder::new().quote_style(quotes).from_writer(out);
    csv.write_record(columns.iter().map(|(name, _)| name.as_ref())).map_err(unwritten)?;
    for row in 0..rows(columns) {
        csv.write_record(columns.iter().map(|(_, column)| column.cell(row))).map_err(unwritten)?;
    }
    csv.flush()
}

/// Writes the columns as Parquet: INT64, DOUBLE and strings; what is missing is null.
///
/// # Errors
/// As [`write_csv`].
///
/// # Panics
/// As [`write_csv`].
pub fn write_parquet<N: AsRef<str>>(out: &mut dyn Write, columns: &[(N, Column)]) -> io::Result<()> {
    rows(columns);
    out.write_all(&parquet(columns)?)
}

fn parquet<N: AsRef<str>>(columns: &[(N, Column)]) -> Result<Vec<u8>, ParquetError> {
    let field = |(name, column): &(N, Column)| {
        let kind = match column {
            Column::Whole(_) => Kind::INT64,
            Column::Real(_) | Column::Maybe(_) => Kind::DOUBLE,
            Column::Single(_) => Kind::FLOAT,
            Column::Text(_) => Kind::BYTE_ARRAY,
        };
        let logical = matches!(column, Column::Text(_)).then_some(LogicalType::String);
        let repetition = if column.is_whole() { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let field = Type::primitive_type_builder(name.as_ref(), kind)
            .with_repetition(repetition)
            .with_logical_type(logical);
        Ok(Arc::new(field.build()?))
    };
    let fields = columns.iter().map(field).collect::<Result<_, ParquetError>>()?;
    let schema = Arc::new(Type::group_type_builder("columns").with_fields(fields).build()?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, properties.into())?;
    let mut group = file.next_row_group()?;
    for (_, column) in columns {
        let Some(mut writer) = group.next_column()? else {
            break;
        };
        match column {
            Column::Whole(values) => writer.typed::<Int64Type>().write_batch(values, None, None)?,
            Column::Real(values) => writer.typed::<DoubleType>().write_batch(values, None, None)?,
            Column::Maybe(values) => {
                let (there, values) = levels(values);
                let there = (!column.is_whole()).then_some(&there[..]);
                writer.typed::<DoubleType>().write_batch(&values, there, None)?
            }
            Column::Single(values) => {
                let (there, values) = levels(values);
                let there = (!column.is_whole()).then_some(&there[..]);
                writer.typed::<FloatType>().write_batch(&values, there, None)?
            }
            Column::Text(values) => {
                let values: Vec<ByteArray> = values.iter().map(|text| text.as_str().into()).collect();
                writer.typed::<ByteArrayType>().write_batch(&values, None, None)?
            }
        };
        writer.close()?;
    }
    group.close()?;
    file.into_inner()
}

/// Parquet's definition levels, and the values that are there.
fn levels<T: Copy>(values: &[Option<T>]) -> (Vec<i16>, Vec<T>) {
    let there = values.iter().map(|value| i16::from(value.is_some())).collect();
    (there, values.iter().flatten().copied().collect())
}

fn rows<N: AsRef<str>>(columns: &[(N, Column)]) -> usize {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    assert!(columns.iter().all(|(_, column)| column.len() == rows), "columns of {rows} rows");
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ReadOptions, Rows, rows as read_rows};

    fn columns() -> [(&'static str, Column); 3] {
        let whole = Column::Whole(vec![1 << 40, -3]);
        let names = ["b, c", "\u{fc}"].map(str::to_owned);
        [("datum", whole), ("score", Column::Real(vec![0.1, 1e-7])), ("label", Column::Text(names.into()))]
    }

    #[test]
    fn csv_has_names_and_every_digit() {
        let mut text = Vec::new();
        write_csv(&mut text, &columns()).unwrap();
        let expected = "datum,score,label\n1099511627776,0.1,\"b, c\"\n-3,0.0000001,\u{fc}\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn parquet_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.parquet");
        write_parquet(&mut std::fs::File::create(&path).unwrap(), &columns()).unwrap();
        let options = ReadOptions { label_column: Some("label".into()), ..ReadOptions::default() };
        let Rows { split, classes: names, .. } = read_rows(path.to_str().unwrap(), &options).unwrap();
        assert_eq!((split.count, split.dim()), (2, 2));
        assert_eq!(
            (split.labels.as_deref(), names),
            (Some(&[0, 1][..]), vec!["b, c".into(), "\u{fc}".into()])
        );
        assert_eq!(split.x(0..2).unwrap(), [(1u64 << 40) as f32, 0.1, -3.0, 1e-7]);
    }
}
