use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;

use super::*;
use crate::data::write::Matrix;

/// A file with this schema, whose columns these functions write, in one row group.
fn file(schema: &str, columns: &mut [&mut dyn FnMut(&mut SerializedColumnWriter)]) -> Vec<u8> {
    packed(schema, parquet::basic::Compression::SNAPPY, columns)
}

/// The same in this compression.
fn packed(
    schema: &str,
    compression: parquet::basic::Compression,
    columns: &mut [&mut dyn FnMut(&mut SerializedColumnWriter)],
) -> Vec<u8> {
    with(schema, WriterProperties::builder().set_compression(compression), columns)
}

/// The same with these properties.
fn with(
    schema: &str,
    properties: WriterPropertiesBuilder,
    columns: &mut [&mut dyn FnMut(&mut SerializedColumnWriter)],
) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, properties.build().into()).unwrap();
    let mut group = file.next_row_group().unwrap();
    for write in columns {
        let mut column = group.next_column().unwrap().unwrap();
        write(&mut column);
        column.close().unwrap();
    }
    group.close().unwrap();
    file.into_inner().unwrap()
}

fn parse(bytes: &[u8], label: Option<&str>) -> Result<Parts> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    std::fs::write(&path, bytes).unwrap();
    let options = ReadOptions { label_column: label.map(str::to_owned), ..ReadOptions::default() };
    open(path.to_str().unwrap(), &options, &|_| {})
}

fn x(parts: &Parts) -> Vec<f32> {
    parts.train.x(0..parts.train.count).unwrap()
}

#[track_caller]
fn refuse(bytes: &[u8], words: &str) {
    let error = parse(bytes, None).expect_err("a refusal");
    assert!(matches!(error, Error::File { .. }) && error.to_string().contains(words), "{error}");
}

/// Two optional integers and a string.
fn mixed() -> Vec<u8> {
    file(
        "message m { optional int32 a; required int64 b (INTEGER(64, false)); required binary kind (STRING); }",
        &mut [
            &mut |c| assert!(c.typed::<Int32Type>().write_batch(&[-5, 6], Some(&[1, 1]), None).unwrap() > 0),
            &mut |c| assert!(c.typed::<Int64Type>().write_batch(&[7, -1], None, None).unwrap() > 0),
            &mut |c| {
                let kinds = ["dog", "cat"].map(ByteArray::from);
                c.typed::<ByteArrayType>().write_batch(&kinds, None, None).unwrap();
            },
        ],
    )
}

/// A column of lists: items with their repetition levels, at definition level 3.
fn lists(items: &[f64], repeated: &[i16], defined: &[i16]) -> Vec<u8> {
    file(
        "message m { optional group v (LIST) { repeated group list { optional double element; } } }",
        &mut [&mut |c| {
            c.typed::<DoubleType>().write_batch(items, Some(defined), Some(repeated)).unwrap();
        }],
    )
}

#[test]
fn numbers_of_every_width_and_labels_of_text_are_read() {
    let parts = parse(&mixed(), Some("kind")).unwrap();
    assert_eq!(parts.columns, ["a", "b"]);
    assert_eq!(x(&parts), [-5.0, 7.0, 6.0, u64::MAX as f32]);
    assert_eq!(parts.train.labels.as_deref(), Some(&[1, 0][..]));
    assert_eq!(parts.classes, ["cat", "dog"]);
    refuse(&mixed(), "column 3 (`kind`), String: text in 2 rows, first in row 1: `dog`");
}

#[test]
fn a_column_of_booleans_is_read_as_0_and_1() {
    let bytes = file(
        "message m { required boolean a; }",
        &mut [&mut |c| {
            c.typed::<parquet::data_type::BoolType>().write_batch(&[true, false], None, None).unwrap();
        }],
    );
    assert_eq!(x(&parse(&bytes, None).unwrap()), [1.0, 0.0]);
}

