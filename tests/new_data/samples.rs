//! What a model of a table draws, and rows beside those that it was trained on.

use super::foreign;
use super::scratch::Scratch;
use super::{TRAIN, columns, csv, deviation, json, numbers, scores, table, trained};

#[test]
fn samples_of_a_table_vary_as_its_rows_do() {
    let scratch = Scratch::new();
    scratch.write("t.csv", csv(&table(2000)));
    let line = TRAIN.replace("--epochs 3", "--epochs 20");
    scratch.succeed(&format!("{line} --data t.csv --quiet"));
    let rows = table(2000);
    scratch.both("sample run --count 4000");
    let drawn = columns(&String::from_utf8(scratch.read("samples.csv")).unwrap());
    scratch.succeed("sample run --count 4000 --mean --out means.csv");
    let means = columns(&String::from_utf8(scratch.read("means.csv")).unwrap());
    for (i, name) in ["a", "b", "c", "n"].into_iter().enumerate() {
        let of_data = deviation(&rows.iter().map(|row| row[i]).collect::<Vec<_>>());
        let ratio = deviation(&numbers(&drawn, name)) / of_data;
        assert!((0.8..1.25).contains(&ratio), "{name}: {ratio} of the data's deviation");
        assert!(deviation(&numbers(&means, name)) < deviation(&numbers(&drawn, name)), "{name}");
    }
    // Column c has nothing to do with the others: its mean says next to nothing.
    assert!(deviation(&numbers(&means, "c")) < 0.5);
    // The same seed, the same rows, however many.
    scratch.succeed("sample run --count 10 --out ten.csv");
    let ten = String::from_utf8(scratch.read("ten.csv")).unwrap();
    assert!(String::from_utf8(scratch.read("samples.csv")).unwrap().starts_with(&ten));
}

#[test]
fn columns_are_rounded_and_kept_in_range_on_request() {
    let scratch = trained(500, "");
    let whole = |name: &str| {
        let columns = columns(&String::from_utf8(scratch.read(name)).unwrap());
        let numbers = numbers(&columns, "n");
        numbers.iter().all(|n| n.fract() == 0.0 && (0.0..=9.0).contains(n))
    };
    scratch.succeed("sample run --count 500");
    assert!(!whole("samples.csv"));
    scratch.succeed("sample run --count 500 --round --out round.csv");
    assert!(whole("round.csv"));
    // The other columns stay as they were drawn, within their range.
    let of = |name: &str| columns(&String::from_utf8(scratch.read(name)).unwrap());
    let (plain, round) = (numbers(&of("samples.csv"), "a"), numbers(&of("round.csv"), "a"));
    assert!(plain.iter().zip(&round).filter(|(a, b)| a == b).count() > 450);

    scratch.succeed("encode run --out z.csv");
    scratch.succeed("decode run --latents z.csv --out mean.csv");
    scratch.succeed("decode run --latents z.csv --draw --out drawn.csv");
    scratch.succeed("decode run --latents z.csv --draw --seed 1 --round --out other.csv");
    assert!(whole("other.csv") && !whole("drawn.csv"));
    let spread = |name: &str| deviation(&numbers(&of(name), "c"));
    assert!(spread("drawn.csv") > spread("mean.csv"));

    scratch.succeed("train --data tiny --hidden 8 --epochs 1 --quiet --out pictures");
    scratch.fail("sample pictures --round", 2, "--round is for tables");
    // Bernoulli draws of pictures are black or white.
    scratch.succeed("sample pictures --draw --count 4 --out x.csv");
    let drawn = String::from_utf8(scratch.read("x.csv")).unwrap();
    assert!(drawn.split([',', '\n']).filter(|cell| !cell.is_empty()).all(|cell| ["0", "1"].contains(&cell)));
}

