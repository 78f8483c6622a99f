use std::io::Read;

use super::*;

fn found(text: &str) -> (Dialect, Found) {
    let options = ReadOptions::default();
    let separator = delimiter(text.as_bytes(), &options);
    let mut look = text.as_bytes().to_vec();
    if separator.0 == Delimiter::Blanks {
        look.clear();
        super::super::blanks::Blanks::new(text.as_bytes()).read_to_end(&mut look).unwrap();
    }
    find(Path::new("t.csv"), &look, separator, &options).unwrap()
}

#[test]
fn the_delimiter_is_what_makes_a_table() {
    for (text, expected) in [
        ("a,b\n1,2\n", Delimiter::Comma),
        ("a;b\n1;2\n", Delimiter::Semicolon),
        ("a;b\n1,5;2,5\n", Delimiter::Semicolon),
        ("a\tb\n1\t2\n", Delimiter::Tab),
        ("a b\tc\n1\t2\n", Delimiter::Tab),
        ("a|b\n1|2\n", Delimiter::Pipe),
        ("1 2\n3 4\n", Delimiter::Blanks),
        ("  1.0   2.0\n -3.0   4.0\n", Delimiter::Blanks),
        ("1,5 2,5\n3,5 4,5\n", Delimiter::Blanks),
        ("sepal length (cm),petal length (cm)\n1.5,2.5\n", Delimiter::Comma),
        ("1, 2, 3\n4, 5, 6\n", Delimiter::Comma),
        ("a,b\n\"x; y\",1\n\"z; w\",2\n", Delimiter::Comma),
        ("1;New York\n2;San Jose\n", Delimiter::Semicolon),
        ("sep=;\na;b\n1;2\n", Delimiter::Semicolon),
        ("\"mpg\" \"cyl\"\n\"Mazda RX4\" 21 6\n\"Fiat\" 22 4\n", Delimiter::Blanks),
        ("1\n2\n", Delimiter::Comma),
    ] {
        assert_eq!(delimiter(text.as_bytes(), &ReadOptions::default()).0, expected, "{text}");
    }
}

#[test]
fn the_decimal_sign_is_found_or_doubted() {
    for (text, expected, doubt) in [
        ("1.5;2\n", Decimal::Point, false),
        ("1,5;2\n", Decimal::Comma, false),
        ("1,234;5,678\n", Decimal::Comma, true),
        ("\"1,234\",5\n\"2,345\",6\n", Decimal::Point, true),
        ("1,234;5\n12;6\n", Decimal::Point, true),
        ("\"1,234.5\",5\n", Decimal::Point, false),
        ("1.234,5;6\n", Decimal::Comma, false),
    ] {
        let (dialect, _) = found(text);
        assert_eq!((dialect.decimal, !dialect.warnings.is_empty()), (expected, doubt), "{text}");
    }
}

#[test]
fn names_are_told_from_rows() {
    for (text, named, doubt) in [
        ("a,b\n1,2\n", true, false),
        ("1,2\n3,4\n", false, false),
        ("0,1,y\n3,4,5\n", true, false),
        ("0,1,2\n3,4,5\n", true, true),
        ("0,1\n3.5,4\n", true, true),
        ("0,1\n1,0\n", false, true),
        (",0,1\n0,5,6\n1,7,8\n", true, false),
        (",2001,2002\n0,5,6\n1,7,8\n", true, false),
        ("2001,2002\n1.5,6.5\n", true, true),
        ("2001,2002\n1,6\n", false, false),
        ("2001,2002\n1,6\n2,7\n3,9\n4,8\n", false, true),
        ("2001,2002\n2003,2006\n2,7\n3,9\n4,8\n", false, false),
        ("0\n1\n2\n", false, false),
        ("0\n1.5\n2.5\n", true, true),
        ("1,2,3\n", false, false),
        // Years, or other numbers that go on in even steps, beside a word.
        ("country,2001,2002\nPeru,5,7\nMali,8,6\n", true, true),
        ("country,2001,2002\nPeru,5,6\nMali,8,6\n", true, true),
        ("country,2000,2005,2010\nPeru,5.5,7,1\nMali,8,6,4\n", true, true),
        ("city,land,2020\nLima,Peru,8\nRome,Italy,9\n", true, true),
        ("id,0,1,2\nx7,5,9,6\nx9,1,1,4\n", true, true),
        // One row that counts by chance, and one whose numbers are no years.
        ("id,0,1,2\nx7,5,9,6\nx9,3,4,5\n", true, true),
        ("Peru,2001\nMali,2002\nRome,7\nOslo,1999\nLima,1990\n", false, false),
        ("Peru,2001,2002\nMali,2003,2004\n", false, false),
        ("Peru,5,9\nMali,3,1\n", false, false),
        ("Peru,1,2,3\nMali,2,3,4\n", false, false),
        ("Peru,7\nMali,8\n", false, false),
        ("Peru,2001\nMali,2002\n", false, false),
    ] {
        let (dialect, found) = found(text);
        assert_eq!((found.named, !dialect.warnings.is_empty()), (named, doubt), "{text}");
    }
}

