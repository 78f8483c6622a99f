//! NumPy's `.npz`: a zip of `.npy` files: one with the data, or one for each of its parts, and their labels.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::array;
use super::classes;
use super::npy_header::Header;
use super::number::{FileKind, Number};
use super::options::ReadOptions;
use super::origin::Part;
use super::part;
use super::progress::Watch;
use super::reader::{Format, NAMED, Parts, has_extension, most_unpacked, stem};
use super::shape::Shape;
use super::split::Split;
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "npz",
    describe: "a .npz file: x, data, images or the only array, labels y; or x_train, y_train, x_val, x_test and so on",
    detect: |source| has_extension(source, &["npz"]),
    open,
};

/// Names of arrays with data, in small letters and without the part's; the first that is there counts.
const DATA: [&str; 15] = [
    "x",
    "data",
    "images",
    "imgs",
    "image",
    "img",
    "pictures",
    "inputs",
    "input",
    "features",
    "samples",
    "embeddings",
    "values",
    "",
    "arr_0",
];
/// The same for labels.
const LABELS: [&str; 10] =
    ["y", "labels", "label", "targets", "target", "classes", "class", "class_ids", "label_ids", "arr_1"];

/// The first of them, which are labels whatever their length, so that a wrong one is an error.
const SURE: usize = 5;

/// An open archive, and its arrays.
struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    arrays: Vec<Entry>,
}

/// An array: its name without `.npy`, what the name says, and its header if that can be read.
#[derive(Clone)]
struct Entry {
    name: String,
    part: Option<Part>,
    role: String,
    header: Option<Header>,
}

/// The data of a part, and its labels.
struct Chosen {
    part: Part,
    data: Entry,
    labels: Option<Entry>,
}

fn open(source: &str, options: &ReadOptions, _: Watch) -> Result<Parts> {
    let path = Path::new(source);
    let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(path, &error))?;
    let mut archive = Archive::new(path, zip);
    let chosen = archive.choose(options)?;
    let mut all: Vec<Parts> = Vec::new();
    for Chosen { data, labels, .. } in &chosen {
        let (shape, split, kind) = archive.data(data, options)?;
        let bits = (kind.number == Number::Bool).then_some(true);
        let mut read = Parts { bits, ..Parts::new(stem(path), shape, split) };
        let mut note = describe(data);
        if let Some(labels) = labels {
            let _ = write!(note, " with labels {}", labels.name);
            match archive.labels(labels, data)? {
                Ok((labels, classes)) => {
                    read.train = read.train.with_labels(Some(labels));
                    read.classes = classes;
                }
                Err(why) => {
                    let name = &labels.name;
                    read.warnings.push(format!("{name} is not read as labels: {why}"));
                }
            }
        }
        read.notes.push(note);
        if let Some(note) = data.header.as_ref().and_then(|header| header.note(kind)) {
            read.notes.push(format!("{}: {note}", data.name));
        }
        if let Some(first) = all.first().filter(|first| first.shape != shape) {
            let (name, other) = (&data.name, &chosen[0].data.name);
            let problem = format!("{name} holds data of {shape}, but {other} of {}", first.shape);
            return Err(Error::file(path, problem, "all parts must come from the same data set"));
        }
        all.push(read);
    }
    if all.iter().any(|parts| !parts.classes.is_empty()) {
        all = all.into_iter().map(Parts::with_names).collect();
    }
    let mut all = all.into_iter();
    let mut parts = all.next().expect("an array was chosen");
    for (Chosen { part, .. }, other) in chosen[1..].iter().zip(all) {
        parts.add(*part, other);
    }
    let is_used = |entry: &&Entry| {
        chosen.iter().any(|one| {
            one.data.name == entry.name || one.labels.as_ref().is_some_and(|l| l.name == entry.name)
        })
    };
    let unused: Vec<_> =
        archive.arrays.iter().filter(|entry| !is_used(entry)).map(|e| e.name.as_str()).collect();
    if !unused.is_empty() {
        let more = if unused.len() > NAMED { ", .." } else { "" };
        let first = unused[..unused.len().min(NAMED)].join(", ");
        parts.notes.push(format!("arrays that are not used: {first}{more}; `source.array` names another"));
    }
    Ok(parts)
}

