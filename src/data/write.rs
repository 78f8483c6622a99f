//! Writes matrices of floats as files for other programs.

use std::io::{self, Write};
use std::path::Path;

use csv::QuoteStyle;

use super::npy_header;
use super::reader::has_extension;
use crate::error::{Error, Result};

/// Rows per group of a Parquet file.
const GROUP: usize = 1 << 16;

/// What the file system says: the CSV writer wraps it.
pub(super) fn unwritten(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// The file format of a matrix [N, D].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// NumPy's format, without names.
    Npy,
    /// Text, with a header if there are names; each number has enough digits to be read back exactly.
    Csv,
    /// Parquet, with a column of floats for each column of the matrix.
    #[cfg(feature = "formats")]
    Parquet,
}

impl Matrix {
    /// The format for a file name's extension.
    ///
    /// # Errors
    /// [`Error::Usage`] for any other extension.
    pub fn of(path: &Path) -> Result<Matrix> {
        let name = path.to_string_lossy();
        let is = |extension: &str| has_extension(&name, &[extension]);
        match (is("npy"), is("csv"), is("parquet")) {
            (true, _, _) => Ok(Matrix::Npy),
            (_, true, _) => Ok(Matrix::Csv),
            #[cfg(feature = "formats")]
            (_, _, true) => Ok(Matrix::Parquet),
            _ => Err(Error::Usage(format!("{name}: numbers are written as .npy, .csv or .parquet"))),
        }
    }

    /// Writes `values` [N, `dim`], with columns called `names` or, without names, by their numbers from 1.
    ///
    /// # Errors
    /// Those of `out`.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows, or only some columns have names.
    pub fn write(self, out: &mut dyn Write, names: &[String], dim: usize, values: &[f32]) -> io::Result<()> {
        assert!(dim > 0 && values.len().is_multiple_of(dim), "{} values in rows of {dim}", values.len());
        assert!(names.is_empty() || names.len() == dim, "{} names of {dim} columns", names.len());
        match self {
            Matrix::Npy => {
                out.write_all(&npy_header::header("<f4", &[values.len() / dim, dim]))?;
                let mut bytes = Vec::new();
                for part in values.chunks(GROUP) {
                    bytes.clear();
                    bytes.extend(part.iter().flat_map(|value| value.to_le_bytes()));
                    out.write_all(&bytes)?;
                }
                Ok(())
            }
            Matrix::Csv => {
                // Readers that guess the separator, as ours does, could split an unquoted name at another separator.
                let other = |name: &String| name.contains([';', '\t']);
                let quotes =
                    if names.iter().any(other) { QuoteStyle::NonNumeric } else { QuoteStyle::Necessary };
                let mut csv = csv::WriterBuilder::new().quote_style(quotes).from_writer(out);
                if !names.is_empty() {
                    csv.write_record(names).map_err(unwritten)?;
                }
                for row in values.chunks_exact(dim) {
                    csv.write_record(row.iter().map(f32::to_string)).map_err(unwritten)?;
                }
                csv.flush()
            }
            #[cfg(feature = "formats")]
            Matrix::Parquet => out.write_all(&parquet(names, dim, values)?),
        }
    }
}

#[cfg(feature = "formats")]
fn parquet(names: &[String], dim: usize, values: &[f32]) -> io::Result<Vec<u8>> {
    use std::sync::Arc;

    use parquet::data_type::FloatType;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;

    let field = |column: usize| {
        let number = (column + 1).to_string();
        let field =
            Type::primitive_type_builder(names.get(column).unwrap_or(&number), parquet::basic::Type::FLOAT);
        Ok(Arc::new(field.with_repetition(parquet::basic::Repetition::REQUIRED).build()?))
    };
    let fields = (0..dim).map(field).collect::<Result<_, parquet::errors::ParquetError>>()?;
    let schema = Arc::new(Type::group_type_builder("matrix").with_fields(fields).build()?);
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        // Floats rarely repeat.
        .set_dictionary_enabled(false)
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, properties.into())?;
    for rows in values.chunks(GROUP * dim) {
        let mut group = file.next_row_group()?;
        for column in 0..dim {
            let Some(mut writer) = group.next_column()? else {
                break;
            };
            let values: Vec<f32> = rows.iter().skip(column).step_by(dim).copied().collect();
            writer.typed::<FloatType>().write_batch(&values, None, None)?;
            writer.close()?;
        }
        group.close()?;
    }
    Ok(file.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_known_whatever_the_format() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let values = vec![0.5; 1 << 16];
        for format in [Matrix::Npy, Matrix::Csv] {
            let error = format.write(&mut Full, &[], 2, &values).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{format:?}");
        }
    }

    #[test]
    fn the_ending_chooses_the_format() {
        let of = |name: &str| Matrix::of(Path::new(name));
        assert_eq!(of("a/z.npy").unwrap(), Matrix::Npy);
        assert_eq!(of("z.CSV").unwrap(), Matrix::Csv);
        #[cfg(feature = "formats")]
        assert_eq!(of("z.parquet").unwrap(), Matrix::Parquet);
        for name in ["z", "z.png", "npy", ""] {
            assert!(matches!(of(name), Err(Error::Usage(_))), "{name}");
        }
    }

    #[test]
    fn csv_has_every_digit_and_quotes_names() {
        let mut text = Vec::new();
        let names = ["a".to_owned(), "b, c".to_owned()];
        Matrix::Csv.write(&mut text, &names, 2, &[0.1, 1e-20, -3.0, 16777216.0]).unwrap();
        let expected = "a,\"b, c\"\n0.1,0.00000000000000000001\n-3,16777216\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