#[test]
fn what_gives_all_rows_as_many_cells_separates_them() {
    for (text, delimiter, columns) in [
        ("review;stars\ngood, nice, well 0;0\nbad, sad, mad 1;1\n", Delimiter::Semicolon, 2),
        ("review\tstars\ngood, nice, well\t0\nbad, sad, mad\t1\n", Delimiter::Tab, 2),
        ("a;b;c\n0,126 \u{20ac};1,5;2,5\n0,2 \u{20ac};3,5;4,5\n", Delimiter::Semicolon, 3),
        ("when,x\n2020-01-01 10:00,1\n2020-01-02 11:00,2\n", Delimiter::Comma, 2),
    ] {
        let (dialect, _) = found(text);
        assert_eq!((dialect.delimiter, dialect.columns), (delimiter, columns), "{text}");
    }
}

#[test]
fn a_point_that_may_stand_between_thousands_is_named() {
    let doubt = |text: &str| found(text).0.warnings.join("");
    let warned = doubt("a;b\n1.504;0\n10.300;1\n");
    assert!(warned.contains("`1.504` and the like have a point before decimals"), "{warned}");
    assert!(warned.contains("`source.decimal` = comma"), "{warned}");
    for text in ["a;b\n1.504;0\n0.300;1\n", "a;b\n1.5;0\n", "a,b\n1.504,0\n", "a;b\n1,5;1.504\n2,5;3\n"] {
        assert_eq!(doubt(text), "", "{text}");
    }
}

#[test]
fn an_index_is_found() {
    for (text, names, index) in [
        (",a\n0,5\n1,6\n", ["1", "a"].as_slice(), Some("numbers")),
        ("Unnamed: 0,a\n7,5\n3,6\n", &["Unnamed: 0", "a"], Some("numbers")),
        ("Unnamed: 0,a\n7,5\n7,6\n", &["Unnamed: 0", "a"], None),
        ("Unnamed: 0,a\n7.5,5\n7,6\n", &["Unnamed: 0", "a"], None),
        ("\"a\" \"b\"\n\"1\" 5 6\n\"2\" 7 8\n", &["1", "a", "b"], Some("numbers")),
        ("\"a\",\"b\"\n\"x\",5,6\n\"y\",7,8\n", &["1", "a", "b"], Some("names")),
        ("id,a\n0,5\n1,6\n", &["id", "a"], None),
        (",\n0,\n1,\n", &["1", "2"], None),
    ] {
        let (_, found) = found(text);
        assert_eq!(found.names, names, "{text}");
        assert_eq!(found.index.first().map(|(_, what)| *what), index, "{text}");
    }
}

#[test]
fn trailing_separators_and_comments_are_seen() {
    let (dialect, columns) = found("a;b;\n1;2;\n3;4;\n");
    assert_eq!((dialect.columns, &columns.empty[..]), (3, &[2][..]));
    let (dialect, columns) = found("a,b\n1,2,\n3,4,\n");
    assert_eq!(
        (dialect.columns, &columns.empty[..], &columns.names[..2]),
        (3, &[2][..], &["a".to_owned(), "b".into()][..])
    );
    let (dialect, columns) = found("# made by hand\n# x y\n1.0 2.0\n3.0 4.0\n");
    assert_eq!((dialect.columns, columns.names, columns.named), (2, vec!["x".to_owned(), "y".into()], true));
    let (_, columns) = found("# only words here\n1.0,2.0\n");
    assert!(!columns.named);
}
