//! Labels of people's data: spelled in other ways, missing, without a training row, or no classes at all.

use std::fs::File;

use vae_gpu::data::columns::{Column, write_parquet};

use super::foreign;
use super::scratch::Scratch;

const TRAIN: &str = "train --hidden 8 --latent 2 --epochs 1 --force -q";

/// A table of three columns and a label, which `label` makes of the row's number.
fn labelled(rows: std::ops::Range<usize>, label: impl Fn(usize) -> String) -> String {
    let row = |i: usize| {
        let v = |k: usize| ((i * 37 + k * 11) % 97) as f64 / 10.0 - 4.0;
        format!("{},{},{},{}\n", v(0), v(1), v(2), label(i))
    };
    format!("a,b,c,y\n{}", rows.map(row).collect::<String>())
}

/// The same rows as an array, with labels of the type `descr`.
fn archive(rows: std::ops::Range<usize>, descr: &str, labels: &[u8]) -> Vec<u8> {
    let text = labelled(rows.clone(), |_| String::new());
    let values = text.lines().skip(1).flat_map(|line| line.split(',').take(3));
    let bytes: Vec<u8> = values.flat_map(|v| v.parse::<f64>().unwrap().to_le_bytes()).collect();
    let x = foreign::npy("<f8", &format!("{}, 3", rows.len()), &bytes);
    foreign::npz(&[("x", x), ("y", foreign::npy(descr, &format!("{},", rows.len()), labels))])
}

fn truth(i: usize) -> String {
    if i.is_multiple_of(2) { "False" } else { "True" }.into()
}

#[test]
fn truth_values_of_a_test_part_are_the_classes_0_and_1() {
    let scratch = Scratch::new();
    scratch.write("tr.csv", labelled(0..40, |i| (i % 2).to_string()));
    scratch.write("te.csv", labelled(40..60, truth));
    scratch.write("three.csv", labelled(40..60, |i| (i % 3).to_string()));
    let y: Vec<u8> = (40..60).map(|i| i % 2).collect();
    scratch.write("te.npz", archive(40..60, "|u1", &y));
    let config = || String::from_utf8(scratch.read("run/config.toml")).unwrap();
    let line = format!("{TRAIN} --data tr.csv --label-column y --condition labels --out run --test-data");
    // Labels of an array lie beside it, whatever the column of the table is called.
    for test in ["te.csv", "te.npz"] {
        scratch.succeed(&format!("{line} {test}"));
        assert!(config().contains("class_names = [\"0\", \"1\"]"), "{}", config());
    }
    scratch.succeed("sample run --label true --count 2 --out s.csv");
    scratch.succeed("score run --data te.csv --out s.csv");
    let told = |test: &str| scratch.said(&format!("data tr.csv --label-column y --test-data {test}"));
    assert!(!told("te.csv").contains("warning"), "{}", told("te.csv"));
    let three = told("three.csv");
    assert!(
        three.contains("no training row has the label 2: a model with --condition labels cannot learn it"),
        "{three}"
    );
    let same = told("tr.csv");
    assert!(same.contains("tr.csv has the rows of the training part"), "{same}");
}