#[test]
fn lists_of_one_length_are_as_many_columns() {
    let parts = parse(&lists(&[1.0, 2.0, 3.0, 4.0], &[0, 1, 0, 1], &[3; 4]), None).unwrap();
    assert_eq!(
        (&parts.columns[..], x(&parts)),
        (&["v[0]".into(), "v[1]".into()][..], vec![1.0, 2.0, 3.0, 4.0])
    );
    refuse(
        &lists(&[1.0, 2.0, 3.0], &[0, 1, 0], &[3; 3]),
        "row 2, column `v`: a list of 1 number, but the first has 2",
    );
    refuse(
        &lists(&[1.0, 2.0, 3.0], &[0, 0, 1], &[3; 3]),
        "row 2, column 1 (`v[0]`): a list of 2 numbers, but the first has 1",
    );
    refuse(&lists(&[1.0], &[0, 0], &[3, 0]), "column 1 (`v`), list of DOUBLE: no value in row 2");
    let error = parse(&lists(&[1.0], &[0], &[3]), Some("v")).err().unwrap();
    assert!(error.to_string().contains("a column of lists cannot be the label"), "{error}");
}

#[test]
fn a_model_of_lists_finds_its_columns_again() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).unwrap();
    let expecting = |name: &str, columns: &[&str]| {
        let expected = columns.iter().map(|name| (*name).to_owned()).collect();
        let options = ReadOptions { expected, whole: true, ..ReadOptions::default() };
        open(folder.path().join(name).to_str().unwrap(), &options, &|_| {})
    };
    write("two.parquet", lists(&[1.0, 2.0, 3.0, 4.0], &[0, 1, 0, 1], &[3; 4]));
    assert_eq!(x(&expecting("two.parquet", &["v[0]", "v[1]"]).unwrap()), [1.0, 2.0, 3.0, 4.0]);
    for (columns, words) in [
        (&["v[0]", "v[1]", "v[2]"][..], "it has 2 columns, but the model was trained on 3"),
        (&["v[1]", "v[0]"], "it has `v[0]` where the model was trained on `v[1]`"),
        (&["v[0]", "w"], "it lacks 1 of the 2 columns"),
    ] {
        let error = expecting("two.parquet", columns).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    // Parts of one data set, too.
    write("train-0.parquet", lists(&[1.0, 2.0, 3.0, 4.0], &[0, 1, 0, 1], &[3; 4]));
    write("test-0.parquet", lists(&[5.0, 6.0], &[0, 1], &[3; 2]));
    std::fs::remove_file(folder.path().join("two.parquet")).unwrap();
    let parts = open(folder.path().to_str().unwrap(), &ReadOptions::default(), &|_| {}).unwrap();
    assert_eq!(parts.test.unwrap().x([0]).unwrap(), [5.0, 6.0]);
}

