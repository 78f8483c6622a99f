use super::super::npy_header;
use super::super::shape::Shape;
use super::super::split::Split;
use super::*;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

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
    let part =
        |rows: usize| array("<f4", &[rows, 1], &[rows as f32; 3].map(f32::to_le_bytes).concat()[..4 * rows]);
    let arrays = [("x_train", part(3)), ("x_test", part(2)), ("y_test", array("|u1", &[2, 1], &[7, 8]))];
    let parts = read(&archive(&arrays, CompressionMethod::Stored)).unwrap();
    let test = parts.test.unwrap();
    assert_eq!((parts.train.x(0..3).unwrap(), test.x(0..2).unwrap()), (vec![3.0; 3], vec![2.0; 2]));
    assert_eq!((parts.train.labels, test.labels.as_deref()), (None, Some(&[7, 8][..])));
    let apart = [("x_train", part(3)), ("x_test", array("|u1", &[1, 2], &[0; 2]))];
    refuse(
        &archive(&apart, CompressionMethod::Stored),
        "x_test holds data of 2 columns, but x_train of 1 column",
    );
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
    for names in [["X", "y"], ["data", "target"], ["imgs", "labels"], ["arr_0", "arr_1"], ["features", "Y"]] {
        let parts =
            read(&archive(&[(names[1], y(1, 2)), (names[0], x(9))], CompressionMethod::Stored)).unwrap();
        assert_eq!(parts.train.labels.as_deref(), Some(&[1, 2][..]), "{names:?}");
        assert_eq!(parts.train.x([0]).unwrap(), [9.0 / 255.0; 2]);
        assert!(
            parts.notes[0].contains(&format!("array {} [2, 2], uint8 with labels {}", names[0], names[1]))
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

#[test]
fn a_test_part_stands_beside_plain_data_and_labels_may_have_gaps() {
    let x = |rows: usize| array("|u1", &[rows, 2], &(0..2 * rows as u8).collect::<Vec<_>>());
    let y = array("<f4", &[3], &[1.0f32, f32::NAN, 0.0].map(f32::to_le_bytes).concat());
    let bytes = archive(&[("X", x(3)), ("y", y), ("X_test", x(2))], CompressionMethod::Stored);
    let parts = read(&bytes).unwrap();
    assert_eq!((parts.train.count, parts.test.map(|test| test.count)), (3, Some(2)));
    assert_eq!(parts.train.labels, None);
    assert_eq!(
        parts.warnings,
        ["y is not read as labels: row 2 is NaN, no label; `source.missing` = drop leaves such rows out"]
    );
    assert!(parts.notes.iter().all(|note| !note.contains("with labels")), "{:?}", parts.notes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gaps.npz");
    std::fs::write(&path, bytes).unwrap();
    let options =
        ReadOptions { missing: Some(super::super::options::Missing::Drop), ..ReadOptions::default() };
    let dataset = super::super::open_with(path.to_str().unwrap(), &options, &|_| {}).unwrap();
    assert_eq!(dataset.train.labels.as_deref(), Some(&[1, 0][..]));
}
