//! Pictures in a column, as the Hugging Face hub stores them: a struct of a picture's `bytes` and its `path`.

use std::collections::BTreeMap;

use parquet::file::reader::FileReader;

use super::super::options::ReadOptions;
use super::super::reader::most_unpacked;
use super::cell::{Cell, Reading};
use super::chunk::{self, Leaf};
use super::file::{DAMAGED, Open, Own, broken};
use crate::error::{Error, Result};

/// The fields of a picture.
const BYTES: &str = "bytes";
const PATH: &str = "path";
/// Names of columns that have a picture's label where none is said to.
const LABELS: [&str; 6] = ["label", "labels", "class", "target", "fine_label", "y"];
/// The number of no class, where classes have names.
const NO_LABEL: &str = "-1";
/// Where the hub's library keeps what it knows of the columns.
const HUB: &str = "huggingface";

/// Bytes that a row takes before its picture is read.
const ROW: u64 = 128;

/// The columns of a data set of pictures.
#[derive(Debug)]
pub(super) struct Pictured {
    /// What the column of pictures is called.
    pub name: String,
    bytes: Leaf,
    path: Option<Leaf>,
    /// The column of labels.
    pub label: Option<Leaf>,
    /// What the numbers of labels mean.
    names: Vec<String>,
    /// Columns that are not read.
    pub others: Vec<String>,
}

/// A picture, and what its source calls it.
pub(super) struct Packed {
    pub name: String,
    pub bytes: Vec<u8>,
    pub label: Option<String>,
}

/// The column of pictures and that of labels, if a file has pictures.
pub(super) fn find(file: &Open, leaves: &[Leaf], options: &ReadOptions) -> Result<Option<Pictured>> {
    let field = |name: &str, field: &str| {
        let name = format!("{name}.{field}");
        leaves.iter().find(|leaf| leaf.name == name && leaf.reading == Reading::Text && !leaf.list)
    };
    let of_hub = leaves.iter().find_map(|leaf| {
        let name = leaf.name.strip_suffix(&format!(".{BYTES}"))?;
        Some((name.to_owned(), field(name, BYTES)?.clone(), field(name, PATH).cloned()))
    });
    let found = match of_hub {
        Some(found) => Some(found),
        None => bare(file, leaves)?,
    };
    let Some((name, bytes, path)) = found else { return Ok(None) };
    let own =
        |leaf: &&Leaf| leaf.leaf != bytes.leaf && Some(leaf.leaf) != path.as_ref().map(|path| path.leaf);
    let known = features(file);
    let columns = || leaves.iter().filter(own);
    let label = match &options.label_column {
        Some(wanted) => match columns().find(|leaf| leaf.name == *wanted) {
            None if options.label_optional => None,
            None => {
                let names: Vec<&str> = columns().map(|leaf| leaf.name.as_str()).collect();
                let beside = format!("beside its pictures, {} has the columns", file.path.display());
                let problem = format!("{beside} {}", names.join(", "));
                return Err(Error::value("source.label_column", wanted, problem));
            }
            found => found,
        },
        None => {
            let named = |name: &str| columns().find(|leaf| leaf.name == name && !leaf.list);
            let usual = LABELS.iter().find_map(|name| named(name));
            usual.or_else(|| columns().find(|leaf| known.contains_key(&leaf.name)))
        }
    };
    let names = label.and_then(|label| known.get(&label.name).cloned()).unwrap_or_default();
    let label = label.cloned();
    let others = leaves
        .iter()
        .filter(own)
        .filter(|leaf| Some(leaf.leaf) != label.as_ref().map(|label| label.leaf))
        .map(|leaf| leaf.name.clone())
        .collect();
    Ok(Some(Pictured { name, bytes, path, label, names, others }))
}

/// A column of bytes, the first of which are a picture.
fn bare(file: &Open, leaves: &[Leaf]) -> Result<Option<(String, Leaf, Option<Leaf>)>> {
    for leaf in leaves.iter().filter(|leaf| leaf.type_name == "BYTE_ARRAY" && !leaf.list) {
        let Some(index) = file.groups.iter().position(|rows| *rows > 0) else { return Ok(None) };
        let group = file.reader.get_row_group(index).map_err(|error| broken(&file.path, &error))?;
        let column = group.get_column_reader(leaf.leaf).map_err(|error| broken(&file.path, &error))?;
        let mut is_picture = false;
        let mut take = |_: usize, _: usize, cell: Option<&dyn Cell>| {
            is_picture = cell.and_then(Cell::bytes).is_some_and(|bytes| image::guess_format(bytes).is_ok());
        };
        let looked = chunk::read(column, leaf, 1, &mut take);
        if looked.is_ok() && is_picture {
            return Ok(Some((leaf.name.clone(), leaf.clone(), None)));
        }
    }
    Ok(None)
}

