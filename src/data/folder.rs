//! IDX files as MNIST, Fashion-MNIST, KMNIST, EMNIST and QMNIST have them: a folder with them, or one by its name.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::idx::{self, Source};
use super::natural;
use super::options::ReadOptions;
use super::origin::Part;
use super::progress::Watch;
use super::reader::{Format, NAMED, Parts};
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "idx",
    describe: "a folder with IDX files: train-images-idx3-ubyte and, if there are such, t10k-images-idx3-ubyte and \
               *-labels-idx1-ubyte; plain or .gz; names may begin as EMNIST's do, and one file may be named",
    detect,
    open,
};

/// Folders below the one that is named in which torchvision and EMNIST keep their files.
const INSIDE: [&str; 2] = ["raw", "gzip"];
/// Most folders looked into for such.
const LOOKED: usize = 200;

/// What the name of an IDX file says: `emnist-letters-` `train` `images`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    prefix: String,
    part: Part,
    images: bool,
}

impl Name {
    fn parse(file: &str) -> Option<Name> {
        let file = file.to_ascii_lowercase();
        let file = file.strip_suffix(".gz").unwrap_or(&file);
        let (images, rest) = match file.strip_suffix("idx3-ubyte") {
            Some(rest) => (true, rest.strip_suffix(['-', '.'])?.strip_suffix("-images")?),
            None => {
                (false, file.strip_suffix("idx1-ubyte")?.strip_suffix(['-', '.'])?.strip_suffix("-labels")?)
            }
        };
        let parts = [("train", Part::Train), ("t10k", Part::Test), ("test", Part::Test)];
        let (prefix, part) = parts.iter().find_map(|(name, part)| Some((rest.strip_suffix(name)?, *part)))?;
        let whole = prefix.is_empty() || prefix.ends_with(['-', '_']);
        whole.then(|| Name { prefix: prefix.to_owned(), part, images })
    }
}

/// Images and, if there are such, their labels.
type Pair = (Source<'static>, Option<Source<'static>>);

/// The IDX files of a folder.
struct Files {
    folder: PathBuf,
    files: Vec<(Name, PathBuf)>,
    /// Labels in a form that is not read, as QMNIST has them.
    strange: Vec<String>,
}

impl Files {
    /// Those of the folder; without images there are none.
    fn of(folder: &Path) -> Option<Files> {
        let (mut files, mut strange) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            let name = Name::parse(&file);
            if name.is_none() && file.contains("-labels-idx2") {
                strange.push(file);
            }
            files.extend(name.map(|name| (name, entry.path())).filter(|(_, path)| path.is_file()));
        }
        // An unpacked file comes before the same one packed.
        files.sort_by_key(|(_, path)| {
            (path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz")), path.clone())
        });
        let folder = folder.to_owned();
        files.iter().any(|(name, _)| name.images).then_some(Files { folder, files, strange })
    }

    /// Those of the folder, or of the folders below it where they usually lie.
    fn below(folder: &Path) -> Vec<Files> {
        if let Some(files) = Files::of(folder) {
            return vec![files];
        }
        let within = |folder: &Path| {
            INSIDE.iter().filter_map(|name| Files::of(&folder.join(name))).collect::<Vec<_>>()
        };
        let found = within(folder);
        if !found.is_empty() {
            return found;
        }
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).take(LOOKED).collect();
        folders.sort();
        folders.iter().flat_map(|folder| within(folder)).collect()
    }

    /// The sets: each has its beginning of names.
    fn sets(&self) -> Vec<&str> {
        let mut sets: Vec<&str> =
            self.files.iter().filter(|(name, _)| name.images).map(|(name, _)| name.prefix.as_str()).collect();
        sets.sort_by(|a, b| natural::compare(a, b));
        sets.dedup();
        sets
    }

    fn find(&self, prefix: &str, part: Part, images: bool) -> Option<PathBuf> {
        let wanted = Name { prefix: prefix.to_owned(), part, images };
        self.files.iter().find(|(name, _)| *name == wanted).map(|(_, path)| path.clone())
    }

    /// A part of a set, if it has images.
    fn part(&self, prefix: &str, part: Part) -> Result<Option<Pair>> {
        let Some(images) = self.find(prefix, part, true) else { return Ok(None) };
        let labels = self.find(prefix, part, false).map(read).transpose()?;
        Ok(Some((read(images)?, labels)))
    }
}

/// Either images file is enough, so that the error for a folder without the other names the missing one.
fn detect(source: &str) -> bool {
    let path = Path::new(source);
    if path.is_dir() {
        return !Files::below(path).is_empty();
    }
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    !source.is_empty() && name.is_some_and(|name| name.contains("idx3-ubyte"))
}

