//! Parquet: compressed tables, stored by column, in one file or a folder of several. Columns of numbers, of moments, and of
//! lists of numbers that all have one length; or of pictures.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use parquet::file::reader::FileReader;

use super::options::{Colour, Missing, ReadOptions};
use super::origin::Part;
use super::progress::{Progress, Watch};
use super::reader::{Format, GUARDED_THREAD, MAX_COLUMNS, MAX_ROWS, Parts, most_unpacked};
use super::table::{self, Found, Kind, Labels, Place, Tally};
use crate::error::{Error, Result};

mod cell;
mod chunk;
mod file;
mod files;
mod pictures;

use cell::{Cell, Reading};
use chunk::Leaf;
use file::{DAMAGED, Open, Own, broken, refusal};

pub(super) const FORMAT: Format = Format {
    name: "parquet",
    describe: "a table of numbers, of lists of numbers, or of pictures, as .parquet or a folder of such; \
               one column may hold labels",
    detect: |source| files::is_file(source) || files::is_folder(source),
    open,
};

/// Bytes per list item while it is read: a value and two levels.
const ITEM: u64 = 12;
/// What stands in a folder's name for a missing value.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";
/// Prefix of the index columns that pandas adds.
const INDEX: &str = "__index_level_";
/// What pandas calls a nameless first column, which was an index once; a dot and a number may follow.
const UNNAMED: &str = "Unnamed: 0";
/// Where pandas keeps what it knows of the columns.
const PANDAS: &str = "pandas";

/// Reads in a separate thread: the parquet crate panics on some damaged pages, which then ends only that thread.
fn open(source: &str, options: &ReadOptions, progress: Watch) -> Result<Parts> {
    let path = Path::new(source);
    let name = GUARDED_THREAD.to_owned();
    std::thread::scope(|scope| {
        let reader =
            std::thread::Builder::new().name(name).spawn_scoped(scope, || read(path, options, progress));
        let reader = reader.map_err(|error| Error::io("read", path, error))?;
        reader.join().unwrap_or_else(|_| Err(Error::file(path, "damaged: its pages make no sense", DAMAGED)))
    })
}

fn read(path: &Path, options: &ReadOptions, progress: Watch) -> Result<Parts> {
    let (files, strays) = files::find(path)?;
    let opened: Vec<Open> = files.into_iter().map(Open::new).collect::<Result<_>>()?;
    let of = |part| opened.iter().filter(|file| file.part == part).collect::<Vec<&Open>>();
    if opened.iter().all(|file| file.part.is_none()) {
        let mut parts = table(path, &of(None), options, progress)?;
        parts.warnings.extend(strays);
        return Ok(parts);
    }
    let (train, valid, test) = (of(Some(Part::Train)), of(Some(Part::Valid)), of(Some(Part::Test)));
    if train.is_empty() {
        let problem = "its files are of validation or test, and none is of train";
        return Err(Error::file(path, problem, "name the file to train on"));
    }
    let mut parts = table(path, &train, options, progress)?;
    // The other parts have the columns of the training part, and its classes.
    let mut options = ReadOptions { label_optional: true, ..options.clone() };
    if !parts.columns.is_empty() && options.expected.is_empty() {
        options.expected.clone_from(&parts.columns);
    }
    if !parts.shape.is_table() {
        options.colour = Some(if parts.shape.channels == 1 { Colour::Grey } else { Colour::Colour });
    }
    for (files, part) in [(valid, Part::Valid), (test, Part::Test)] {
        if files.is_empty() {
            continue;
        }
        let other = table(path, &files, &options, progress)?;
        if other.shape != parts.shape {
            let problem = format!("its parts hold data of {} and of {}", parts.shape, other.shape);
            return Err(Error::file(
                path,
                problem,
                "read them one by one, with `source.image_size` if they are pictures",
            ));
        }
        if parts.train.labels.is_some() && other.train.labels.is_none() {
            let name = if part == Part::Valid { "validation" } else { "test" };
            parts.warnings.push(format!("the files of the {name} part have no labels, so it has none"));
        }
        parts.join(other, part);
    }
    parts.warnings.extend(strays);
    Ok(parts)
}

