//! Each test but the first is one way in which a file can lie.

use proptest::prelude::*;

use super::super::array::rows;
use super::super::npy_header::{MAGIC, header, parse};
use super::super::shape::{Shape, Size};
use super::*;
use crate::data::write::Matrix;
use crate::data::{Element, Row};

fn read(bytes: &[u8]) -> Result<Parts> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npy");
    std::fs::write(&path, bytes).unwrap();
    open(path.to_str().unwrap(), &ReadOptions::default(), &|_| {})
}

fn file(descr: &str, shape: &[usize], bytes: usize) -> Vec<u8> {
    [header(descr, shape), vec![0; bytes]].concat()
}

/// A file with this dict, in any version.
fn with_dict(version: u8, dict: &str) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &[version, 0]].concat();
    match version {
        1 => bytes.extend((dict.len() as u16).to_le_bytes()),
        _ => bytes.extend((dict.len() as u32).to_le_bytes()),
    }
    bytes.extend(dict.as_bytes());
    bytes
}

#[track_caller]
fn refuse(bytes: &[u8], words: &str) {
    let error = read(bytes).expect_err("a refusal");
    assert!(matches!(error, Error::File { .. }), "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn every_type_and_shape_of_data_is_read() {
    for (descr, each) in [
        ("|b1", 1),
        ("|u1", 1),
        ("|i1", 1),
        (">u2", 2),
        ("<i2", 2),
        ("<u4", 4),
        (">i4", 4),
        ("<u8", 8),
        ("<i8", 8),
        ("<f2", 2),
        ("<f4", 4),
        (">f8", 8),
    ] {
        for (dims, shape) in [
            (vec![2, 12], Shape::table(12)),
            (vec![2, 3, 4], Shape { width: 4, height: 3, channels: 1 }),
            (vec![2, 2, 2, 3], Shape { width: 2, height: 2, channels: 3 }),
            (vec![2, 1, 3, 4], Shape { width: 4, height: 3, channels: 1 }),
        ] {
            let parts = read(&file(descr, &dims, 24 * each)).unwrap();
            assert_eq!((parts.shape, parts.train.count), (shape, 2));
            let element = if ["|b1", "|u1"].contains(&descr) { Element::Bytes } else { Element::Floats };
            assert_eq!((parts.train.element(), parts.train.is_in_file()), (element, true));
        }
    }
}

#[test]
fn versions_and_spellings_of_the_header_are_known() {
    for version in [1, 2, 3] {
        for dict in [
            "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }",
            "{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"|u1\"}   \n",
            "{'descr': '|u1', 'fortran_order': True, 'shape': (1, 2), }",
        ] {
            // One row lies the same in either order.
            let parts = read(&[with_dict(version, dict), vec![5, 6]].concat()).unwrap();
            assert_eq!(parts.train.x([0]).unwrap(), [5.0 / 255.0, 6.0 / 255.0]);
        }
    }
}

#[test]
fn rows_become_pictures_of_the_given_size() {
    let path = Path::new("x.npy");
    let size = |width, height| Some(Size { width, height });
    let (_, shape) = rows(path, &[5, 12], size(4, 3)).unwrap();
    assert_eq!(shape, Shape { width: 4, height: 3, channels: 1 });
    let (_, shape) = rows(path, &[5, 12], size(2, 2)).unwrap();
    assert_eq!(shape, Shape { width: 2, height: 2, channels: 3 });
    for wrong in [size(4, 4), size(5, 2), size(4096, 4096), size(3, 2)] {
        assert_eq!(rows(path, &[5, 12], wrong).unwrap_err().exit_code(), 2);
    }
}

#[test]
fn headers_that_lie_about_the_size_are_refused() {
    refuse(&file("<f4", &[2, 2], 15), "promises 144 bytes");
    refuse(&file("<f4", &[2, 2], 17), "the file has 145");
    refuse(&file("|u1", &[1 << 31, 1 << 24], 10), "promises");
    refuse(&file("<f8", &[usize::MAX, 2], 10), "more than");
    refuse(&file("<f8", &[usize::MAX, usize::MAX, usize::MAX], 10), "more than");
    refuse(
        &with_dict(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999, 2), }"),
        "sense",
    );
    refuse(&with_dict(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 2), }"), "makes no sense");
}