#[test]
fn the_first_list_that_is_there_tells_the_length() {
    let options = ReadOptions { missing: Some(Missing::Drop), ..ReadOptions::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let read = |bytes: Vec<u8>| {
        std::fs::write(&path, bytes).unwrap();
        open(path.to_str().unwrap(), &options, &|_| {}).map(|parts| x(&parts))
    };
    let values = read(lists(&[1.0, 2.0, 3.0, 4.0], &[0, 0, 1, 0, 1], &[0, 3, 3, 3, 3])).unwrap();
    assert!(values[..2].iter().all(|v| v.is_nan()) && values[2..] == [1.0, 2.0, 3.0, 4.0], "{values:?}");
    // An item may be missing, the first as well.
    let values = read(lists(&[2.0, 3.0, 4.0], &[0, 0, 1, 0, 1], &[1, 2, 3, 3, 3])).unwrap();
    assert!(values[2].is_nan() && values[3..] == [2.0, 3.0, 4.0], "{values:?}");
    assert_eq!(read(lists(&[], &[0, 0], &[0, 0])).unwrap().len(), 2);
}

#[test]
fn missing_values_are_named_with_row_and_column() {
    let bytes = file(
        "message m { required int32 a; optional int32 b; }",
        &mut [
            &mut |c| assert!(c.typed::<Int32Type>().write_batch(&[1, 2, 3], None, None).unwrap() > 0),
            &mut |c| {
                assert!(c.typed::<Int32Type>().write_batch(&[1, 2], Some(&[1, 0, 1]), None).unwrap() > 0)
            },
        ],
    );
    refuse(&bytes, "column 2 (`b`), INT32: no value in row 2");
}

#[test]
fn dates_decimals_and_fields_are_numbers() {
    let one = |ty: &str| {
        file(
            &format!("message m {{ required {ty}; }}"),
            &mut [&mut |c| assert!(c.typed::<Int32Type>().write_batch(&[150], None, None).unwrap() > 0)],
        )
    };
    let parts = parse(&one("int32 d (DATE)"), None).unwrap();
    assert_eq!(x(&parts), [150.0]);
    assert!(parts.notes.iter().any(|note| note.contains("days since 1970")), "{:?}", parts.notes);
    assert_eq!(x(&parse(&one("int32 d (DECIMAL(9, 2))"), None).unwrap()), [1.5]);
    assert_eq!(x(&parse(&one("int32 d (TIME_MILLIS)"), None).unwrap()), [0.15]);
    let nested = file(
        "message m { required group s { required int32 a; required int32 b; } }",
        &mut [
            &mut |c| assert!(c.typed::<Int32Type>().write_batch(&[1], None, None).unwrap() > 0),
            &mut |c| assert!(c.typed::<Int32Type>().write_batch(&[2], None, None).unwrap() > 0),
        ],
    );
    let parts = parse(&nested, None).unwrap();
    assert_eq!((parts.columns.join(","), x(&parts)), ("s.a,s.b".into(), vec![1.0, 2.0]));
}

#[test]
fn missing_values_stay_missing_until_they_are_left_out_or_filled_in() {
    let bytes = lists(&[1.0, 2.0], &[0, 1, 0], &[3, 3, 0]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    std::fs::write(&path, bytes).unwrap();
    let options = ReadOptions { missing: Some(crate::data::Missing::Drop), ..ReadOptions::default() };
    let parts = open(path.to_str().unwrap(), &options, &|_| {}).unwrap();
    let x = x(&parts);
    assert!(x[..2] == [1.0, 2.0] && x[2].is_nan() && x[3].is_nan(), "{x:?}");
}

#[test]
fn a_folder_of_files_is_one_table_with_parts_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, values: &[i32]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes = file(
            "message m { required int32 a; }",
            &mut [&mut |c| assert!(c.typed::<Int32Type>().write_batch(values, None, None).unwrap() > 0)],
        );
        std::fs::write(path, bytes).unwrap();
    };
    let read = |name: &str, label: Option<&str>| {
        let options = ReadOptions { label_column: label.map(str::to_owned), ..ReadOptions::default() };
        open(folder.path().join(name).to_str().unwrap(), &options, &|_| {})
    };
    write("keys/year=2020/kind=a/0.parquet", &[1, 2]);
    write("keys/year=2021/kind=b/0.parquet", &[3]);
    let parts = read("keys", Some("kind")).unwrap();
    assert_eq!(parts.columns, ["a", "year"]);
    assert_eq!(x(&parts), [1.0, 2020.0, 2.0, 2020.0, 3.0, 2021.0]);
    assert_eq!((parts.classes.len(), parts.train.labels.as_deref()), (2, Some(&[0, 0, 1][..])));
    let error = read("keys", None).unwrap_err().to_string();
    assert!(error.contains("column 3 (`kind`), folder: text in 3 rows, first in row 1: `a`"), "{error}");
    // Blanks and the like are spelt out in folders' names.
    write("spelt/kind=New%20York/0.parquet", &[1]);
    write("spelt/kind=100%25/0.parquet", &[2]);
    assert_eq!(read("spelt", Some("kind")).unwrap().classes, ["100%", "New York"]);
    write("gaps/year=2020/0.parquet", &[1, 2]);
    write("gaps/year=__HIVE_DEFAULT_PARTITION__/0.parquet", &[3]);
    let error = read("gaps", None).unwrap_err().to_string();
    assert!(error.contains("column 2 (`year`), folder: no value in row 3"), "{error}");
    write("labels/kind=a/0.parquet", &[1, 2]);
    write("labels/kind=__HIVE_DEFAULT_PARTITION__/0.parquet", &[3]);
    let error = read("labels", Some("kind")).unwrap_err().to_string();
    assert!(error.contains("no label in row 1"), "{error}");
    for (at, (other, words)) in [
        ("0.parquet", "no folder KEY=VALUE"),
        ("year=1/day=2/0.parquet", "in year=/day="),
        ("month=1/0.parquet", "month="),
    ]
    .into_iter()
    .enumerate()
    {
        write(&format!("other{at}/year=2020/0.parquet"), &[1]);
        write(&format!("other{at}/{other}"), &[2]);
        let error = read(&format!("other{at}"), None).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("the same keys in the same order"), "{error}");
    }
    for (name, values) in
        [("train-0", &[1, 2][..]), ("train-1", &[3]), ("validation-0", &[4]), ("test-0", &[5])]
    {
        write(&format!("parts/data/{name}.parquet"), values);
    }
    let parts = read("parts", None).unwrap();
    let of =
        |split: &Option<crate::data::Split>| split.as_ref().map(|split| split.x(0..split.count).unwrap());
    assert_eq!(
        (x(&parts), of(&parts.valid), of(&parts.test)),
        (vec![1.0, 2.0, 3.0], Some(vec![4.0]), Some(vec![5.0]))
    );
}

