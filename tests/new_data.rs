//! What becomes of data after it is read: strange rows, samples, data that moved or changed, and runs that begin with
//! another's weights.

#[path = "common/foreign.rs"]
mod foreign;
#[path = "new_data/labels.rs"]
mod labels;
#[path = "new_data/runs.rs"]
mod runs;
#[path = "new_data/samples.rs"]
mod samples;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;
#[path = "new_data/units.rs"]
mod units;

use std::fs;

use scratch::Scratch;
use serde_json::Value;

/// A short training on the table.
const TRAIN: &str =
    "train --hidden 16 --latent 2 --epochs 3 --lr 0.01 --likelihood gaussian-learned --out run";

/// `count` rows of four columns: two that belong together, one of its own, and a whole number from 0 to 9.
fn table(count: usize) -> Vec<[f64; 4]> {
    let mut state = 1u64;
    let mut uniform = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as f64 / (1u64 << 31) as f64
    };
    let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    let row = |_| {
        let (z, a, b, c, d) = (normal(), normal(), normal(), normal(), normal());
        let whole = (4.5 + 1.5 * z + 0.5 * d).round().clamp(0.0, 9.0);
        [10.0 + 3.0 * z + 0.5 * a, -2.0 * z + 0.5 * b, c, whole]
    };
    (0..count).map(row).collect()
}

fn csv(rows: &[[f64; 4]]) -> String {
    let line = |row: &[f64; 4]| format!("{},{},{},{}\n", row[0], row[1], row[2], row[3]);
    format!("a,b,c,n\n{}", rows.iter().map(line).collect::<String>())
}

/// A folder with a run trained on `t.csv` of `count` rows.
fn trained(count: usize, flags: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("t.csv", csv(&table(count)));
    scratch.succeed(&format!("{TRAIN} --data t.csv --quiet {flags}"));
    scratch
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The rows of a CSV file with a header, by column.
fn columns(text: &str) -> Vec<(String, Vec<String>)> {
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let rows: Vec<_> = lines.collect();
    names
        .into_iter()
        .enumerate()
        .map(|(i, name)| (name, rows.iter().map(|row| row[i].clone()).collect()))
        .collect()
}

fn numbers(columns: &[(String, Vec<String>)], name: &str) -> Vec<f64> {
    let (_, cells) =
        columns.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no column {name}"));
    cells.iter().map(|cell| cell.parse().unwrap()).collect()
}

fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// The score of each row of `t.csv`-like data, in the data's order.
fn scores(scratch: &Scratch, line: &str) -> (Vec<f64>, String) {
    let (out, err) = scratch.both(&format!("{line} --out -"));
    let columns = columns(&out);
    let (rows, scores) = (numbers(&columns, "row"), numbers(&columns, "score"));
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| rows[*a].total_cmp(&rows[*b]));
    (order.into_iter().map(|i| scores[i]).collect(), err)
}

/// Rows ever further from the training data: each 30 times as far.
#[test]
fn the_stranger_a_row_the_higher_its_score_which_is_always_a_number() {
    let far =
        [3.0, 90.0, 2.7e3, 8.1e4, 2.4e6, 7.3e7, 2.2e9, 6.6e10, 2.0e12, 6e13, 1.8e15, 5e16, 1e20, 1e30, 3e38];
    for flags in
        ["", "--variance pixel", "--likelihood gaussian", "--model iwae --samples 3", "--activation tanh"]
    {
        let scratch = Scratch::new();
        scratch.write("t.csv", csv(&table(300)));
        let line = format!(
            "train --hidden 16 --latent 2 --epochs 3 --lr 0.01 --out run --data t.csv --quiet {flags}"
        );
        let line = if flags.contains("--likelihood") {
            line
        } else {
            format!("{line} --likelihood gaussian-learned")
        };
        scratch.succeed(&line);
        for sign in [1.0, -1.0] {
            scratch.write("far.csv", csv(&far.map(|v| [sign * v, 0.0, 0.0, 4.0])));
            for nll in ["", "--nll-samples 20"] {
                let (scores, err) = scores(&scratch, &format!("score run --data far.csv {nll}"));
                assert!(scores.is_sorted(), "{flags} {nll}: {scores:?}");
                assert_eq!(scores.last(), Some(&f64::from(f32::MAX)), "{flags} {nll}");
                assert!(scores.iter().all(|score| score.is_finite()), "{flags} {nll}: {scores:?}");
                // Up to 2.2e9 deviations all differ.
                assert!(scores[..6].windows(2).all(|pair| pair[0] < pair[1]), "{flags} {nll}: {scores:?}");
                assert!(
                    err.contains("beyond measure, so with the largest score 3.4028234663852886e38: row 1"),
                    "{err}"
                );
            }
        }
    }
}

