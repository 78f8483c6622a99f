//! People's own pictures and arrays: what the command says of them, that what it advises helps, and that training does what
//! `vae-gpu data` said.

#[path = "common/foreign.rs"]
mod foreign;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "own_data/tables.rs"]
mod tables;
#[path = "common/tiny.rs"]
mod tiny;
#[path = "own_data/units.rs"]
mod units;

use std::fs;

use image::{GrayImage, ImageBuffer, Luma, RgbImage};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use scratch::Scratch;
use serde_json::Value;

/// A short training.
const TRAIN: &str = "train --hidden 8 --latent 2 --batch-size 8 --epochs 2 --force --out run -q";

/// Writes grey pictures of 8x8 into each folder, with the values that `value` makes of their number and place.
fn write_pictures(scratch: &Scratch, folders: &[&str], each: u32, value: impl Fn(u32, u32) -> u8) {
    for folder in folders {
        let path = scratch.path(folder);
        fs::create_dir_all(&path).unwrap();
        for i in 0..each {
            let picture = GrayImage::from_fn(8, 8, |x, y| Luma([value(i, x + 8 * y)]));
            picture.save(path.join(format!("{i}.png"))).unwrap();
        }
    }
}

fn grey(i: u32, at: u32) -> u8 {
    (i * 37 + at * 4) as u8
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn a_validation_part_chooses_and_can_be_evaluated() {
    let scratch = Scratch::new();
    let folders = ["p/Train/cat", "p/Train/dog", "p/VAL/cat", "p/testing/dog"];
    write_pictures(&scratch, &folders, 8, grey);
    fs::copy(scratch.path("p/VAL/cat/0.png"), scratch.path("p/preview.png")).unwrap();
    let assert = scratch.command("data p").assert().success();
    let assert =
        assert.stderr(contains("1 picture lies outside the folders of the parts, left out: preview.png"));
    let told = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    assert!(told.contains("rows      16 for training, 8 for validation, 8 for test"), "{told}");
    assert!(
        told.contains("found     parts by their folders: Train for training, VAL for validation"),
        "{told}"
    );
    let described = json(&scratch.succeed("data p --json"));
    assert_eq!(
        (&described["train"], &described["valid"], &described["test"]),
        (&16.into(), &8.into(), &8.into())
    );

    let done = scratch.succeed(&format!("{TRAIN} --data p --patience 5 --keep best"));
    assert!(done.contains("best validation ELBO"), "{done}");
    let counted = |split: &str| {
        json(&scratch.succeed(&format!("evaluate run --json --split {split}")))["count"].clone()
    };
    assert_eq!((counted("valid"), counted("train"), counted("test")), (8.into(), 16.into(), 8.into()));
    scratch.fail(
        &format!("{TRAIN} --data p --valid 0.2"),
        2,
        "p has a validation part of its own; leave it out",
    );
    // A conditional model needs labels in every part.
    scratch.succeed(&format!("{TRAIN} --data p --condition labels"));
    fs::rename(scratch.path("p/testing/dog"), scratch.path("p/moved")).unwrap();
    fs::remove_dir(scratch.path("p/testing")).unwrap();
    fs::rename(scratch.path("p/moved"), scratch.path("p/testing")).unwrap();
    scratch.fail(&format!("{TRAIN} --data p --condition labels"), 2, "a part of p has no labels");
    assert!(!scratch.succeed(&format!("{TRAIN} --data p")).contains("best test"));
}

#[test]
fn masks_and_twelve_bits_are_trained_on_with_the_flag_that_is_named() {
    let scratch = Scratch::new();
    write_pictures(&scratch, &["masks"], 20, |i, at| u8::from((i + at) % 3 == 0));
    fs::create_dir(scratch.path("deep")).unwrap();
    for i in 0..20u32 {
        let picture = ImageBuffer::from_fn(8, 8, |x, y| {
            Luma([if x + y == 0 {
                4095
            } else {
                (i * 131 + (x + 8 * y - 1) * 17) as u16 * u16::from(x > 0) % 4096
            }])
        });
        picture.save(scratch.path(&format!("deep/{i}.png"))).unwrap();
    }
    for (data, words) in [("masks", "no further than 1 of 255"), ("deep", "of 1, so the model sees")] {
        let advised = contains(words).and(contains("which is black; --scaling minmax spreads them"));
        scratch.command(&format!("data {data}")).assert().success().stderr(advised);
        scratch
            .command(&format!("data {data} --scaling minmax"))
            .assert()
            .success()
            .stderr(contains("black").not());
        let described = json(&scratch.succeed(&format!("data {data} --scaling minmax --json")));
        assert!(described["scaling"]["scale"][0].as_f64().unwrap() < 0.07, "{described}");
        scratch.succeed(&format!("{TRAIN} --data {data} --scaling minmax"));
        scratch.succeed(&format!("score run --data {data} --out -"));
    }
}

#[test]
fn a_picture_too_large_is_trained_on_as_the_message_says() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("large")).unwrap();
    for i in 0..10u8 {
        let picture = RgbImage::from_fn(200, 200, |x, y| image::Rgb([i * 20, x as u8, y as u8]));
        picture.save(scratch.path(&format!("large/{i}.png"))).unwrap();
    }
    // Convolutions take them, and no larger ones.
    assert!(scratch.succeed("data large").contains("--likelihood gaussian-learned"));
    fs::create_dir(scratch.path("larger")).unwrap();
    for i in 0..2 {
        RgbImage::new(300, 300).save(scratch.path(&format!("larger/{i}.png"))).unwrap();
    }
    assert!(scratch.succeed("data larger").contains("use --image-size 150x150, or --grey"));
    let advice = "use --image-size 100x100, or --grey, or --net conv, which takes 196608";
    scratch.fail(&format!("{TRAIN} --data large"), 2, advice);
    for flag in ["--image-size 100x100", "--grey"] {
        scratch.succeed(&format!("{TRAIN} --data large {flag}"));
    }
    GrayImage::new(8, 8).save(scratch.path("large/other.png")).unwrap();
    let message = scratch.fail(&format!("{TRAIN} --data large --grey"), 2, "other.png is 8x8");
    let size = message.split("such as --image-size ").nth(1).unwrap().split_whitespace().next().unwrap();
    scratch.succeed(&format!("{TRAIN} --data large --image-size {size}"));
}

