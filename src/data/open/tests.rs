use super::super::prepare::prepare;
use super::*;
use crate::data::known::sources;
use crate::data::{Colour, Element, Scale, Scaling, Size};

fn table(values: &[f32], columns: &[&str]) -> Parts {
    let train = Split::from_floats(values.to_vec(), columns.len());
    let names = columns.iter().map(|name| (*name).to_owned()).collect();
    Parts { columns: names, ..Parts::new("table".into(), Shape::table(columns.len()), train) }
}

fn scaled(parts: Parts, options: &ReadOptions) -> Result<Dataset> {
    let test = parts.train.select(&[0]);
    prepare("source", options, parts, test, &|_| {})
}

#[test]
fn an_unknown_source_names_the_flag_and_every_legal_value() {
    let error = open("fashon").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let message = error.to_string();
    assert!(message.starts_with("`data` `fashon`: no built-in"), "{message}");
    for (name, describe) in sources() {
        assert!(message.contains(name) && message.contains(describe), "{message}");
    }
}

#[test]
fn a_folder_and_a_file_of_unknown_format_get_different_errors() {
    let folder = tempfile::tempdir().unwrap();
    let message = open(folder.path().to_str().unwrap()).unwrap_err().to_string();
    assert!(message.contains("this folder holds no known format"), "{message}");

    let file = folder.path().join("notes.log");
    std::fs::write(&file, "x").unwrap();
    let message = open(file.to_str().unwrap()).unwrap_err().to_string();
    assert!(message.contains("not in a known format"), "{message}");
}

#[test]
fn no_source_at_all_is_unknown_and_not_the_current_folder() {
    assert!(matches!(open(""), Err(Error::Setting { .. })));
}

#[test]
fn tables_have_columns_by_name_or_by_format() {
    for (source, format, expected) in [
        ("x.csv", None, true),
        ("x.parquet", None, true),
        ("x.npy", None, false),
        ("mnist", None, false),
        ("nothing", None, false),
        ("x.txt", Some("csv"), true),
        ("x.csv", Some("npy"), false),
    ] {
        assert_eq!(has_columns(source, format), expected, "{source} {format:?}");
    }
}

#[test]
fn flags_that_a_source_cannot_use_are_misuse() {
    let refuse = |options: ReadOptions, words: &str| {
        let error = open_with("mnist", &options, &|_| {}).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(words), "{error}");
    };
    let default = ReadOptions::default;
    refuse(ReadOptions { test_fraction: Some(0.1), ..default() }, "mnist has a test part of its own");
    refuse(
        ReadOptions { test_data: Some("mnist".into()), ..default() },
        "`source.test_data` = mnist: mnist has a test",
    );
    refuse(ReadOptions { colour: Some(Colour::Grey), ..default() }, "`source.colour` = grey: only folders");
    refuse(
        ReadOptions { label_column: Some("y".into()), ..default() },
        "`source.label_column`: mnist has no columns",
    );
    refuse(
        ReadOptions { image_size: Some(Size { width: 8, height: 8 }), ..default() },
        "holds data of 28x28",
    );
}

#[test]
fn tables_are_standardised_by_their_training_part() {
    let parts = table(&[1.0, 5.0, 3.0, 5.0], &["a", "b"]);
    let dataset = scaled(parts, &ReadOptions::default()).unwrap();
    assert_eq!(dataset.train.x(0..2).unwrap(), [-1.0, 0.0, 1.0, 0.0]);
    assert_eq!(
        dataset.scaling,
        Some(Scaling { shift: vec![2.0, 5.0], scale: vec![1.0, 1e-6 * 5.0], fill: vec![] })
    );
    assert!(!dataset.unit);
    assert_eq!(
        dataset.warnings,
        ["the same value in every training row, so nothing to learn: column 2 (`b`)"]
    );
    let minmax = ReadOptions { scale: Some(Scale::Minmax), ..ReadOptions::default() };
    let dataset = scaled(table(&[1.0, 5.0, 3.0, 5.0], &["a", "b"]), &minmax).unwrap();
    assert_eq!(dataset.train.x(0..2).unwrap(), [0.0, 0.0, 1.0, 0.0]);
    assert!(dataset.unit);
    let none = ReadOptions { scale: Some(Scale::None), ..ReadOptions::default() };
    assert_eq!(scaled(table(&[1.0, 0.5], &["a", "b"]), &none).unwrap().scaling, None);
}