/// `x [60000, 28, 28], uint8`, as far as it is known.
fn describe(entry: &Entry) -> String {
    match &entry.header {
        Some(header) => {
            let kind = FileKind::named(&header.descr);
            let kind = kind.map_or(header.descr.as_str(), |kind| kind.number.shown());
            format!("array {} {:?}, {kind}", entry.name, header.shape)
        }
        None => format!("array {}", entry.name),
    }
}

impl Parts {
    /// The same, with the numbers of classes as their names if they have no others.
    fn with_names(self) -> Parts {
        let Some(labels) = self.train.labels.clone().filter(|_| self.classes.is_empty()) else { return self };
        let used: BTreeSet<u32> = labels.iter().copied().collect();
        let classes = used.iter().map(u32::to_string).collect();
        let numbers: BTreeMap<u32, u32> = used.into_iter().zip(0..).collect();
        Parts { train: self.train.renumbered(|label| numbers[&label]), classes, ..self }
    }

    /// Makes a source of one part another part of this one. A class that occurs in one part only is a class of both.
    fn add(&mut self, part: Part, other: Parts) {
        let numbers: Vec<u32> =
            other.classes.iter().map(|name| classes::number(name, &mut self.classes)).collect();
        let number = |label| numbers.get(label as usize).copied().unwrap_or(label);
        let split = Some(other.train.renumbered(number));
        match part {
            Part::Valid => self.valid = split,
            _ => self.test = split,
        }
        self.notes.extend(other.notes);
        self.warnings.extend(other.warnings);
    }
}

impl Archive {
    fn new(path: &Path, mut zip: ZipArchive<BufReader<File>>) -> Archive {
        let names: Vec<String> =
            zip.file_names().filter_map(|name| Some(name.ok()?.strip_suffix(".npy")?.to_owned())).collect();
        let entry = |name: String| {
            let inside = path.join(&name);
            let header = zip.by_name(&format!("{name}.npy")).ok();
            let header = header.and_then(|mut file| Header::read(&inside, &mut file).ok());
            let (part, role) = part::of_array(&name);
            Entry { name, part, role, header }
        };
        let arrays = names.into_iter().map(entry).collect();
        Archive { path: path.to_owned(), zip, arrays }
    }

    /// The arrays with the data, the training part first.
    fn choose(&self, options: &ReadOptions) -> Result<Vec<Chosen>> {
        if let Some(name) = &options.array {
            let plain = name.strip_suffix(".npy").unwrap_or(name);
            match self.arrays.iter().find(|entry| entry.name == plain) {
                Some(data) => return Ok(vec![self.chosen(Part::Train, data)]),
                // A model that is trained takes its rows from arrays of other names too.
                None if options.whole => {}
                None => {
                    let problem = format!("{} has {}", self.path.display(), self.listed());
                    return Err(Error::value("source.array", name, problem));
                }
            }
        }
        let of = |part| self.best(&DATA, part);
        if let Some(train) = of(Some(Part::Train)) {
            let mut chosen = vec![self.chosen(Part::Train, train)];
            for part in [Part::Valid, Part::Test] {
                chosen.extend(of(Some(part)).map(|data| self.chosen(part, data)));
            }
            return Ok(chosen);
        }
        // What is data by its shape, if only one array is.
        let mut tables = self.arrays.iter().filter(|entry| {
            entry.header.as_ref().is_some_and(|h| h.shape.len() > 1 && FileKind::named(&h.descr).is_some())
        });
        let only = match (&self.arrays[..], tables.next(), tables.next()) {
            ([only], ..) | (_, Some(only), None) => Some(only),
            _ => None,
        };
        let data = of(None).or(only).ok_or_else(|| {
            let problem = format!("it has {}, and it is not clear which is the data", self.listed());
            let next = "name one with `source.array`, or call the data x and its labels y";
            Error::file(&self.path, problem, next)
        })?;
        Ok(vec![self.chosen(Part::Train, data)])
    }