#[test]
fn arrays_of_every_type_train_and_score_alike() {
    let scratch = Scratch::new();
    let values: Vec<i64> = (0..40 * 6).map(|i| i * 7 % 31).collect();
    let bytes = |descr: &str| -> Vec<u8> {
        values
            .iter()
            .flat_map(|v| match descr {
                "<i8" => v.to_le_bytes().to_vec(),
                ">i4" => (*v as i32).to_be_bytes().to_vec(),
                "<f8" => (*v as f64).to_le_bytes().to_vec(),
                _ => (*v as u16).to_le_bytes().to_vec(),
            })
            .collect()
    };
    let scores = ["<i8", ">i4", "<f8", "<u2"].map(|descr| {
        scratch.write("x.npy", foreign::npy(descr, "40, 6", &bytes(descr)));
        scratch.succeed(&format!("{TRAIN} --data x.npy --likelihood gaussian"));
        scratch.succeed("score run --data x.npy --out -")
    });
    assert_eq!(scores, [&scores[0]; 4].map(String::clone));
    assert!(scratch.succeed("data x.npy").contains("numbers of type uint16: read as 32-bit floats"));
    // A folder of pictures is no table.
    write_pictures(&scratch, &["photos"], 2, grey);
    scratch.fail("score run --data photos --out -", 2, "the model is of rows of 6 numbers");
}