#[test]
fn a_run_keeps_the_scaling_it_has_learnt() {
    let known = Scaling { shift: vec![1.0], scale: vec![2.0], fill: vec![] };
    let options = ReadOptions { scaling: Some(known.clone()), ..ReadOptions::default() };
    let dataset = scaled(table(&[1.0, 5.0], &["a"]), &options).unwrap();
    assert_eq!(dataset.train.x(0..2).unwrap(), [0.0, 2.0]);
    assert_eq!(dataset.scaling, Some(known));
    let other = ReadOptions {
        scaling: Some(Scaling { shift: vec![0.0; 3], scale: vec![1.0; 3], fill: vec![] }),
        ..options
    };
    let message = scaled(table(&[1.0, 5.0], &["a"]), &other).unwrap_err().to_string();
    assert!(message.contains("use data with the columns"), "{message}");
}

#[test]
fn pictures_of_floats_keep_their_values_where_these_are_grey() {
    let shape = Shape { width: 1, height: 2, channels: 1 };
    let pictures = |values: &[f32]| Parts { shape, ..table(values, &["a", "b"]) };
    assert_eq!(scaled(pictures(&[0.0, 0.5, 1.0, 0.25]), &ReadOptions::default()).unwrap().scaling, None);
    let dataset = scaled(pictures(&[0.0, 50.0, 200.0, 100.0]), &ReadOptions::default()).unwrap();
    assert_eq!(dataset.train.x(0..2).unwrap(), [0.0, 0.25, 1.0, 0.5]);
    assert!(dataset.unit);
}

#[test]
fn bytes_are_scaled_only_on_request() {
    let bytes = || Parts { train: Split::new(vec![0, 255], 1, None), ..table(&[1.0], &["a"]) };
    let dataset = scaled(bytes(), &ReadOptions::default()).unwrap();
    assert_eq!((dataset.train.element(), dataset.summary), (Element::Bytes, None));
    let standard = ReadOptions { scale: Some(Scale::Standard), ..ReadOptions::default() };
    assert_eq!(scaled(bytes(), &standard).unwrap().train.x(0..2).unwrap(), [-1.0, 1.0]);
}

#[test]
fn a_value_that_is_not_finite_is_named_with_row_and_column() {
    let message = scaled(table(&[1.0, 2.0, 3.0, f32::NAN], &["a", "b"]), &ReadOptions::default())
        .unwrap_err()
        .to_string();
    assert!(message.starts_with("source: row 2, column 2 (`b`): the value is missing"), "{message}");
}

#[test]
fn an_infinity_is_refused_and_not_made_to_fit_where_means_are_filled_in() {
    let mean = ReadOptions { missing: Some(Missing::Mean), ..ReadOptions::default() };
    let values = [1.0, f32::NAN, f32::INFINITY, 4.0, 3.0, 6.0];
    let message = scaled(table(&values, &["a", "b"]), &mean).unwrap_err().to_string();
    assert!(message.starts_with("source: row 2, column 1 (`a`): infinite"), "{message}");
    // A column without any value.
    let message = scaled(table(&[1.0, f32::NAN], &["a", "b"]), &mean).unwrap_err().to_string();
    assert!(message.contains("no row of the training part has a value"), "{message}");
    assert!(message.contains("`source.drop` = b"), "{message}");
}

#[test]
fn columns_of_whole_numbers_stay_such_where_means_are_filled_in() {
    let mean = ReadOptions { missing: Some(Missing::Mean), ..ReadOptions::default() };
    let values = [1.0, 0.5, f32::NAN, 4.0, 2.0, f32::NAN];
    let dataset = scaled(table(&values, &["a", "b"]), &mean).unwrap();
    assert_eq!(dataset.scaling.as_ref().unwrap().fill, [1.5, 2.25]);
    assert_eq!(dataset.summary.unwrap().whole, [true, false]);
}

#[test]
fn a_test_value_that_scaling_makes_infinite_is_refused() {
    let parts = || table(&[1.0, 0.1, 2.0, 0.2], &["a", "b"]);
    let far = table(&[1.0, -1e38], &["a", "b"]).train;
    let open = |options: ReadOptions| prepare("source", &options, parts(), far.clone(), &|_| {});
    let message = open(ReadOptions { test_data: Some("far".into()), ..ReadOptions::default() })
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("far: column 2 (`b`): -1e38 is not a finite number once scaled"),
        "{message}"
    );
    assert!(open(ReadOptions { scale: Some(Scale::None), ..ReadOptions::default() }).is_ok());
}