    /// The array of that part whose role stands first in `names`.
    fn best(&self, names: &[&str], part: Option<Part>) -> Option<&Entry> {
        let of_part = || self.arrays.iter().filter(|entry| entry.part == part);
        names.iter().find_map(|name| of_part().find(|entry| entry.role == *name))
    }

    fn chosen(&self, part: Part, data: &Entry) -> Chosen {
        let labels = self.best(&LABELS, data.part).filter(|labels| labels.name != data.name);
        // Of a name that says nothing, or beside data that were named by the user, only what has the right length.
        let fits = |labels: &&Entry| {
            let count =
                |entry: &Entry| entry.header.as_ref().and_then(|header| header.shape.first().copied());
            let known = LABELS[..SURE].contains(&labels.role.as_str()) && DATA.contains(&data.role.as_str());
            known || count(labels) == count(data)
        };
        Chosen { part, data: data.clone(), labels: labels.filter(fits).cloned() }
    }

    /// The arrays with their shapes.
    fn listed(&self) -> String {
        let first: Vec<String> = self.arrays.iter().take(4 * NAMED).map(describe).collect();
        match self.arrays.len().saturating_sub(first.len()) {
            _ if first.is_empty() => "no arrays".to_owned(),
            0 => first.join("; "),
            more => format!("{}; and {more} more", first.join("; ")),
        }
    }

    fn data(&mut self, entry: &Entry, options: &ReadOptions) -> Result<(Shape, Split, FileKind)> {
        let inside = self.inside(&entry.name);
        let (header, bytes) = self.array(&entry.name, |header| header.kind(&inside).map(FileKind::bytes))?;
        let kind = header.kind(&inside)?;
        let (_, shape) = array::rows(&inside, &header.shape, options.image_size)?;
        Ok((shape, header.split(kind, bytes, shape.dim()), kind))
    }

    /// Labels, one for each row of the data, and the names of the classes; or why they are none.
    fn labels(&mut self, entry: &Entry, data: &Entry) -> Result<Result<(Vec<u32>, Vec<String>), String>> {
        let each = match entry.header.as_ref().map(Header::element_bytes) {
            Some(Some(each)) => each,
            // Elements of a strange type need not be unpacked to be named.
            Some(None) => return Ok(entry.header.as_ref().map_or(Err(String::new()), |h| h.labels(&[]))),
            None => 0,
        };
        let (header, bytes) = self.array(&entry.name, |_| Ok(each))?;
        let (count, rows) =
            (header.shape.first(), data.header.as_ref().and_then(|header| header.shape.first()));
        if count != rows {
            let problem = format!(
                "{} labels, but {} has {} rows",
                count.copied().unwrap_or(0),
                data.name,
                rows.copied().unwrap_or(0)
            );
            return Err(Error::file(self.inside(&entry.name), problem, "save one label per row"));
        }
        Ok(header.labels(&bytes))
    }

    /// The name of an array in messages: `file.npz/x.npy`.
    fn inside(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.npy"))
    }

    /// The header and elements of an array.
    fn array(
        &mut self,
        name: &str,
        bytes_each: impl Fn(&Header) -> Result<usize>,
    ) -> Result<(Header, Vec<u8>)> {
        let path = self.inside(name);
        let entry = format!("{name}.npy");
        let mut file = self.zip.by_name(&entry).map_err(|error| broken(&path, &error))?;
        let packed = file.compressed_size();
        if !matches!(file.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(strange(&path, &format!("{:?}", file.compression())));
        }
        let header = Header::read(&path, &mut file)?;
        let each = bytes_each(&header)? as u64;
        let promised = header.shape.iter().try_fold(each, |product, size| product.checked_mul(*size as u64));
        let total = promised.filter(|total| *total <= most_unpacked(packed)).ok_or_else(|| {
            let problem =
                format!("its header promises {:?}, but only {packed} bytes are packed", header.shape);
            Error::file(&path, problem, "save large arrays as .npy, which is read in place")
        })?;
        let mut bytes = Vec::new();
        let read = file.by_ref().take(total).read_to_end(&mut bytes);
        read.map_err(|error| damaged(&path, &error.to_string()))?;
        // Reading to the end also makes the zip reader compare its checksum.
        let more = file.read(&mut [0]).map_err(|error| damaged(&path, &error.to_string()))?;
        if bytes.len() as u64 != total || more != 0 {
            let problem = format!("its header promises {total} bytes of elements, but holds more or fewer");
            return Err(Error::file(&path, problem, "write it again with np.savez"));
        }
        Ok((header, bytes))
    }
}