#[test]
fn the_array_that_is_named_is_trained_on() {
    let scratch = Scratch::new();
    let x = |value: u8| foreign::npy("|u1", "40, 8, 8", &[0, value].repeat(40 * 32));
    scratch.write("two.npz", foreign::npz(&[("a", x(1)), ("b", x(200))]));
    scratch.fail("data two.npz", 1, "name one with --array, or call the data x");
    let told = scratch.succeed("data two.npz --array a");
    assert!(told.contains("binary data") && told.contains("values    from 0 to 1"), "{told}");
    scratch.succeed(&format!("{TRAIN} --data two.npz --array a"));
    scratch.succeed("evaluate run");
    let config = String::from_utf8(scratch.read("run/config.toml")).unwrap();
    assert!(config.contains("array = \"a\"") && config.contains("bits = true"), "{config}");
    // Other data may call its array otherwise, or be a file of one.
    scratch.write("one.npz", foreign::npz(&[("new", x(1))]));
    scratch.write("one.npy", x(1));
    let score = |data: &str| scratch.succeed(&format!("score run --data {data} --out -"));
    assert_eq!((score("one.npz"), score("one.npy")), (score("two.npz"), score("two.npz")));
    scratch.fail("data two.npz --array c", 2, "--array c: two.npz has array a [40, 8, 8], uint8; array b");
    scratch.fail("data tiny --array a", 2, "only .npz files have arrays with names");
}

#[test]
fn one_of_several_sets_of_idx_files_is_trained_on_as_the_message_says() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("emnist")).unwrap();
    for set in ["letters", "digits"] {
        for (part, name) in [("train", "train"), ("test", "t10k")] {
            for kind in ["images-idx3", "labels-idx1"] {
                let to = format!("emnist/emnist-{set}-{part}-{kind}-ubyte");
                // Content tells whether a file is packed.
                let from = format!("tiny/{name}-{kind}-ubyte{}", if part == "train" { ".gz" } else { "" });
                fs::copy(scratch.path(&from), scratch.path(&to)).unwrap();
            }
        }
    }
    let message = scratch.fail("data emnist", 2, "emnist holds 2 data sets: emnist-digits, emnist-letters");
    let advised = message.split("such as ").nth(1).unwrap().trim();
    assert!(
        scratch
            .succeed(&format!("data {}", &advised["--data ".len()..]))
            .contains("256 for training, 64 for test")
    );
    scratch.succeed(&format!("{TRAIN} {advised}"));
}

#[test]
fn rows_of_an_array_are_pictures_to_a_model_that_was_trained_with_mirrored_ones() {
    let scratch = Scratch::new();
    write_pictures(&scratch, &["p"], 20, grey);
    scratch.succeed(&format!("{TRAIN} --data p --flip"));
    let rows: Vec<u8> = (0..5).flat_map(|i| (0..64).map(move |at| grey(i, at))).collect();
    scratch.write("x.npy", foreign::npy("|u1", "5, 64", &rows));
    let report = json(&scratch.succeed("evaluate run --data x.npy --json"));
    assert_eq!(report["count"], 5);
    // What is refused is refused for what it is.
    let far: Vec<u8> = [9.5f32; 64].iter().flat_map(|v| v.to_le_bytes()).collect();
    scratch.write("far.npy", foreign::npy("<f4", "1, 64", &far));
    scratch.succeed(&format!("{TRAIN} --data p --flip --likelihood bernoulli"));
    scratch.fail("evaluate run --data far.npy", 2, "has values outside 0..1");
}

#[test]
fn other_data_with_parts_of_its_own_is_told_from_the_run_s() {
    let scratch = Scratch::new();
    for (name, shift) in [("p", 0), ("q", 5)] {
        let folders = [format!("{name}/train"), format!("{name}/test")];
        write_pictures(&scratch, &folders.each_ref().map(|f| &f[..]), 8, |i, at| grey(i + shift, at));
    }
    scratch.succeed(&format!("{TRAIN} --data p"));
    let other = "q is other data than the run was trained on, or has changed since: ";
    for line in ["evaluate run", "traverse run --image 0", "interpolate run --from 0 --to 1"] {
        assert_eq!(scratch.said(&format!("{line} --data q")).matches(other).count(), 1, "{line}");
        assert!(!scratch.said(&format!("{line} --data p")).contains("is other data"), "{line}");
    }
    let score = |data: &str| scratch.said(&format!("score run --data {data} --out s.csv"));
    assert!(score("q").contains(other) && !score("p").contains("is other data"));
}

