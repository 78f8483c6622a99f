//! A folder with the four IDX files of MNIST, Fashion-MNIST, KMNIST or data in the same format.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::idx::{self, Source};
use super::options::ReadOptions;
use super::progress::Watch;
use super::reader::{Format, Parts};
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "idx",
    describe: "a folder with IDX files: train-images-idx3-ubyte, t10k-images-idx3-ubyte and, \
               if there are labels, *-labels-idx1-ubyte; plain or .gz",
    detect,
    open,
};

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

/// Either images file is enough, so that the error for a folder without the other names the missing one.
fn detect(source: &str) -> bool {
    let folder = Path::new(source);
    [TRAIN_IMAGES, TEST_IMAGES].iter().any(|stem| find(folder, stem).is_some())
}

fn open(source: &str, _: &ReadOptions, _: Watch) -> Result<Parts> {
    let folder = Path::new(source);
    if !folder.is_dir() {
        return Err(Error::file(folder, "no such folder", "name the folder that the four IDX files are in"));
    }
    let train = (images(folder, TRAIN_IMAGES)?, labels(folder, TRAIN_LABELS)?);
    let test = (images(folder, TEST_IMAGES)?, labels(folder, TEST_LABELS)?);
    idx::dataset(&name_of(folder), train, test)
}

/// The file with that stem, in the common spellings: `-idx3` or `.idx3`, plain or `.gz`.
fn find(folder: &Path, stem: &str) -> Option<PathBuf> {
    let dotted = stem.replace("-idx", ".idx");
    [stem, &dotted]
        .iter()
        .flat_map(|name| ["", ".gz"].map(|suffix| folder.join(format!("{name}{suffix}"))))
        .find(|path| path.is_file())
}

fn images(folder: &Path, stem: &str) -> Result<Source<'static>> {
    let path = find(folder, stem).ok_or_else(|| {
        Error::file(folder, format!("{stem}[.gz] is missing"), "put it beside the other IDX files")
    })?;
    read(path)
}

fn labels(folder: &Path, stem: &str) -> Result<Option<Source<'static>>> {
    find(folder, stem).map(read).transpose()
}

fn read(path: PathBuf) -> Result<Source<'static>> {
    let unreadable = |error| Error::io("read", &path, error);
    let file = File::open(&path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    Ok(Source { path, length, bytes: Box::new(BufReader::with_capacity(1 << 16, file)) })
}

/// The folder's own name, even for `.` and `data/..`.
pub(super) fn name_of(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    full.file_name().map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned())
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

    #[test]
    fn a_missing_half_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TRAIN_IMAGES), images_file(3)).unwrap();
        let message = crate::data::open(folder.path().to_str().unwrap()).unwrap_err().to_string();
        assert!(message.contains("t10k-images-idx3-ubyte[.gz] is missing"), "{message}");
    }
}