fn open(source: &str, _: &ReadOptions, _: Watch) -> Result<Parts> {
    let path = Path::new(source);
    if path.is_file() {
        return open_file(path);
    }
    if !path.is_dir() {
        return Err(Error::file(path, "no such file or folder", "name the folder that the IDX files are in"));
    }
    let found = Files::below(path);
    let sets: Vec<(&Files, &str)> =
        found.iter().flat_map(|files| files.sets().into_iter().map(move |set| (files, set))).collect();
    match sets[..] {
        [] => Err(missing(path, "")),
        [(files, set)] => {
            let train = files.part(set, Part::Train)?.ok_or_else(|| missing(&files.folder, set))?;
            read_set(name_of(path), set, train, files.part(set, Part::Test)?, &files.strange)
        }
        [(first, set), ..] => {
            let names: Vec<String> =
                sets.iter().take(2 * NAMED).map(|(files, set)| shown(files, set)).collect();
            let more = if sets.len() > names.len() { ", .." } else { "" };
            let file = first.find(set, Part::Train, true).or(first.find(set, Part::Test, true));
            let file = file.unwrap_or_else(|| first.folder.clone());
            Err(Error::Usage(format!(
                "{source} holds {} data sets: {}{more}; name one by its file, such as `data` = {}",
                sets.len(),
                names.join(", "),
                file.display()
            )))
        }
    }
}

/// A set's name, for a message.
fn shown(files: &Files, set: &str) -> String {
    match set.trim_end_matches(['-', '_']) {
        "" => files.folder.display().to_string(),
        set => set.to_owned(),
    }
}

/// The set of a training file, or a test file alone.
fn open_file(path: &Path) -> Result<Parts> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(Name { prefix, part, .. }) = Name::parse(&file).filter(|name| name.images) else {
        return idx::dataset(&file, (read(path.to_owned())?, None), None);
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let labels =
        |part| Files::of(parent).and_then(|files| files.find(&prefix, part, false)).map(read).transpose();
    let named = (read(path.to_owned())?, labels(part)?);
    let files = Files::of(parent);
    let test = match (part, &files) {
        (Part::Train, Some(files)) => files.part(&prefix, Part::Test)?,
        _ => None,
    };
    let strange = files.map(|files| files.strange).unwrap_or_default();
    let name = match prefix.trim_end_matches(['-', '_']) {
        "" => name_of(parent),
        prefix => prefix.to_owned(),
    };
    read_set(name, &prefix, named, test, &strange)
}

fn read_set(name: String, set: &str, train: Pair, test: Option<Pair>, strange: &[String]) -> Result<Parts> {
    let mut parts = idx::dataset(&name, train, test)?;
    let unread = strange.iter().filter(|file| file.to_ascii_lowercase().starts_with(set));
    let unread: Vec<&str> = unread.take(NAMED).map(String::as_str).collect();
    if !unread.is_empty() {
        let files = unread.join(", ");
        parts.warnings.push(format!("{files}: of labels, only one byte each (idx1-ubyte) is read"));
    }
    if set.contains("emnist") {
        parts.notes.push("EMNIST's pictures lie on their side, as they were published".to_owned());
    }
    Ok(parts)
}

fn missing(folder: &Path, set: &str) -> Error {
    let problem = format!("{set}train-images-idx3-ubyte[.gz] is missing");
    Error::file(
        folder,
        problem,
        "put it beside the other IDX files; test images alone are read if you name their file",
    )
}

fn read(path: PathBuf) -> Result<Source<'static>> {
    let unreadable = |error| Error::io("read", &path, error);
    let file = File::open(&path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    Ok(Source { path, length, bytes: Box::new(BufReader::with_capacity(1 << 16, file)) })
}