#[test]
fn nothing_in_a_file_is_refused() {
    for dims in [&[0, 5][..], &[5, 0], &[0, 0, 0], &[3, 0, 2]] {
        refuse(&file("|u1", dims, 0), "nothing in it");
    }
}

/// `np.asfortranarray(np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(dtype))`.
#[test]
fn fortran_order_is_turned() {
    let dims = [2, 3, 4];
    let place = |n: usize, i: usize, j: usize| n + 2 * (i + 3 * j);
    let mut stored = vec![0u8; 24];
    for (n, i, j) in (0..24).map(|v| (v / 12, v / 4 % 3, v % 4)) {
        stored[place(n, i, j)] = (12 * n + 4 * i + j) as u8;
    }
    let dict = |descr: &str| {
        format!(
            "{{'descr': '{descr}', 'fortran_order': True, 'shape': ({}, {}, {}), }}",
            dims[0], dims[1], dims[2]
        )
    };
    let parts = read(&[with_dict(1, &dict("|u1")), stored.clone()].concat()).unwrap();
    let expected: Vec<f32> = (0..24).map(|v| v as f32).collect();
    let bytes: Vec<f32> = parts.train.x(0..2).unwrap().iter().map(|x| (x * 255.0).round()).collect();
    assert_eq!((bytes, parts.train.element()), (expected.clone(), Element::Bytes));
    let wide: Vec<u8> = stored.iter().flat_map(|v| i16::from(*v).to_be_bytes()).collect();
    let parts = read(&[with_dict(1, &dict(">i2")), wide].concat()).unwrap();
    assert_eq!(parts.train.x(0..2).unwrap(), expected);
    assert_eq!(parts.notes, ["numbers of type int16, big-endian, in Fortran order: read as 32-bit floats"]);
    // More rows than are turned in one go.
    let (count, dim) = (150usize, 3usize);
    let columns: Vec<u8> = (0..dim).flat_map(|d| (0..count).map(move |n| (n + d) as u8)).collect();
    let text = format!("{{'descr': '|u1', 'fortran_order': True, 'shape': ({count}, {dim}), }}");
    let parts = read(&[with_dict(1, &text), columns].concat()).unwrap();
    let row: Vec<f32> = parts.train.x([149]).unwrap().iter().map(|x| (x * 255.0).round()).collect();
    assert_eq!(row, [149.0, 150.0, 151.0]);
}

#[test]
fn booleans_are_zero_and_one() {
    for x in [vec![0, 1, 1, 0], vec![0, 7, 1, 0]] {
        let parts = read(&[header("|b1", &[2, 2]), x].concat()).unwrap();
        assert_eq!(
            (parts.train.x(0..2).unwrap(), parts.train.element()),
            (vec![0.0, 1.0, 1.0, 0.0], Element::Bytes)
        );
    }
}

#[test]
fn wrong_types_say_how_to_convert_them() {
    for (descr, words, advice) in [
        ("|O", "Python objects", "x.tolist()"),
        ("<c8", "type <c8", "x.real"),
        ("<U5", "text (<U5)", "in an array y of a .npz file"),
        ("|S3", "text (|S3)", "x.astype(np.float32)"),
        ("<M8[ns]", "type <M8[ns]", "x.astype(np.int64)"),
        ("<f16", "type <f16", "x.astype(np.float32)"),
        ("", "type ", "x.astype(np.float32)"),
    ] {
        refuse(&file(descr, &[2, 2], 32), words);
        refuse(&file(descr, &[2, 2], 32), advice);
    }
    let fields = "{'descr': [('a', '<f4'), ('b', '<f4')], 'fortran_order': False, 'shape': (2, 2), }";
    refuse(&with_dict(1, fields), "named fields");
    refuse(&with_dict(1, fields), "x.dtype.names");
}