/// The table of some files.
fn table(path: &Path, files: &[&Open], options: &ReadOptions, progress: Watch) -> Result<Parts> {
    let rows = files.iter().try_fold(0usize, |sum, file| sum.checked_add(file.rows()));
    let rows = rows
        .filter(|rows| *rows <= MAX_ROWS)
        .ok_or_else(|| Error::file(path, format!("it claims more than {MAX_ROWS} rows"), "split the data"))?;
    let leaves = file::leaves(files[0])?;
    // Columns that are picked make a table, whatever else there is.
    if options.columns.is_empty()
        && let Some(pictured) = pictures::find(files[0], &leaves, options)?
    {
        return pictures_of(path, files, &pictured, options, progress);
    }
    if let Some(label) = &options.label_column
        && leaves.iter().any(|leaf| leaf.name == *label && leaf.list)
    {
        return Err(Error::value("source.label_column", label, "a column of lists cannot be the label"));
    }
    let keys = &files[0].keys;
    check_keys(files)?;
    let mut found = found(files[0], &leaves);
    found.names.extend(keys.iter().map(|(key, _)| key.clone()));
    // A model's columns may be the items of a list.
    let wanted = ReadOptions { expected: with_lists(&options.expected, &leaves), ..options.clone() };
    let mut choice = table::choose(path, found, &wanted)?;
    choice.types = leaves.iter().map(|leaf| leaf.type_name.clone()).collect();
    choice.types.resize(choice.all.len(), "folder".into());
    if files.len() > 1 {
        choice.notes.push(format!("{} Parquet files, read one after another", files.len()));
    }
    let leaf = |column: usize| leaves.get(column);

    // Lists become as many columns as they have items.
    let mut columns: Vec<(usize, Leaf, usize)> = Vec::new();
    let (mut names, mut sources) = (Vec::new(), Vec::new());
    for column in &choice.values {
        let Some(leaf) = leaf(*column) else {
            names.push(choice.all[*column].clone());
            sources.push(*column);
            continue;
        };
        let mut leaf = leaf.clone();
        if leaf.list && leaf.reading != Reading::Text {
            check_list(files, &leaf)?;
            leaf.width = list_width(files, &leaf)?;
        } else if leaf.list {
            leaf.width = usize::MAX;
        }
        let width = if leaf.width == usize::MAX { 1 } else { leaf.width };
        if names.len().saturating_add(width) > MAX_COLUMNS {
            let problem = format!("its rows have more than {MAX_COLUMNS} columns");
            return Err(Error::file(path, problem, "remove columns, or shorten their lists"));
        }
        columns.push((*column, leaf.clone(), names.len()));
        match leaf.list {
            false => names.push(leaf.name.clone()),
            true => names.extend((0..width).map(|item| format!("{}[{item}]", leaf.name))),
        }
        sources.resize(names.len(), *column);
    }
    check_items(path, &names, &options.expected)?;
    let dim = names.len();
    let bytes = (rows as u64).saturating_mul(4 * dim as u64);
    let packed = files.iter().fold(0u64, |sum, file| sum.saturating_add(file.packed));
    if bytes > most_unpacked(packed) {
        let problem = format!("its {packed} bytes claim to be {rows} rows of {dim} values");
        return Err(Error::file(path, problem, "save large tables as .npy, which is read in place"));
    }
    let mut reading = Gathered {
        values: vec![0.0; rows * dim],
        dim,
        labels: choice.label.map(|_| Labels::default()),
        tally: Tally::default(),
        first: vec![None; dim],
        differ: vec![false; dim],
    };
    let mut first = 0;
    for file in files {
        let own = Own::of(file)?;
        reading.folders(file, first, &choice, &sources);
        for (index, rows) in file.groups.iter().enumerate() {
            let group = file.reader.get_row_group(index).map_err(|error| broken(&file.path, &error))?;
            let label = choice.label.and_then(|label| Some((label, leaf(label)?.clone(), usize::MAX)));
            for (column, leaf, place) in columns.iter().chain(&label) {
                let leaf = &own.leaf(file, files[0], leaf)?;
                let chunk = group.get_column_reader(leaf.leaf).map_err(|error| broken(&file.path, &error))?;
                let mut take = |row: usize, item: usize, cell: Option<&dyn Cell>| {
                    reading.take((*column, leaf, *place), first + row, item, cell);
                };
                let done = chunk::read(chunk, leaf, *rows, &mut take);
                done.map_err(|problem| refusal(problem, &file.path, first, leaf, (*place, &names)))?;
            }
            first += rows;
            progress(Progress { what: "reading rows", done: first as u64, total: rows_of(files) });
        }
    }
    let days: Vec<usize> = columns
        .iter()
        .filter(|(_, leaf, _)| matches!(leaf.reading, Reading::Days(_)))
        .map(|(column, ..)| *column)
        .collect();
    if !days.is_empty() {
        choice
            .notes
            .push(format!("dates and moments count as days since 1970: {}", table::list(&days, &choice.all)));
    }
    let Gathered { values, labels, tally, differ, .. } = reading;
    choice.expand(names, sources);
    table::parts(path, options, choice, table::Read { values, labels, rows, kept: None, tally, differ })
}