fn broken(path: &Path, error: &ZipError) -> Error {
    match error {
        ZipError::UnsupportedArchive(why) => strange(path, why),
        ZipError::CompressionMethodNotSupported(number) => strange(path, &format!("method {number}")),
        _ => damaged(path, &error.to_string()),
    }
}

/// The error of an archive that is sound, but packed by other means than NumPy's.
fn strange(path: &Path, how: &str) -> Error {
    let next = "write it again with np.savez_compressed, or as .npy with np.save";
    Error::file(path, format!("it is packed in a way that is not read: {how}"), next)
}

fn damaged(path: &Path, problem: &str) -> Error {
    Error::file(path, format!("damaged, or not a zip file: {problem}"), "write it again with np.savez")
}

#[cfg(test)]
mod tests {
    use super::super::npy_header;
    use super::*;
    use std::io::{Cursor, Write};
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn array(descr: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
        [npy_header::header(descr, shape), bytes.to_vec()].concat()
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
        let apart = [("x_train", part(3)), ("x_test", array("|u1", &[1, 2], &[0; 2]))];
        refuse(&archive(&apart, CompressionMethod::Stored), "x_test holds data of 2x1, but x_train of 1x1");
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
        let mut lying = npy_header::header("|u1", &[1 << 20, 1 << 20]);
        lying.extend(&zeros);
        refuse(&archive(&[("x", lying)], CompressionMethod::Deflated), "bytes are packed");
        let overflow = npy_header::header("<f8", &[1 << 31, 1 << 31, 1 << 31]);
        refuse(&archive(&[("x", overflow)], CompressionMethod::Deflated), "bytes are packed");
    }

    #[test]
    fn an_archive_that_is_packed_otherwise_is_no_damage() {
        let mut bytes = archive(&[("x", array("|u1", &[2, 2], &[0; 4]))], CompressionMethod::Stored);
        // The method of bzip2 in the header of the file and in the directory.
        for (mark, at) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
            let place = bytes.windows(4).position(|some| some == mark).unwrap();
            bytes[place + at] = 12;
        }
        refuse(&bytes, "packed in a way that is not read");
        refuse(&bytes, "np.savez_compressed");
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
    fn labels_that_are_no_labels_are_left_out_with_a_word_and_too_few_are_refused() {
        let with = |y| archive(&[("x", array("|u1", &[2, 2], &[0; 4])), ("y", y)], CompressionMethod::Stored);
        refuse(&with(array("|u1", &[3], &[0; 3])), "3 labels, but x has 2 rows");
        let halves = [0.5f32.to_le_bytes(); 2].concat();
        for (y, words) in
            [(array("<f4", &[2], &halves), "row 1 is 0.5"), (array("|O", &[2], &[0; 2]), "Python objects")]
        {
            let parts = read(&with(y)).unwrap();
            assert_eq!(parts.train.labels, None);
            let warning = &parts.warnings[0];
            assert!(warning.starts_with("y is not read as labels: ") && warning.contains(words), "{warning}");
        }
    }

