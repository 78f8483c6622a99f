//! The files of a Parquet data set: one, or those of a folder, whose names tell parts and whose folders tell values.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::natural;
use super::super::origin::Part;
use super::super::part;
use super::super::reader::{NAMED, has_extension};
use crate::error::{Error, Result};

/// Most levels of folders that are searched.
const DEPTH: usize = 8;
/// A file, and the values in the names of its folders, as in `year=2020`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub path: PathBuf,
    pub keys: Vec<(String, String)>,
    pub part: Option<Part>,
    /// What else is in the name that tells the part, where it does so by one of its words: `wine` of `wine_train`.
    rest: Option<String>,
}

/// Whether a folder has Parquet files, and none of another kind that would be read.
pub(super) fn is_folder(source: &str) -> bool {
    let folder = Path::new(source);
    !source.is_empty() && folder.is_dir() && !search(folder).unwrap_or_default().0.is_empty()
}

/// Whether a file's name ends as those of Parquet files do.
pub(super) fn is_file(source: &str) -> bool {
    has_extension(source, &["parquet", "pq", "parq"])
}

/// The endings of data in other formats, which lie beside Parquet files and are not read.
const OTHERS: [&str; 15] = [
    "csv", "tsv", "tab", "psv", "npy", "npz", "arrow", "feather", "orc", "avro", "jsonl", "ndjson", "xlsx",
    "h5", "hdf5",
];

/// Whether a file's name ends as those of other data do, also if it is compressed.
fn is_other(name: &str) -> bool {
    let plain = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let is_packed = has_extension(name, &["gz", "zst", "zip", "bz2", "xz"]);
    has_extension(if is_packed { plain } else { name }, &OTHERS)
}

/// What is said of files that are not read; refuses a part that lies in another format.
fn strays(folder: &Path, found: &[Found], others: &[Found]) -> Result<Option<String>> {
    // Alone, a word in a name may mean anything.
    let belongs = |other: &&Found| match &other.rest {
        None => true,
        Some(rest) => found.iter().any(|file| file.rest.as_ref() == Some(rest)),
    };
    let is_missing =
        |other: &&Found| other.part.is_some() && !found.iter().any(|file| file.part == other.part);
    let known = found.iter().any(|file| file.part.is_some());
    if let Some(other) = others.iter().filter(|_| known).find(|other| is_missing(other) && belongs(other)) {
        let (problem, next) = match (other.part, found) {
            (Some(Part::Test), [only]) => (
                "it is the test part, but the other file of its folder is Parquet",
                format!(
                    "name both: `data` = {} and `source.test_data` = {}",
                    only.path.display(),
                    other.path.display()
                ),
            ),
            _ => (
                "it is a part of the data, but the other files of its folder are Parquet",
                "save it as Parquet too, or move it away".to_owned(),
            ),
        };
        return Err(Error::file(&other.path, problem, next));
    }
    let name = |other: &Found| other.path.strip_prefix(folder).unwrap_or(&other.path).display().to_string();
    let first: Vec<String> = others.iter().take(NAMED).map(name).collect();
    let more = match others.len() - first.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let are = if others.len() == 1 { "is" } else { "are" };
    Ok((!others.is_empty())
        .then(|| format!("{}{more} {are} not read: of this folder, Parquet files are", first.join(", "))))
}

/// The files of a source, in the natural order of their names, and what is said of others.
pub(super) fn find(path: &Path) -> Result<(Vec<Found>, Option<String>)> {
    if !path.is_dir() {
        return Ok((vec![Found { path: path.to_owned(), keys: Vec::new(), part: None, rest: None }], None));
    }
    let (mut found, others) = search(path)?;
    if found.is_empty() {
        return Err(Error::file(
            path,
            "no Parquet file in it",
            "name a folder of files that end with .parquet",
        ));
    }
    let told = strays(path, &found, &others)?;
    // A word in a name is a part where the same name has another part too.
    let known: Vec<(Option<Part>, Option<String>)> =
        found.iter().map(|file| (file.part, file.rest.clone())).collect();
    for file in found.iter_mut().filter(|file| file.rest.is_some()) {
        if !known.iter().any(|(part, rest)| *part != file.part && *rest == file.rest) {
            file.part = None;
        }
    }
    // A single part is no part.
    if found.iter().all(|file| file.part == found[0].part) {
        found.iter_mut().for_each(|file| file.part = None);
    }
    let lost =
        found.iter().find(|file| file.part.is_none() && found.iter().any(|other| other.part.is_some()));
    if let Some(file) = lost {
        let problem = "it is of no part, but others in its folder are of train, validation or test";
        return Err(Error::file(&file.path, problem, "move it away, or name it as one of the parts"));
    }
    Ok((found, told))
}

/// The Parquet files of a folder, and those of other formats.
fn search(folder: &Path) -> Result<(Vec<Found>, Vec<Found>)> {
    let mut found = (Vec::new(), Vec::new());
    descend(
        folder,
        0,
        &Found { path: folder.to_owned(), keys: Vec::new(), part: None, rest: None },
        &mut found,
    )?;
    Ok(found)
}