#[test]
fn a_test_part_with_strange_rows_gives_numbers_and_their_names() {
    let scratch = Scratch::new();
    scratch.write("t.csv", csv(&table(300)));
    let mut judged = table(400)[300..].to_vec();
    scratch.write("plain.csv", csv(&judged));
    judged[17] = [-9999.0, 1.0, 0.0, 3.0];
    scratch.write("marked.csv", csv(&judged));
    judged[41][2] = 1e20;
    scratch.write("huge.csv", csv(&judged));
    for (test, names) in [("marked", "row 17 (from 0)"), ("huge", "row 41 (from 0)")] {
        let line = format!("{TRAIN}-{test} --data t.csv --test-data {test}.csv");
        let (out, err) = scratch.both(&line);
        assert!(!out.contains("NaN") && !out.contains("inf"), "{out}");
        assert!(err.contains(&format!("warning: test data far outside the others: {names} ")), "{err}");
        assert_eq!(err.matches("far outside").count(), 1, "{err}");
        let (out, err) = scratch.both(&format!("evaluate run-{test} --json --nll-samples 10"));
        let report = json(&out);
        assert!(report["elbo"]["mean"].is_f64() && report["nll"]["mean"].is_f64(), "{out}");
        assert!(err.contains(names), "{err}");
        assert_eq!(report.get("beyond_measure").cloned(), (test == "huge").then_some(1.into()), "{out}");
    }
    // What is beyond measure is left out: the other rows have the ELBO that they have by themselves.
    let (plain, err) = scratch.both("evaluate run-huge --data plain.csv --json");
    assert!(!err.contains("far outside"), "{err}");
    let elbo = json(&plain)["elbo"]["mean"].as_f64().unwrap();
    judged.remove(17);
    scratch.write("one.csv", csv(&judged));
    let with_huge = json(&scratch.succeed("evaluate run-huge --data one.csv --json"));
    assert!((with_huge["elbo"]["mean"].as_f64().unwrap() - elbo).abs() < 0.5, "{with_huge} {elbo}");
    assert!(with_huge["mean_squared_error"].as_f64().unwrap() < 10.0, "{with_huge}");
}

#[test]
fn marks_of_missing_values_are_named_before_training() {
    let scratch = Scratch::new();
    for mark in [-9999.0, 1e20] {
        let mut rows = table(300);
        rows[5][2] = mark;
        scratch.write("t.csv", csv(&rows));
        let (_, err) = scratch.both(&format!("{TRAIN} --data t.csv --force"));
        assert!(err.contains("look like marks for missing ones") && err.contains("column 3 (`c`)"), "{err}");
        let (_, err) = scratch.both("data t.csv");
        assert!(err.contains("column 3 (`c`)"), "{err}");
    }
    scratch.write("t.csv", csv(&table(300)));
    assert!(!scratch.both("data t.csv").1.contains("marks"));
}

