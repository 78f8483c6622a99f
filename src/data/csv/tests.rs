use super::*;
use crate::data::options::{Decimal, Header, Index, Missing};
use crate::data::shape::Size;
use crate::data::write::Matrix;
use proptest::prelude::*;

fn parse(text: &[u8], label: Option<&str>) -> Result<Parts> {
    // Blocks of a few lines, and the whole at once: both must give the same result.
    parse_with(text, &ReadOptions { label_column: label.map(str::to_owned), ..ReadOptions::default() })
}

fn parse_with(text: &[u8], options: &ReadOptions) -> Result<Parts> {
    let failed = |error| Error::io("read", "t.csv", error);
    let read = |block| read(Path::new("t.csv"), text, options, Pace { block, threads: 2 }, &failed, &|_| {});
    // Each block costs a thread.
    let (few, whole) = (read(16.max(text.len() / 1000)), read(BLOCK));
    match (&few, &whole) {
        (Ok(a), Ok(b)) => {
            assert_eq!((&a.columns, &a.classes, &a.train.labels), (&b.columns, &b.classes, &b.train.labels));
            assert_eq!(
                bits(&a.train.x(0..a.train.count).unwrap()),
                bits(&b.train.x(0..b.train.count).unwrap())
            );
            assert_eq!((&a.notes, &a.warnings, &a.alike), (&b.notes, &b.warnings, &b.alike));
        }
        // After blank lines, the number of a line may be that of the first blank line.
        (Err(a), Err(b)) => assert_eq!(without_line(&a.to_string()), without_line(&b.to_string())),
        (a, b) => panic!("{a:?} in blocks, {b:?} at once"),
    }
    whole
}

