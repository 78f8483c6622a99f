//! NumPy's `.npz`: a zip of `.npy` files: one with the data, or two with its training and test parts.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::npy::{self, Header};
use super::options::ReadOptions;
use super::progress::Watch;
use super::reader::{Format, Parts, has_extension, most_unpacked, stem};
use super::shape::Shape;
use super::split::FileKind;
use super::split::Split;
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "npz",
    describe: "a .npz file: x or the only array, labels y; or x_train, y_train, x_test, y_test",
    detect: |source| has_extension(source, &["npz"]),
    open,
};

/// Array names for data and its labels.
const NAMES: &[(&str, &str)] = &[("x", "y"), ("data", "labels"), ("images", "labels"), ("data", "target")];
/// Array names for a training part with labels, and a test part with labels.
const PAIRS: &[[(&str, &str); 2]] = &[
    [("x_train", "y_train"), ("x_test", "y_test")],
    [("train_images", "train_labels"), ("test_images", "test_labels")],
];
/// An open archive, and the names of its arrays without `.npy`.
struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

fn open(source: &str, options: &ReadOptions, _: Watch) -> Result<Parts> {
    let path = Path::new(source);
    let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(path, &error.to_string()))?;
    let names = zip.file_names().filter_map(|name| Some(name.ok()?.strip_suffix(".npy")?.to_owned()));
    let names = names.collect();
    let mut archive = Archive { path: path.to_owned(), zip, names };
    let has = |name: &str| archive.names.iter().any(|known| known == name);
    let pair = PAIRS.iter().find(|[(train, _), (test, _)]| has(train) && has(test));
    let (shape, train, test) = match pair {
        Some([train, test]) => {
            let (shape, train) = archive.part(train.0, Some(train.1), options)?;
            let (test_shape, judged) = archive.part(test.0, Some(test.1), options)?;
            if shape != test_shape {
                let problem =
                    format!("{} holds data of {test_shape}, but {} of {shape}", test.0, pair_name(pair));
                return Err(Error::file(path, problem, "both must come from the same data set"));
            }
            (shape, train, Some(judged))
        }
        None => {
            let known = NAMES.iter().find(|(x, y)| has(x) && has(y)).or(NAMES.iter().find(|(x, _)| has(x)));
            let (x, y) = match (known, &archive.names[..]) {
                (Some((x, y)), _) => ((*x).to_owned(), Some(*y)),
                (None, [only]) => (only.clone(), None),
                (None, names) => {
                    let problem = format!("its arrays are {names:?}, and it is not clear which is the data");
                    return Err(Error::file(
                        path,
                        problem,
                        "call the data x and its labels y, or save x alone",
                    ));
                }
            };
            let (shape, train) = archive.part(&x, y, options)?;
            (shape, train, None)
        }
    };
    Ok(Parts { test, ..Parts::new(stem(path), shape, train) })
}

fn pair_name(pair: Option<&[(&'static str, &'static str); 2]>) -> &'static str {
    pair.map_or("x", |[train, _]| train.0)
}

impl Archive {
    /// The data with that name, and the labels with the other name if present.
    fn part(&mut self, name: &str, labels: Option<&str>, options: &ReadOptions) -> Result<(Shape, Split)> {
        let (header, bytes) = self.array(name, Header::kind_bytes)?;
        let inside = self.inside(name);
        let kind = header.kind(&inside)?;
        let (count, shape) = npy::rows(&inside, &header.shape, options.image_size)?;
        let split = if kind == FileKind::U8 {
            Split::new(bytes, shape.dim(), None)
        } else {
            let mut values = Vec::with_capacity(bytes.len() / kind.bytes());
            kind.floats(&bytes, &mut values);
            drop(bytes);
            Split::from_floats(values, shape.dim())
        };
        let Some(labels) = labels.filter(|labels| self.names.iter().any(|known| known == labels)) else {
            return Ok((shape, split));
        };
        let (header, bytes) =
            self.array(labels, |header, path| header.labels(path, &[]).map(|_| header.element_bytes()))?;
        let inside = self.inside(labels);
        let labels = header.labels(&inside, &bytes)?;
        if labels.len() != count {
            let problem = format!("{} labels, but {name} has {count} rows", labels.len());
            return Err(Error::file(inside, problem, "save one label per row"));
        }
        Ok((shape, split.with_labels(Some(labels))))
    }

    /// The name of an array in messages: `file.npz/x.npy`.
    fn inside(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.npy"))
    }

    /// The header and elements of an array.
    fn array(
        &mut self,
        name: &str,
        bytes_each: fn(&Header, &Path) -> Result<usize>,
    ) -> Result<(Header, Vec<u8>)> {
        let path = self.inside(name);
        let entry = format!("{name}.npy");
        let mut file = self.zip.by_name(&entry).map_err(|error| broken(&path, &error.to_string()))?;
        let packed = file.compressed_size();
        let header = Header::read(&path, &mut file)?;
        let each = bytes_each(&header, &path)? as u64;
        let promised = header.shape.iter().try_fold(each, |product, size| product.checked_mul(*size as u64));
        let total = promised.filter(|total| *total <= most_unpacked(packed)).ok_or_else(|| {
            let problem =
                format!("its header promises {:?}, but only {packed} bytes are packed", header.shape);
            Error::file(&path, problem, "save large arrays as .npy, which is read in place")
        })?;
        let mut bytes = Vec::new();
        let read = file.by_ref().take(total).read_to_end(&mut bytes);
        read.map_err(|error| broken(&path, &error.to_string()))?;
        // Reading to the end also makes the zip reader compare its checksum.
        let more = file.read(&mut [0]).map_err(|error| broken(&path, &error.to_string()))?;
        if bytes.len() as u64 != total || more != 0 {
            let problem = format!("its header promises {total} bytes of elements, but holds more or fewer");
            return Err(Error::file(&path, problem, "write it again with np.savez"));
        }
        Ok((header, bytes))
    }
}