#[test]
fn digits_that_floats_do_not_have_are_a_warning() {
    let dataset = scaled(table(&[1.6e9, 1.6e9 + 256.0], &["t"]), &ReadOptions::default()).unwrap();
    assert!(dataset.warnings[0].contains("subtract a constant first: column 1 (`t`)"));
    // A thousand deviations from zero leave 14 bits.
    let near = scaled(table(&[1e6 - 1e3, 1e6 + 1e3], &["t"]), &ReadOptions::default()).unwrap();
    assert!(near.warnings.is_empty(), "{:?}", near.warnings);
}

#[test]
fn a_test_source_shares_the_classes_of_the_training_source() {
    let labelled = |labels: &[u32], classes: &[&str]| {
        let parts = table(&vec![0.0; labels.len()], &["a"]);
        Parts {
            train: parts.train.clone().with_labels(Some(labels.to_vec())),
            classes: classes.iter().map(|name| (*name).to_owned()).collect(),
            ..parts
        }
    };
    let mut parts = labelled(&[0, 1], &["cat", "dog"]);
    join_test("train", "test", &mut parts, labelled(&[0, 1, 2], &["cow", "dog", "emu"])).unwrap();
    assert_eq!(parts.classes, ["cat", "dog", "cow", "emu"]);
    assert_eq!(parts.test.unwrap().labels.as_deref(), Some(&[2, 1, 3][..]));

    let mut parts = table(&[1.0], &["a"]);
    let message = join_test("x", "y", &mut parts, table(&[1.0], &["b"])).unwrap_err().to_string();
    assert!(message.contains("column `b` where x has `a`"), "{message}");
    let message = join_test("x", "y", &mut parts, table(&[1.0, 2.0], &["a", "b"])).unwrap_err().to_string();
    assert!(message.contains("data of 2 columns, but x of 1 column"), "{message}");
}

#[test]
fn arrays_of_zero_and_one_are_binary_and_a_run_keeps_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, values: &[u8]| {
        let path = folder.path().join(name);
        let header = super::super::npy_header::header("|u1", &[values.len() / 4, 2, 2]);
        std::fs::write(&path, [&header[..], values].concat()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let bits = write("bits.npy", &[0, 1, 1, 0, 0, 1, 0, 0].repeat(5));
    let dataset = open(&bits).unwrap();
    let x = dataset.train.x([0]).unwrap();
    assert_eq!((dataset.bits, x[0], x[1], x[3]), (Some(true), 0.0, 1.0, 0.0));
    assert!(dataset.notes[0].contains("0 or 1") && dataset.warnings.is_empty(), "{dataset:?}");
    let shades = open(&write("shades.npy", &[0, 1, 2, 255, 0, 1, 3, 255].repeat(5))).unwrap();
    assert_eq!((shades.bits, shades.notes.len(), shades.warnings.len()), (Some(false), 0, 0));
    let learnt = ReadOptions { bits: Some(false), ..ReadOptions::default() };
    let dataset = open_with(&bits, &learnt, &|_| {}).unwrap();
    assert_eq!(dataset.train.x([0]).unwrap()[1], 1.0 / 255.0);
    let black = open(&write("black.npy", &[0; 40])).unwrap();
    assert_eq!((black.bits, black.warnings.len()), (Some(false), 1));
    assert!(black.warnings[0].contains("every value is 0"));
}

#[test]
fn values_that_are_nearly_black_are_a_warning_that_the_flag_cures() {
    let shape = Shape { width: 1, height: 2, channels: 1 };
    let of = |train: Split, scale| {
        let parts = Parts { train, shape, ..table(&[1.0, 1.0], &["a", "b"]) };
        scaled(parts, &ReadOptions { scale, ..ReadOptions::default() }).unwrap()
    };
    let bytes = || Split::new(vec![0, 20], 2, None);
    let dark = of(bytes(), None);
    assert!(dark.warnings[0].starts_with("the values go no further than 20 of 255"), "{:?}", dark.warnings);
    assert!(dark.warnings[0].contains("`source.scale` = minmax"));
    let cured = of(bytes(), Some(Scale::Minmax));
    assert_eq!((cured.train.x([0]).unwrap(), cured.warnings.len()), (vec![0.0, 1.0], 0));
    let floats = of(Split::from_floats(vec![0.0, 0.0625], 2), None);
    assert!(
        floats.warnings[0].starts_with("the values go no further than 0.0625 of 1"),
        "{:?}",
        floats.warnings
    );
    for bright in [Split::new(vec![0, 26], 2, None), Split::from_floats(vec![0.0, 0.5], 2)] {
        assert!(of(bright, None).warnings.is_empty());
    }
}
