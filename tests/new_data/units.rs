//! Values in other units than those that were learnt, marks among them, and codes in another order.

use super::foreign;
use super::scratch::Scratch;
use super::{columns, csv, numbers, table, trained};

/// A short training on small pictures.
const TRAIN: &str = "train --hidden 8 --latent 2 --epochs 1 --force -q";

/// 40 pictures of 8x8 as bytes, and as floats times `scale`, shifted.
fn shades() -> Vec<u8> {
    (0..40 * 64u32).map(|i| (i * 37 % 256) as u8).collect()
}

fn floats(values: &[u8], scale: f32, shift: f32) -> Vec<u8> {
    values.iter().flat_map(|v| (f32::from(*v) * scale + shift).to_le_bytes()).collect()
}

#[test]
fn parts_of_one_source_in_other_units_are_told_of() {
    let scratch = Scratch::new();
    let values = shades();
    let array = |scale, shift| foreign::npy("<f4", "40, 8, 8", &floats(&values, scale, shift));
    let share = 1.0 / 255.0;
    for (train, test, words) in [
        (
            (1.0, 0.0),
            (share, 0.0),
            "values go no further than 1, where the training data go to 255: save x * 255",
        ),
        ((257.0, 0.0), (1.0, 0.0), "values go no further than 255, where the training data go to 65535"),
        ((share, 0.0), (257.0, 0.0), "save x / 65535, if 65535 is white"),
        ((2.0 * share, -1.0), (share, 0.0), "save 2 * x - 1, if 0 is black"),
        ((2.0 * share, -1.0), (1.0, 0.0), "bring them to that range"),
    ] {
        let parts = [("x_train", array(train.0, train.1)), ("x_test", array(test.0, test.1))];
        scratch.write("x.npz", foreign::npz(&parts));
        let told = scratch.said("data x.npz");
        assert!(told.contains("warning: the test part of x.npz: ") && told.contains(words), "{told}");
        let same = [("x_train", array(train.0, train.1)), ("x_test", array(train.0, train.1))];
        scratch.write("x.npz", foreign::npz(&same));
        assert!(!scratch.said("data x.npz").contains("the test part of"), "{train:?}");
    }
    // Rows that are no pictures by themselves, to a model of pictures.
    scratch.write("x.npy", array(1.0, 0.0));
    scratch.succeed(&format!("{TRAIN} --data x.npy --out run"));
    scratch.write("flat.npy", foreign::npy("<f4", "40, 64", &floats(&values, share, 0.0)));
    assert!(scratch.said("score run --data flat.npy --out s.csv").contains("save x * 255, if 1 is white"));
    let bits: Vec<u8> = values.iter().map(|v| v % 2).collect();
    scratch.write("bits.npy", foreign::npy("|u1", "40, 64", &bits));
    assert!(scratch.said("score run --data bits.npy --out s.csv").contains("0 and 1 alone, where"));
    // Bytes of such rows are shades, or numbers of the range that is known.
    scratch.write("flat.npy", foreign::npy("|u1", "40, 64", &values));
    let scores = |run: &str, data: &str| scratch.succeed(&format!("score {run} --data {data} --out -"));
    assert_eq!(scores("run", "flat.npy"), scores("run", "x.npy"));
    scratch.write("u8.npy", foreign::npy("|u1", "40, 8, 8", &values));
    scratch.succeed(&format!("{TRAIN} --data u8.npy --out bytes"));
    assert_eq!(scores("bytes", "flat.npy"), scores("bytes", "u8.npy"));
}

#[test]
fn bits_are_bits_in_every_part_and_type() {
    let scratch = Scratch::new();
    let bits: Vec<u8> = shades().iter().map(|v| u8::from(*v > 100)).collect();
    let masks: Vec<u8> = bits.iter().map(|v| v * 255).collect();
    let array = |descr: &str, values: &[u8]| foreign::npy(descr, "40, 8, 8", values);
    let mut ends = Vec::new();
    for (train, test) in [("|b1", "|b1"), ("|b1", "|u1"), ("|u1", "|b1"), ("|u1", "|u1")] {
        scratch.write(
            "x.npz",
            foreign::npz(&[("x_train", array(train, &bits)), ("x_test", array(test, &bits))]),
        );
        scratch.succeed(&format!("{TRAIN} --data x.npz --likelihood gaussian --binarize none --out run"));
        ends.push(columns(&String::from_utf8(scratch.read("run/metrics.csv")).unwrap()));
    }
    let tested: Vec<_> = ends.iter().map(|ends| numbers(ends, "test_elbo")).collect();
    assert!(tested.iter().all(|elbo| *elbo == tested[0]), "{tested:?}");
    // Masks of 0 and 255 are the same to a model of bits.
    scratch.write("bits.npy", array("|u1", &bits));
    scratch.write("masks.npy", array("|u1", &masks));
    let scores = |data: &str| scratch.both(&format!("score run --data {data} --out -"));
    assert_eq!(scores("masks.npy").0, scores("bits.npy").0);
    assert!(!scores("masks.npy").1.contains("warning"));

    // In a table, no number but 0 and 1 is one of them.
    scratch.write("table.npy", foreign::npy("|b1", "320, 8", &bits));
    scratch.succeed(&format!("{TRAIN} --data table.npy --out rows"));
    let mut row: Vec<i64> = vec![1; 16];
    for stray in [2, 200, 255, -1] {
        row[11] = stray;
        let text: Vec<String> =
            row.chunks(8).map(|row| format!("{row:?}").replace(['[', ']', ' '], "")).collect();
        scratch.write("stray.csv", text.join("\n"));
        let values: Vec<u8> = row.iter().flat_map(|v| v.to_le_bytes()).collect();
        scratch.write("stray.npy", foreign::npy("<i8", "2, 8", &values));
        for data in ["stray.csv", "stray.npy"] {
            let words = format!("row 2 holds a {stray}, but the training data are 0 and 1 alone");
            scratch.fail(&format!("score rows --data {data} --out s.csv"), 1, &words);
        }
    }
    row[11] = 0;
    let values: Vec<u8> = row.iter().flat_map(|v| v.to_le_bytes()).collect();
    scratch.write("stray.npy", foreign::npy("<i8", "2, 8", &values));
    assert!(!scratch.said("score rows --data stray.npy --out s.csv").contains("warning"));
}

