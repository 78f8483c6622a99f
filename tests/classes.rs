//! Labels and columns have names; a model knows them by name, whatever file they come from.

#[path = "common/foreign.rs"]
mod foreign;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use image::GrayImage;
use predicates::str::contains;
use scratch::Scratch;

/// Rows of two columns and a class; the columns correlate with the class, and the class names are in no numeric order.
const CLASSES: [&str; 3] = ["good", "bad", "7"];
const TRAIN: &str = "--label-column kind --condition labels --likelihood gaussian --hidden 16 --latent 2 \
                     --batch-size 16 --epochs 4 --lr 0.01 --quiet --out run";

fn row(i: usize) -> String {
    let class = i % CLASSES.len();
    format!("{},{},{}\n", 10 * class + i % 5, 100 - 30 * class + i % 7, CLASSES[class])
}

fn table(rows: impl Iterator<Item = usize>) -> String {
    format!("sweet,sour,kind\n{}", rows.map(row).collect::<String>())
}

fn trained() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("all.csv", table(0..90));
    scratch.succeed(&format!("train --data all.csv {TRAIN}"));
    scratch
}

fn lines(scratch: &Scratch, name: &str) -> Vec<String> {
    String::from_utf8(scratch.read(name)).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_class_is_asked_for_by_its_name() {
    let scratch = trained();
    let mean = |label: &str| {
        scratch.succeed(&format!("sample run --label {label} --count 200 --out {label}.csv"));
        let lines = lines(&scratch, &format!("{label}.csv"));
        assert_eq!(lines[0], "sweet,sour,kind");
        assert!(lines[1..].iter().all(|line| line.ends_with(&format!(",{label}"))), "{lines:?}");
        let sweet = |line: &String| line.split(',').next().unwrap().parse::<f64>().unwrap();
        lines[1..].iter().map(sweet).sum::<f64>() / 200.0
    };
    let means = CLASSES.map(mean);
    assert!(means[0] < means[1] && means[1] < means[2], "{means:?}");
    scratch.fail(
        "sample run --label sour --out x.csv",
        2,
        "label `sour`: the model knows the labels 7, bad, good",
    );
    scratch.fail("sample run --label 0 --out x.csv", 2, "label `0`: the model knows the labels");
}

#[test]
fn classes_of_other_files_are_matched_by_name() {
    let scratch = trained();
    // One class alone, which has number 0 in its own file, and its rows in another order.
    let some: Vec<usize> = (0..90).filter(|i| i % 3 == 0).rev().collect();
    scratch.write("some.csv", table(some.iter().copied()));
    scratch.succeed("encode run --data all.csv --out all.z.csv");
    scratch.succeed("encode run --data some.csv --out some.z.csv");
    let all = lines(&scratch, "all.z.csv");
    // Without the number that each begins with.
    let codes = |line: &str| line.split_once(',').unwrap().1.to_owned();
    let all: Vec<String> = all.iter().map(|line| codes(line)).collect();
    let expected: Vec<String> = some.iter().map(|i| all[i + 1].clone()).collect();
    let found: Vec<String> = lines(&scratch, "some.z.csv")[1..].iter().map(|line| codes(line)).collect();
    assert_eq!(found, expected);

    scratch.succeed("score run --data some.csv --out scores.csv");
    assert!(lines(&scratch, "scores.csv")[1..].iter().all(|line| line.ends_with(",good")));
    let told = scratch.succeed("evaluate run --split train");
    assert!(CLASSES.iter().all(|name| told.contains(&format!(" {name} "))), "{told}");

    // Codes with their labels, of only two classes.
    let z = |i: usize, kind: &str| format!("{},{kind}\n", all[i + 1]);
    scratch.write("codes.csv", format!("a,b,kind\n{}{}", z(0, "good"), z(1, "bad")));
    scratch.succeed("decode run --latents codes.csv --label-column kind --out both.csv");
    scratch.write("code.csv", format!("a,b\n{}\n", all[1]));
    scratch.succeed("decode run --latents code.csv --label good --out good.csv");
    assert_eq!(lines(&scratch, "both.csv")[..2], lines(&scratch, "good.csv")[..]);

    scratch.write("new.csv", table(0..3).replace("bad", "ugly"));
    scratch.fail(
        "encode run --data new.csv --out x.csv",
        2,
        "label `ugly`: the model knows the labels 7, bad",
    );
    scratch.write("bare.csv", "sweet,sour\n1,2\n");
    scratch.fail("encode run --data bare.csv --label-column kind --out x.csv", 2, "kind");
}

#[test]
fn a_run_goes_on_with_the_classes_it_has() {
    let scratch = trained();
    let config = String::from_utf8(scratch.read("run/config.toml")).unwrap();
    assert!(config.contains(r#"class_names = ["7", "bad", "good"]"#), "{config}");
    scratch.succeed("train --resume run --epochs 5 --quiet");
    assert!(String::from_utf8(scratch.read("run/config.toml")).unwrap().contains("class_names = ["));
    scratch.write("all.csv", table(0..90).replace("bad", "ugly"));
    scratch.fail("train --resume run --epochs 6", 2, "label `ugly`");
}

#[test]
fn columns_are_found_by_their_names() {
    let scratch = trained();
    let scores = |name: &str, text: String| {
        scratch.write(name, text);
        scratch.succeed(&format!("score run --data {name} --out x.csv"));
        lines(&scratch, "x.csv")
    };
    let usual = scores("usual.csv", table(0..9));
    let turned: String = table(0..9)
        .lines()
        .map(|line| {
            let [sweet, sour, kind] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
            format!("{kind},{sour},{sweet}\n")
        })
        .collect();
    assert_eq!(scores("turned.csv", turned), usual);
    // Names that say otherwise than the values lie give other scores.
    assert_ne!(scores("false.csv", table(0..9).replace("sweet,sour", "sour,sweet")), usual);
    // Rows without column names are taken in order.
    let bare: String = (0..9).map(row).collect();
    scratch.write("bare.csv", bare);
    scratch.succeed("score run --data bare.csv --label-column 3 --out x.csv");
}

#[test]
fn data_that_a_conditional_model_cannot_take_says_what_gives_it_labels() {
    let scratch = trained();
    scratch.write("bare.csv", "sweet,sour\n1,2\n");
    let message = scratch.fail("score run --data bare.csv --out x.csv", 2, "has no column `kind`");
    assert!(message.contains("name another one with --label-column"), "{message}");

    for (folder, count) in [("p/cat", 10), ("p/dog", 10)] {
        std::fs::create_dir_all(scratch.path(folder)).unwrap();
        for i in 0..count {
            GrayImage::from_fn(4, 4, |x, y| image::Luma([(i * 20 + 5 * x + y) as u8]))
                .save(scratch.path(&format!("{folder}/{i}.png")))
                .unwrap();
        }
    }
    scratch.succeed(
        "train --data p --condition labels --hidden 8 --latent 2 --batch-size 8 --epochs 1 -q --out pictures",
    );
    std::fs::copy(scratch.path("p/cat/1.png"), scratch.path("1.png")).unwrap();
    let message = scratch.fail("score pictures --data 1.png --out x.csv", 2, "1 has none");
    assert!(
        message.contains("put each picture into a folder that is called as its label: cat, dog"),
        "{message}"
    );
    std::fs::copy(scratch.path("1.png"), scratch.path("p/1.png")).unwrap();
    let message = scratch.fail("score pictures --data p --out x.csv", 2, "1.png of p: label `unlabelled`");
    assert!(
        message.contains("move such pictures into the folder of their label, or leave them out"),
        "{message}"
    );
    let x = foreign::npy("|u1", "4, 4, 4", &(0..64).collect::<Vec<u8>>());
    scratch.write("n.npz", foreign::npz(&[("x", x), ("y", foreign::npy("|u1", "4,", &[0, 1, 0, 1]))]));
    let warned = contains("count as those of the model's classes: 0 is cat, 1 is dog");
    scratch.command("score pictures --data n.npz --out x.csv").assert().success().stderr(warned);
}