    #[test]
    fn names_of_arrays_are_known_in_any_case_and_order() {
        let x = |value: u8| array("|u1", &[2, 2], &[value; 4]);
        let y = |a: u8, b: u8| array("|u1", &[2], &[a, b]);
        for names in
            [["X", "y"], ["data", "target"], ["imgs", "labels"], ["arr_0", "arr_1"], ["features", "Y"]]
        {
            let parts =
                read(&archive(&[(names[1], y(1, 2)), (names[0], x(9))], CompressionMethod::Stored)).unwrap();
            assert_eq!(parts.train.labels.as_deref(), Some(&[1, 2][..]), "{names:?}");
            assert_eq!(parts.train.x([0]).unwrap(), [9.0 / 255.0; 2]);
            assert!(
                parts.notes[0]
                    .contains(&format!("array {} [2, 2], uint8 with labels {}", names[0], names[1]))
            );
        }
        for names in [
            ["train_images", "val_images", "test_images"],
            ["x_train", "x_val", "x_test"],
            ["train", "valid", "test"],
        ] {
            let arrays = [(names[2], x(30)), (names[0], x(10)), (names[1], x(20))];
            let parts = read(&archive(&arrays, CompressionMethod::Stored)).unwrap();
            let first = |split: &Split| (split.x([0]).unwrap()[0] * 255.0).round();
            let (valid, test) = (parts.valid.unwrap(), parts.test.unwrap());
            assert_eq!([&parts.train, &valid, &test].map(first), [10.0, 20.0, 30.0], "{names:?}");
        }
    }

    #[test]
    fn classes_of_text_are_numbered_alike_in_all_parts() {
        let x = || array("|u1", &[2, 1], &[0; 2]);
        let y = |text: &[u8; 2]| array("|S1", &[2], text);
        let arrays = [("x_train", x()), ("x_test", x()), ("y_train", y(b"ac")), ("y_test", y(b"bc"))];
        let parts = read(&archive(&arrays, CompressionMethod::Stored)).unwrap();
        assert_eq!(parts.classes, ["a", "c", "b"]);
        assert_eq!(parts.train.labels.as_deref(), Some(&[0, 1][..]));
        assert_eq!(parts.test.unwrap().labels.as_deref(), Some(&[2, 1][..]));
        // -1, 1 and 3 are names, and so is the 3 of the other part.
        let (y, z) = (array("|i1", &[3], &[255, 1, 3]), array("|i1", &[1], &[3]));
        let x = |rows: usize| array("|u1", &[rows, 1], &vec![0; rows]);
        let arrays = [("x_train", x(3)), ("x_test", x(1)), ("y_train", y), ("y_test", z)];
        let parts = read(&archive(&arrays, CompressionMethod::Stored)).unwrap();
        assert_eq!(
            (parts.classes, parts.test.unwrap().labels.as_deref()),
            (["-1", "1", "3"].map(str::to_owned).into(), Some(&[2][..]))
        );
    }

    #[test]
    fn an_array_can_be_named_and_others_are_mentioned() {
        let a = array("|u1", &[2, 3], &[1; 6]);
        let bytes = archive(
            &[
                ("spectra", a.clone()),
                ("other", a),
                ("axis", array("<f4", &[3], &[0; 12])),
                ("y", array("|u1", &[2], &[4, 5])),
            ],
            CompressionMethod::Stored,
        );
        refuse(&bytes, "array spectra [2, 3], uint8; array other [2, 3], uint8; array axis [3], float32");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npz");
        std::fs::write(&path, bytes).unwrap();
        let open = |name: &str| {
            let options = ReadOptions { array: Some(name.into()), ..ReadOptions::default() };
            open(path.to_str().unwrap(), &options, &|_| {})
        };
        let parts = open("other").unwrap();
        assert_eq!((parts.train.count, parts.train.labels.as_deref()), (2, Some(&[4, 5][..])));
        assert!(parts.notes[1].starts_with("arrays that are not used: spectra, axis"), "{:?}", parts.notes);
        let error = open("nosuch").unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("has array spectra"), "{error}");
    }

    #[test]
    fn the_only_table_among_other_arrays_is_the_data() {
        let arrays =
            [("wavelengths", array("<f8", &[3], &[0; 24])), ("spectra", array("<f8", &[2, 3], &[0; 48]))];
        assert_eq!(read(&archive(&arrays, CompressionMethod::Stored)).unwrap().train.dim(), 3);
    }
}