#[test]
fn the_folder_of_a_run_is_no_data() {
    let scratch = Scratch::new();
    write_pictures(&scratch, &["p"], 20, grey);
    scratch.succeed(&format!("{TRAIN} --data p"));
    for line in ["data run", "train --data run", "evaluate run --data run"] {
        scratch.fail(line, 2, "run is the folder of a run, not of data");
    }
    let listed = scratch.succeed("runs run");
    assert!(listed.lines().count() == 2 && listed.contains("\nrun "), "{listed}");
    // Its pictures may be meant.
    scratch.succeed("data run/samples");
    // Two runs differ in what is set; what the data says is long, and hidden.
    scratch.succeed(&format!("{TRAIN} --data p --seed 3").replace("--out run", "--out other"));
    write_pictures(&scratch, &["q"], 20, |i, at| grey(i + 3, at));
    scratch.succeed(&format!("{TRAIN} --data q").replace("--out run", "--out third"));
    let table = scratch.succeed("compare run other third");
    let keys: Vec<&str> = table.lines().filter_map(|line| line.split("  ").next()).collect();
    assert!(keys.contains(&"train.seed") && keys.contains(&"data's fingerprint"), "{table}");
    assert!(!table.contains("bytes =") && table.lines().all(|line| line.chars().count() < 200), "{table}");
}

#[test]
fn weights_that_were_learnt_for_something_else_are_named() {
    let scratch = Scratch::new();
    let rows = |first: &str, second: &str| {
        let rows = (0..40).map(|i| format!("{},{},{}\n", i % 7, i * i, ["x", "y"][i % 2]));
        format!("{first},{second},kind\n{}", rows.collect::<String>())
    };
    scratch.write("t.csv", rows("age", "size"));
    scratch.write("u.csv", rows("size", "age"));
    scratch.write("v.csv", rows("age", "size").replace(",x\n", ",a\n").replace(",y\n", ",b\n"));
    let line = "train --hidden 8 --latent 2 --epochs 1 --force --label-column kind --condition labels";
    scratch.succeed(&format!("{line} --data t.csv --out run -q"));
    let warned = |flags: &str| {
        let told = scratch.said(&format!("{line} --out next --init-from run {flags}"));
        let found = told.lines().find_map(|line| line.split_once("learnt for something else: "));
        found.map_or_else(String::new, |(_, what)| what.to_owned())
    };
    assert_eq!(warned("--data t.csv"), "");
    assert_eq!(warned("--data u.csv"), "column 1 is `age` there and `size` here");
    assert_eq!(warned("--data v.csv"), "class 0 is `x` there and `a` here");
    let text = warned("--data t.csv --activation tanh");
    assert_eq!(text, "layer encoder.0 is `linear 8 relu` there and `linear 8 tanh` here");
    let text = warned("--data t.csv --likelihood gaussian");
    assert_eq!(text, "the likelihood is `gaussian-learned (optimal variance)` there and `gaussian` here");
}

#[test]
fn columns_of_text_in_other_data_are_labels_or_left_out() {
    let scratch = Scratch::new();
    let rows: String = (0..40).map(|i| format!("{},{}\n", i % 7, i * i)).collect();
    scratch.write("t.csv", rows.clone());
    scratch.succeed(&format!("{TRAIN} --data t.csv"));
    scratch.write("u.csv", rows.replace('\n', ",x\n"));
    let message = scratch.fail("evaluate run --data u.csv", 1, "column 3");
    assert!(
        message.contains("leave columns out that the model does not know, name a column of labels"),
        "{message}"
    );
    scratch.succeed("evaluate run --data u.csv --label-column 3");
    scratch.fail("decode run --latents u.csv --out x.png", 2, "pictures go into a folder: --out DIR/");
}

#[test]
fn built_in_data_is_read_as_the_run_read_it() {
    let scratch = Scratch::new();
    let line = "train --data shapes --image-size 64x64 --latent 2 --batch-size 100 --epochs 1 --valid 0.95 --out run -q";
    let assert = scratch.command(line).args(["--encoder", "conv 4x4/4, conv 4x4/4"]).assert().success();
    assert.stderr(contains("panicked").not());
    let report = json(&scratch.succeed("evaluate run --data shapes --limit 10 --json"));
    assert_eq!(report["count"], 10);
}