#[test]
fn data_that_changed_is_refused_to_resume_and_named_elsewhere() {
    let scratch = trained(300, "");
    let before = json(&scratch.succeed("evaluate run --json"));
    let rows = table(400);
    for (changed, what) in [
        (rows.clone(), "100 rows were added behind those that were there"),
        (
            table(300).iter().map(|r| [r[0] + 1e5, r[1], r[2], r[3]]).collect(),
            "it still has 300 rows, but other values",
        ),
        (table(290), "it has 290 rows instead of 300"),
        (table(300).into_iter().rev().collect(), "another order"),
    ] {
        scratch.write("t.csv", csv(&changed));
        let message = scratch.fail("train --resume run --epochs 4", 1, what);
        assert!(message.contains("--init-from run"), "{message}");
        for command in ["evaluate run", "score run --out s.csv", "encode run --out z.csv"] {
            let (_, err) = scratch.both(command);
            assert!(
                err.contains("t.csv has changed since the run was trained on it") && err.contains(what),
                "{err}"
            );
        }
    }
    // Rows that are added move no other: the test rows are those of before, and some of the new ones.
    scratch.write("t.csv", csv(&rows));
    scratch.succeed("score run --out longer.csv");
    let longer = numbers(&columns(&String::from_utf8(scratch.read("longer.csv")).unwrap()), "row");
    scratch.write("t.csv", csv(&table(300)));
    scratch.succeed("score run --out same.csv");
    let same = numbers(&columns(&String::from_utf8(scratch.read("same.csv")).unwrap()), "row");
    let mut old: Vec<f64> = longer.into_iter().filter(|row| *row < 300.0).collect();
    let mut same_sorted = same;
    old.sort_by(f64::total_cmp);
    same_sorted.sort_by(f64::total_cmp);
    assert_eq!(old, same_sorted);
    assert_eq!(json(&scratch.succeed("evaluate run --json"))["elbo"], before["elbo"]);
    scratch.succeed("train --resume run --epochs 4 --quiet");
    // What the refusal advises.
    scratch.write("t.csv", csv(&rows));
    let (_, err) = scratch.both(&format!("{TRAIN}-2 --data t.csv --init-from run"));
    assert!(err.contains("weights  11 of 11 tensors of"), "{err}");
}

#[test]
fn data_that_moved_is_named_and_recognised() {
    let scratch = trained(300, "--valid 0.1");
    let [test, train] =
        ["test", "train"].map(|part| scratch.succeed(&format!("evaluate run --json --split {part}")));
    fs::create_dir(scratch.path("elsewhere")).unwrap();
    fs::rename(scratch.path("t.csv"), scratch.path("elsewhere/u.csv")).unwrap();
    for line in ["evaluate run", "train --resume run --epochs 4", "score run --out s.csv", "latent-map run"] {
        let message = scratch.fail(line, 1, "the run's data is not there any more");
        assert!(message.contains("name where it is now with --data"), "{message}");
    }
    // Recognised, its parts are those of the run.
    let moved = "--data elsewhere/u.csv";
    assert_eq!(scratch.succeed(&format!("evaluate run --json {moved}")), test);
    assert_eq!(scratch.succeed(&format!("evaluate run --json --split train {moved}")), train);
    let (out, err) = scratch.both(&format!("score run {moved} --out all.csv"));
    assert!(out.contains("300 data") && err.contains("--split test leaves out the rows"), "{out} {err}");
    let (out, err) = scratch.both(&format!("score run {moved} --split test --out test.csv"));
    assert!(out.contains("test data") && !err.contains("leaves out"), "{out} {err}");
    // Other data is all of one part.
    scratch.write("other.csv", csv(&table(350)[300..]));
    assert_eq!(json(&scratch.succeed("evaluate run --json --data other.csv"))["count"], 50);
    scratch.fail("evaluate run --data other.csv --split test", 2, "is not the run's own data");
    scratch.succeed(&format!("train --resume run --epochs 4 --quiet {moved}"));
    // From now on it is known where it is.
    scratch.succeed("evaluate run");
    scratch.fail("train --resume run --epochs 5 --data other.csv", 1, "has changed since");
}