#[test]
fn labels_may_have_any_whole_type() {
    let labels = |descr: &str, bytes: &[u8]| {
        let header = Header { descr: descr.into(), shape: vec![2], fortran: false, length: 0 };
        assert_eq!(header.element_bytes(), Some(bytes.len() / 2), "{descr}");
        header.labels(bytes, false).unwrap()
    };
    for (descr, each) in
        [("|u1", 1), ("|i1", 1), ("<u2", 2), ("<i2", 2), ("<u4", 4), ("<i4", 4), ("<u8", 8), ("<i8", 8)]
    {
        let mut bytes = vec![0; 2 * each];
        (bytes[0], bytes[each]) = (3, 100);
        assert_eq!(labels(descr, &bytes), (vec![3, 100], vec![]), "{descr}");
        // All ones: the largest number of the type, or -1, which is a class by its name.
        let (numbers, names) = labels(descr, &vec![255; 2 * each]);
        match (descr.contains('u'), each) {
            (true, 1..=2) => assert_eq!((numbers[1], names.len()), (u32::MAX >> (32 - 8 * each), 0)),
            (true, 4) => assert_eq!(names, ["4294967295"]),
            (true, _) => assert_eq!(names, ["18446744073709551615"]),
            (false, _) => assert_eq!(names, ["-1"], "{descr}"),
        }
    }
    assert_eq!(labels("|b1", &[1, 0]).0, [1, 0]);
}

#[test]
fn wrong_shapes_say_how_to_turn_them() {
    refuse(&file("<f4", &[4], 16), "x.reshape(-1, 1)");
    refuse(&file("<f4", &[], 4), "a single number");
    refuse(&file("<f4", &[2, 3, 4, 4], 384), "x.transpose(0, 2, 3, 1)");
    refuse(&file("<f4", &[2, 4, 4, 2], 256), "1 or 3 channels");
    refuse(&file("|u1", &[2, 4, 4, 4], 128), "x[..., :3]");
    refuse(&file("|u1", &[1, 1 << 13, 1 << 13], 1 << 26), "split or shrink");
}

#[test]
fn foreign_and_truncated_files_are_refused() {
    let sound = file("|u1", &[2, 3], 6);
    for at in 0..sound.len() {
        refuse(&sound[..at], if at < 128 { "cut off" } else { "promises" });
    }
    refuse(b"PK\x03\x04........", "not a .npy file");
    refuse(&[&MAGIC[..], &[9, 0, 1, 0]].concat(), "version 9");
    refuse(&[&MAGIC[..], &[2, 0, 255, 255, 255, 255]].concat(), "claims 4294967295 bytes");
    for dict in ["", "{}", "{'descr': '<f4'}", "{'descr': 5, 'fortran_order': False, 'shape': (1,)}", "é{'"]
    {
        refuse(&with_dict(1, dict), "makes no sense");
    }
}

proptest! {
    #[test]
    fn a_matrix_survives_writing_and_reading(
        (rows, dim, values) in (1usize..9, 1usize..9).prop_flat_map(|(rows, dim)| {
            (Just(rows), Just(dim), prop::collection::vec(any::<f32>(), rows * dim))
        }),
    ) {
        let mut bytes = Vec::new();
        Matrix::Npy.write(&mut bytes, &[], dim, &values).unwrap();
        prop_assert_eq!(bytes.len() % 64, 4 * values.len() % 64);
        let parts = read(&bytes).unwrap();
        prop_assert_eq!((parts.train.count, parts.train.dim()), (rows, dim));
        let mut got = Vec::new();
        let each = parts.train.each(0..rows, &mut |row| match row {
            Row::Floats(row) => got.extend_from_slice(row),
            Row::Bytes(_) => panic!("floats were written"),
        });
        each.unwrap();
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&got), bits(&values));
    }

    #[test]
    fn no_header_makes_the_parser_panic(text in "[{}()':, a-zF<0-9\"é]{0,60}") {
        let _ = parse(&text);
        let _ = parse(&format!("{{'descr':{text}'fortran_order': False, 'shape': ({text})}}"));
    }
}
