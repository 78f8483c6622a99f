//! MNIST, built into the program: 60,000 + 10,000 handwritten digits of 28x28 grey pixels.
//!
//! The original four files, by Yann LeCun and Corinna Cortes, CC BY-SA 3.0. The images are packed with Brotli, which leaves a
//! fifth less of them than gzip: so the crate fits the registry.

use std::io::BufReader;

use brotli_decompressor::Decompressor;

use super::idx::{self, Source};
use super::reader::{Format, Parts};
use crate::error::{Error, Result};

/// Its name for the setting `data`.
pub(super) const NAME: &str = "mnist";

pub(super) const FORMAT: Format = Format {
    name: NAME,
    describe: "built in: 60,000 + 10,000 handwritten digits, 28x28, grey",
    detect: |source| source == NAME,
    open: |source, _, _| match source {
        NAME => open(),
        _ => {
            let problem = format!(" = {NAME} is only for the built-in data: use `data` = {NAME}");
            Err(Error::setting("source.format", problem))
        }
    },
};

/// Bytes that are unpacked at a time.
const PIECE: usize = 1 << 16;

/// A file of `data/mnist` as a [`Source`], with the same name in messages.
macro_rules! embedded {
    ($name:literal) => {
        source(concat!("data/mnist/", $name), include_bytes!(concat!("../../data/mnist/", $name)))
    };
}

fn open() -> Result<Parts> {
    let train = embedded!("train-images-idx3-ubyte.br");
    let train_labels = embedded!("train-labels-idx1-ubyte.gz");
    let test = embedded!("t10k-images-idx3-ubyte.br");
    let test_labels = embedded!("t10k-labels-idx1-ubyte.gz");
    idx::dataset(NAME, (train, Some(train_labels)), Some((test, Some(test_labels))))
}

/// Gzipped files are unpacked where they are parsed.
fn source(path: &'static str, packed: &'static [u8]) -> Source<'static> {
    let length = packed.len() as u64;
    let bytes: Box<dyn std::io::BufRead> = if path.ends_with(".br") {
        Box::new(BufReader::with_capacity(PIECE, Decompressor::new(packed, PIECE)))
    } else {
        Box::new(packed)
    };
    Source { path: path.into(), length, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Row, Shape, Split};
    use sha2::{Digest, Sha256};

    /// The SHA-256 of the unpacked file: header, then pixels.
    fn sha256(split: &Split, shape: Shape) -> String {
        let mut hash = Sha256::new();
        hash.update([0, 0, 8, 3]);
        for size in [split.count, shape.height, shape.width] {
            hash.update(u32::try_from(size).unwrap().to_be_bytes());
        }
        let hashed = split.each(0..split.count, &mut |row| match row {
            Row::Bytes(values) => hash.update(values),
            Row::Floats(_) => panic!("MNIST has bytes"),
        });
        hashed.unwrap();
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The sums of the published files, unpacked; `brotli --decompress --stdout FILE | sha256sum` prints them.
    #[test]
    fn the_built_in_images_are_the_original_files() {
        let mnist = crate::data::open("mnist").unwrap();
        assert_eq!(mnist.name, "mnist");
        assert_eq!(mnist.shape, Shape { width: 28, height: 28, channels: 1 });
        assert_eq!((mnist.train.count, mnist.test.count), (60_000, 10_000));
        assert_eq!(
            sha256(&mnist.train, mnist.shape),
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        );
        assert_eq!(
            sha256(&mnist.test, mnist.shape),
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        );
    }

    #[test]
    fn the_built_in_labels_are_digits_in_the_known_order() {
        let mnist = open().unwrap();
        let labels = mnist.train.labels.unwrap();
        assert_eq!(labels[..8], [5, 0, 4, 1, 9, 2, 1, 3]);
        assert!(labels.iter().chain(mnist.test.unwrap().labels.unwrap().iter()).all(|&label| label < 10));
    }
}
