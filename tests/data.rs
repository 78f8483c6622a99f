//! A user's own data through the command: its description, training on it, and the errors for bad files.

#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;

use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use scratch::Scratch;
use serde_json::Value;
use vae_gpu::data::write::Matrix;

/// A short training.
const TRAIN: &str = "train --hidden 8 --latent 2 --batch-size 32 --epochs 1 --out run";

/// 200 rows of three correlated columns and a label.
fn rows() -> Vec<[f32; 3]> {
    (0..200).map(|i| (i as f32 * 0.37).sin()).map(|v| [100.0 + 5.0 * v, -v, 7.0]).collect()
}

fn csv() -> String {
    let row = |(i, [a, b, c]): (usize, &[f32; 3])| format!("{a},{b},{},{c}\n", ["red", "blue"][i % 2]);
    let rows = rows();
    format!("a,b,kind,c\n{}", rows.iter().enumerate().map(row).collect::<String>())
}

fn matrix(format: Matrix, names: &[&str], dim: usize, values: &[f32]) -> Vec<u8> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut bytes = Vec::new();
    format.write(&mut bytes, &names, dim, values).unwrap();
    bytes
}

/// A .npy file of bytes.
fn npy_bytes(shape: &str, values: &[u8]) -> Vec<u8> {
    let dict = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({shape}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((dict.len() as u16).to_le_bytes());
    bytes.extend(dict.as_bytes());
    bytes.extend(values);
    bytes
}

/// A folder of 40 blobs in two classes; one file cannot be read.
fn write_pictures(scratch: &Scratch) {
    let blobs = tiny::images(40);
    for (i, pixels) in blobs.chunks(tiny::SIDE * tiny::SIDE).enumerate() {
        let folder = scratch.path(["blobs/even", "blobs/odd"][i % 2]);
        fs::create_dir_all(&folder).unwrap();
        let side = tiny::SIDE as u32;
        let picture = image::GrayImage::from_raw(side, side, pixels.to_vec()).unwrap();
        picture.save(folder.join(format!("{i:02}.png"))).unwrap();
    }
    scratch.write("blobs/odd/broken.png", "no picture");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn a_table_is_described_trained_on_and_remembered() {
    let scratch = Scratch::new();
    scratch.write("t.csv", csv());
    let told = json(&scratch.succeed("data t.csv --label-column kind --json"));
    assert_eq!((&told["kind"], &told["train"], &told["test"]), (&"table".into(), &180.into(), &20.into()));
    assert_eq!(told["columns"][2]["name"], "c");
    assert_eq!(told["columns"][2]["std"], 0.0);
    assert_eq!(told["labels"].as_array().map(Vec::len), Some(2));
    assert!(told["warnings"][0].as_str().unwrap().contains("column 3 (`c`)"), "{told}");
    let text = scratch.succeed("data t.csv --label-column kind");
    assert!(
        text.starts_with("t: table of 3 columns, floats\nrows      180 for training, 20 for test"),
        "{text}"
    );

    let train = format!("{TRAIN} --data t.csv --label-column kind");
    let bernoulli = format!("{train} --likelihood bernoulli");
    let message =
        scratch.fail(&bernoulli, 2, "--likelihood bernoulli is of values in 0..1, but t has others");
    assert!(message.contains("use --likelihood gaussian or gaussian-learned"), "{message}");
    let warned =
        contains("warning: the same value in every training row").and(contains("180 training and 20 test"));
    scratch.command(&format!("{train} --likelihood gaussian")).assert().success().stderr(warned);
    let config = String::from_utf8(scratch.read("run/config.toml")).unwrap();
    assert!(config.contains("shape = [3, 1, 1]") && config.contains("label_column = \"kind\""), "{config}");
    let scaling: toml::Table = config.parse().unwrap();
    assert_eq!(scaling["source"]["scaling"]["shift"].as_array().map(Vec::len), Some(3));
    let before = scratch.succeed("evaluate run --json");
    scratch.succeed("train --resume run --epochs 2 -q");
    assert_ne!(before, scratch.succeed("evaluate run --json"));
    scratch.fail(
        "sample run --out s.png",
        2,
        "data of 3 columns, which is no picture; use --out with a name",
    );
    scratch.fail("reconstruct run", 2, "which is no picture");
    scratch.succeed("sample run --count 50 --out s.csv");
    let samples = String::from_utf8(scratch.read("s.csv")).unwrap();
    assert_eq!(samples.lines().next(), Some("a,b,c"));
    let first: Vec<f32> =
        samples.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    let mean = first.iter().sum::<f32>() / 50.0;
    assert!(first.len() == 50 && (90.0..110.0).contains(&mean), "samples in units of the data: {mean}");
    assert!(!scratch.path("run/samples").join("epoch-0001.png").exists(), "a table has no picture");

    // A new run with the old one's configuration learns its own scaling.
    scratch.write("t.csv", csv().replace("100", "200"));
    scratch.succeed(&format!("{TRAIN}2 --config run/config.toml -q"));
    let again = String::from_utf8(scratch.read("run2/config.toml")).unwrap();
    let again: toml::Table = again.parse().unwrap();
    assert_ne!(again["source"]["scaling"], scaling["source"]["scaling"]);
}

#[test]
fn what_fits_the_data_is_what_data_says_and_train_takes() {
    let scratch = Scratch::new();
    scratch.write("t.csv", csv());
    scratch.write("binary.npy", matrix(Matrix::Npy, &[], 4, &[0.0, 1.0, 1.0, 0.0].repeat(50)));
    for (name, flags, likelihood) in [
        ("t.csv", "--label-column kind", "gaussian-learned --variance optimal fits: columns whose values"),
        ("binary.npy", "--scaling none", "bernoulli fits: every value is 0 or 1"),
    ] {
        let told = scratch.succeed(&format!("data {name} {flags}"));
        assert!(told.contains(&format!("training  --likelihood {likelihood}")), "{told}");
        let (fitting, why) = likelihood.split_once(" fits").unwrap();
        let said = contains(format!("fitting  --likelihood {fitting}{why}"));
        let train = format!("{TRAIN} --force --data {name} {flags}");
        scratch.command(&train).assert().success().stderr(said);
        let config = String::from_utf8(scratch.read("run/config.toml")).unwrap();
        let name = fitting.split(' ').next().unwrap();
        assert!(config.contains(&format!("likelihood = \"{name}\"")), "{config}");
        // What was chosen stays.
        scratch.succeed("train --resume run --epochs 2 -q");
        scratch
            .command(&format!("{train} --likelihood gaussian"))
            .assert()
            .success()
            .stderr(contains("fitting").not());
    }
}

#[test]
fn shapes_are_drawn_and_their_factors_written() {
    let scratch = Scratch::new();
    let told = scratch.succeed("data shapes --factors factors.csv");
    assert!(
        told.starts_with("shapes: pictures of 32x32x3, bytes\nrows      10000 for training, 2000 for test"),
        "{told}"
    );
    assert!(
        told.contains("square ")
            && told.contains("gaussian-learned --variance optimal fits: pictures in colour")
    );
    let factors = String::from_utf8(scratch.read("factors.csv")).unwrap();
    let lines: Vec<&str> = factors.lines().collect();
    assert_eq!((lines.len(), lines[0]), (12_001, "part,row,shape,colour,size,x,y,angle"));
    assert!(lines[1].starts_with("train,0,") && lines[12_000].starts_with("test,1999,"), "{}", lines[12_000]);
    let squares = lines[1..10_001].iter().filter(|line| line.split(',').nth(2) == Some("square")).count();
    assert!(
        told.lines().any(|line| line.contains("square") && line.contains(&squares.to_string())),
        "{told}"
    );
    scratch.fail("data shapes --factors factors.txt", 2, "factors are written as .csv or .parquet");
    scratch.fail("data shapes --factors -", 2, "name a file");
    let flags = "--hidden 8 --latent 2 --batch-size 512 --epochs 1 --out run -q";
    scratch.succeed(&format!("train {flags} --data shapes --flip --likelihood logistic"));
    assert_eq!(scratch.picture("run/samples/epoch-0001.png"), (8 * 66 + 2, 8 * 66 + 2));
}

#[test]
fn every_format_trains_and_the_scale_can_be_chosen() {
    let scratch = Scratch::new();
    let values: Vec<f32> = rows().concat();
    scratch.write("t.npy", matrix(Matrix::Npy, &[], 3, &values));
    scratch.write("t.csv", matrix(Matrix::Csv, &["a", "b", "c"], 3, &values));
    scratch.write("t.parquet", matrix(Matrix::Parquet, &["a", "b", "c"], 3, &values));
    let elbo = |name: &str, flags: &str| {
        scratch.succeed(&format!("{TRAIN} --force --data {name} {flags} -q"));
        json(&scratch.succeed("evaluate run --json"))["elbo"]["mean"].as_f64().unwrap()
    };
    // The same numbers, whatever the format.
    let gaussian = ["t.npy", "t.csv", "t.parquet"].map(|name| elbo(name, "--likelihood gaussian"));
    assert_eq!(gaussian, [gaussian[0]; 3]);
    assert_eq!(elbo("t.npy", "--likelihood gaussian --stream"), gaussian[0]);
    // Values between 0 and 1 can be probabilities.
    assert!(elbo("t.csv", "--scaling minmax --likelihood bernoulli") < 0.0);
    scratch.succeed(&format!(
        "{TRAIN} --force --data t.csv --scaling minmax --likelihood continuous-bernoulli -q"
    ));
    scratch.fail(
        &format!("{TRAIN} --force --data t.csv --likelihood gaussian --binarize fixed"),
        2,
        "--binarize draws",
    );
    scratch.fail("data t.csv --scaling mean", 2, "standard, minmax, none");
}

#[test]
fn a_folder_of_pictures_is_described_and_trained_on() {
    let scratch = Scratch::new();
    write_pictures(&scratch);
    let assert = scratch.command("data blobs --picture mean.png").assert().success();
    let warning = contains("warning: 1 of 41 pictures cannot be read: ").and(contains("broken.png"));
    let assert = assert.stderr(warning);
    let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    assert!(
        text.contains("pictures of 8x8, bytes") && text.contains("even ") && text.contains("odd "),
        "{text}"
    );
    // One picture of twice 8 pixels, with 2 around it.
    assert_eq!(scratch.picture("mean.png"), (20, 20));
    let shape = |flags: &str| json(&scratch.succeed(&format!("data blobs --json {flags}")))["shape"].clone();
    assert_eq!(shape("--colour"), serde_json::json!([8, 8, 3]));
    assert_eq!(shape("--image-size 6x4"), serde_json::json!([6, 4, 1]));
    scratch.succeed(&format!("{TRAIN} --data blobs --image-size 6x6 --colour -q"));
    assert_eq!(scratch.picture("run/samples/epoch-0001.png"), (8 * 14 + 2, 8 * 14 + 2));
    scratch.succeed("sample run --count 3 --out samples.png");
    scratch.succeed("reconstruct run --count 3 --out pairs.png");
}

#[test]
fn a_test_part_may_come_from_another_file_or_a_share() {
    let scratch = Scratch::new();
    scratch.write("train.npy", npy_bytes("50, 2, 2", &[9; 200]));
    scratch.write("test.npy", npy_bytes("10, 2, 2", &[9; 40]));
    let counts = |flags: &str| {
        let told = json(&scratch.succeed(&format!("data train.npy --json {flags}")));
        (told["train"].as_u64().unwrap(), told["test"].as_u64().unwrap())
    };
    assert_eq!(counts("--test-data test.npy"), (50, 10));
    assert_eq!((counts(""), counts("--test-fraction 0.5")), ((45, 5), (25, 25)));
    scratch.fail("data train.npy --test-fraction 1.5", 2, "--test-fraction 1.5: use a share between 0 and 1");
    scratch.fail("data tiny --test-fraction 0.5", 2, "tiny has a test part of its own");
    scratch.fail("data train.npy --test-data tiny", 2, "name a source of one part");
    scratch.succeed(&format!("{TRAIN} --data train.npy --test-data test.npy -q"));
    let config = String::from_utf8(scratch.read("run/config.toml")).unwrap();
    // Runs also work from other folders.
    let absolute = scratch.path("test.npy").canonicalize().unwrap();
    assert!(config.contains(&format!("test_data = \"{}\"", absolute.display())), "{config}");
}

#[test]
fn a_format_can_be_named() {
    let scratch = Scratch::new();
    scratch.write("numbers.log", "1,2\n3,4\n5,6\n");
    scratch.fail("data numbers.log", 2, "this file is not in a known format");
    assert!(scratch.succeed("data numbers.log --format csv").contains("table of 2 columns"));
    scratch.fail("data numbers.log --format npy", 1, "it is text");
    scratch.fail("data numbers.log --format xls", 2, "invalid value 'xls'");
    scratch.fail("data mnist --grey --colour", 2, "cannot be used with");
    scratch.fail("data mnist --image-size 28", 2, "WxH");
}

#[test]
fn bad_files_fail_with_a_place_and_a_remedy() {
    let scratch = Scratch::new();
    for (name, bytes, words) in [
        ("missing.csv", b"a,b\n1,2\n,4\n".to_vec(), "column 1 (`a`): no value in row 2 (line 3)"),
        ("ragged.csv", b"1,2\n3\n".to_vec(), "row 2 has 1 cell, but the first has 2"),
        ("one.csv", b"1,2\n".to_vec(), "has one row, but training and test data need one each"),
        ("empty.csv", Vec::new(), "it is empty"),
        ("short.npy", npy_bytes("5, 5", &[0; 24]), "the file has"),
        ("none.npz", b"nothing".to_vec(), "not a zip file"),
        ("none.parquet", b"PAR1 nothing PAR1".to_vec(), "not a Parquet file"),
        (
            "nan.npy",
            matrix(Matrix::Npy, &[], 2, &[1.0, 2.0, f32::NAN, 4.0]),
            "row 2, column 1: the value is missing",
        ),
    ] {
        scratch.write(name, bytes);
        let message = scratch.fail(&format!("data {name}"), 1, words);
        assert!(message.contains(name), "{message}");
        scratch.fail(&format!("{TRAIN} --data {name}"), 1, words);
    }
    assert!(!scratch.path("run").exists());
    scratch.fail("data nowhere.csv", 1, "cannot read nowhere.csv");
}

#[test]
fn a_model_finds_its_columns_by_name() {
    let scratch = Scratch::new();
    scratch.write("t.csv", csv());
    scratch.succeed(&format!("{TRAIN} --data t.csv --label-column kind --likelihood gaussian -q"));
    let rows = &rows()[..20];
    let table = |names: &str, row: &dyn Fn(&[f32; 3]) -> String| {
        format!("{names}\n{}", rows.iter().map(row).collect::<String>())
    };
    let text = |[a, b, c]: &[f32; 3]| format!("{a},{b},{c}\n");
    scratch.write("same.csv", table("a,b,c", &text));
    scratch.write("bare.csv", rows.iter().map(text).collect::<String>());
    scratch.write("mixed.csv", table("c,more,b,a", &|[a, b, c]| format!("{c},9,{b},{a}\n")));
    scratch.write("less.csv", table("a,c", &|[a, _, c]| format!("{a},{c}\n")));
    let codes = |name: &str, words: &str| {
        let encode = format!("encode run --data {name} --out {name}.npy");
        scratch.command(&encode).assert().success().stderr(contains(words));
        scratch.read(&format!("{name}.npy"))
    };
    // The labels of a model that is not conditional may be missing.
    let same = codes("same.csv", "");
    assert_eq!(codes("mixed.csv", "ignored, as the model has no such columns: column 2 (`more`)"), same);
    assert_eq!(codes("bare.csv", "taken in the model's order"), same);
    let message = scratch.fail("encode run --data less.csv --out z.npy", 1, "it lacks 1 of the 3 columns");
    assert!(message.contains(": b\n") && message.contains("it has a, c"), "{message}");
    // The run's own table, with its columns moved.
    let before = scratch.succeed("evaluate run --json");
    let moved = |(i, [a, b, c]): (usize, &[f32; 3])| format!("{},{c},{b},{a}\n", ["red", "blue"][i % 2]);
    let moved: String = self::rows().iter().enumerate().map(moved).collect();
    scratch.write("t.csv", format!("kind,c,b,a\n{moved}"));
    assert_eq!(scratch.succeed("evaluate run --json"), before);
}

#[test]
fn missing_values_are_refused_left_out_or_filled_in() {
    let scratch = Scratch::new();
    let table = csv();
    let gaps: String = table
        .lines()
        .enumerate()
        .map(|(line, text)| match line % 9 {
            5 => format!("{}\n", text.replacen(text.split(',').next().unwrap(), "NA", 1)),
            _ => format!("{text}\n"),
        })
        .collect();
    scratch.write("t.csv", gaps);
    let flags = "--data t.csv --label-column kind --likelihood gaussian";
    let message = scratch.fail(
        &format!("{TRAIN} {flags}"),
        1,
        "column 1 (`a`): no value in 22 rows, first in row 5 (line 6)",
    );
    assert!(message.contains("--missing drop") && message.contains("--missing mean"), "{message}");
    let told = json(&scratch.succeed("data t.csv --label-column kind --missing drop --json"));
    assert_eq!((&told["train"], &told["test"]), (&160.into(), &18.into()));
    let told = json(&scratch.succeed("data t.csv --label-column kind --missing mean --json"));
    assert!(told["warnings"].to_string().contains("filled in with the mean"), "{told}");
    let fill = told["scaling"]["fill"][0].as_f64().unwrap();
    assert!((fill - told["columns"][0]["mean"].as_f64().unwrap()).abs() < 1e-3, "{told}");
    // The model keeps the means.
    scratch.succeed(&format!("{TRAIN} {flags} --missing mean -q"));
    scratch.write("new.csv", "a,b,c\nNA,0.5,7\n");
    scratch.write("full.csv", format!("a,b,c\n{},0.5,7\n", fill as f32));
    let codes = |name: &str| {
        scratch.succeed(&format!("encode run --data {name} --out z.npy"));
        scratch.read("z.npy")
    };
    assert_eq!(codes("new.csv"), codes("full.csv"));
    // Other commands take the means as they are, with no flag of their own.
    let nan = matrix(Matrix::Npy, &[], 1, &[1.0, f32::NAN, 3.0, 4.0, 5.0]);
    scratch.write("nan.npy", nan);
    let told = json(&scratch.succeed("data nan.npy --missing drop --json"));
    assert_eq!((&told["train"], &told["test"]), (&3.into(), &1.into()));
}

#[test]
fn a_table_is_found_out_about() {
    let scratch = Scratch::new();
    let rows: String = (0..30).map(|i| format!("{i};{},5;{}%;Ja\r\n", i % 7, i * 3 % 11)).collect();
    let units: Vec<u16> = format!("\u{feff};Höhe;Anteil;Typ\r\n{rows}").encode_utf16().collect();
    scratch.write("t.csv", units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>());
    let output = scratch.command("data t.csv --label-column Typ").output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    for words in [
        "table of 2 columns",
        "found     UTF-16\n",
        "found     text, cells separated by semicolons, decimal commas, names in the first line\n",
        "percent signs left out",
        "column 1 numbers the rows and is left out; --index keep",
        "Höhe",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    scratch.fail(
        "data t.csv",
        1,
        "leave columns out with --drop Typ; name a column of classes with --label-column",
    );
    // What it says helps.
    assert!(scratch.succeed("data t.csv --drop Typ").contains("table of 2 columns"));
    assert!(scratch.succeed("data t.csv --drop Typ --index keep").contains("table of 3 columns"));
    let packed = gzip(&scratch.read("t.csv"));
    scratch.write("t.csv.gz", packed);
    assert!(scratch.succeed("data t.csv.gz --columns 2").contains("found     gzip"));
    scratch.write("pixels.csv", (0..20).map(|i| format!("{i},0,255,9,1,2,3\n")).collect::<String>());
    let told = json(&scratch.succeed("data pixels.csv --label-column 1 --image-size 3x2 --json"));
    assert_eq!(told["shape"], serde_json::json!([3, 2, 1]));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, bytes).unwrap();
    packed.finish().unwrap()
}

/// Malformed pages make the parquet crate panic; the user sees an ordinary error.
#[test]
fn damaged_parquet_is_an_error_and_not_a_panic() {
    let scratch = Scratch::new();
    let sound = matrix(Matrix::Parquet, &["a"], 1, &[1.0; 100]);
    for at in (0..sound.len()).step_by(sound.len().div_ceil(40)) {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x55;
        scratch.write("t.parquet", damaged);
        let output = scratch.std_command("data t.parquet").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!([Some(0), Some(1)].contains(&output.status.code()), "byte {at}: {stderr}");
        assert!(!stderr.contains("panicked"), "byte {at}: {stderr}");
    }
}