#[test]
fn marks_and_numbers_too_small_are_named_before_training() {
    let scratch = Scratch::new();
    let share = 1.0 / 255.0;
    let mut values = floats(&shades(), share, 0.0);
    for at in [400, 1200] {
        values[at..at + 4].copy_from_slice(&(-9999.0f32).to_le_bytes());
    }
    scratch.write("x.npy", foreign::npy("<f4", "40, 8, 8", &values));
    let told = scratch.said("data x.npy");
    assert!(told.contains("look like marks for missing ones, such as -9999"), "{told}");
    // Where most values are marks, and where a short one lies far out.
    let row = |i: usize| {
        let often = if i.is_multiple_of(3) { 0.5 * i as f64 } else { -999.0 };
        let rare = if i == 7 { -99.0 } else { (i * 7 % 10) as f64 / 10.0 };
        format!("{often},{rare},{}\n", i % 10)
    };
    scratch.write("t.csv", format!("often,rare,none\n{}", (0..200).map(row).collect::<String>()));
    let told = scratch.said("data t.csv");
    let line = told.lines().find(|line| line.contains("marks for missing ones")).unwrap_or_default();
    assert!(line.ends_with("column 1 (`often`), column 2 (`rare`)"), "{told}");

    // Less than floats tell apart: nothing to learn, and drawn as it is.
    let row = |i: usize| format!("{},{}e-39,{}e-50\n", i % 10, i % 7, i % 7);
    scratch.write("t.csv", format!("a,small,least\n{}", (0..100).map(row).collect::<String>()));
    let told = scratch.said(&format!("{} --data t.csv --out run", TRAIN.replace(" -q", "")));
    let line = told.lines().find(|line| line.contains("too small for 32-bit floats")).unwrap_or_default();
    assert!(
        line.contains("multiply them first") && line.ends_with("(`small`), column 3 (`least`)"),
        "{told}"
    );
    scratch.succeed("sample run --count 20 --out s.csv");
    let drawn = columns(&String::from_utf8(scratch.read("s.csv")).unwrap());
    assert!(numbers(&drawn, "small").iter().all(|v| v.abs() < 1e-18), "{drawn:?}");

    // Pictures that are all the same.
    let one = [7u8; 64].map(|v| v * 9).repeat(40);
    scratch.write("same.npy", foreign::npy("|u1", "40, 8, 8", &one));
    assert!(scratch.said("data same.npy").contains("all pictures of the training part are the same"));
    scratch.write("same.npy", foreign::npy("<f4", "40, 8, 8", &floats(&one, 2.0, 0.0)));
    assert!(scratch.said("data same.npy").contains("all pictures of the training part are the same"));
}

#[test]
fn codes_are_found_by_name() {
    let scratch = trained(100, "");
    scratch.write("few.csv", csv(&table(5)));
    scratch.succeed("encode run --data few.csv --out z.csv");
    let text = String::from_utf8(scratch.read("z.csv")).unwrap();
    assert!(text.starts_with("row,mu_0,mu_1\n"), "{text}");
    let turned = |cells: &str, more: &str| {
        let cells: Vec<&str> = cells.split(',').collect();
        format!("{},{}{more}\n", cells[2], cells[1])
    };
    scratch.write("turned.csv", text.lines().map(|line| turned(line, "")).collect::<String>());
    let decoded = |codes: &str| scratch.both(&format!("decode run --latents {codes} --out -"));
    assert_eq!(decoded("turned.csv").0, decoded("z.csv").0);
    let mut more = text.lines().enumerate();
    let header = turned(more.next().unwrap().1, ",cluster");
    let rows: String = more.map(|(i, line)| turned(line, &format!(",{}", i % 2))).collect();
    scratch.write("more.csv", header + &rows);
    let (out, err) = decoded("more.csv");
    assert_eq!(out, decoded("z.csv").0);
    assert!(err.contains("ignored, as they are no codes: column 3 (`cluster`)"), "{err}");
    let cut: String = text.lines().map(|line| format!("{},1\n", line.rsplit_once(',').unwrap().0)).collect();
    scratch.write("cut.csv", cut);
    scratch.fail(
        "decode run --latents cut.csv --out s.csv",
        1,
        "it has no column mu_1, one of 2 numbers of a code",
    );
    scratch.succeed("score run --data few.csv --out scores.csv");
    scratch.fail("decode run --latents scores.csv --out s.csv", 1, "rows of 1 numbers");
    scratch.succeed("encode run --data few.csv --what log-var --out v.csv");
    scratch.fail("decode run --latents v.csv --out s.csv", 1, "variances of codes");
}