/// The pictures of some files, with their labels.
fn pictures_of(
    path: &Path,
    files: &[&Open],
    pictured: &pictures::Pictured,
    options: &ReadOptions,
    progress: Watch,
) -> Result<Parts> {
    let mut packed = pictures::read(files, pictured)?;
    if packed.is_empty() {
        return Err(Error::file(path, "it has no rows", "name a file with rows of pictures"));
    }
    let names: Vec<Option<String>> = packed.iter_mut().map(|one| one.label.take()).collect();
    let items = packed.into_iter().map(|one| (one.name, one.bytes)).collect();
    let (mut parts, readable) = super::pictures::read_packed(path, items, options, progress)?;
    let label = pictured.label.as_ref().map(|label| &label.name);
    if label.is_some() {
        let (mut labels, mut missing) = (Labels::default(), 0u64);
        for row in &readable {
            match &names[*row as usize] {
                Some(name) => labels.push(name),
                None => {
                    labels.push_none();
                    missing += 1;
                }
            }
        }
        // Of a trained model, labels only name what it says of the rows.
        let some = !options.label_optional && missing < readable.len() as u64;
        let drop = options.missing == Some(Missing::Drop) && some;
        if missing > 0 && !drop {
            let pictures =
                if missing == 1 { "1 picture has".into() } else { format!("{missing} pictures have") };
            let way = match some {
                true => {
                    options.advice(|| "; `source.missing` = drop leaves those pictures out instead".into())
                }
                false => String::new(),
            };
            parts.warnings.push(format!("{pictures} no label: labels are left out{way}"));
        } else {
            let (labels, classes) = labels.finish();
            (parts.train, parts.classes) = (parts.train.with_labels(Some(labels)), classes);
        }
    }
    let labelled = label.map(|label| format!(", labels in `{label}`")).unwrap_or_default();
    parts.notes.insert(0, format!("pictures in the column `{}`{labelled}", pictured.name));
    if !pictured.others.is_empty() {
        parts.notes.push(format!("columns that are not read: {}", pictured.others.join(", ")));
    }
    if files.len() > 1 {
        parts.notes.push(format!("{} Parquet files, read one after another", files.len()));
    }
    Ok(parts)
}

fn rows_of(files: &[&Open]) -> u64 {
    files.iter().map(|file| file.rows() as u64).sum()
}

/// What is read of all files.
struct Gathered {
    values: Vec<f32>,
    dim: usize,
    labels: Option<Labels>,
    tally: Tally,
    /// The first value of each column, and whether it has another.
    first: Vec<Option<u64>>,
    differ: Vec<bool>,
}

