//! The pages of a TIFF. A decoder that knows the first page alone reads another one from a file whose header points to it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// Bit of a page that is a smaller copy of another one.
const REDUCED: u32 = 1;
/// Most pages of a file.
const MAX_PAGES: usize = 1 << 20;

/// Where each page stands in the file, apart from previews. What is behind a damaged page is out of reach: it counts as one
/// page that cannot be read.
pub(super) fn offsets(path: &Path) -> Vec<u64> {
    let mut offsets = Vec::new();
    let Ok(file) = File::open(path) else { return offsets };
    let Ok(mut decoder) = Decoder::new(BufReader::new(file)) else { return offsets };
    while let Some(page) = decoder.ifd_pointer() {
        let kind = decoder.find_tag_unsigned::<u32>(Tag::NewSubfileType).ok().flatten().unwrap_or(0);
        if kind & REDUCED == 0 {
            offsets.push(page.0);
        }
        if !decoder.more_images() || offsets.len() >= MAX_PAGES {
            break;
        }
        if decoder.next_image().is_err() {
            offsets.push(0);
            break;
        }
    }
    offsets
}

/// A TIFF whose header says that its first page stands at another place.
pub(super) struct Page<R> {
    file: R,
    /// The first bytes, with the other place.
    header: Vec<u8>,
    at: u64,
}

impl<R: Read + Seek> Page<R> {
    pub(super) fn new(mut file: R, offset: u64) -> io::Result<Page<R>> {
        let mut header = vec![0; 8];
        file.read_exact(&mut header)?;
        let big_endian = header.starts_with(b"MM");
        let version = if big_endian { header[3] } else { header[2] };
        // A BigTIFF has places of 64 bits, behind two words.
        let place = if version == 43 {
            header.resize(16, 0);
            file.read_exact(&mut header[8..])?;
            &mut header[8..]
        } else {
            &mut header[4..]
        };
        let bytes = if big_endian { offset.to_be_bytes() } else { offset.to_le_bytes() };
        match (place.len(), big_endian) {
            (8, _) => place.copy_from_slice(&bytes),
            (_, true) => place.copy_from_slice(&bytes[4..]),
            (_, false) => place.copy_from_slice(&bytes[..4]),
        }
        file.rewind()?;
        Ok(Page { file, header, at: 0 })
    }
}

impl<R: Read> Read for Page<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let start = usize::try_from(self.at).unwrap_or(usize::MAX).min(self.header.len());
        for (byte, header) in buffer[..count].iter_mut().zip(&self.header[start..]) {
            *byte = *header;
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for Page<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}