#[test]
fn a_test_part_of_its_own_moves_too() {
    let scratch = Scratch::new();
    scratch.write("t.csv", csv(&table(300)));
    scratch.write("v.csv", csv(&table(400)[300..]));
    scratch.succeed(&format!("{TRAIN} --data t.csv --test-data v.csv --quiet"));
    let test = scratch.succeed("evaluate run --json");
    fs::rename(scratch.path("v.csv"), scratch.path("w.csv")).unwrap();
    scratch.fail("evaluate run", 1, "the run's data is not there any more");
    let (out, err) = scratch.both("evaluate run --data w.csv --json");
    assert_eq!(json(&out)["elbo"], json(&test)["elbo"], "{err}");
    scratch.fail("train --resume run --epochs 4", 1, "name where it is now with --test-data");
    scratch.succeed("train --resume run --epochs 4 --test-data w.csv --quiet");
    scratch.succeed("evaluate run");
}

#[test]
fn what_is_given_away_names_no_folder_of_this_machine() {
    let scratch = trained(100, "");
    scratch.succeed("export run --onnx onnx");
    let folder = scratch.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    let has = |name: &str| String::from_utf8_lossy(&scratch.read(name)).contains(&folder);
    for name in
        ["run/model.safetensors", "run/checkpoint.safetensors", "onnx/encoder.onnx", "onnx/decoder.onnx"]
    {
        assert!(!has(name), "{name}");
    }
    assert!(has("run/config.toml"));
    assert!(String::from_utf8_lossy(&scratch.read("run/model.safetensors")).contains("t.csv"));
}

#[test]
fn labels_are_optional_once_a_model_is_trained_unless_it_is_told_them() {
    let scratch = Scratch::new();
    let labelled = |rows: &[[f64; 4]]| {
        let line = |(i, r): (usize, &[f64; 4])| {
            format!("{},{},{},{},{}\n", r[0], ["x", "y"][i % 2], r[1], r[2], r[3])
        };
        format!("a,kind,b,c,n\n{}", rows.iter().enumerate().map(line).collect::<String>())
    };
    scratch.write("t.csv", labelled(&table(200)));
    scratch.write("plain.csv", csv(&table(230)[200..]));
    scratch.write("other.csv", labelled(&table(230)[200..]));
    for column in ["kind", "2"] {
        scratch.succeed(&format!("{TRAIN} --data t.csv --label-column {column} --quiet --force"));
        let (with, _) = scores(&scratch, "score run --data other.csv");
        let (without, _) = scores(&scratch, "score run --data plain.csv");
        assert_eq!(with, without);
        let report = json(&scratch.succeed("evaluate run --data plain.csv --json"));
        assert!(report.get("labels").is_none() && report["count"] == 30, "{report}");
    }
    scratch.succeed(&format!("{TRAIN}-c --data t.csv --label-column kind --condition labels --quiet"));
    let message = scratch.fail("score run-c --data plain.csv --out s.csv", 2, "has no column `kind`");
    assert!(message.contains("name another one with --label-column"), "{message}");
    scratch.succeed("score run-c --data other.csv --out s.csv");
    // A column that a flag names must be there.
    scratch.fail("score run --data plain.csv --label-column kind --out s.csv", 2, "--label-column kind: ");
}

#[test]
fn few_rows_are_one_batch_unless_a_flag_says_otherwise() {
    let scratch = Scratch::new();
    scratch.write("t.csv", csv(&table(100)));
    let (_, err) = scratch.both(&format!("{TRAIN} --data t.csv"));
    assert!(err.contains("batch    90, all training rows: they are fewer than 128 (--batch-size)"), "{err}");
    assert!(String::from_utf8(scratch.read("run/config.toml")).unwrap().contains("batch_size = 90"));
    scratch.succeed("train --resume run --epochs 4 --quiet");
    scratch.fail(&format!("{TRAIN} --data t.csv --batch-size 128 --force"), 2, "has only 90 rows");
    for (rows, valid) in [(2, ""), (3, "--valid 0.5")] {
        scratch.write("few.csv", csv(&table(rows)));
        scratch.both(&format!("{TRAIN}-few-{rows} --data few.csv {valid}"));
    }
}

