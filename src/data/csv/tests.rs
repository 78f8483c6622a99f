use super::*;
use crate::data::write::Matrix;
use proptest::prelude::*;

fn parse(text: &[u8], label: Option<&str>) -> Result<Parts> {
    // Blocks of a few lines, and the whole at once: both must give the same result.
    let read = |block| read(Path::new("t.csv"), text, label, block, &|_| {});
    let (few, whole) = (read(16), read(BLOCK));
    match (&few, &whole) {
        (Ok(a), Ok(b)) => {
            assert_eq!((&a.columns, &a.classes, &a.train.labels), (&b.columns, &b.classes, &b.train.labels));
            assert_eq!(a.train.x(0..a.train.count).unwrap(), b.train.x(0..b.train.count).unwrap());
        }
        // After blank lines, the number of a line may be that of the first blank line.
        (Err(a), Err(b)) => assert_eq!(without_line(&a.to_string()), without_line(&b.to_string())),
        (a, b) => panic!("{a:?} in blocks, {b:?} at once"),
    }
    whole
}

/// A message without `(line 3)`.
fn without_line(message: &str) -> String {
    match message.split_once(" (line ") {
        Some((before, after)) => {
            format!("{before}{}", after.split_once(')').map_or("", |(_, rest)| rest))
        }
        None => message.to_owned(),
    }
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
    assert_eq!(table("\u{feff}\"a, b\"\r\n -1e-3 \r\n"), (vec!["a, b".into()], vec![-1e-3]));
    assert_eq!(table("a;b\n1;2\n").0, ["a", "b"]);
    assert_eq!(table("a\tb\n1\t2\n").1, [1.0, 2.0]);
    // The separator of the whole first line, which goes on after a line break in quotes.
    assert_eq!(table("\"a\nb\";c\n1;2\n").0, ["a\nb", "c"]);
    assert_eq!(table(",a\n0,5\n").0, ["1", "a"]);
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
    refuse(b"a,b\n1,2\n3,\n", "row 2 (line 3), column 2 (`b`): the value is missing");
    refuse(b"1,2\nnan,4\n", "row 2, column 1: the value is missing");
    refuse(b"1,2\nNA,4\n", "row 2, column 1: the value is missing");
    refuse(b"1,2\n3,inf\n", "row 2, column 2: inf is not a finite number");
    refuse(b"1,2\n3,1e39\n", "1e39 is not a finite number");
    refuse(b"a,b\n1,2\n3,red\n", "row 2 (line 3), column 2 (`b`): `red` is not a number");
    refuse(b"1,2\n3,\xff\n", "is not a number");
    refuse(b"1,2\n3,0x10\n", "`0x10` is not a number");
    refuse(b"a,b\n\n1,2\n3,\n", "row 2 (line 4), column 2 (`b`): the value is missing");
    refuse(b"1,2\n\n\n3,\n", "row 2 (line 4), column 2: the value is missing");
    refuse(b"1,2\r\n3,4\r\n\r\n5,", "row 3 (line 4), column 2: the value is missing");
}

#[test]
fn lines_are_counted_across_blocks() {
    for block in [8, 16, BLOCK] {
        let text = &b"a,b\n1,2\n3,4\n5,6\n7,8\n9,x\n"[..];
        let message = read(Path::new("t.csv"), text, None, block, &|_| {}).err().unwrap().to_string();
        assert!(message.contains("row 5 (line 6), column 2 (`b`): `x`"), "blocks of {block}: {message}");
    }
}

#[test]
fn tables_of_no_or_ragged_rows_are_refused() {
    refuse(b"", "it is empty");
    refuse(b"\n\n", "it is empty");
    refuse(b"a,b\n", "it has no rows");
    refuse(b"a,b\n1,2\n3\n", "row 2 (line 3) has 1 cells, but the first has 2");
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