/// A message without `(line 3)`.
fn without_line(message: &str) -> String {
    let mut parts = message.split(" (line ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or("", |(_, rest)| rest))
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn table(text: &str) -> (Vec<String>, Vec<f32>) {
    let parts = parse(text.as_bytes(), None).unwrap();
    (parts.columns, parts.train.x(0..parts.train.count).unwrap())
}

#[track_caller]
fn refuse(text: &[u8], words: &str) {
    let error = parse(text, None).expect_err("a refusal");
    assert!(matches!(error, Error::File { .. }) && error.to_string().contains(words), "{error}");
}

#[test]
fn a_header_is_distinguished_from_numbers() {
    assert_eq!(table("a,b\n1,2\n"), (vec!["a".into(), "b".into()], vec![1.0, 2.0]));
    assert_eq!(table("1,2\n3,4"), (vec!["1".into(), "2".into()], vec![1.0, 2.0, 3.0, 4.0]));
    assert_eq!(table("0,1,y\n3,4,5\n").0, ["0", "1", "y"]);
    assert_eq!(table("\"a, b\"\r\n -1e-3 \r\n"), (vec!["a, b".into()], vec![-1e-3]));
    assert_eq!(table("a;b\n1;2\n").0, ["a", "b"]);
    assert_eq!(table("a\tb\n1\t2\n").1, [1.0, 2.0]);
    // The separator of the whole first line, which goes on after a line break in quotes.
    assert_eq!(table("\"a\nb\";c\n1;2\n").0, ["a\nb", "c"]);
    assert_eq!(table("a,,b\n1.5,2.5,3\n").0, ["a", "2", "b"]);
}

#[test]
fn the_label_column_is_taken_out() {
    let parts = parse(b"x,kind,y\n1,dog,2\n3,cat,4\n", Some("kind")).unwrap();
    assert_eq!(
        (&parts.columns[..], &parts.classes[..]),
        (&["x".into(), "y".into()][..], &["cat".into(), "dog".into()][..])
    );
    assert_eq!(parts.train.labels.as_deref(), Some(&[1, 0][..]));
    assert_eq!(parts.train.x(0..2).unwrap(), [1.0, 2.0, 3.0, 4.0]);
    // A table without a header, and its third column.
    let parts = parse(b"1,2,dog\n3,4,cat\n", Some("3")).unwrap();
    assert_eq!(parts.train.labels.as_deref(), Some(&[1, 0][..]));
    assert_eq!(parse(b"a,b\n1,2\n", Some("c")).err().map(|error| error.exit_code()), Some(2));
}

#[test]
fn cells_without_a_number_are_named_with_row_and_column() {
    refuse(b"a,b\n1,2\n3,\n", "column 2 (`b`): no value in row 2 (line 3)");
    refuse(b"1,2\nnan,4\n", "column 1: no value in row 2");
    refuse(b"1,2\nNA,4\n", "column 1: no value in row 2");
    refuse(b"1,2\n3,inf\n", "column 2: an infinity in row 2: `inf`");
    refuse(b"1,2\n3,1e39\n", "a number beyond 3.4e38, the most that 32-bit floats hold, in row 2: `1e39`");
    refuse(b"a,b\n1,2\n3,red\n", "column 2 (`b`): text in row 2 (line 3): `red`");
    refuse(b"1,2\n3,\xff\n", "text in row 2");
    refuse(b"1,2\n3,0x10\n", "text in row 2: `0x10`");
    refuse(b"a,b\n\n1,2\n3,\n", "column 2 (`b`): no value in row 2 (line 4)");
    refuse(b"1,2\n\n\n3,\n", "column 2: no value in row 2 (line 4)");
    refuse(b"1,2\r\n3,4\r\n\r\n5,", "column 2: no value in row 3 (line 4)");
}

#[test]
fn all_bad_columns_are_listed_with_what_helps() {
    let text = b"id,name,age,x\n1,ann,3,5\n2,bob,,6\n3,eve,,1e39\n4,dan,9,7\n";
    let error = parse(text, None).unwrap_err().to_string();
    for words in [
        "3 of 4 columns are not numbers throughout\n",
        "\n    column 2 (`name`): text in 4 rows, first in row 1 (line 2): `ann`\n",
        "\n    column 3 (`age`): no value in 2 rows, first in row 2 (line 3)\n",
        "`source.drop` = name,x",
        "`source.label_column`",
        "`source.missing` = drop",
    ] {
        assert!(error.contains(words), "{error}");
    }
    // What the message says helps.
    let drop = ["name,x".to_owned()];
    for (missing, values) in [
        (Missing::Drop, vec![1.0, 3.0, 2.0, f32::NAN, 3.0, f32::NAN, 4.0, 9.0]),
        (Missing::Mean, vec![1.0, 3.0, 2.0, f32::NAN, 3.0, f32::NAN, 4.0, 9.0]),
    ] {
        let options =
            ReadOptions { drop: drop.clone().into(), missing: Some(missing), ..ReadOptions::default() };
        let parts = parse_with(text, &options).unwrap();
        assert_eq!(parts.columns, ["id", "age"]);
        assert_eq!(bits(&parts.train.x(0..4).unwrap()), bits(&values));
    }
}

#[test]
fn the_other_decimal_sign_is_proposed_and_helps() {
    // The first rows do not show it.
    let rows: String = (0..200).map(|i| format!("{i};{}\n", if i < 150 { "1" } else { "1,5" })).collect();
    let error = parse(rows.as_bytes(), None).unwrap_err().to_string();
    assert!(error.contains("text in 50 rows") && error.contains("`source.decimal` = comma"), "{error}");
    let options = ReadOptions { decimal: Some(Decimal::Comma), ..ReadOptions::default() };
    assert_eq!(parse_with(rows.as_bytes(), &options).unwrap().train.x([199]).unwrap(), [199.0, 1.5]);
}

#[test]
fn a_missing_label_is_missing_and_others_are_classes() {
    let text = b"x,y\n1,a\n2,\n3,b\n";
    let error = parse(text, Some("y")).unwrap_err().to_string();
    assert!(error.contains("column 2 (`y`): no label in row 2 (line 3)"), "{error}");
    assert!(error.contains("= drop") && !error.contains("= mean"), "{error}");
    let options = ReadOptions {
        label_column: Some("y".into()),
        missing: Some(Missing::Drop),
        ..ReadOptions::default()
    };
    let parts = parse_with(text, &options).unwrap();
    assert_eq!(parts.train.labels.as_deref(), Some(&[0, table::NO_LABEL, 1][..]));
    // Where labels only name rows, they go.
    let options = ReadOptions { label_optional: true, missing: None, ..options };
    let parts = parse_with(text, &options).unwrap();
    assert!(parts.train.labels.is_none() && parts.warnings[0].contains("no label in row 2"), "{parts:?}");
    let parts = parse(b"x,y\n1,True\n2,true\n3,NA\n", Some("y")).unwrap();
    assert_eq!(parts.classes, ["NA", "True"]);
    assert!(parts.warnings[0].contains("labels NA count as a class"), "{:?}", parts.warnings);
}

#[test]
fn an_index_is_left_out_unless_it_is_kept() {
    let text = b",a,b\n0,5,6\n1,7,8\n";
    let parts = parse(text, None).unwrap();
    assert_eq!((&parts.columns[..], parts.train.count), (&["a".into(), "b".into()][..], 2));
    assert!(parts.warnings[0].contains("column 1 numbers the rows"), "{:?}", parts.warnings);
    let keep = ReadOptions { index: Some(Index::Keep), ..ReadOptions::default() };
    assert_eq!(parse_with(text, &keep).unwrap().columns, ["1", "a", "b"]);
}

/// As `pd.concat`, a sample with replacement, a series of time and an index that was saved twice have it.
#[test]
fn an_index_that_repeats_or_jumps_is_one() {
    for text in [
        ",a,b\n0,5,6\n1,7,8\n0,1,2\n1,3,4\n",
        "Unnamed: 0,a,b\n7,5,6\n7,7,8\n2,3,4\n",
        "__index_level_0__,a,b\n9,5,6\n7,7,8\n",
        ",a,b\n0.0,5,6\n0.5,7,8\n1.0,1,2\n",
        ",Unnamed: 0,a,b\n0,0,5,6\n1,1,7,8\n2,0,1,2\n",
        "Unnamed: 0.1,Unnamed: 0,a,b\n0,0,5,6\n0,0,7,8\n",
        ",a,b\nx,5,6\n7,7,8\n",
    ] {
        let parts = parse(text.as_bytes(), None).unwrap();
        assert_eq!(parts.columns, ["a", "b"], "{text}");
        assert!(parts.warnings[0].contains("the rows and is left out"), "{text}: {:?}", parts.warnings);
        let keep = ReadOptions { index: Some(Index::Keep), ..ReadOptions::default() };
        if !text.contains('x') {
            assert!(parse_with(text.as_bytes(), &keep).unwrap().columns.len() > 2, "{text}");
        }
    }
    // A column that is one of several without a name, and one that has a place of its own.
    assert_eq!(table(",a,\n0.5,5,6\n0.5,7,8\n").0, ["1", "a", "3"]);
    assert_eq!(table("a,Unnamed: 1\n5,0.5\n6,0.5\n").0, ["a", "Unnamed: 1"]);
}

#[test]
fn columns_keep_their_names_where_one_lacks_its_own() {
    for (text, names) in [
        ("a,b,c\n0.5,1,2,9\n1.5,3,4,9\n", "3 names, but the rows have 4 cells"),
        ("a\n0.5,1\n1.5,3\n", "1 name, but the rows have 2 cells"),
        // Classes, and not names of rows.
        ("a,b\nx,1,2\nx,3,4\n", "2 names, but the rows have 3 cells"),
    ] {
        refuse(text.as_bytes(), names);
        refuse(text.as_bytes(), "write the name that is missing into the first line");
    }
    assert_eq!(table("k,a,b,c\n0.5,1,2,9\n1.5,3,4,9\n").0, ["k", "a", "b", "c"]);
    // As R writes them.
    assert_eq!(table("a b\n7 1 2\n3 3 4\n").0, ["a", "b"]);
    assert_eq!(table("a b\nx 1 2\ny 3 4\n").0, ["a", "b"]);
}

#[test]
fn comments_of_every_kind_stand_above_a_table() {
    for (text, names) in [
        ("% matlab\n1.5 2 3\n4.5 5 6\n", ["1", "2", "3"]),
        ("! touchstone\n! by hand, in 2024\n\n1.5 2 3\n4.5 5 6\n", ["1", "2", "3"]),
        ("// a comment\na,b,c\n1.5,2,3\n4.5,5,6\n", ["a", "b", "c"]),
        ("; a comment\n# another one\na,b,c\n1.5,2,3\n4.5,5,6\n", ["a", "b", "c"]),
        ("; a comment\n; and another\n1.5\t2\t3\n4.5\t5\t6\n", ["1", "2", "3"]),
        ("% x y z\n1.5  2  3\n4.5  5  6\n", ["x", "y", "z"]),
        ("%x y z\n1.5 2 3\n4.5 5 6\n", ["x", "y", "z"]),
        // Names that begin with a mark.
        ("%fat,b,c\n1.5,2,3\n4.5,5,6\n", ["%fat", "b", "c"]),
        ("% fat,% b,% c\n1.5,2,3\n4.5,5,6\n", ["% fat", "% b", "% c"]),
    ] {
        let (columns, values) = table(text);
        assert_eq!(
            (&columns[..], &values[..]),
            (&names.map(String::from)[..], &[1.5, 2.0, 3.0, 4.5, 5.0, 6.0][..]),
            "{text}"
        );
    }
    let notes = parse(b"% by hand\n% in  2024\n1 2\n3 4\n", None).unwrap().notes.join("\n");
    assert!(notes.contains("2 lines above the table are comments: `% by hand`"), "{notes}");
    // An empty cell, as an index has it.
    assert_eq!(table(";a;b\n0;1,5;2\n1;3,5;4\n"), (vec!["a".into(), "b".into()], vec![1.5, 2.0, 3.5, 4.0]));
    // Lines are counted with the comments.
    refuse(b"% one\n% two\na,b\n1,2\n3,x\n", "column 2 (`b`): text in row 2 (line 5): `x`");
    refuse(b"! 1\n\n! 2\na b\n1 2\n3 x\n", "column 2 (`b`): text in row 2 (line 6): `x`");
}

#[test]
fn a_title_is_told_from_the_names_below_it() {
    let text = "My survey 2024,,\nExported by Bob,,\n,,\nage,height,income\n7,1.5,9\n8,2.5,7\n";
    refuse(text.as_bytes(), "line 4 has the names of the columns, below a title");
    refuse(text.as_bytes(), "remove lines 1 to 3, so that the names come first");
    let below: Vec<&str> = text.lines().skip(3).collect();
    assert_eq!(table(&below.join("\n")).0, ["age", "height", "income"]);
    refuse(b"sizes,,weights,\nx,y,u,v\n1,2,3,4\n", "remove line 1, so that");
}

#[test]
fn blanks_of_every_kind_are_no_text() {
    let text = "\u{feff}a\u{a0},\u{200b}b,kind\n\u{a0}1.5,\u{2212}2,x\u{a0}\n\u{200b}3,1\u{202f}234,x\n4\u{2009},\u{feff}5,\u{a0}\n";
    let options = ReadOptions {
        label_column: Some("kind".into()),
        missing: Some(Missing::Drop),
        ..ReadOptions::default()
    };
    let parts = parse_with(text.as_bytes(), &options).unwrap();
    assert_eq!(
        (&parts.columns[..], &parts.classes[..]),
        (&["a".to_owned(), "b".into()][..], &["x".to_owned()][..])
    );
    assert_eq!(parts.train.x(0..3).unwrap(), [1.5, -2.0, 3.0, 1234.0, 4.0, 5.0]);
    assert_eq!(parts.train.labels.as_deref(), Some(&[0, 0, table::NO_LABEL][..]));
    // What remains is spelt out.
    refuse("a\n1\n2\u{200b}3\n".as_bytes(), "`2\\u{200b}3`");
}

#[test]
fn a_column_without_any_label_is_none_of_labels() {
    for missing in [None, Some(Missing::Drop), Some(Missing::Mean)] {
        let options = ReadOptions { label_column: Some("y".into()), missing, ..ReadOptions::default() };
        let error = parse_with(b"a,y\n1,\n2, \n3,nan\n", &options).unwrap_err().to_string();
        assert!(error.contains("column 2 (`y`) holds no label in any row"), "{error}");
        assert!(
            error.contains("leave `source.label_column` out, and the column with `source.drop` = y"),
            "{error}"
        );
    }
    let without = ReadOptions { drop: vec!["y".into()], ..ReadOptions::default() };
    assert_eq!(parse_with(b"a,y\n1,\n2, \n3,nan\n", &without).unwrap().columns, ["a"]);
}

#[test]
fn numbers_that_floats_cannot_tell_apart_are_named() {
    let ids = "id,x\n9007199254740993,1\n9007199254740992,2\n9007199254740994,4\n";
    assert_eq!(parse(ids.as_bytes(), None).unwrap().alike, [0]);
    assert!(parse(b"a,b\n1.0,1\n1,2\n", None).unwrap().alike.is_empty());
    assert_eq!(parse(b"a,b\n1e-50,1\n2e-50,2\n", None).unwrap().alike, [0]);
}

#[test]
fn spellings_of_numbers_are_read_and_told() {
    let parts = parse(b"a;b;c\n1.234,5;10%;True\n2,5;5%;false\n", None).unwrap();
    assert_eq!(parts.train.x(0..2).unwrap(), [1234.5, 10.0, 1.0, 2.5, 5.0, 0.0]);
    let notes = parts.notes.join("\n");
    for words in
        ["semicolons, decimal commas", "percent signs left out", "thousands left out", "true and false"]
    {
        assert!(notes.contains(words), "{notes}");
    }
    refuse(b"a;b\n10%;1\n5;2\n", "percent signs in some cells and none in others");
}

#[test]
fn rows_without_cells_and_separators_at_the_end_do_no_harm() {
    assert_eq!(table("a;b;\n1;2;\n3;4;\n;;\n").1, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(table("a,b\n1,2\n3,4,\n").1, [1.0, 2.0, 3.0, 4.0]);
    refuse(b"a;b;\n1;2;\n3;4;\n5;6;\n7;8;9\n", "row 4 (line 5), column 3: it is empty in the rows above");
    let (columns, values) = table("# by hand\n# x y\n 1.5  2.5 \n 3.5  4.5\n");
    assert_eq!((columns, values), (vec!["x".into(), "y".into()], vec![1.5, 2.5, 3.5, 4.5]));
}

#[test]
fn rows_keep_their_numbers_where_others_have_no_values() {
    let parts = parse(b"a,b\n1,2\n,\n3,4\n,\n,\n5,6\n7,8\n", None).unwrap();
    let numbers: Vec<String> = (0..4).map(|row| parts.train.origin(row).to_string()).collect();
    assert_eq!(numbers, ["row 1", "row 3", "row 6", "row 7"]);
    assert_eq!(parts.warnings, ["3 rows without any value are left out, the first is row 2"]);
    refuse(b"a,b\n1,2\n,\n3,x\n", "column 2 (`b`): text in row 3 (line 4): `x`");
    refuse(b"a,b\n1,2\n,\n3,4,5\n", "row 3 (line 4) has 3 cells");
    let parts = parse(b"1,2\n3,4\n,\n5,6\n", None).unwrap();
    assert_eq!(parts.train.origin(2).to_string(), "row 4");
}

#[test]
fn advice_leaves_a_column_and_a_line_of_names_can_be_said_to_be_one() {
    let error = parse(b"p,q\nx,y\nz,w\n", None).unwrap_err().to_string();
    assert!(!error.contains("source.drop") && error.contains("has numbers"), "{error}");
    let error = parse(b"a,a\n1,2\n", None).unwrap_err().to_string();
    assert!(!error.contains("source.drop") && error.contains("a name of its own"), "{error}");
    let text = b"country,2,7\nPeru,5,7\nMali,8,6\n";
    let error = parse(text, None).unwrap_err().to_string();
    assert!(error.contains("`source.header` = yes"), "{error}");
    let named =
        ReadOptions { header: Some(Header::Yes), drop: vec!["country".into()], ..ReadOptions::default() };
    assert_eq!(parse_with(text, &named).unwrap().columns, ["2", "7"]);
    let years = ReadOptions { drop: vec!["country".into()], ..ReadOptions::default() };
    let parts = parse_with(b"country,2001,2002\nPeru,5,7\nMali,8,6\n", &years).unwrap();
    assert_eq!((parts.columns.join(","), parts.train.count), ("2001,2002".into(), 2));
}

#[test]
fn what_is_said_goes_before_what_is_found() {
    let options = |header, delimiter, decimal| ReadOptions {
        header: Some(header),
        delimiter: Some(delimiter),
        decimal: Some(decimal),
        ..ReadOptions::default()
    };
    let parts =
        parse_with(b"0,1;5\n1,2;6\n", &options(Header::No, Delimiter::Semicolon, Decimal::Comma)).unwrap();
    assert_eq!(parts.train.x(0..2).unwrap(), [0.1, 5.0, 1.2, 6.0]);
    let parts =
        parse_with(b"2001,2002\n1,6\n", &options(Header::Yes, Delimiter::Comma, Decimal::Point)).unwrap();
    assert_eq!(parts.columns, ["2001", "2002"]);
}

/// Excel's line may end in blanks, which are one where blanks separate.
#[test]
fn a_line_that_names_the_delimiter_is_no_row() {
    let options = ReadOptions { delimiter: Some(Delimiter::Blanks), ..ReadOptions::default() };
    for line in ["sep=;\n", "sep=;  \n", "sep=;          \n"] {
        let parts = parse_with(format!("{line}10 20\n30 40\n").as_bytes(), &options).unwrap();
        assert_eq!(parts.train.x(0..parts.train.count).unwrap(), [10.0, 20.0, 30.0, 40.0], "{line:?}");
    }
}

/// A model that is trained reads data without the flags of how they are read.
#[test]
fn a_trained_model_is_advised_no_flag_that_it_lacks() {
    for (text, said) in [
        ("0,1,2\n3,4,5\n", "source.header"),
        (",a,b\n0,1,2\n1,3,4\n", "source.index"),
        ("a;b\n1,234;2,345\n", "source.decimal"),
        ("a,a,b\n1,2,3\n", "source.drop"),
    ] {
        let told = |whole| {
            let options = ReadOptions { whole, ..ReadOptions::default() };
            match parse_with(text.as_bytes(), &options) {
                Ok(parts) => parts.warnings.join("\n"),
                Err(error) => error.to_string(),
            }
        };
        assert!(told(false).contains(said), "{text}: {}", told(false));
        assert!(!told(true).is_empty() && !told(true).contains("source."), "{text}: {}", told(true));
    }
}

#[test]
fn rows_of_pixels_become_pictures() {
    let size = Some(Size { width: 3, height: 2 });
    let options =
        ReadOptions { image_size: size, label_column: Some("label".into()), ..ReadOptions::default() };
    let parts = parse_with(b"label,p0,p1,p2,p3,p4,p5\n7,0,1,2,3,4,255\n", &options).unwrap();
    assert_eq!(
        (parts.shape.to_string().as_str(), &parts.columns[4..]),
        ("3x2", &["p4".to_owned(), "p5".into()][..])
    );
}

/// pandas writes a frame without names so: a blank for its index, then 0, 1, 2.
#[test]
fn an_index_without_a_name_has_no_other_columns_name() {
    let text = ",0,1,2\n0,5.5,6.5,7.5\n1,8.5,9.5,1.5\n";
    let (names, values) = table(text);
    assert_eq!((&names[..], &values[..3]), (&["0", "1", "2"].map(String::from)[..], &[5.5, 6.5, 7.5][..]));
    let options = ReadOptions { index: Some(Index::Keep), ..ReadOptions::default() };
    let failed = |error| Error::io("read", "t.csv", error);
    let kept = read(
        Path::new("t.csv"),
        text.as_bytes(),
        &options,
        Pace { block: BLOCK, threads: 1 },
        &failed,
        &|_| {},
    )
    .unwrap();
    assert_eq!(kept.columns, ["nameless 1", "0", "1", "2"]);
}

#[test]
fn an_empty_column_may_be_the_one_of_the_labels() {
    for label in [None, Some("1"), Some("2")] {
        let _ = parse(b"\x0e\n,\x0e", label);
        let _ = parse(b"1,\n2,\n3,\n", label);
    }
    assert_eq!(table("1,\n2,\n3,\n").1, [1.0, 2.0, 3.0]);
}

#[test]
fn lines_are_counted_across_blocks() {
    for block in [8, 16, BLOCK] {
        let text = &b"a,b\n1,2\n3,4\n5,6\n7,8\n9,x\n"[..];
        let failed = |error| Error::io("read", "t.csv", error);
        let pace = Pace { block, threads: 2 };
        let read = read(Path::new("t.csv"), text, &ReadOptions::default(), pace, &failed, &|_| {});
        let message = read.err().unwrap().to_string();
        assert!(
            message.contains("column 2 (`b`): text in row 5 (line 6): `x`"),
            "blocks of {block}: {message}"
        );
    }
}

#[test]
fn tables_of_no_or_ragged_rows_are_refused() {
    refuse(b"", "it is empty");
    refuse(b"\n\n", "it is empty");
    refuse(b"a,b\n", "it has no rows");
    refuse(b"a,b\n1,2\n3\n", "row 2 (line 3) has 1 cell, but the first has 2");
    refuse(b"1,2\n3,4,5\n", "row 2 has 3 cells");
    refuse(b"1,2\n3,\"4\n5,6\n", "a quote that is never closed");
    let error = parse(b"a\ncat\n", Some("a")).err().unwrap();
    assert!(error.to_string().contains("no column of numbers"), "{error}");
}

#[test]
fn text_in_quotes_may_have_any_character() {
    let parts = parse(b"x,kind\n1,a\n2,\"b\nb, \"\"b\"\n3,a\n4,b\n", Some("kind")).unwrap();
    assert_eq!(parts.classes, ["a", "b", "b\nb, \"b"]);
    assert_eq!(parts.train.labels.as_deref(), Some(&[0, 2, 0, 1][..]));
}

#[test]
fn a_quote_that_is_never_closed_does_not_take_in_the_rest() {
    let long = "x".repeat(2 * ROW);
    refuse(format!("a,b\n1,2\n3,\"{long}").as_bytes(), "row 2 (line 3) has more than 4 MiB");
    refuse(format!("a,b\n1,2\n3,{long}").as_bytes(), "row 2 (line 3) has more than 4 MiB");
    // Blank lines are not rows.
    assert_eq!(table(&format!("1,2\n{}", "\n".repeat(3 * ROW))).1, [1.0, 2.0]);
}

proptest! {
    #[test]
    fn a_matrix_survives_writing_and_reading(
        values in prop::collection::vec([any::<f32>(), any::<f32>()], 1..9),
    ) {
        let values: Vec<f32> =
            values.concat().into_iter().map(|v| if v.is_finite() { v } else { 0.0 }).collect();
        for names in [&["a, \"b\"".to_owned(), "ü".to_owned()][..], &[]] {
            let mut text = Vec::new();
            Matrix::Csv.write(&mut text, names, 2, &values).unwrap();
            let parts = parse(&text, None).unwrap();
            let got = parts.train.x(0..parts.train.count).unwrap();
            prop_assert!(got.iter().zip(&values).all(|(a, b)| a == b) && got.len() == values.len());
            if !names.is_empty() {
                prop_assert_eq!(&parts.columns[..], names);
            }
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&text, None);
        let _ = parse(&text, Some("1"));
    }
}