#[test]
fn a_run_among_the_pictures_is_no_data() {
    let scratch = Scratch::new();
    write_pictures(&scratch, &["p/cat", "p/dog"], 10, grey);
    scratch.succeed(&format!("{TRAIN} --data p").replace("--out run", "--out p/runs/one"));
    let told = scratch.said("data p");
    assert!(told.contains("the pictures of runs are no data, left out: runs/one"), "{told}");
    let described = json(&scratch.succeed("data p --json"));
    assert_eq!((&described["train"], &described["test"]), (&18.into(), &2.into()));
    scratch.succeed("train --resume p/runs/one --epochs 3 -q");
    let message = scratch.fail(
        &format!("{TRAIN} --data p").replace("--out run", "--out p"),
        2,
        "it is the folder of the data",
    );
    assert!(message.contains("such as --out p/run"), "{message}");
}

#[test]
fn an_array_of_one_picture_is_told_from_many() {
    let scratch = Scratch::new();
    let values: Vec<u8> = (0..20 * 192u32).map(|i| (i * 7) as u8).collect();
    scratch.write("x.npy", foreign::npy("|u1", "20, 8, 8, 3", &values));
    scratch.succeed(&format!("{TRAIN} --data x.npy"));
    scratch.write("one.npy", foreign::npy("|u1", "8, 8, 3", &values[..192]));
    scratch.fail(
        "score run --data one.npy --out x.csv",
        2,
        "a single picture is an array of one: save x[None]",
    );
    scratch.write("large.npy", foreign::npy("|u1", "32, 32, 3", &values[..3072]));
    assert!(scratch.said("data large.npy").contains("is read as 32 pictures of 3x32"));
}

#[test]
fn pixels_of_a_table_are_found_by_name() {
    let scratch = Scratch::new();
    let text = |order: &[usize], label: bool| {
        let names: Vec<String> = order.iter().map(|at| format!("pixel{at}")).collect();
        let rows = (0..40).map(|i| {
            let row: Vec<String> = order.iter().map(|at| (i * 37 % 251 + at * 3).to_string()).collect();
            format!("{}{}\n", if label { format!("{},", i % 3) } else { String::new() }, row.join(","))
        });
        format!("{}{}\n{}", if label { "label," } else { "" }, names.join(","), rows.collect::<String>())
    };
    let plain: Vec<usize> = (0..64).collect();
    let mut sorted = plain.clone();
    sorted.sort_by_key(|at| format!("pixel{at}"));
    scratch.write("t.csv", text(&plain, false));
    scratch.write("sorted.csv", text(&sorted, false));
    scratch.write("labelled.csv", text(&plain, true));
    scratch.write("renamed.csv", text(&plain, false).replace("pixel9", "dot9"));
    scratch.succeed(&format!("{TRAIN} --data t.csv --image-size 8x8"));
    let score = |data: &str| scratch.succeed(&format!("score run --data {data} --out -"));
    assert_eq!(score("t.csv"), score("sorted.csv"));
    assert_eq!(score("t.csv"), score("labelled.csv"));
    scratch.fail("score run --data renamed.csv --out -", 1, "it lacks 1 of the 64 columns");
    scratch.fail(
        "data labelled.csv --image-size 8x8",
        1,
        "if one of them holds labels, name it with --label-column label",
    );
    scratch.succeed("data labelled.csv --image-size 8x8 --label-column label");
}