/// A picture of one grey.
fn picture(value: u8) -> ByteArray {
    let mut png = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_pixel(3, 2, [value].into()).write_to(&mut png, image::ImageFormat::Png).unwrap();
    ByteArray::from(png.into_inner())
}

/// Pictures as the hub has them, with labels of two classes.
fn of_hub(pictures: &[ByteArray], labels: &[i64]) -> Vec<u8> {
    let features = r#"{"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}"#;
    let known = vec![KeyValue::new("huggingface".into(), features.to_owned())];
    with(
        "message m { required group image { required binary bytes; optional binary path (STRING); } required int64 label; }",
        WriterProperties::builder().set_key_value_metadata(Some(known)),
        &mut [
            &mut |c| assert!(c.typed::<ByteArrayType>().write_batch(pictures, None, None).unwrap() > 0),
            &mut |c| {
                let names: Vec<ByteArray> =
                    (0..pictures.len()).map(|row| ByteArray::from(format!("{row}.png").as_str())).collect();
                c.typed::<ByteArrayType>().write_batch(&names, Some(&vec![1; names.len()]), None).unwrap();
            },
            &mut |c| assert!(c.typed::<Int64Type>().write_batch(labels, None, None).unwrap() > 0),
        ],
    )
}

#[test]
fn the_hubs_sign_for_no_label_is_no_class() {
    let folder = tempfile::tempdir().unwrap();
    let read = |options: &ReadOptions| open(folder.path().to_str().unwrap(), options, &|_| {}).unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).unwrap();
    let three = [picture(1), picture(2), picture(3)];
    write("train-0.parquet", of_hub(&three, &[1, 0, -1]));
    write("test-0.parquet", of_hub(&three[..2], &[-1, -1]));
    let parts = read(&ReadOptions::default());
    assert_eq!((parts.train.labels, parts.classes.len()), (None, 0));
    assert!(
        parts.warnings[0].contains("1 picture has no label: labels are left out; `source.missing` = drop"),
        "{:?}",
        parts.warnings
    );
    // As it says.
    let drop = ReadOptions { missing: Some(Missing::Drop), ..ReadOptions::default() };
    let data = crate::data::open_with(folder.path().to_str().unwrap(), &drop, &|_| {}).unwrap();
    assert_eq!(
        (data.train.labels.as_deref(), data.classes),
        (Some(&[1, 0][..]), vec!["cat".into(), "dog".into()])
    );
    assert_eq!((data.test.count, data.test.labels), (2, None));
}

#[test]
fn pictures_that_cannot_be_read_keep_their_names_and_parts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("train-0.parquet", of_hub(&[ByteArray::from("bad"), picture(2), picture(3)], &[1, 0, 1]));
    write("test-0.parquet", of_hub(&[picture(1), ByteArray::from("worse"), picture(4)], &[0, 1, 1]));
    let data = crate::data::open(folder.path().to_str().unwrap()).unwrap();
    let names = |split: &crate::data::Split| {
        (0..split.count).map(|row| split.origin(row).to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&data.train), names(&data.test)),
        (vec!["1.png".into(), "2.png".into()], vec!["0.png".into(), "2.png".into()])
    );
    let unread: Vec<_> = data.unread.iter().map(|unread| (unread.file.as_str(), unread.part)).collect();
    assert_eq!(unread, [("0.png", Some(Part::Train)), ("1.png", Some(Part::Test))]);
    let told = data.warnings.iter().filter(|warning| warning.starts_with("1 of 3 pictures cannot be read"));
    assert_eq!(told.count(), 2, "{:?}", data.warnings);
}