#[test]
fn samples_of_a_conditional_table_have_their_labels() {
    let scratch = Scratch::new();
    let line = |(i, r): (usize, &[f64; 4])| format!("{},{},{}\n", r[0], ["x", "y; z"][i % 2], r[1]);
    let rows: String = table(200).iter().enumerate().map(line).collect();
    scratch.write("t.csv", format!("a,kind,b\n{rows}"));
    // By its number, the column has its name all the same.
    for column in ["kind", "2"] {
        let flags = format!("--label-column {column} --condition labels --quiet --force");
        scratch.succeed(&format!("{TRAIN} --data t.csv {flags}"));
        scratch.succeed("sample run --out s.csv");
        let drawn = columns(&String::from_utf8(scratch.read("s.csv")).unwrap());
        assert_eq!(drawn.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b", "kind"]);
        let count = |name: &str| drawn[2].1.iter().filter(|label| *label == name).count();
        assert!(count("x") > 0 && count("x") == count("y; z"), "{drawn:?}");
        scratch.succeed("sample run --count 3 --label x --out x.parquet");
        let told = json(&scratch.succeed("data x.parquet --label-column kind --json"));
        assert_eq!(told["labels"][0]["name"], "x", "{told}");
    }
    // They are data for the model, and for another one.
    scratch.succeed("score run --data s.csv --out scores.csv");
    scratch.succeed(&format!("{TRAIN}-2 --data s.csv --label-column kind --condition labels --quiet"));
    let (_, err) = scratch.both("sample run --count 6 --out s.npy");
    assert!(err.contains("labels have no place in .npy"), "{err}");
    // Without names, the columns have numbers beside the label.
    scratch.write("u.csv", rows.replace("y; z", "5").replace(",x,", ",3,"));
    scratch.succeed(&format!("{TRAIN}-3 --data u.csv --label-column 2 --condition labels --quiet"));
    let text = scratch.succeed("sample run-3 --count 2 --label 5 --out -");
    assert!(text.starts_with("1,2,label\n"), "{text}");
    assert_eq!(columns(&text)[2].1, ["5", "5"]);
}

#[test]
fn bytes_have_whole_numbers_and_ranges_too() {
    let scratch = Scratch::new();
    let npy = |name: &str, descr: &str, values: Vec<u8>| {
        scratch.write(name, foreign::npy(descr, &format!("{}, 4", values.len() / 4), &values));
    };
    npy("bits.npy", "|b1", (0..400).map(|i| (i * 7 % 3 == 0) as u8).collect());
    npy("bytes.npy", "|u1", (0..400).map(|i| (i * 37 % 200) as u8).collect());
    for (name, most) in [("bits", 1.0), ("bytes", 199.0)] {
        let line = TRAIN.replace("gaussian-learned", "gaussian");
        scratch.succeed(&format!("{line}-{name} --data {name}.npy --quiet"));
        scratch.succeed(&format!("sample run-{name} --count 50 --round --out s.csv"));
        let text = String::from_utf8(scratch.read("s.csv")).unwrap();
        for cell in text.split([',', '\n']).filter(|cell| !cell.is_empty()) {
            let value: f64 = cell.parse().unwrap();
            assert!(value == value.round() && (0.0..=most).contains(&value), "{name}: {cell}");
        }
    }
}

#[test]
fn rows_outside_the_range_of_training_are_taken_where_they_can_be_measured() {
    let scratch = Scratch::new();
    let scaled = |rows: &[[f64; 4]]| {
        let line = |row: &[f64; 4]| format!("{},{}\n", row[0], row[1]);
        format!("a,b\n{}", rows.iter().map(line).collect::<String>())
    };
    scratch.write("t.csv", scaled(&table(300)));
    // Ever further beyond the range.
    let far: Vec<[f64; 4]> = (0..5).map(|i| [10.0 + 15.0 * f64::from(i), 0.0, 0.0, 0.0]).collect();
    scratch.write("far.csv", scaled(&far));
    scratch.write("near.csv", scaled(&far[..1]));
    for likelihood in ["gaussian-learned", "gaussian"] {
        let line = TRAIN.replace("gaussian-learned", likelihood);
        scratch.succeed(&format!("{line} --data t.csv --scaling minmax --quiet --force"));
        let (scores, err) = scores(&scratch, "score run --data far.csv");
        assert!(scores.is_sorted(), "{scores:?}");
        assert_eq!(
            err.matches("4 of 5 rows have values outside the range of the training data").count(),
            1,
            "{err}"
        );
        for line in ["evaluate run --data far.csv", "encode run --data far.csv --out z.csv"] {
            assert_eq!(scratch.both(line).1.matches("outside the range").count(), 1);
        }
        assert!(!scratch.both("score run --data near.csv --out s.csv").1.contains("outside the range"));
    }
    for likelihood in ["bernoulli --binarize none", "continuous-bernoulli", "categorical"] {
        let line = TRAIN.replace("gaussian-learned", likelihood);
        scratch.succeed(&format!("{line} --data t.csv --scaling minmax --quiet --force"));
        let name = likelihood.split(' ').next().unwrap();
        let message =
            scratch.fail("score run --data far.csv --out s.csv", 2, "4 of 5 rows have values outside");
        assert!(
            message.contains(&format!("the likelihood, {name}, has no measure of them: row 1")),
            "{message}"
        );
        assert!(
            message.contains("--likelihood gaussian-learned and without --binarize take them"),
            "{message}"
        );
    }
}

#[test]
fn a_test_part_outside_the_range_is_told_of() {
    let scratch = Scratch::new();
    let row = |i: usize, most: f64| format!("{},{}\n", i as f64 / 50.0 * most, (i * 7 % 50) as f64 / 50.0);
    let rows = |most: f64| (0..50).map(|i| row(i, most)).collect::<String>();
    scratch.write("t.csv", format!("a,b\n{}", rows(1.0)));
    scratch.write("far.csv", format!("a,b\n{}", rows(3.0)));
    let line = "train --data t.csv --test-data far.csv --scaling none --hidden 8 --latent 2 --epochs 1 --out run --force";
    let (_, err) = scratch.both(&format!("{line} --likelihood continuous-bernoulli"));
    let told =
        ["of 50 test rows have values outside 0..1", "continuous-bernoulli, has no measure of them: row 17"];
    assert!(
        told.iter().all(|words| err.contains(words)) && err.contains("--likelihood gaussian-learned"),
        "{err}"
    );
    // A resumed run has no flag for its likelihood, and is told the same.
    let (_, err) = scratch.both("train --resume run --epochs 2");
    assert!(told.iter().all(|words| err.contains(words)), "{err}");
    let (_, err) = scratch.both(&format!("{line} --likelihood gaussian-learned"));
    assert!(!err.contains("outside 0..1"), "{err}");
    let (_, err) = scratch.both(&format!("{line} --likelihood gaussian-learned --binarize dynamic"));
    assert!(err.contains("--binarize dynamic draws with values in 0..1: row 17"), "{err}");
}

#[test]
fn a_part_without_a_whole_row_is_refused() {
    let scratch = Scratch::new();
    scratch.write(
        "t.csv",
        format!("a,b\n{}", (0..50).map(|i| format!("{i},{}\n", i * 7 % 50)).collect::<String>()),
    );
    scratch.write("gaps.csv", "a,b\n1,\n,2\n");
    let line =
        "train --data t.csv --test-data gaps.csv --missing drop --hidden 8 --latent 2 --epochs 1 --out run";
    let message = scratch.fail(line, 1, "no row of its test part has all its values");
    assert!(message.contains("--missing mean"), "{message}");
    scratch.succeed(&format!("{} --quiet", line.replace("drop", "mean")));
}

/// A column that never varied has its value in what is drawn, and any other value of it is strange.
#[test]
fn a_constant_column_is_drawn_as_it_is_and_watched() {
    let scratch = Scratch::new();
    let csv = |rows: &[[f64; 4]], rate: f64| {
        let line = |row: &[f64; 4]| format!("{},{rate},{},2024\n", row[0], row[1]);
        format!("a,rate,c,year\n{}", rows.iter().map(line).collect::<String>())
    };
    let rows = table(300);
    scratch.write("t.csv", csv(&rows, 0.001));
    scratch.succeed(&format!("{TRAIN} --data t.csv --quiet"));
    scratch.succeed("sample run --count 50");
    let drawn = columns(&String::from_utf8(scratch.read("samples.csv")).unwrap());
    assert!(numbers(&drawn, "rate").iter().all(|v| *v == 0.001), "{drawn:?}");
    assert!(numbers(&drawn, "year").iter().all(|v| *v == 2024.0), "{drawn:?}");
    let (usual, err) = scores(&scratch, "score run --data t.csv");
    assert!(!err.contains("in every training row, and"), "{err}");
    scratch.write("other.csv", csv(&rows[..2], 0.0011));
    let (strange, err) = scores(&scratch, "score run --data other.csv");
    assert!(strange.iter().zip(&usual).all(|(a, b)| *a > b + 1000.0), "{strange:?}");
    let told = "column 2 (`rate`) was 0.001 in every training row, and is another number in row 1, the first of 2 rows";
    assert!(err.contains(told), "{err}");
}

#[test]
fn other_units_are_noticed_where_a_cell_is_zero() {
    let scratch = trained(300, "");
    let mut rows = table(50).iter().map(|row| row.map(|v| v * 1000.0)).collect::<Vec<_>>();
    rows[7] = [0.0; 4];
    scratch.write("u.csv", csv(&rows));
    for line in ["score run --data u.csv --out s.csv", "evaluate run --data u.csv"] {
        let (_, err) = scratch.both(line);
        assert!(err.contains("as those of other units are") && err.contains("(`a`)"), "{err}");
    }
    // A few strange rows are what scores are for.
    let mut rows = table(50);
    rows[3][0] = 1e5;
    scratch.write("v.csv", csv(&rows));
    let (_, err) = scratch.both("score run --data v.csv --out s.csv");
    assert!(!err.contains("other units"), "{err}");
}

#[test]
fn codes_of_rows_that_have_none_are_left_out() {
    let scratch = trained(60, "");
    scratch.write(
        "z.csv",
        "file,mu_0,mu_1,reason\na,0.5,1\nb,-0.5,0\n".replace("1\n", "1,\n").replace("0\n", "0,\n"),
    );
    scratch.succeed("decode run --latents z.csv --out whole.csv");
    scratch.write("gap.csv", "file,mu_0,mu_1,reason\na,0.5,1,\nx,,,no picture\nb,-0.5,0,\n");
    let (_, err) = scratch.both("decode run --latents gap.csv --out gap-out.csv");
    assert!(err.contains("1 row of gap.csv without a code, left out"), "{err}");
    assert_eq!(scratch.read("whole.csv"), scratch.read("gap-out.csv"));
    scratch.write("half.csv", "mu_0,mu_1\n0.5,1\n,1\n");
    scratch.fail("decode run --latents half.csv --out x.csv", 1, "row 2, column 1: no finite number");
}