#[test]
fn parts_of_a_folder_agree_in_their_classes() {
    let scratch = Scratch::new();
    let write = |name: &str, label: Option<Column>| {
        let values = (0..30).map(|i| f64::from(i % 7)).collect();
        let label = label.map(|column| ("y", column));
        let columns: Vec<(&str, Column)> = [("a", Column::Real(values))].into_iter().chain(label).collect();
        std::fs::create_dir_all(scratch.path(name).parent().unwrap()).unwrap();
        write_parquet(&mut File::create(scratch.path(name)).unwrap(), &columns).unwrap();
    };
    let words = |of: [&str; 2]| Column::Text((0..30).map(|i| of[i % 2].to_owned()).collect());
    write("p/train.parquet", Some(Column::Whole((0..30).map(|i| i % 2).collect())));
    write("p/test.parquet", Some(words(["false", "true"])));
    let (out, err) = scratch.both("data p --label-column y");
    assert!(out.contains("2 classes") && !err.contains("no training row"), "{out} {err}");
    write("p/test.parquet", None);
    let (_, err) = scratch.both("data p --label-column y");
    assert!(err.contains("the files of the test part have no labels"), "{err}");
    // Blanks about a label are none of it, as in the other formats.
    write("b.parquet", Some(words(["red", " red "])));
    assert!(scratch.succeed("data b.parquet --label-column y").contains("1 class\n"));

    // A part in another format is refused, and read as the message says.
    std::fs::remove_file(scratch.path("p/test.parquet")).unwrap();
    scratch.write("p/test.csv", "a,y\n1,0\n2,1\n3,1\n");
    let message = scratch.fail("data p --label-column y", 1, "it is the test part");
    assert!(message.contains("--data p/train.parquet and --test-data p/test.csv"), "{message}");
    let (out, _) = scratch.both("data p/train.parquet --test-data p/test.csv --label-column y");
    assert!(out.contains("30 for training, 3 for test"), "{out}");
    scratch.write("p/test.csv.txt", "");
    std::fs::rename(scratch.path("p/test.csv"), scratch.path("p/notes.csv")).unwrap();
    assert!(scratch.said("data p --label-column y").contains("notes.csv is not read"));
}

#[test]
fn text_that_says_that_there_is_no_label_is_missing_in_arrays_too() {
    let scratch = Scratch::new();
    for (word, shown) in [("", "is empty"), ("nan", "is nan"), ("None", "is None"), ("<NA>", "is <NA>")] {
        let label = |i: usize| if i == 3 { word } else { ["red", "blue"][i % 2] };
        let letters = |text: &str| {
            let mut bytes: Vec<u8> = text.chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
            bytes.resize(16, 0);
            bytes
        };
        let labels: Vec<u8> = (0..30).flat_map(|i| letters(label(i))).collect();
        scratch.write("t.npz", archive(0..30, "<U4", &labels));
        let (out, err) = scratch.both("data t.npz");
        assert!(err.contains(&format!("y is not read as labels: row 4 {shown}, no label")), "{err}");
        assert!(err.contains("--missing drop leaves such rows out") && !out.contains("classes"), "{err}");
        // As the message says.
        let (out, err) = scratch.both("data t.npz --missing drop");
        assert!(out.contains("2 classes") && err.contains("1 of 30 rows lack"), "{out} {err}");
    }
    let labels: Vec<u8> = (0..30).flat_map(|i| if i == 3 { *b"NA" } else { *b"ab" }).collect();
    scratch.write("t.npz", archive(0..30, "|S2", &labels));
    assert!(scratch.said("data t.npz").contains("labels NA count as a class"));
}

#[test]
fn the_same_labels_in_another_spelling_are_no_change() {
    let scratch = Scratch::new();
    let line = format!("{TRAIN} --condition labels --label-column y");
    for (name, a, b) in
        [("int", ["10", "20"], ["10.0", "2e1"]), ("truth", ["False", "True"], ["false", "true"])]
    {
        scratch.write("a.csv", labelled(0..30, |i| a[i % 2].into()));
        scratch.write("b.csv", labelled(0..30, |i| b[i % 2].into()));
        scratch.succeed(&format!("{line} --data a.csv --out {name}"));
        let (_, err) = scratch.both(&format!("score {name} --data b.csv --out s.csv"));
        assert!(!err.contains("changed"), "{err}");
        let (_, err) = scratch.both(&format!("train --resume {name} --data b.csv --epochs 2"));
        assert!(!err.contains("changed"), "{err}");
    }
    scratch.write("c.csv", labelled(0..30, |i| ["10", "20"][usize::from(i % 3 == 0)].into()));
    let (_, err) = scratch.both("score int --data c.csv --out s.csv");
    assert!(err.contains("its rows have other labels"), "{err}");
}

