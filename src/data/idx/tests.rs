//! Each test is one way in which a file can lie.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::*;

fn source(bytes: &[u8]) -> Source<'_> {
    Source { path: "file".into(), length: bytes.len() as u64, bytes: Box::new(bytes) }
}

fn header(dims: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, TYPE_U8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes
}

/// An intact file whose values count up from 1.
fn file(dims: &[u32]) -> Vec<u8> {
    let mut bytes = header(dims);
    bytes.extend((1..=dims.iter().product::<u32>()).map(|value| value as u8));
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The error message for these images, which must blame the file.
fn refusal(bytes: &[u8]) -> String {
    match parse::<3>(source(bytes), "images") {
        Err(error @ Error::File { .. }) => error.to_string(),
        Err(other) => panic!("not blamed on the file: {other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[track_caller]
fn assert_refused(bytes: &[u8], because: &str) {
    let message = refusal(bytes);
    assert!(message.contains(because), "{message}");
}

#[test]
fn plain_and_gzipped_files_give_the_same_images() {
    let plain = file(&[2, 3, 4]);
    for bytes in [&plain, &gzip(&plain)] {
        let array = parse::<3>(source(bytes), "images").unwrap();
        assert_eq!(array.sizes, [2, 3, 4]);
        assert_eq!(array.values, (1..=24).collect::<Vec<u8>>());
    }
}

#[test]
fn gzip_in_several_members_is_one_file() {
    let plain = file(&[2, 3, 4]);
    let (start, end) = plain.split_at(20);
    let members = [gzip(start), gzip(end)].concat();
    assert_eq!(parse::<3>(source(&members), "images").unwrap().values.len(), 24);
}

#[test]
fn wrong_magic() {
    assert_refused(b"PNG\x00 and so on, for a while", "not an IDX file");
}

#[test]
fn other_element_type() {
    let mut floats = file(&[2, 3, 4]);
    floats[2] = 0x0d;
    assert_refused(&floats, "type 0x0d");
}

#[test]
fn labels_given_as_images() {
    assert_refused(&file(&[24]), "1 dimensions, but images have 3");
}

#[test]
fn empty_file() {
    assert_refused(b"", "header");
    assert_refused(&gzip(b""), "header");
}

#[test]
fn truncated_at_every_byte() {
    let plain = file(&[2, 3, 4]);
    let packed = gzip(&plain);
    for cut in 0..plain.len() {
        refusal(&plain[..cut]);
    }
    for cut in 0..packed.len() {
        refusal(&packed[..cut]);
    }
}

#[test]
fn trailing_bytes() {
    let plain = [file(&[2, 3, 4]), vec![0]].concat();
    assert_refused(&plain, "goes on after the 24 bytes");
    assert_refused(&gzip(&plain), "goes on after the 24 bytes");
}

#[test]
fn trailing_bytes_after_the_gzip_stream() {
    assert_refused(&[gzip(&file(&[2, 3, 4])), b"rubbish".to_vec()].concat(), "gzip stream");
}

#[test]
fn flipped_bit_in_gzip_is_caught_by_its_checksum() {
    let sound = gzip(&file(&[2, 3, 4]));
    // The ten bytes of the gzip header hold only a time and a hint at the system; the rest matters.
    for index in 10..sound.len() {
        let mut flipped = sound.clone();
        flipped[index] ^= 1;
        refusal(&flipped);
    }
}

#[test]
fn zero_images() {
    assert_refused(&file(&[0, 3, 4]), "0 images");
}

#[test]
fn zero_dimensions() {
    assert_refused(&file(&[2, 0, 4]), "0 pixels per side");
    assert_refused(&file(&[2, 3, 0]), "0 pixels per side");
}

#[test]
fn header_that_promises_more_than_memory() {
    assert_refused(&header(&[u32::MAX, 28, 28]), "more than 16777216");
    assert_refused(&header(&[2, u32::MAX, 28]), "more than 4096");
    assert_refused(&header(&[1 << 24, 1 << 12, 1 << 12]), "more than 8 GiB");
    // Within every cap, but the content is missing: detected without reserving the 8 GiB.
    assert_refused(&header(&[1 << 23, 32, 32]), "cut off: the header promises 8589934592 bytes");
}

#[test]
fn gzip_bomb_stops_at_what_its_header_promises() {
    let bomb = [file(&[2, 3, 4]), vec![0; 10 << 20]].concat();
    assert_refused(&gzip(&bomb), "goes on after the 24 bytes");
}

#[test]
fn images_and_labels_of_different_counts() {
    let (images, labels) = (file(&[2, 3, 4]), file(&[3]));
    let message = split(source(&images), Some(source(&labels))).unwrap_err().to_string();
    assert!(message.contains("3 labels, but file has 2 images"), "{message}");
}

#[test]
fn train_and_test_of_different_shapes() {
    let (train, test) = (file(&[2, 3, 4]), file(&[2, 4, 3]));
    let message = dataset("x", (source(&train), None), Some((source(&test), None))).unwrap_err().to_string();
    assert!(message.contains("test images are 3x4, but the training images are 4x3"), "{message}");
}

#[test]
fn the_disk_fails() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("bad sector"))
        }
    }
    let source = Source { path: "file".into(), length: 100, bytes: Box::new(io::BufReader::new(Broken)) };
    assert!(matches!(parse::<3>(source, "images"), Err(Error::Io { .. })));
}