/// The folder's own name, even for `.` and `data/..`; that of the folder above for torchvision's `raw`.
pub(super) fn name_of(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let inside = name(&full).is_some_and(|name| INSIDE.contains(&name.as_str()));
    let above = full.parent().filter(|_| inside).and_then(name);
    above.or(name(&full)).unwrap_or_else(|| "data".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// `count` images of 2x1 pixels.
    fn images_file(count: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 1, 0, 0, 0, 2];
        bytes.extend((0..2 * count).map(|value| value + 1));
        bytes
    }

    fn labels_file(count: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 1, 0, 0, 0, count];
        bytes.extend(0..count);
        bytes
    }

    const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
    const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
    const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

    #[test]
    fn every_usual_spelling_is_found_and_labels_may_lack() {
        for (train, test) in
            [(TRAIN_IMAGES, TEST_IMAGES), ("train-images.idx3-ubyte", "t10k-images.idx3-ubyte")]
        {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(train), images_file(3)).unwrap();
            fs::write(folder.path().join(test), images_file(2)).unwrap();
            fs::write(folder.path().join(TEST_LABELS), labels_file(2)).unwrap();
            let data = crate::data::open(folder.path().to_str().unwrap()).unwrap();
            assert_eq!((data.train.count, data.test.count), (3, 2));
            assert_eq!((data.shape.width, data.shape.height), (2, 1));
            assert_eq!((&data.train.labels, data.test.labels.as_deref()), (&None, Some(&[0, 1][..])));
            assert_eq!(data.train.x([2]).unwrap(), [5.0 / 255.0, 6.0 / 255.0]);
            assert_eq!(Some(data.name.as_str()), folder.path().file_name().unwrap().to_str());
        }
    }

    #[test]
    fn gzipped_files_are_found_by_name_and_told_by_content() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let file = fs::File::create(folder.path().join(format!("{TRAIN_IMAGES}.gz"))).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gzip.write_all(&images_file(3)).unwrap();
        gzip.finish().unwrap();
        // A browser may unpack a download but keep its name: content decides, not the suffix.
        fs::write(folder.path().join(format!("{TEST_IMAGES}.gz")), images_file(2)).unwrap();
        let data = crate::data::open(folder.path().to_str().unwrap()).unwrap();
        assert_eq!((data.train.count, data.test.count), (3, 2));
    }

    /// Opens what is in the folder, or below it.
    fn read(folder: &Path, below: &str) -> Result<Parts> {
        let path = folder.join(below);
        assert!(detect(path.to_str().unwrap()), "{below}");
        open(path.to_str().unwrap(), &ReadOptions::default(), &|_| {})
    }

    fn write(folder: &Path, name: &str, bytes: Vec<u8>) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_part_alone_is_enough_if_it_is_for_training_or_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), TRAIN_IMAGES, images_file(30));
        let data = crate::data::open(folder.path().to_str().unwrap()).unwrap();
        assert_eq!((data.train.count, data.test.count), (27, 3));
        fs::remove_file(folder.path().join(TRAIN_IMAGES)).unwrap();
        write(folder.path(), TEST_IMAGES, images_file(2));
        write(folder.path(), TEST_LABELS, labels_file(2));
        let message = read(folder.path(), "").unwrap_err().to_string();
        assert!(message.contains("train-images-idx3-ubyte[.gz] is missing"), "{message}");
        // As the message says.
        let parts = read(folder.path(), TEST_IMAGES).unwrap();
        assert_eq!((parts.train.count, parts.train.labels.as_deref()), (2, Some(&[0, 1][..])));
    }

    #[test]
    fn folders_of_torchvision_are_looked_into() {
        for place in ["MNIST/raw", "raw", "gzip"] {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), &format!("{place}/{TRAIN_IMAGES}"), images_file(3));
            write(folder.path(), &format!("{place}/{TEST_IMAGES}"), images_file(2));
            for source in ["", "MNIST", place] {
                if folder.path().join(source).is_dir() {
                    let parts = read(folder.path(), source).unwrap();
                    assert_eq!((parts.train.count, parts.test.unwrap().count), (3, 2), "{source} of {place}");
                    assert!(source != "MNIST/raw" || parts.name == "MNIST", "{}", parts.name);
                }
            }
        }
    }

    #[test]
    fn one_of_emnists_sets_is_read_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        for (set, count) in [("letters", 3), ("balanced", 5)] {
            for (part, count) in [("train", count), ("test", 1)] {
                write(folder.path(), &format!("emnist-{set}-{part}-images-idx3-ubyte"), images_file(count));
                write(folder.path(), &format!("emnist-{set}-{part}-labels-idx1-ubyte"), labels_file(count));
            }
        }
        let error = read(folder.path(), "").unwrap_err();
        let message = error.to_string();
        assert!(
            error.exit_code() == 2 && message.contains("holds 2 data sets: emnist-balanced, emnist-letters"),
            "{message}"
        );
        assert!(message.ends_with("emnist-balanced-train-images-idx3-ubyte"), "{message}");
        let parts = read(folder.path(), "emnist-letters-train-images-idx3-ubyte").unwrap();
        assert_eq!(
            (parts.train.count, parts.test.unwrap().count, parts.name.as_str()),
            (3, 1, "emnist-letters")
        );
        assert_eq!(parts.train.labels.as_deref(), Some(&[0, 1, 2][..]));
    }

    #[test]
    fn labels_that_are_not_read_are_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "qmnist-train-images-idx3-ubyte", images_file(3));
        write(folder.path(), "qmnist-train-labels-idx2-int", labels_file(3));
        let parts = read(folder.path(), "").unwrap();
        assert_eq!((parts.train.count, parts.train.labels), (3, None));
        assert!(
            parts.warnings[0].starts_with("qmnist-train-labels-idx2-int: of labels"),
            "{:?}",
            parts.warnings
        );
    }

    #[test]
    fn a_file_of_any_name_with_the_ending_is_read() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "mine.idx3-ubyte", images_file(4));
        assert_eq!(read(folder.path(), "mine.idx3-ubyte").unwrap().train.count, 4);
        assert!(!detect("") && !detect("idx1-ubyte") && !detect(folder.path().join("no").to_str().unwrap()));
    }
}