#[test]
fn a_column_of_pictures_makes_pictures_of_the_rows() {
    let pictures = [picture(5), ByteArray::from("no picture"), picture(9)];
    let labels = |c: &mut SerializedColumnWriter| {
        c.typed::<Int64Type>().write_batch(&[1, 1, 0], None, None).unwrap();
    };
    let hub = file(
        "message m { required group image { required binary bytes; optional binary path (STRING); }
                     required int64 label; required double other; }",
        &mut [
            &mut |c| assert!(c.typed::<ByteArrayType>().write_batch(&pictures, None, None).unwrap() > 0),
            &mut |c| {
                let names = ["a.png", "b.png"].map(ByteArray::from);
                c.typed::<ByteArrayType>().write_batch(&names, Some(&[1, 1, 0]), None).unwrap();
            },
            &mut { labels },
            &mut |c| assert!(c.typed::<DoubleType>().write_batch(&[0.5; 3], None, None).unwrap() > 0),
        ],
    );
    let parts = parse(&hub, None).unwrap();
    assert_eq!((parts.shape.to_string().as_str(), parts.train.count), ("3x2", 2));
    assert_eq!(parts.train.x([1]).unwrap(), [9.0 / 255.0; 6]);
    assert_eq!((parts.train.labels.as_deref(), parts.classes.len()), (Some(&[1, 0][..]), 2));
    assert!(parts.warnings[0].starts_with("1 of 3 pictures cannot be read: b.png ("), "{:?}", parts.warnings);
    assert!(parts.notes.join("\n").contains("columns that are not read: other"), "{:?}", parts.notes);
    assert!(parse(&hub, Some("kind")).unwrap_err().to_string().contains("has the columns label, other"));
    // Bytes alone, told by how they begin.
    let bare = file(
        "message m { required binary img; required int64 label; }",
        &mut [
            &mut |c| assert!(c.typed::<ByteArrayType>().write_batch(&pictures, None, None).unwrap() > 0),
            &mut { labels },
        ],
    );
    assert_eq!(parse(&bare, None).unwrap().train.x([0]).unwrap(), [5.0 / 255.0; 6]);
}

#[test]
fn every_compression_is_read() {
    use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
    ] {
        let bytes = packed(
            "message m { required int32 a; }",
            compression,
            &mut [&mut |c| assert!(c.typed::<Int32Type>().write_batch(&[1; 1000], None, None).unwrap() > 0)],
        );
        assert_eq!(x(&parse(&bytes, None).unwrap()), [1.0; 1000], "{compression:?}");
    }
}

#[test]
fn a_table_without_rows_or_columns_is_refused() {
    let empty = file(
        "message m { required int32 a; }",
        &mut [&mut |c| assert!(c.typed::<Int32Type>().write_batch(&[], None, None).unwrap() == 0)],
    );
    refuse(&empty, "it has no rows");
    // An index alone is data.
    let index = file(
        "message m { required int32 __index_level_0__; required int32 a; }",
        &mut [
            &mut |c| assert!(c.typed::<Int32Type>().write_batch(&[1], None, None).unwrap() > 0),
            &mut |c| assert!(c.typed::<Int32Type>().write_batch(&[2], None, None).unwrap() > 0),
        ],
    );
    let parts = parse(&index, None).unwrap();
    assert_eq!((&parts.columns[..], parts.warnings.len()), (&["a".into()][..], 1));
}

/// A damaged byte may be irrelevant, or part of a value, which then changes; it never causes a panic.
#[test]
fn damage_anywhere_is_an_error_or_another_number() {
    for sound in [mixed(), lists(&[1.0, 2.0, 3.0, 4.0], &[0, 1, 0, 1], &[3; 4])] {
        for at in 0..sound.len() {
            for flip in [0x55, 0x80] {
                let mut damaged = sound.clone();
                damaged[at] ^= flip;
                let _ = parse(&damaged, Some("kind"));
                let _ = parse(&damaged, None);
            }
            refuse(&sound[..at], "damaged, or not a Parquet file");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_matrix_survives_writing_and_reading(
        values in prop::collection::vec([any::<f32>(), any::<f32>(), any::<f32>()], 1..200),
    ) {
        let values: Vec<f32> =
            values.concat().into_iter().map(|v| if v.is_finite() { v } else { 0.0 }).collect();
        let names = ["a".to_owned(), "b c".to_owned(), "ü".to_owned()];
        let mut bytes = Vec::new();
        Matrix::Parquet.write(&mut bytes, &names, 3, &values).unwrap();
        let parts = parse(&bytes, None).unwrap();
        prop_assert_eq!(&parts.columns[..], &names[..]);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&x(&parts)), bits(&values));
    }
}
