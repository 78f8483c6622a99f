use super::*;
use crate::data::Division;
use std::io::Write;

fn rows(split: &Split, rows: &[usize]) -> Vec<Vec<f32>> {
    let mut seen = Vec::new();
    split
        .each(rows.iter().copied(), &mut |row| match row {
            Row::Bytes(values) => seen.push(values.iter().map(|v| f32::from(*v)).collect()),
            Row::Floats(values) => seen.push(values.to_vec()),
        })
        .unwrap();
    seen
}

fn in_file(kind: FileKind, bytes: &[u8], dim: usize) -> Split {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"head").unwrap();
    file.write_all(bytes).unwrap();
    let count = bytes.len() / kind.bytes() / dim;
    Split::in_file(FileRows { path: "file".into(), file, start: 4, kind }, count, dim)
}

#[test]
fn rows_come_in_the_order_that_is_asked_for() {
    let split = Split::new(vec![1, 2, 3, 4, 5, 6], 3, Some(vec![7, 8]));
    assert_eq!((split.count, split.dim(), split.element()), (2, 3, Element::Bytes));
    assert!(!split.is_in_file());
    assert_eq!(rows(&split, &[1, 0]), [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]);
    assert_eq!(Split::new(Vec::new(), 3, None).count, 0);
    assert_eq!(split.x([0]).unwrap(), [1.0 / 255.0, 2.0 / 255.0, 3.0 / 255.0]);
}

#[test]
fn a_file_gives_the_same_rows_as_memory() {
    let floats: Vec<f32> = (0..3000 * 3).map(|i| i as f32 * 0.25 - 7.0).collect();
    let f32s: Vec<u8> = floats.iter().flat_map(|v| v.to_le_bytes()).collect();
    let f64s: Vec<u8> = floats.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
    let memory = Split::from_floats(floats, 3);
    // Runs, single rows, and enough of them for several reader threads.
    let order: Vec<usize> = (0..3000).map(|i| (i * 7) % 3000).chain(100..900).collect();
    for (kind, bytes) in [(FileKind::F32, f32s), (FileKind::F64, f64s)] {
        let file = in_file(kind, &bytes, 3);
        assert!(file.is_in_file() && file.element() == Element::Floats);
        assert_eq!(rows(&file, &order), rows(&memory, &order));
    }
    let bytes: Vec<u8> = (0..=255).collect();
    let (file, memory) = (in_file(FileKind::U8, &bytes, 4), Split::new(bytes, 4, None));
    assert_eq!(file.element(), Element::Bytes);
    assert_eq!(rows(&file, &[63, 0, 1]), rows(&memory, &[63, 0, 1]));
}

#[test]
fn a_file_that_shrank_is_an_error_that_names_it() {
    let mut split = in_file(FileKind::U8, &[0; 8], 4);
    split.count = 3;
    let error = split.each([2], &mut |_| ()).unwrap_err();
    assert!(error.to_string().starts_with("file: it has become shorter"), "{error}");
}

#[test]
fn a_selection_of_a_selection_keeps_values_and_labels_together() {
    let split = Split::new((0..10).collect(), 1, Some((20..30).collect()));
    let some = split.select(&[9, 3, 5]).select(&[2, 0]);
    assert_eq!(rows(&some, &[0, 1]), [[5.0], [9.0]]);
    assert_eq!(some.labels.as_deref(), Some(&[25, 29][..]));
}

#[test]
fn a_clone_is_the_same_and_a_part_is_not() {
    let split = Split::new((0..10).collect(), 1, None);
    let (test, train) = Division::Rows.test_part(&split, 0.3, 1);
    assert!(split.is_same(&split.clone()) && train.is_same(&train.clone()));
    assert!(!split.is_same(&train) && !test.is_same(&train));
    assert!(!split.is_same(&Split::new((0..10).collect(), 1, None)));
}

#[test]
fn the_distribution_of_each_value_is_known() {
    let bytes = Split::new(vec![0, 255, 51, 255, 0, 255], 2, None).select(&[0, 1, 2]);
    assert_eq!(bytes.marginals().unwrap(), [vec![(0.0, 2), (0.2, 1)], vec![(1.0, 3)]]);
    // Means 3 and 20; deviations sqrt(8 / 3) and sqrt(200).
    let floats = Split::from_floats(vec![1.0, 10.0, 3.0, 10.0, 5.0, 40.0], 2);
    for (pair, (mean, variance)) in floats.marginals().unwrap().iter().zip([(3.0, 8.0 / 3.0), (20.0, 200.0)])
    {
        let [(low, 1), (high, 1)] = pair[..] else { panic!("{pair:?}") };
        assert!(((low + high) / 2.0 - mean).abs() < 1e-12, "{pair:?}");
        assert!(((high - low) / 2.0 - f64::sqrt(variance)).abs() < 1e-12, "{pair:?}");
    }
}

#[test]
fn scaled_bytes_are_floats() {
    let scaling = Scaling { shift: vec![0.5], scale: vec![0.5], fill: vec![] };
    let split = Split::new(vec![0, 255], 2, None).scaled(Some(Arc::new(scaling)));
    assert_eq!(split.element(), Element::Floats);
    assert_eq!(split.x([0]).unwrap(), [-1.0, 1.0]);
}

#[test]
fn bytes_of_zero_and_one_can_count_as_such_wherever_they_are() {
    for split in [Split::new(vec![0, 1, 1, 0], 2, None), in_file(FileKind::U8, &[0, 1, 1, 0], 2)] {
        assert_eq!(split.peak(0).unwrap(), Some(1));
        let bits = split.into_bits();
        assert_eq!((bits.x(0..2).unwrap(), bits.element()), (vec![0.0, 1.0, 1.0, 0.0], Element::Bytes));
    }
    let floats = Split::from_floats(vec![1.0], 1);
    assert_eq!((floats.peak(0).unwrap(), floats.into_bits().x([0]).unwrap()), (None, vec![1.0]));
}

#[test]
fn the_largest_byte_is_found_in_any_place() {
    for at in [0, 5000, (3 << 20) - 1] {
        let mut values = vec![3; 3 << 20];
        values[at] = 9;
        assert_eq!(in_file(FileKind::U8, &values, 1).peak(200).unwrap(), Some(9), "{at}");
        let memory = Split::new(values, 1, None);
        assert_eq!((memory.peak(200).unwrap(), memory.peak(2).unwrap() > Some(2)), (Some(9), true));
    }
}

#[test]
fn spaced_rows_are_of_the_whole() {
    let labels = |split: &Split| split.labels.as_ref().unwrap().to_vec();
    let split = Split::new(vec![0; 20], 2, Some((0..10).collect()));
    assert_eq!(labels(&split.spaced(4)), [0, 2, 5, 7]);
    assert_eq!(labels(&split.spaced(9)), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((split.spaced(10).count, split.spaced(11).count, split.spaced(1).count), (10, 10, 1));
    assert_eq!(split.select(&[]).spaced(4).count, 0);
}