/// The names of classes, by column, as the hub's library knows them.
fn features(file: &Open) -> BTreeMap<String, Vec<String>> {
    let metadata = file.reader.metadata().file_metadata().key_value_metadata();
    let hub = metadata.into_iter().flatten().find(|pair| pair.key == HUB);
    let hub: Option<serde_json::Value> = hub.and_then(|pair| serde_json::from_str(pair.value.as_ref()?).ok());
    let features = hub.as_ref().and_then(|hub| hub.get("info")?.get("features")?.as_object());
    let names = |feature: &serde_json::Value| {
        let names = feature.get("names")?.as_array()?.iter();
        names.map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    };
    features
        .into_iter()
        .flatten()
        .filter_map(|(column, feature)| Some((column.clone(), names(feature)?)))
        .collect()
}

/// The pictures of some files.
pub(super) fn read(files: &[&Open], pictured: &Pictured) -> Result<Vec<Packed>> {
    let mut found: Vec<Packed> = Vec::new();
    let packed = files.iter().fold(0u64, |sum, file| sum.saturating_add(file.packed));
    let rows = files.iter().fold(0u64, |sum, file| sum.saturating_add(file.rows() as u64));
    let most = most_unpacked(packed);
    if rows.saturating_mul(ROW) > most {
        let problem = format!("its {packed} bytes claim to be {rows} pictures");
        return Err(Error::file(&files[0].path, problem, DAMAGED));
    }
    let mut total = 0u64;
    for file in files {
        let own = Own::of(file)?;
        for (index, rows) in file.groups.iter().enumerate() {
            let group = file.reader.get_row_group(index).map_err(|error| broken(&file.path, &error))?;
            let first = found.len();
            let number = |row: usize| format!("row {}", first + row + 1);
            found.extend((0..*rows).map(|row| Packed { name: number(row), bytes: Vec::new(), label: None }));
            let mut each = |leaf: &Leaf, take: &mut dyn FnMut(&mut Packed, &dyn Cell, &Leaf)| {
                let leaf = own.leaf(file, files[0], leaf)?;
                let column =
                    group.get_column_reader(leaf.leaf).map_err(|error| broken(&file.path, &error))?;
                let mut take = |row: usize, _: usize, cell: Option<&dyn Cell>| {
                    if let Some(cell) = cell {
                        take(&mut found[first + row], cell, &leaf);
                    }
                };
                chunk::read(column, &leaf, *rows, &mut take)
                    .map_err(|problem| super::file::refusal(problem, &file.path, first, &leaf, (0, &[])))
            };
            each(&pictured.bytes, &mut |packed, cell, _| {
                let bytes = cell.bytes().unwrap_or_default();
                total = total.saturating_add(bytes.len() as u64);
                if total <= most {
                    packed.bytes = bytes.to_vec();
                }
            })?;
            if let Some(path) = &pictured.path {
                each(path, &mut |packed, cell, leaf| {
                    packed.name = Some(cell.text(leaf.reading))
                        .filter(|name| !name.is_empty())
                        .unwrap_or_else(|| packed.name.clone());
                })?;
            }
            if let Some(label) = &pictured.label {
                each(label, &mut |packed, cell, leaf| {
                    let text = cell.text(leaf.reading);
                    // The hub marks what has no label so.
                    if text == NO_LABEL && !pictured.names.is_empty() {
                        return;
                    }
                    let named =
                        text.parse().ok().and_then(|number: usize| pictured.names.get(number).cloned());
                    packed.label = Some(named.unwrap_or(text));
                })?;
            }
            if total > most {
                let problem = format!("its pictures unpack to more than {} MiB", most >> 20);
                return Err(Error::file(&file.path, problem, "read its files one by one"));
            }
        }
    }
    let is_bare = |packed: &Packed| packed.bytes.is_empty();
    if let (Some(first), Some(path)) = (found.first(), &pictured.path)
        && found.iter().all(is_bare)
        && !first.name.starts_with("row ")
    {
        let problem =
            format!("it has the paths of pictures, such as `{}`, and none of them itself", first.name);
        let next = format!("name the folder that they lie in, or store the pictures beside `{}`", path.name);
        return Err(Error::file(&files[0].path, problem, next));
    }
    Ok(found)
}
