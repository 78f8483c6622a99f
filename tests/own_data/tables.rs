//! Tables as other programs write them: what is said of them, and that what it advises works.

use super::{Scratch, TRAIN, json};

/// `count` rows of `columns` shades between 0 and 1.
fn shades(count: usize, columns: usize) -> Vec<String> {
    let cell =
        |row: usize, column: usize| format!("0.{:02}", (row * 31 + column * 47 + 7 * (column % 3)) % 97);
    let row = |row: usize| (0..columns).map(|column| cell(row, column)).collect::<Vec<_>>().join(",");
    (0..count).map(row).collect()
}

/// The names of the columns that `vae-gpu data` finds.
fn columns(scratch: &Scratch, args: &str) -> Vec<String> {
    let described = json(&scratch.succeed(&format!("data {args} --json")));
    let columns = described["columns"].as_array().unwrap_or_else(|| panic!("{described}")).iter();
    columns.map(|column| column.as_str().or(column["name"].as_str()).unwrap().to_owned()).collect()
}

#[test]
fn an_index_of_tables_that_were_joined_is_left_out() {
    let scratch = Scratch::new();
    let rows = shades(40, 3);
    let twice = [&rows[..20], &rows[20..]].map(|half| {
        let numbered = half.iter().enumerate().map(|(at, row)| format!("{at},{row}\n"));
        numbered.collect::<String>()
    });
    scratch.write("concat.csv", format!(",a,b,c\n{}", twice.concat()));
    scratch.write("unnamed.csv", format!("Unnamed: 0,a,b,c\n{}", twice.concat()));
    for (name, index) in [("concat.csv", "1"), ("unnamed.csv", "Unnamed: 0")] {
        assert_eq!(columns(&scratch, name), ["a", "b", "c"]);
        let said = scratch.said(&format!("data {name}"));
        assert!(said.contains("numbers the rows and is left out; --index keep reads it"), "{said}");
        assert_eq!(columns(&scratch, &format!("{name} --index keep")), [index, "a", "b", "c"]);
    }
    // A model that has learnt the index goes on with it, and one that has not finds its columns.
    scratch.succeed(&format!("{TRAIN} --data concat.csv --index keep"));
    scratch.succeed("score run --data concat.csv --out -");
    scratch.succeed(&format!("{TRAIN} --data concat.csv"));
    scratch.succeed("score run --data unnamed.csv --out -");
}

#[test]
fn wavelengths_above_a_table_are_its_names() {
    let scratch = Scratch::new();
    let rows = shades(40, 12).join("\n");
    let waves: Vec<String> = (0..12).map(|at| (400 + 2 * at).to_string()).collect();
    scratch.write("waves.csv", format!("{}\n{rows}\n", waves.join(",")));
    assert_eq!(columns(&scratch, "waves.csv"), waves);
    let told = scratch.succeed("data waves.csv");
    assert!(told.contains("is taken as the names of the columns; --header no reads it as a row"), "{told}");
    assert!(told.contains("36 for training, 4 for test"), "{told}");
    let row = scratch.succeed("data waves.csv --header no");
    assert!(row.contains("37 for training, 4 for test"), "{row}");
    // Its columns are found by these names, and data without names goes on as before.
    scratch.succeed(&format!("{TRAIN} --data waves.csv"));
    scratch.succeed("score run --data waves.csv --out -");
    scratch.write("rows.csv", format!("{rows}\n"));
    scratch.succeed("score run --data rows.csv --out -");
}

#[test]
fn what_is_no_file_is_told_from_one_that_is_not_there() {
    let scratch = Scratch::new();
    scratch.write("a.csv", format!("a,b\n{}\n", shades(20, 2).join("\n")));
    for (source, words) in [
        ("https://example.org/a.csv", "download it first"),
        ("s3://bucket/a.parquet", "download it first"),
        ("~/a.csv", "home folder"),
        ("-", "standard input is not read"),
    ] {
        scratch.fail(&format!("data {source}"), 2, words);
        scratch.fail(&format!("data {source} --format csv"), 2, words);
        scratch.fail(&format!("{TRAIN} --data={source}"), 2, words);
        let told = scratch.fail(&format!("data a.csv --test-data={source}"), 2, words);
        assert!(told.contains("--test-data"), "{told}");
    }
    let path = scratch.path("a.csv").display().to_string();
    let told = scratch.fail(&format!("data file://{path}"), 2, "name the path itself");
    assert!(told.contains(&format!(": {path}")), "{told}");
    scratch.succeed(&format!("data {path}"));
    // The path that is named is that of the home folder.
    let mut command = scratch.command("data ~/a.csv");
    command.env("HOME", scratch.path(""));
    let told = super::scratch::expect_failure(&mut command, 2, "write the path out: ");
    assert!(told.contains(&path), "{told}");
    scratch.fail("data MNIST", 2, "did you mean `mnist`?");
}

#[test]
fn a_text_with_the_name_of_an_array_is_read_as_the_message_says() {
    let scratch = Scratch::new();
    for name in ["a.npy", "a.npz", "a.parquet"] {
        scratch.write(name, format!("a,b\n{}\n", shades(20, 2).join("\n")));
        let told = scratch.fail(&format!("data {name}"), 1, "it is text");
        assert!(told.contains("--format csv reads it"), "{told}");
        assert_eq!(columns(&scratch, &format!("{name} --format csv")), ["a", "b"]);
        scratch.write(name, "<!DOCTYPE html>\n<p>404\n");
        scratch.fail(&format!("data {name}"), 1, "it is a web page");
    }
    // Text that is no table is not said to be one.
    scratch.write("a.log", "{\"a\": 1}\n{\"a\": 2}\n");
    let told = scratch.fail("data a.log", 2, "it is JSON, which is not read; write the table as CSV");
    assert!(!told.contains("--format csv"), "{told}");
}

#[test]
fn advice_on_names_and_labels_works() {
    let scratch = Scratch::new();
    let rows = shades(20, 3).join("\n");
    scratch.write("short.csv", format!("a,b\n{rows}\n"));
    scratch.fail("data short.csv", 1, "its first line has 2 names, but the rows have 3 cells");
    scratch.write("short.csv", format!("a,b,c\n{rows}\n"));
    assert_eq!(columns(&scratch, "short.csv"), ["a", "b", "c"]);

    scratch.write("title.csv", format!("Sizes of 2024,,\n,,\na,b,c\n{rows}\n"));
    scratch.fail("data title.csv", 1, "remove lines 1 to 2, so that the names come first");
    scratch.write("title.csv", format!("a,b,c\n{rows}\n"));
    assert_eq!(columns(&scratch, "title.csv"), ["a", "b", "c"]);

    scratch.write("void.csv", format!("a,b,c,y\n{},\n", shades(20, 3).join(",\n")));
    for missing in ["", " --missing drop", " --missing mean"] {
        let told =
            scratch.fail(&format!("data void.csv --label-column y{missing}"), 1, "holds no label in any row");
        assert!(told.contains("leave --label-column out, and the column with --drop y"), "{told}");
    }
    assert_eq!(columns(&scratch, "void.csv --drop y"), ["a", "b", "c"]);
}
