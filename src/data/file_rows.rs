//! Rows that stay in their file.

use std::fs::File;
use std::path::PathBuf;

use super::number::{FileKind, Number, peak, spread};
use crate::error::{Error, Result};

/// Threads that read a block of scattered rows, and rows per thread that make it pay.
const READERS: usize = 4;
const ROWS_A_READER: usize = 64;

/// Bytes that are looked through in one go.
const BLOCK: usize = 1 << 20;

/// Rows in a file, stored contiguously.
#[derive(Debug)]
pub(super) struct FileRows {
    pub path: PathBuf,
    pub file: File,
    /// Where the first row starts, in bytes.
    pub start: u64,
    pub kind: FileKind,
}

impl FileRows {
    /// Reads the rows at these places, `width` bytes each. Scattered rows are read by several threads: a disk serves
    /// parallel requests faster than one at a time.
    pub(super) fn read(&self, places: &[usize], width: usize, bytes: &mut [u8]) -> Result<()> {
        self.read_stored(places, width, bytes)?;
        if self.kind.number == Number::Bool {
            spread(bytes);
        }
        Ok(())
    }

    fn read_stored(&self, places: &[usize], width: usize, bytes: &mut [u8]) -> Result<()> {
        let runs = 1 + places.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        let threads = READERS.min(runs / ROWS_A_READER).max(1);
        if threads == 1 {
            return self.read_some(places, width, bytes);
        }
        let share = places.len().div_ceil(threads);
        std::thread::scope(|scope| {
            let parts = places.chunks(share).zip(bytes.chunks_mut(share * width));
            let readers: Vec<_> = parts
                .map(|(places, bytes)| scope.spawn(move || self.read_some(places, width, bytes)))
                .collect();
            let results =
                readers.into_iter().map(|r| r.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
            results.collect::<Vec<_>>().into_iter().collect()
        })
    }

    /// The largest of the first `count` bytes, or the first beyond `enough`.
    pub(super) fn peak(&self, count: u64, enough: u8) -> Result<u8> {
        let (mut largest, mut at) = (0, 0);
        let mut bytes = vec![0; BLOCK.min(usize::try_from(count).unwrap_or(BLOCK))];
        while at < count && largest <= enough {
            let length = usize::try_from(count - at).unwrap_or(BLOCK).min(BLOCK);
            let block = &mut bytes[..length];
            read_exact_at(&self.file, block, self.start + at).map_err(|error| self.unreadable(error))?;
            largest = peak(block, enough).max(largest);
            at += length as u64;
        }
        Ok(largest)
    }

    /// The error of a failed read; the file had the right length when it was opened.
    fn unreadable(&self, error: std::io::Error) -> Error {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                let next = "leave the file unchanged while it is in use, and start again";
                Error::file(&self.path, "it has become shorter since it was opened", next)
            }
            _ => Error::io("read", &self.path, error),
        }
    }

    /// Reads each run of adjacent rows in one go.
    fn read_some(&self, places: &[usize], width: usize, mut bytes: &mut [u8]) -> Result<()> {
        for run in places.chunk_by(|a, b| *b == a + 1) {
            let (now, later) = bytes.split_at_mut(run.len() * width);
            read_exact_at(&self.file, now, self.start + run[0] as u64 * width as u64)
                .map_err(|error| self.unreadable(error))?;
            bytes = later;
        }
        Ok(())
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, at)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[read..];
        at += read as u64;
    }
    Ok(())
}
