//! The arrays of an open archive, and which of them are the data.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::super::array;
use super::super::npy_header::Header;
use super::super::number::FileKind;
use super::super::options::{Missing, ReadOptions};
use super::super::origin::Part;
use super::super::part;
use super::super::reader::{NAMED, most_unpacked};
use super::super::shape::Shape;
use super::super::split::Split;
use crate::error::{Error, Result};

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
pub(super) struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    pub arrays: Vec<Entry>,
}

/// An array: its name without `.npy`, what the name says, and its header if that can be read.
#[derive(Clone)]
pub(super) struct Entry {
    pub name: String,
    part: Option<Part>,
    role: String,
    pub header: Option<Header>,
}

/// Labels with the names of the classes; or why they are none.
pub(super) type Labelled = Result<(Vec<u32>, Vec<String>), String>;

/// The data of a part, and its labels.
pub(super) struct Chosen {
    pub part: Part,
    pub data: Entry,
    pub labels: Option<Entry>,
}

/// `x [60000, 28, 28], uint8`, as far as it is known.
pub(super) fn describe(entry: &Entry) -> String {
    match &entry.header {
        Some(header) => {
            let kind = FileKind::named(&header.descr);
            let kind = kind.map_or(header.descr.as_str(), |kind| kind.number.shown());
            format!("array {} {:?}, {kind}", entry.name, header.shape)
        }
        None => format!("array {}", entry.name),
    }
}

impl Archive {
    pub(super) fn new(path: &Path, mut zip: ZipArchive<BufReader<File>>) -> Archive {
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
    pub(super) fn choose(&self, options: &ReadOptions) -> Result<Vec<Chosen>> {
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
        // `X_test` beside a plain `X` is a part of it.
        if let Some(train) = of(None) {
            let parts: Vec<Chosen> = [Part::Valid, Part::Test]
                .into_iter()
                .filter_map(|part| of(Some(part)).map(|data| self.chosen(part, data)))
                .collect();
            if !parts.is_empty() {
                return Ok([self.chosen(Part::Train, train)].into_iter().chain(parts).collect());
            }
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

    pub(super) fn data(&mut self, entry: &Entry, options: &ReadOptions) -> Result<(Shape, Split, FileKind)> {
        let inside = self.inside(&entry.name);
        let (header, bytes) = self.array(&entry.name, |header| header.kind(&inside).map(FileKind::bytes))?;
        let kind = header.kind(&inside)?;
        let (_, shape) = array::rows(&inside, &header.shape, options.image_size)?;
        Ok((shape, header.split(kind, bytes, shape.dim()), kind))
    }

    /// Labels, one for each row of the data, and the names of the classes; or why they are none.
    pub(super) fn labels(&mut self, entry: &Entry, data: &Entry, options: &ReadOptions) -> Result<Labelled> {
        // Rows without a label are left out where that is asked for.
        let gaps = options.missing == Some(Missing::Drop);
        let each = match entry.header.as_ref().map(Header::element_bytes) {
            Some(Some(each)) => each,
            // Elements of a strange type need not be unpacked to be named.
            Some(None) => {
                return Ok(entry.header.as_ref().map_or(Err(String::new()), |h| h.labels(&[], gaps)));
            }
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
        Ok(header.labels(&bytes, gaps).map_err(|why| match why.ends_with(array::NO_LABEL_IS) {
            true => why + &options.advice(|| "; `source.missing` = drop leaves such rows out".into()),
            false => why,
        }))
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

pub(super) fn broken(path: &Path, error: &ZipError) -> Error {
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
