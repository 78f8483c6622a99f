//! An open Parquet file, and its columns of values.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::super::foreign;
use super::super::origin::Part;
use super::super::reader::column_name;
use super::cell::{Reading, type_name};
use super::chunk::{Leaf, Problem};
use super::files;
use crate::error::{Error, Result};

/// The parts of a path that only say that a column is a list.
const LIST: [&str; 6] = ["list", "element", "array", "item", "bag", "array_element"];

/// How a Parquet file begins.
const MAGIC: &[u8] = b"PAR1";
/// What to do about a damaged file.
pub(super) const DAMAGED: &str = "write it again, or copy it again";

/// An open file.
pub(super) struct Open {
    pub path: PathBuf,
    pub reader: SerializedFileReader<File>,
    pub packed: u64,
    /// Rows of each group.
    pub groups: Vec<usize>,
    /// The values in the names of its folders.
    pub keys: Vec<(String, String)>,
    pub part: Option<Part>,
}

impl Open {
    pub(super) fn new(file: files::Found) -> Result<Open> {
        let files::Found { path, keys, part, .. } = file;
        let opened = File::open(&path).map_err(|error| Error::io("read", &path, error))?;
        let packed = opened.metadata().map_err(|error| Error::io("read", &path, error))?.len();
        foreign::check(&path, MAGIC)?;
        let reader = SerializedFileReader::new(opened).map_err(|error| broken(&path, &error))?;
        for column in reader.metadata().row_groups().iter().flat_map(|group| group.columns()) {
            if column.compression() == Compression::LZO {
                let problem =
                    format!("column `{}` is compressed with LZO, which is not read", column.column_path());
                return Err(Error::file(path, problem, "write it with zstd, snappy or no compression"));
            }
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            if start < 0 || column.compressed_size() < 0 || end.is_none_or(|end| end as u64 > packed) {
                return Err(Error::file(path, "damaged: a column lies outside the file", DAMAGED));
            }
        }
        let groups = reader.metadata().row_groups().iter();
        let groups = groups.map(|group| usize::try_from(group.num_rows()).unwrap_or(usize::MAX)).collect();
        Ok(Open { path, reader, packed, groups, keys, part })
    }

    pub(super) fn rows(&self) -> usize {
        self.groups.iter().fold(0, |sum, rows| sum.saturating_add(*rows))
    }
}

/// The columns of values of a file.
pub(super) fn leaves(file: &Open) -> Result<Vec<Leaf>> {
    let schema = file.reader.metadata().file_metadata().schema_descr();
    let leaf = |leaf: usize| {
        let described = schema.column(leaf);
        let list = described.max_rep_level() > 0;
        let path = described.path().parts();
        let known = |part: &&String| !list || !LIST.contains(&part.as_str());
        // The first part is the column's own name, whatever it is.
        let name: Vec<&str> =
            path.iter().take(1).chain(path.iter().skip(1).filter(known)).map(String::as_str).collect();
        Leaf {
            leaf,
            name: name.join("."),
            type_name: if list {
                format!("list of {}", type_name(&described))
            } else {
                type_name(&described)
            },
            reading: Reading::of(&described),
            list,
            width: 1,
            defined: described.max_def_level(),
            item: described.repeated_ancestor_def_level(),
        }
    };
    Ok((0..schema.num_columns()).map(leaf).collect())
}

/// The columns of a file, to be found by name: there may be very many.
pub(super) struct Own {
    leaves: Vec<Leaf>,
    places: HashMap<String, Vec<usize>>,
}

impl Own {
    pub(super) fn of(file: &Open) -> Result<Own> {
        let leaves = leaves(file)?;
        let mut places: HashMap<String, Vec<usize>> = HashMap::with_capacity(leaves.len());
        for (place, leaf) in leaves.iter().enumerate() {
            places.entry(leaf.name.clone()).or_default().push(place);
        }
        Ok(Own { leaves, places })
    }

    /// A column of the first file as this one has it.
    pub(super) fn leaf(&self, file: &Open, first: &Open, leaf: &Leaf) -> Result<Leaf> {
        let same = |own: &&Leaf| own.reading == leaf.reading && own.list == leaf.list;
        let mut named = self.places.get(&leaf.name).into_iter().flatten().map(|place| &self.leaves[*place]);
        // How a column may lack values differs from file to file.
        let found = named.find(same).map(|own| Leaf { width: leaf.width, ..own.clone() });
        found.ok_or_else(|| {
            let Leaf { name, type_name, .. } = leaf;
            let problem =
                format!("it has no column `{name}` of type {type_name}, as {} has", first.path.display());
            let next = "give all files of the folder the same columns, or read them one by one";
            Error::file(&file.path, problem, next)
        })
    }
}

pub(super) fn broken(path: &Path, error: &ParquetError) -> Error {
    let said = error.to_string().replace('\n', " ");
    match error {
        _ if said.contains("encrypt") => {
            Error::file(path, "encrypted, which is not read", "write it without encryption")
        }
        ParquetError::NYI(_) => {
            let next = "write it again with usual types and encodings, as pandas and polars do";
            Error::file(path, format!("it has what is not read: {said}"), next)
        }
        _ => Error::file(path, format!("damaged, or not a Parquet file: {said}"), DAMAGED),
    }
}

/// The error for what is wrong with a column.
pub(super) fn refusal(
    problem: Problem,
    path: &Path,
    first: usize,
    leaf: &Leaf,
    (place, names): (usize, &[String]),
) -> Error {
    let name = match names.get(place) {
        Some(_) if leaf.width == 1 => column_name(place, names),
        _ => format!("column `{}`", leaf.name),
    };
    let (problem, next) = match problem {
        Problem::Broken(error) => return broken(path, &error),
        Problem::Ragged(row, items) => {
            let items = if items == 1 { "1 number".to_owned() } else { format!("{items} numbers") };
            (
                format!(
                    "row {}, {name}: a list of {items}, but the first has {}",
                    first + row + 1,
                    leaf.width
                ),
                "give all lists the same length",
            )
        }
        Problem::Rows(rows) => (format!("{name} has {rows} rows, not as many as the file promises"), DAMAGED),
    };
    Error::file(path, problem, next)
}