impl Gathered {
    /// Takes a cell of a column of the file, whose values begin at `place` in a row; past all of them for the label.
    fn take(
        &mut self,
        (column, leaf, place): (usize, &Leaf, usize),
        row: usize,
        item: usize,
        cell: Option<&dyn Cell>,
    ) {
        let text = |cell: &dyn Cell| cell.text(leaf.reading);
        let at = Place { row: row as u64, ..Place::default() };
        if place == usize::MAX {
            let Some(labels) = &mut self.labels else { return };
            let name = cell
                .map(|cell| text(cell).trim().to_owned())
                .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("nan"));
            match name {
                Some(name) => labels.push(&name),
                None => {
                    self.tally.add(column, Kind::Missing, at, b"");
                    labels.push_none();
                }
            }
            return;
        }
        // A list of text is no row of values.
        let item = if leaf.width == usize::MAX { 0 } else { item };
        let number = cell.map(|cell| cell.number(leaf.reading));
        let (value, kind) = match number {
            None => (f32::NAN, Some(Kind::Missing)),
            Some(None) => (f32::NAN, Some(Kind::Text)),
            Some(Some(number)) if number.is_nan() => (f32::NAN, Some(Kind::Missing)),
            Some(Some(number)) if number.is_infinite() => (f32::NAN, Some(Kind::Infinite)),
            Some(Some(number)) if (number as f32).is_infinite() => (f32::NAN, Some(Kind::Beyond)),
            Some(Some(number)) => (number as f32, None),
        };
        if let Some(kind) = kind {
            let shown = cell.filter(|_| kind != Kind::Missing).map(text).unwrap_or_default();
            self.tally.add(column, kind, at, shown.as_bytes());
        }
        let begin = row * self.dim + place;
        self.values[begin + item] = value;
        if cell.is_none() && item == 0 && leaf.width != usize::MAX {
            // A list that is missing lacks every value.
            self.values[begin..begin + leaf.width].fill(f32::NAN);
        }
        let bits = cell.filter(|_| kind.is_none()).map(Cell::bits);
        if let (Some(bits), false) = (bits, self.differ[place + item]) {
            self.differ[place + item] = *self.first[place + item].get_or_insert(bits) != bits;
        }
    }

    /// Takes the values in the names of a file's folders, for all its rows.
    fn folders(&mut self, file: &Open, first: usize, choice: &table::Choice, sources: &[usize]) {
        let rows = file.rows();
        // All files have the keys of the first, whose columns come last.
        let start = choice.all.len() - file.keys.len();
        for (key, (_, text)) in file.keys.iter().enumerate() {
            let column = start + key;
            let missing = text.is_empty() || text == NO_VALUE || text.eq_ignore_ascii_case("nan");
            let at = |row: usize| Place { row: row as u64, ..Place::default() };
            if choice.label == Some(column) {
                let labels = self.labels.get_or_insert_default();
                for row in first..first + rows {
                    if missing {
                        labels.push_none();
                        self.tally.add(column, Kind::Missing, at(row), b"");
                    } else {
                        labels.push(text);
                    }
                }
            }
            let Some(place) = sources.iter().position(|source| *source == column) else { continue };
            let number = text.parse::<f32>().ok().filter(|value| value.is_finite());
            let kind = if missing { Kind::Missing } else { Kind::Text };
            for row in first..first + rows {
                self.values[row * self.dim + place] = number.unwrap_or(f32::NAN);
                if number.is_none() {
                    self.tally.add(column, kind, at(row), if missing { b"" } else { text.as_bytes() });
                }
            }
        }
    }
}

/// Refuses files whose folders do not tell the same values.
fn check_keys(files: &[&Open]) -> Result<()> {
    let names = |file: &Open| file.keys.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let first = names(files[0]);
    let Some(other) = files.iter().find(|file| names(file) != first) else { return Ok(()) };
    let told = |names: &[String]| match names {
        [] => "no folder KEY=VALUE".to_owned(),
        names => names.iter().map(|name| format!("{name}=")).collect::<Vec<_>>().join("/"),
    };
    let problem =
        format!("it lies in {}, but {} in {}", told(&names(other)), files[0].path.display(), told(&first));
    let next = "put every file into folders with the same keys in the same order, or read them one by one";
    Err(Error::file(&other.path, problem, next))
}

/// The list that a column of a model is an item of, as `v` of `v[3]`.
fn list_of(name: &str) -> Option<&str> {
    let (list, item) = name.strip_suffix(']')?.rsplit_once('[')?;
    (!item.is_empty() && item.bytes().all(|byte| byte.is_ascii_digit())).then_some(list)
}

/// A model's columns as the file has them: one of lists in place of its items.
fn with_lists(expected: &[String], leaves: &[Leaf]) -> Vec<String> {
    let lists: HashMap<&str, bool> = leaves.iter().map(|leaf| (leaf.name.as_str(), leaf.list)).collect();
    let mut seen = HashSet::new();
    let column = |name: &String| match list_of(name).filter(|list| lists.get(list) == Some(&true)) {
        Some(list) if !lists.contains_key(name.as_str()) => {
            seen.insert(list.to_owned()).then(|| list.to_owned())
        }
        _ => Some(name.clone()),
    };
    expected.iter().filter_map(column).collect()
}