impl Header {
    fn kind_bytes(&self, path: &Path) -> Result<usize> {
        self.kind(path).map(FileKind::bytes)
    }
}

fn broken(path: &Path, problem: &str) -> Error {
    Error::file(path, format!("damaged, or not a zip file: {problem}"), "write it again with np.savez")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    fn array(descr: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
        [npy::header(descr, shape), bytes.to_vec()].concat()
    }

    /// A .npz file of these arrays, stored or deflated.
    fn archive(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in arrays {
            let options = SimpleFileOptions::default().compression_method(method);
            zip.start_file(format!("{name}.npy"), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn read(bytes: &[u8]) -> Result<Parts> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npz");
        std::fs::write(&path, bytes).unwrap();
        open(path.to_str().unwrap(), &ReadOptions::default(), &|_| {})
    }

    #[track_caller]
    fn refuse(bytes: &[u8], words: &str) {
        let error = read(bytes).expect_err("a refusal");
        assert!(matches!(error, Error::File { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }

    #[test]
    fn stored_and_deflated_arrays_are_read_with_their_labels() {
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let y = [3i64, 0].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
            let x = array("|u1", &[2, 2, 1], &[1, 2, 3, 4]);
            let parts = read(&archive(&[("y", array("<i8", &[2], &y)), ("x", x)], method)).unwrap();
            assert_eq!((parts.shape, parts.train.count), (Shape { width: 1, height: 2, channels: 1 }, 2));
            assert_eq!(parts.train.labels.as_deref(), Some(&[3, 0][..]));
            assert_eq!(parts.train.x(0..2).unwrap(), [1.0, 2.0, 3.0, 4.0].map(|v| v / 255.0));
            assert_eq!((parts.name.as_str(), parts.test.is_none()), ("data", true));
        }
    }

    #[test]
    fn a_training_and_a_test_part_are_known_by_their_names() {
        let part = |rows: usize| {
            array("<f4", &[rows, 1], &[rows as f32; 3].map(f32::to_le_bytes).concat()[..4 * rows])
        };
        let arrays = [("x_train", part(3)), ("x_test", part(2)), ("y_test", array("|u1", &[2, 1], &[7, 8]))];
        let parts = read(&archive(&arrays, CompressionMethod::Stored)).unwrap();
        let test = parts.test.unwrap();
        assert_eq!((parts.train.x(0..3).unwrap(), test.x(0..2).unwrap()), (vec![3.0; 3], vec![2.0; 2]));
        assert_eq!((parts.train.labels, test.labels.as_deref()), (None, Some(&[7, 8][..])));
    }

    #[test]
    fn an_only_array_may_have_any_name() {
        let bytes = archive(&[("arr_0", array("<f8", &[1, 1], &[0; 8]))], CompressionMethod::Stored);
        assert_eq!(read(&bytes).unwrap().train.count, 1);
        let two = [("a", array("|u1", &[1, 1], &[0])), ("b", array("|u1", &[1, 1], &[0]))];
        refuse(&archive(&two, CompressionMethod::Stored), "call the data x");
    }

    #[test]
    fn a_zip_bomb_is_refused_before_it_unpacks() {
        let zeros = vec![0; 1 << 20];
        let mut lying = npy::header("|u1", &[1 << 20, 1 << 20]);
        lying.extend(&zeros);
        refuse(&archive(&[("x", lying)], CompressionMethod::Deflated), "bytes are packed");
        let overflow = npy::header("<f8", &[1 << 31, 1 << 31, 1 << 31]);
        refuse(&archive(&[("x", overflow)], CompressionMethod::Deflated), "bytes are packed");
    }

    #[test]
    fn arrays_longer_or_shorter_than_they_say_are_refused() {
        for bytes in [3, 5] {
            let x = array("|u1", &[2, 2], &vec![0; bytes]);
            refuse(&archive(&[("x", x)], CompressionMethod::Deflated), "more or fewer");
        }
    }

    #[test]
    fn damage_anywhere_is_an_error_and_never_a_panic() {
        let x = array("|u1", &[40, 10], &(0..400).map(|i| (i % 251) as u8).collect::<Vec<_>>());
        let sound = archive(&[("x", x)], CompressionMethod::Deflated);
        let whole = read(&sound).unwrap().train.x(0..40).unwrap();
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 0x55;
            // Some bytes, such as timestamps, do not matter.
            if let Ok(parts) = read(&damaged) {
                assert_eq!(parts.train.x(0..parts.train.count).unwrap(), whole, "byte {at}");
            }
            refuse(&sound[..at], "not a zip file");
        }
    }

    #[test]
    fn labels_that_are_not_numbers_or_too_few_are_refused() {
        let with = |y| archive(&[("x", array("|u1", &[2, 2], &[0; 4])), ("y", y)], CompressionMethod::Stored);
        refuse(&with(array("<f4", &[2], &[0; 8])), "labels are whole numbers");
        refuse(&with(array("|u1", &[3], &[0; 3])), "3 labels, but x has 2 rows");
        refuse(&with(array("|i1", &[2], &[0, 255])), "row 2: the label -1");
        refuse(&with(array("|O", &[2], &[0; 2])), "labels are whole numbers");
    }
}