fn descend(folder: &Path, depth: usize, above: &Found, found: &mut (Vec<Found>, Vec<Found>)) -> Result<()> {
    let unreadable = |error| Error::io("read", folder, error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // As Spark and others mark what is no data.
        if !name.starts_with(['.', '_']) {
            entries.push((name, entry.path()));
        }
    }
    entries.sort_by(|a, b| natural::compare(&a.0, &b.0));
    for (name, path) in entries {
        let (part, rest) = match above.part.or_else(|| self::part(&name)) {
            Some(part) => (Some(part), above.rest.clone()),
            None => {
                let stem = name.rsplit_once('.').filter(|_| !path.is_dir()).map_or(&*name, |(stem, _)| stem);
                part::hinted(stem).map_or((None, None), |(part, rest)| (Some(part), Some(rest)))
            }
        };
        let mut keys = above.keys.clone();
        if path.is_dir() {
            keys.extend(name.split_once('=').map(|(key, value)| (key.to_owned(), unspelt(value))));
            if depth < DEPTH {
                descend(&path, depth + 1, &Found { path: path.clone(), keys, part, rest }, found)?;
            }
        } else if is_file(&name) {
            found.0.push(Found { path, keys, part, rest });
        } else if is_other(&name) {
            found.1.push(Found { path, keys, part, rest });
        }
    }
    Ok(())
}

/// A folder's value, in which `%20` and the like stand for characters that its name cannot have.
fn unspelt(value: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(value.len()), value.as_bytes());
    while let [first, after @ ..] = rest {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|code| {
            let code =
                std::str::from_utf8(code).ok().filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()))?;
            u8::from_str_radix(code, 16).ok()
        });
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| value.to_owned())
}

/// The part that a name tells before its numbers, as in `train-00000-of-00002.parquet`.
fn part(name: &str) -> Option<Part> {
    part::of_folder(name.split(['-', '.']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_parts_and_folders_tell_values() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        let find = || find(folder.path()).map(|(found, _)| found);
        for name in ["y=10/a.parquet", "y=9/b.parquet", "_SUCCESS", ".b.parquet.crc", "readme.txt"] {
            write(name);
        }
        let keys: Vec<String> = find().unwrap().into_iter().map(|file| file.keys[0].1.clone()).collect();
        assert_eq!(keys, ["9", "10"]);
        assert!(is_folder(folder.path().to_str().unwrap()));
        fs::remove_dir_all(folder.path().join("y=9")).unwrap();
        fs::remove_dir_all(folder.path().join("y=10")).unwrap();
        for name in ["data/test-0.parquet", "data/train-0.parquet", "data/validation-0.parquet"] {
            write(name);
        }
        let parts: Vec<_> = find().unwrap().into_iter().map(|file| file.part).collect();
        assert_eq!(parts, [Some(Part::Test), Some(Part::Train), Some(Part::Valid)]);
        assert_eq!(["a%20b%25", "50%", "%zz", "%ff", "é"].map(unspelt), ["a b%", "50%", "%zz", "%ff", "é"]);
        fs::remove_dir_all(folder.path().join("data")).unwrap();
        let remove = |name: &str| fs::remove_file(folder.path().join(name)).unwrap();
        for stem in ["wine_", "wine-", "X_", "wine."] {
            let names = ["test", "train"].map(|part| format!("{stem}{part}.parquet"));
            names.iter().for_each(|name| write(name));
            let parts: Vec<_> = find().unwrap().into_iter().map(|file| file.part).collect();
            assert_eq!(parts, [Some(Part::Test), Some(Part::Train)], "{stem}");
            names.iter().for_each(|name| remove(name));
        }
        let names = ["test_0.parquet", "train_0.parquet"];
        names.into_iter().for_each(write);
        assert_eq!(find().unwrap()[1].part, Some(Part::Train));
        names.into_iter().for_each(remove);
        let names = ["train_station.parquet", "test_tube.parquet"];
        names.into_iter().for_each(write);
        assert!(find().unwrap().iter().all(|file| file.part.is_none()));
        names.into_iter().for_each(remove);
        ["train.parquet", "test.parquet", "more.parquet"].into_iter().for_each(write);
        assert!(find().unwrap_err().to_string().contains("of no part"));
        assert!(!is_folder("") && !is_folder("nowhere"));
    }

    #[test]
    fn files_of_other_formats_are_named_and_parts_of_them_refused() {
        let find = |names: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            names.iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
            find(folder.path()).map(|(_, told)| told).map_err(|error| error.to_string())
        };
        assert_eq!(find(&["d.parquet", "README.md", "notes.txt", "_x.csv", "a.json"]), Ok(None));
        let told = find(&["d.parquet", "d.csv"]).unwrap().unwrap();
        assert!(told.starts_with("d.csv is not read"), "{told}");
        let told = find(&["d.parquet", "a.csv.gz", "b.npy"]).unwrap().unwrap();
        assert!(told.starts_with("a.csv.gz, b.npy are not read"), "{told}");
        // The same part in two formats, and a name that only looks like a part's.
        for names in [&["train.parquet", "test.parquet", "test.csv"][..], &["wine.parquet", "test_tube.csv"]]
        {
            assert!(find(names).unwrap().is_some());
        }
        for names in [["train.parquet", "test.csv"], ["wine_train.parquet", "wine_test.npz"]] {
            let error = find(&names).unwrap_err();
            assert!(
                error.contains("it is the test part") && error.contains("`source.test_data` = "),
                "{error}"
            );
        }
        let error = find(&["train.parquet", "test.parquet", "val.csv"]).unwrap_err();
        assert!(error.contains("save it as Parquet too, or move it away"), "{error}");
    }
}