/// Refuses lists whose items are not the columns of the model.
fn check_items(path: &Path, names: &[String], expected: &[String]) -> Result<()> {
    let differs = names.iter().zip(expected).find(|(name, expected)| name != expected);
    let problem = match differs {
        _ if expected.is_empty() => return Ok(()),
        _ if names.len() != expected.len() => format!(
            "with the items of its lists it has {} columns, but the model was trained on {} columns",
            names.len(),
            expected.len()
        ),
        Some((name, expected)) => format!("it has `{name}` where the model was trained on `{expected}`"),
        None => return Ok(()),
    };
    Err(Error::file(
        path,
        problem,
        "give its lists as many items, in the order that the model was trained on",
    ))
}

/// What the columns are, for the choice among them.
fn found(file: &Open, leaves: &[Leaf]) -> Found {
    let metadata = file.reader.metadata().file_metadata();
    let pandas = metadata.key_value_metadata().into_iter().flatten().find(|pair| pair.key == PANDAS);
    let pandas: Option<serde_json::Value> =
        pandas.and_then(|pair| serde_json::from_str(pair.value.as_ref()?).ok());
    let known: Vec<String> = pandas
        .iter()
        .filter_map(|pandas| pandas.get("index_columns")?.as_array())
        .flatten()
        .filter_map(|name| Some(name.as_str()?.to_owned()))
        .collect();
    let is_index = |leaf: &&Leaf| {
        known.contains(&leaf.name) || leaf.name.starts_with(INDEX) || leaf.name.starts_with(UNNAMED)
    };
    let mut index: Vec<(usize, &'static str)> = leaves
        .iter()
        .filter(is_index)
        .map(|leaf| (leaf.leaf, if leaf.reading == Reading::Text { "names" } else { "numbers" }))
        .collect();
    if index.len() >= leaves.len() {
        index.clear();
    }
    let names = leaves.iter().map(|leaf| leaf.name.clone()).collect();
    Found { names, named: true, index, empty: Vec::new() }
}

/// Refuses lists that unpack to more than the file can hold: a list is read whole, and repeated items cost the file
/// nothing.
fn check_list(files: &[&Open], leaf: &Leaf) -> Result<()> {
    for Open { path, reader, packed, .. } in files {
        let mut items = 0u64;
        for index in 0..reader.num_row_groups() {
            let group = reader.get_row_group(index).map_err(|error| broken(path, &error))?;
            let mut pages = group.get_column_page_reader(leaf.leaf).map_err(|error| broken(path, &error))?;
            while let Some(page) = pages.peek_next_page().map_err(|error| broken(path, &error))? {
                items = items.saturating_add(page.num_levels.or(page.num_rows).unwrap_or(0) as u64);
                pages.skip_next_page().map_err(|error| broken(path, &error))?;
            }
        }
        if items.saturating_mul(ITEM) > most_unpacked(*packed) {
            let problem =
                format!("its {packed} bytes claim {items} items in the lists of column `{}`", leaf.name);
            return Err(Error::file(path, problem, "save large tables as .npy, which is read in place"));
        }
    }
    Ok(())
}

/// The length of the first list of a column that is there.
fn list_width(files: &[&Open], leaf: &Leaf) -> Result<usize> {
    for Open { path, reader, groups, .. } in files {
        for (index, rows) in groups.iter().enumerate().filter(|(_, rows)| **rows > 0) {
            let group = reader.get_row_group(index).map_err(|error| broken(path, &error))?;
            let any = Leaf { width: usize::MAX, ..leaf.clone() };
            // Mostly the first row has one.
            for looked in [1, *rows] {
                let chunk = group.get_column_reader(leaf.leaf).map_err(|error| broken(path, &error))?;
                let (mut found, mut width) = (None, 0);
                let mut take = |row: usize, item: usize, cell: Option<&dyn Cell>| {
                    if (cell.is_some() || item > 0) && *found.get_or_insert(row) == row {
                        width = item + 1;
                    }
                };
                chunk::read(chunk, &any, looked, &mut take)
                    .map_err(|problem| refusal(problem, path, 0, leaf, (0, &[])))?;
                if width > 0 {
                    return Ok(width);
                }
            }
        }
    }
    Ok(1)
}

#[cfg(test)]
mod tests;
