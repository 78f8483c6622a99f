//! Compressed files that hold one text: recognised by how they begin, whatever their names.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use super::reader::most_unpacked;
use crate::error::{Error, Result};

/// What a file unpacks to.
pub(super) struct Unpacked {
    pub input: Box<dyn Read + Send>,
    /// The compression; none if the file is plain.
    pub packed: Option<&'static str>,
    /// Bytes to read, as far as they are known beforehand: those of the file.
    pub size: u64,
}

/// What to do about a file that unpacks to more than is read of one of its size.
const UNPACK: &str = "if it is sound, unpack it, and name the file that comes of it";

/// What to do about a damaged file.
const AGAIN: &str = "fetch or copy the file again";

/// Opens a file, and unpacks it if it is compressed.
pub(super) fn open(path: &Path) -> Result<Unpacked> {
    let unreadable = |error| Error::io("read", path, error);
    let mut file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut magic = Vec::new();
    file.by_ref().take(6).read_to_end(&mut magic).map_err(unreadable)?;
    let most = most_unpacked(size);
    let capped =
        |input: Box<dyn Read + Send>| Box::new(Capped { input, most, left: most }) as Box<dyn Read + Send>;
    // A pipe cannot be wound back.
    let plain = |file: File, magic: Vec<u8>| BufReader::new(Cursor::new(magic).chain(file));
    let refuse = |problem: String, next: &str| Err(Error::file(path, problem, next));
    let (input, packed): (Box<dyn Read + Send>, _) = match &magic[..] {
        [0x1f, 0x8b, ..] => (capped(Box::new(MultiGzDecoder::new(plain(file, magic)))), Some("gzip")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            #[cfg(feature = "formats")]
            {
                let decoder = zstd::stream::read::Decoder::new(plain(file, magic)).map_err(unreadable)?;
                (capped(Box::new(decoder)), Some("zstd"))
            }
            #[cfg(not(feature = "formats"))]
            {
                let next = "build vae-gpu with the feature `formats`, or unpack the file with `unzstd`";
                return refuse("this build cannot unpack zstd".into(), next);
            }
        }
        b"PK\x03\x04" | [b'P', b'K', 3, 4, ..] => {
            file.rewind().map_err(unreadable)?;
            return zipped(path, file, size);
        }
        [b'B', b'Z', b'h', ..] => {
            return refuse(
                "compressed with bzip2, which is not read".into(),
                "unpack it with `bunzip2`, or pack it with gzip",
            );
        }
        [0xfd, b'7', b'z', b'X', b'Z', ..] => {
            return refuse(
                "compressed with xz, which is not read".into(),
                "unpack it with `unxz`, or pack it with gzip",
            );
        }
        _ => (Box::new(plain(file, magic)), None),
    };
    Ok(Unpacked { input, packed, size })
}

/// The only file of a zip.
fn zipped(path: &Path, file: File, size: u64) -> Result<Unpacked> {
    let refuse = |problem: String, next: &str| Err(Error::file(path, problem, next));
    let broken = |error: &dyn std::fmt::Display| {
        Error::file(path, format!("damaged, or not a zip file: {error}"), AGAIN)
    };
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(&error))?;
    let names: Vec<String> =
        zip.file_names().filter_map(|name| name.ok().map(|name| name.into_owned())).collect();
    if names.iter().any(|name| name.starts_with("xl/")) {
        return refuse(
            "an Excel workbook, which is not read".into(),
            "save the sheet as CSV in your spreadsheet program",
        );
    }
    let files: Vec<&String> = names
        .iter()
        .filter(|name| !name.ends_with('/') && !name.starts_with("__MACOSX/") && !name.contains("/."))
        .collect();
    let [only] = &files[..] else {
        return refuse(format!("a zip of {} files", files.len()), "unpack it, and name one of them");
    };
    let entry = zip.by_name(only).map_err(|error| broken(&error))?;
    let most = most_unpacked(size);
    // The archive lends its entries, and a table is read from one that is owned.
    let mut text = Vec::new();
    let unpacked = entry.take(most + 1).read_to_end(&mut text);
    match unpacked {
        Ok(count) if count as u64 > most => Err(Error::file(path, too_much(most), UNPACK)),
        Ok(_) => Ok(Unpacked { input: Box::new(Cursor::new(text)), packed: Some("zip"), size }),
        Err(error) => Err(broken(&error)),
    }
}

fn too_much(most: u64) -> String {
    format!("it unpacks to more than {} MiB, which is no table of its size", most >> 20)
}

/// The error of a failed read: damaged compression, or the disk.
pub(super) fn broken(path: &Path, packed: Option<&str>, error: io::Error) -> Error {
    match packed {
        Some(_) if error.kind() == io::ErrorKind::FileTooLarge => {
            Error::file(path, error.to_string(), UNPACK)
        }
        // What the operating system says has a number.
        Some(packed) if error.raw_os_error().is_none() => {
            let problem = format!("damaged {packed}: {error}").replace('\n', " ");
            Error::file(path, problem, AGAIN)
        }
        _ => Error::io("read", path, error),
    }
}

/// Refuses to go on where a file unpacks to far more than real data does.
struct Capped {
    input: Box<dyn Read + Send>,
    most: u64,
    left: u64,
}

impl Read for Capped {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(out)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::new(io::ErrorKind::FileTooLarge, too_much(self.most))),
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_unpacks_to_too_much_is_not_called_damaged() {
        let text: Box<dyn Read + Send> = Box::new(Cursor::new(vec![b'1'; 100]));
        let mut capped = Capped { input: text, most: 64 << 20, left: 64 };
        let error = io::copy(&mut capped, &mut io::sink()).unwrap_err();
        let message = broken(Path::new("t.csv.gz"), Some("gzip"), error).to_string();
        assert!(message.contains("unpacks to more than 64 MiB") && !message.contains("damaged"), "{message}");
        assert!(message.contains("unpack it, and name the file"), "{message}");
        let error = io::Error::other("invalid gzip header");
        let message = broken(Path::new("t.csv.gz"), Some("gzip"), error).to_string();
        assert!(message.contains("damaged gzip: invalid gzip header"), "{message}");
    }
}