#[test]
fn classes_may_be_given_by_number_in_every_format() {
    let scratch = Scratch::new();
    let names = ["red", "blue", "green"];
    scratch.write("t.csv", labelled(0..30, |i| names[i % 3].into()));
    scratch.succeed(&format!("{TRAIN} --condition labels --label-column y --data t.csv --out run"));
    scratch.succeed("sample run --label green --count 3 --out name.csv");
    // They are in the order of their names.
    scratch.succeed("sample run --label 1 --count 3 --out number.csv");
    assert_eq!(scratch.read("name.csv"), scratch.read("number.csv"));
    scratch.fail(
        "sample run --label 3 --count 3 --out number.csv",
        2,
        "the model knows the labels blue, green, red",
    );

    let order = [2, 0, 1];
    scratch.write("n.csv", labelled(0..30, |i| order[i % 3].to_string()));
    let (_, err) = scratch.both("score run --data n.csv --out n.csv.csv");
    assert!(
        err.contains("count as those of the model's classes: 0 is blue") && !err.contains("other labels"),
        "{err}"
    );
    scratch.succeed("score run --data t.csv --out t.csv.csv");
    assert_eq!(scratch.read("n.csv.csv"), scratch.read("t.csv.csv"));
}

#[test]
fn hardly_a_row_for_each_class_is_told_of() {
    let scratch = Scratch::new();
    scratch.write("t.csv", labelled(0..40, |i| format!("{}", i as f64 * 0.37)));
    let told = scratch.said("data t.csv --label-column y");
    assert!(told.contains("the labels are of 40 classes in 40 rows"), "{told}");
    let numbers: Vec<u8> = (0..40u16).flat_map(u16::to_le_bytes).collect();
    scratch.write("t.npz", archive(0..40, "<u2", &numbers));
    assert!(scratch.said("data t.npz").contains("the labels are of 40 classes in 40 rows"));
}

#[test]
fn rows_without_names_or_with_their_label_are_read_as_the_run_read_its_own() {
    let scratch = Scratch::new();
    scratch.write("t.csv", labelled(0..30, |i| (i % 2).to_string()));
    scratch.succeed(&format!("{TRAIN} --columns b,c --data t.csv --out run"));
    scratch.write("two.csv", "0.5,1.25\n-1.5,2.75\n3.25,0.5\n");
    assert!(scratch.said("score run --data two.csv --out s.csv").contains("taken in the model's order"));
    scratch.write("three.csv", "0.5,1.25,1\n-1.5,2.75,1\n3.25,0.5,0\n");
    let message = scratch.fail("score run --data three.csv --out s.csv", 1, "the model has 2: b, c");
    assert!(!message.contains("--columns"), "{message}");

    // A model of an array knows no names: one column more may be the label.
    let values: Vec<u8> = (0..90).flat_map(|i| f64::from(i * 7 % 31).to_le_bytes()).collect();
    let mut gap = values.clone();
    gap[..8].copy_from_slice(&f64::NAN.to_le_bytes());
    scratch.write("x.npy", foreign::npy("<f8", "30, 3", &values));
    scratch.write("gap.npy", foreign::npy("<f8", "30, 3", &gap));
    scratch.succeed(&format!("{TRAIN} --data gap.npy --missing mean --out x"));
    let message = scratch.fail("score x --data t.csv --out s.csv", 2, "--label-column y");
    assert!(message.contains("each row has 4 values"), "{message}");
    scratch.succeed("score x --data t.csv --label-column y --out s.csv");
    // What is filled in is said of arrays too.
    for command in ["score x --out s.csv", "encode x --out z.csv"] {
        let (_, err) = scratch.both(&format!("{command} --data gap.npy"));
        assert!(err.contains("missing values filled in with the mean of the training part: 1\n"), "{err}");
        assert!(!scratch.said(&format!("{command} --data x.npy")).contains("filled in"));
    }
    // And what cannot be drawn is not advised.
    let message = scratch.fail("score x --data x.npy --out s.csv --picture w.png", 2, "leave it out");
    assert!(message.contains("--picture"), "{message}");
    scratch.succeed(&format!("{TRAIN} --model ae --data x.npy --out ae"));
    let message = scratch.fail("sample ae --out s.csv", 2, "use `encode` and `decode`");
    assert!(message.contains("autoencoder"), "{message}");
    scratch.succeed("encode ae --out z.csv");
    scratch.succeed("decode ae --latents z.csv --out back.csv");
    scratch.write("few.csv", "0.5,1.25\n-1.5,2.75\n3.25,0.5\n");
    scratch.fail("latent-map run --data few.csv --method tsne --out m.png", 2, "takes 4 data or more");
    scratch.succeed("latent-map run --data few.csv --method pca --out m.png");
}