#[test]
fn advice_on_tables_works() {
    let scratch = Scratch::new();
    let rows: String = (0..40).map(|i| format!("{},{}\n", i % 7, i * i)).collect();
    scratch.write("units.csv", format!("a,b\ns,m/s\n{rows}"));
    scratch.fail("data units.csv", 1, "remove row 1 (line 2), and any other row that has text");
    scratch.write("again.csv", format!("a,b\n{rows}a,b\n{rows}"));
    scratch.fail("data again.csv", 1, "remove row 41 (line 42), and any other row that has the names");
    scratch.write("total.csv", format!("a,b\n{rows}Total,9\n"));
    scratch.fail("data total.csv", 1, "remove row 41 (line 42), and any other row that has text");
    scratch.write("title.csv", format!("A table\na,b\n{rows}"));
    scratch.fail("data title.csv", 1, "remove what stands above the names of the columns");
    scratch.write("note.csv", format!("a,b\n{rows}# checked\n{rows}"));
    scratch.fail("data note.csv", 1, "row 41 (line 42) has 1 cell, but the first has 2");
    for name in ["x.csv", "x.npy", "x.npz", "x.parquet"] {
        scratch.write(name, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
        scratch.fail(&format!("data {name}"), 1, "a pointer of Git LFS");
    }
    scratch.write("n.npy", foreign::npy("|u1", "4, 3", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
    scratch.fail("data n.npy --drop 1", 2, "save an array of those that are to be read, such as np.save");
    // A model of columns without names takes data with exactly those.
    scratch.write("wide.csv", rows.replace('\n', ",3.5\n"));
    scratch.succeed(&format!("{TRAIN} --data wide.csv --drop 3"));
    scratch.write("two.csv", rows.clone());
    scratch.succeed("score run --data two.csv --out -");
    scratch.fail("reconstruct run --out r.csv", 2, "which is no picture");
    // Of a run that leaves rows out, no advice that a command lacks.
    scratch.succeed(&format!("{TRAIN} --data two.csv --missing drop"));
    scratch.write("gaps.csv", "1,\n,2\n");
    let told = scratch.fail("score run --data gaps.csv --out -", 1, "no row has all its values");
    assert!(!told.contains("--missing"), "{told}");
}

#[test]
fn pictures_of_another_size_or_in_grey_are_told_of() {
    let scratch = Scratch::new();
    let write = |folder: &str, width: u32, height: u32, grey: bool| {
        fs::create_dir(scratch.path(folder)).unwrap();
        for i in 0..12u8 {
            // The middle of a tall one is the picture that was learnt from.
            let (left, top) = ((width - 8) / 2, (height - 8) / 2);
            let value = |x: u32, y: u32| {
                let inside = (left..left + 8).contains(&x) && (top..top + 8).contains(&y);
                if inside { i * 20 + ((x - left) * 3 + y - top) as u8 } else { 9 }
            };
            let path = scratch.path(&format!("{folder}/{i}.png"));
            match grey {
                true => GrayImage::from_fn(width, height, |x, y| Luma([value(x, y)])).save(path).unwrap(),
                false => RgbImage::from_fn(width, height, |x, y| image::Rgb([value(x, y), 7, 200]))
                    .save(path)
                    .unwrap(),
            }
        }
    };
    write("tr", 8, 8, false);
    write("tall", 8, 24, false);
    write("big", 16, 16, false);
    write("grey", 8, 8, true);
    scratch.succeed(&format!("{TRAIN} --data tr"));
    let told = |data: &str| scratch.said(&format!("score run --data {data} --out s.csv"));
    let tall = told("tall");
    assert!(
        tall.contains("warning: 12 pictures of 8x24 are cut and resized to 8x8, as the model is"),
        "{tall}"
    );
    assert!(!tall.contains("the run was trained on"), "{tall}");
    assert!(told("big").contains("12 pictures of 16x16 are resized to 8x8, as the model is"));
    assert!(told("grey").contains("12 grey pictures are read in colour, as the model is"));
    // The run's own, where they were and where they are now.
    fs::rename(scratch.path("tr"), scratch.path("moved")).unwrap();
    let moved = told("moved");
    assert!(
        moved.contains("moved is the data that the run was trained on") && !moved.contains("warning: 12"),
        "{moved}"
    );
    scratch.succeed(&format!("{TRAIN} --data tall --image-size 8x8"));
    let own = told("tall");
    assert!(own.contains("is the data that the run was trained on") && !own.contains("resized"), "{own}");
}
