//! A small data set: grey blobs of 8x8 pixels, in memory or as the four IDX files.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs;
use std::io::Write;
use std::path::Path;

use vae_gpu::data::{Dataset, Shape, Split};

/// Pixels per row and column.
pub const SIDE: usize = 8;
/// Names of the files, training before test.
pub const IMAGES: [&str; 2] = ["train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte"];
const LABELS: [&str; 2] = ["train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte"];

/// `count` images in sequence, each with a blob whose position follows from the image's number.
pub fn images(count: usize) -> Vec<u8> {
    let pixel = |i: usize, x: usize, y: usize| {
        let distance = x.abs_diff(5 * i % SIDE) + y.abs_diff(3 * (i / SIDE) % SIDE);
        255 - (60 * distance).min(255) as u8
    };
    let image = |i| (0..SIDE * SIDE).map(move |at| pixel(i, at % SIDE, at / SIDE));
    (0..count).flat_map(image).collect()
}

/// The data set in memory, without labels.
pub fn dataset(train: usize, test: usize) -> Dataset {
    let split = |count| Split::new(images(count), SIDE * SIDE, None);
    let shape = Shape { width: SIDE, height: SIDE, channels: 1 };
    Dataset::new("tiny", shape, split(train), split(test))
}

/// Writes the four files: the training data gzipped, the test data plain.
pub fn write_folder(folder: &Path, train: usize, test: usize) {
    fs::create_dir_all(folder).unwrap();
    for (part, count) in [train, test].into_iter().enumerate() {
        let labels: Vec<u8> = (0..count).map(|i| (i % 10) as u8).collect();
        write_file(&folder.join(IMAGES[part]), &idx(&[count, SIDE, SIDE], &images(count)));
        write_file(&folder.join(LABELS[part]), &idx(&[count], &labels));
    }
}

/// An IDX file of bytes: magic, sizes, values.
pub fn idx(sizes: &[usize], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| (*size as u32).to_be_bytes()));
    bytes.extend(values);
    bytes
}

/// Writes `bytes`, gzipped if the name ends in .gz.
fn write_file(path: &Path, bytes: &[u8]) {
    if path.extension().is_some_and(|extension| extension == "gz") {
        let file = fs::File::create(path).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap();
    } else {
        fs::write(path, bytes).unwrap();
    }
}