#[test]
fn one_row_is_data_too() {
    let scratch = trained(300, "");
    scratch.write("one.csv", csv(&table(1)));
    for line in [
        "score run --data one.csv --out -",
        "encode run --data one.csv --out -",
        "evaluate run --data one.csv",
    ] {
        let (out, err) = scratch.both(line);
        assert!(!out.contains("NaN") && !err.contains("the same value in every"), "{out} {err}");
    }
    scratch.succeed("train --data tiny --hidden 8 --epochs 1 --quiet --out pictures");
    for (name, count) in [("x.npy", 1), ("y.npy", 9)] {
        scratch.write(name, foreign::npy("|u1", &format!("{count}, 8, 8"), &tiny::images(count)));
    }
    let told = scratch.succeed("reconstruct pictures --data x.npy");
    assert!(told.starts_with("1 image above its reconstruction is in"), "{told}");
    let told = scratch.succeed("reconstruct pictures --data y.npy --out nine.png");
    assert!(told.starts_with("9 images"), "{told}");
    assert_ne!(scratch.picture("reconstructions.png"), scratch.picture("nine.png"));
    scratch.succeed("traverse pictures --data y.npy --image 8 --dims 2");
    scratch.fail("traverse pictures --data y.npy --image 9", 2, "there is no image 9: use 0 to 8");
    scratch.succeed("interpolate pictures --data y.npy --from 0 --to 8");
}

#[test]
fn a_training_that_a_row_breaks_says_which() {
    let scratch = Scratch::new();
    let mut rows = table(200);
    rows[40][2] = 1e25;
    scratch.write("t.csv", csv(&rows));
    let line = TRAIN.replace("gaussian-learned", "gaussian");
    let line = format!("{line} --data t.csv --batch-size 50 --test-fraction 0.01 --split-seed 3");
    let message = scratch.fail(&format!("{line} --scaling none"), 1, "training diverged");
    assert!(
        message.contains("row 40 (from 0) reaches 1e25 as the model sees it: remove that row"),
        "{message}"
    );
    // Both remedies help.
    scratch.succeed(&format!("{line} --force"));
    rows.remove(40);
    scratch.write("t.csv", csv(&rows));
    scratch.succeed(&format!("{line} --scaling none --force"));
}

#[test]
fn data_of_other_units_is_named() {
    let scratch = trained(300, "");
    for change in [|v: f64| v + 1e3, |v: f64| (v - 10.0) * 1e3] {
        let rows: Vec<[f64; 4]> = table(60).iter().map(|r| [change(r[0]), r[1], r[2], r[3]]).collect();
        scratch.write("u.csv", csv(&rows));
        let (_, err) = scratch.both("score run --data u.csv --out s.csv");
        assert_eq!(err.matches("other units are: column 1 (`a`)").count(), 1, "{err}");
        let (_, err) = scratch.both(&format!("{TRAIN}-2 --data t.csv --test-data u.csv --force"));
        assert_eq!(err.matches("other units are: column 1 (`a`)").count(), 1, "{err}");
    }
    let (_, err) = scratch.both("score run --data t.csv --out s.csv");
    assert!(!err.contains("other units"), "{err}");
}

#[test]
fn what_is_read_is_not_written_over() {
    let scratch = trained(60, "");
    scratch.write("new.csv", csv(&table(9)));
    let before = scratch.read("new.csv");
    #[cfg(unix)]
    std::os::unix::fs::symlink(scratch.path("new.csv"), scratch.path("link.csv")).unwrap();
    let lost = "would be lost";
    scratch.fail("score run --data new.csv --out new.csv", 2, lost);
    scratch.fail("encode run --data new.csv --out ./new.csv", 2, lost);
    #[cfg(unix)]
    scratch.fail("score run --data new.csv --out link.csv", 2, lost);
    scratch.fail("sample run --out t.csv", 2, lost);
    scratch.fail("score run --out run/metrics.csv", 2, lost);
    scratch.succeed("encode run --data new.csv --out z.csv");
    scratch.fail("decode run --latents z.csv --out z.csv", 2, lost);
    assert_eq!((scratch.read("new.csv"), scratch.read("t.csv")), (before, csv(&table(60)).into_bytes()));
    // Results may be written again.
    scratch.succeed("score run --data new.csv --out s.csv");
    scratch.succeed("score run --data new.csv --out s.csv");
}
