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
        ("Unnamed: 0,a\n7,5\n7,6\n", &["Unnamed: 0", "a"], Some("numbers")),
        ("Unnamed: 0,a\n7.5,5\n7,6\n", &["Unnamed: 0", "a"], Some("numbers")),
        ("Unnamed: 1,a\n7,5\n7,6\n", &["Unnamed: 1", "a"], Some("numbers")),
        ("a,Unnamed: 1\n7,5\n7,5\n", &["a", "Unnamed: 1"], None),
        (",a,\n7.5,5,3\n7,6,3\n", &["1", "a", "3"], None),
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

/// Rows of shades between 0 and 1, of which none goes up or down throughout.
fn shades(rows: usize, columns: usize) -> String {
    let cell =
        |row: usize, column: usize| format!("0.{:02}", (row * 31 + column * 47 + 7 * (column % 3)) % 97);
    let row = |row: usize| (0..columns).map(|column| cell(row, column)).collect::<Vec<_>>().join(",");
    (0..rows).map(|at| row(at) + "\n").collect()
}

#[test]
fn numbers_that_go_up_or_down_are_names_of_columns() {
    for first in [
        "400,402,404,406,408,410,412,414",
        "400.25,400.75,401.25,401.75,402.25,402.75,403.25,403.75",
        "4000,3999,3998,3997,3996,3995,3994,3993",
        "0,10,20,30,40,50,60,70",
        "1,2,4,8,16,32,64,128",
        "303.201,340.32,349.3,355.34,360.9,387.2,527.8,576.9",
        // Within the range of the rows.
        "0.02,0.1,0.2,0.34,0.42,0.5,0.61,0.9",
    ] {
        let (dialect, columns) = found(&format!("{first}\n{}", shades(40, 8)));
        assert_eq!(columns.names.join(","), first);
        let said = dialect.notes.join("\n");
        assert!(
            said.contains("is taken as the names of the columns; `source.header` = no reads it as a row"),
            "{said}"
        );
        assert!(dialect.warnings.is_empty(), "{:?}", dialect.warnings);
    }
    // Beside an index, and beside a name.
    let rows: String = shades(5, 4).lines().zip('a'..).map(|(row, name)| format!("{name},{row}\n")).collect();
    let (dialect, columns) = found(&format!(",400,402,404,406\n{rows}"));
    assert_eq!(
        (&columns.names[1..], &columns.index[..]),
        (&["400", "402", "404", "406"].map(String::from)[..], &[(0, "names")][..])
    );
    assert!(dialect.warnings.is_empty(), "{:?}", dialect.warnings);
    let (_, columns) = found(&format!("sample,400,402,404,406\n{rows}"));
    assert_eq!(columns.names[..2], ["sample", "400"]);
    let (dialect, columns) = found(&format!(",5,3\n{}", "x,1,2\ny,4,7\n"));
    assert!(columns.named && dialect.warnings[0].contains("is taken as the names"), "{:?}", dialect.warnings);
}

#[test]
fn rows_that_go_up_or_down_are_rows() {
    for text in [
        // Irises, whose columns are of different sizes; what goes on from row to row; few rows; a few small numbers.
        "5.1,3.5,1.4,0.2\n4.9,3.0,1.4,0.2\n4.7,3.2,1.3,0.2\n6.4,3.2,4.5,1.5\n".to_owned(),
        "1,10,100,1000\n2,20,200,2000\n3,30,300,3000\n4,40,400,4000\n".to_owned(),
        "1,5,7,9\n3,2,8,4\n".to_owned(),
        format!("1,2,3,4\n{}", "2,1,4,3\n4,4,1,2\n3,1,1,5\n5,2,3,1\n".repeat(9)),
        format!("0.1,0.2,0.3,0.5\n{}", shades(9, 4)),
        shades(40, 8),
    ] {
        let (dialect, columns) = found(&text);
        assert!(!columns.named && dialect.warnings.is_empty(), "{text}: {:?}", dialect.warnings);
    }
    // Numbers far from all others, in no order.
    let (dialect, columns) = found(&format!("400,402,401,406,404,410,412,414\n{}", shades(40, 8)));
    assert!(
        !columns.named && dialect.warnings[0].contains("`source.header` = yes"),
        "{:?}",
        dialect.warnings
    );
}
