//! Values in other units than the model's, bytes that are numbers, and rows that are pictures.

use std::fs;

use image::{ImageBuffer, Luma};

use super::foreign;
use super::scratch::Scratch;
use super::{TRAIN, grey, write_pictures};

#[test]
fn pictures_in_other_units_are_brought_into_the_model_s() {
    let scratch = Scratch::new();
    let values: Vec<u8> = (0..40).flat_map(|i| (0..64).map(move |at| grey(i, at))).collect();
    let wide: Vec<u8> = values.iter().flat_map(|v| i64::from(*v).to_le_bytes()).collect();
    let deep: Vec<u8> = values.iter().flat_map(|v| (u16::from(*v) * 16).to_le_bytes()).collect();
    let shares: Vec<u8> = values.iter().flat_map(|v| (f32::from(*v) / 255.0).to_le_bytes()).collect();
    scratch.write("u8.npy", foreign::npy("|u1", "40, 8, 8", &values));
    scratch.write("i64.npy", foreign::npy("<i8", "40, 8, 8", &wide));
    scratch.write("u16.npy", foreign::npy("<u2", "40, 8, 8", &deep));
    scratch.write("f4.npy", foreign::npy("<f4", "40, 8, 8", &shares));
    let highest = |data: &str| {
        let out = scratch.succeed(&format!("score run --data {data} --out -"));
        out.lines().nth(1).unwrap().split(',').nth(1).unwrap().parse::<f64>().unwrap()
    };
    for (trained, other, says) in
        [("i64.npy", "u8.npy", "they count as 0 to 255"), ("u8.npy", "i64.npy", "divided by 255 too")]
    {
        scratch.succeed(&format!("{TRAIN} --data {trained}"));
        for command in ["score", "encode"] {
            let told = scratch.said(&format!("{command} run --data {other} --out x.csv"));
            assert!(told.contains(says), "{told}");
        }
        let told = scratch.said(&format!("evaluate run --data {other}"));
        assert!(told.contains(says), "{told}");
        let (own, theirs) = (highest(trained), highest(other));
        assert!((own - theirs).abs() < 1e-2 * own.abs().max(1.0), "{trained}: {own} {theirs}");
        assert!(!scratch.said(&format!("score run --data {trained} --out x.csv")).contains("255"));
        // A test part in the other unit.
        let told = scratch.said(&format!("data {trained} --test-data {other}"));
        assert!(told.contains(says), "{told}");
    }
    let told = scratch.said("score run --data u16.npy --out x.csv");
    assert!(told.contains("values from 0 to 4080") && told.contains("save x / 4095"), "{told}");
    assert!(!scratch.said("score run --data f4.npy --out x.csv").contains("255"));
    // Pictures of 12 bits in files of 16 are nearly black.
    fs::create_dir(scratch.path("deep")).unwrap();
    for i in 0..3u32 {
        let picture = ImageBuffer::from_fn(8, 8, |x, y| Luma([u16::from(grey(i, x + 8 * y)) * 16]));
        picture.save(scratch.path(&format!("deep/{i}.png"))).unwrap();
    }
    assert!(scratch.said("score run --data deep --out x.csv").contains("nearly black"));
    // So may a test part alone be.
    let dim: Vec<u8> = values.iter().map(|v| v / 16).collect();
    scratch.write("dim.npy", foreign::npy("|u1", "40, 8, 8", &dim));
    for (trained, told) in [("u8.npy", true), ("dim.npy", false)] {
        let said = scratch.said(&format!("data {trained} --test-data dim.npy"));
        let words = "dim.npy: the values go no further than 15 of 255, which is nearly black, and those of the training part";
        assert_eq!(said.contains(words), told, "{said}");
    }
    // Pictures of another kind than those that were standardised.
    scratch.succeed(&format!("{TRAIN} --data f4.npy --scaling standard"));
    let told = scratch.said("score run --data u16.npy --out x.csv");
    assert!(told.contains("values from 0 to 4080, where the training data are numbers from about"), "{told}");
    scratch.succeed(&format!("{TRAIN} --data i64.npy"));
    assert!(scratch.said("score run --data f4.npy --out x.csv").contains("save x * 255"));
    write_pictures(&scratch, &["p"], 40, grey);
    assert!(scratch.said("score run --data p --out x.csv").contains("they count as 0 to 255"));
}

#[test]
fn a_stray_value_among_zeros_and_ones_is_named() {
    let scratch = Scratch::new();
    let mut bits: Vec<u8> = (0..40 * 64).map(|i| u8::from(i * 7 % 5 < 2)).collect();
    scratch.write("bits.npy", foreign::npy("|u1", "40, 8, 8", &bits));
    scratch.succeed(&format!("{TRAIN} --data bits.npy"));
    bits[64 * 6 + 3] = 2;
    scratch.write("stray.npy", foreign::npy("|u1", "40, 8, 8", &bits));
    let message = scratch.fail("score run --data stray.npy --out x.csv", 1, "row 7 holds a 2");
    assert!(message.contains("(x > 0).astype(np.uint8)"), "{message}");
    scratch.fail("data bits.npy --test-data stray.npy", 1, "row 7 holds a 2");
}

#[test]
fn a_table_of_bytes_and_of_numbers_are_one() {
    let scratch = Scratch::new();
    let values: Vec<u8> = (0..60u32).flat_map(|i| [(i * 37 % 251) as u8, (i * 11 % 200) as u8]).collect();
    scratch.write("u8.npy", foreign::npy("|u1", "60, 2", &values));
    let rows: String = values.chunks(2).map(|row| format!("{},{}\n", row[0], row[1])).collect();
    scratch.write("t.csv", rows);
    let told = scratch.succeed("data u8.npy");
    assert!(told.contains("x = (v - shift) / scale, each column by itself"), "{told}");
    for (trained, other) in [("u8.npy", "t.csv"), ("t.csv", "u8.npy")] {
        scratch.succeed(&format!("{TRAIN} --data {trained}"));
        let scores = |data: &str| {
            let (out, err) = scratch.both(&format!("score run --data {data} --out -"));
            assert!(!err.contains("warning"), "{trained}, {data}: {err}");
            let score = |line: &str| line.split(',').nth(1).unwrap().parse::<f64>().unwrap();
            out.lines().skip(1).map(score).collect::<Vec<_>>()
        };
        assert_eq!(scores(trained), scores(other), "{trained}");
    }
    // What a run gives back is in the data's own unit.
    scratch.succeed("sample run --count 30 --round --out s.csv");
    let drawn = String::from_utf8(scratch.read("s.csv")).unwrap();
    let cells: Vec<f64> = drawn.split([',', '\n']).filter_map(|cell| cell.parse().ok()).collect();
    assert!(cells.iter().any(|v| *v > 50.0) && cells.iter().all(|v| *v == v.round()), "{drawn}");
    // Values as they are, on request.
    scratch.succeed(&format!("{TRAIN} --data u8.npy --scaling none"));
    assert!(!scratch.said("score run --data t.csv --out -").contains("warning"));
}

#[test]
fn rows_that_look_like_pictures_are_told_how_to_be_such() {
    let scratch = Scratch::new();
    let shade = |i: usize, p: usize| (i * 31 + p * 53) % 256;
    let values: Vec<u8> = (0..40 * 192).map(|p| shade(p / 192, p % 192) as u8).collect();
    scratch.write("x.npy", foreign::npy("|u1", "40, 192", &values));
    let line = |i: usize| (0..64).map(|p| format!(",{}", shade(i, p))).collect::<String>();
    let named = (0..64).map(|p| format!(",pixel{p}")).collect::<String>();
    let rows: String = (0..40).map(|i| format!("{}{}\n", i % 3, line(i))).collect();
    scratch.write("t.csv", format!("label{named}\n{rows}"));
    for (data, advice, shape) in [
        ("x.npy", "--image-size 8x8", "8x8x3"),
        ("t.csv", "--image-size 8x8, with --label-column label", "8x8"),
    ] {
        let told = scratch.said(&format!("data {data}"));
        assert!(told.contains(&format!("as pictures have: {advice} reads them as such")), "{told}");
        let flags = advice.replace(", with", "");
        let (out, err) = scratch.both(&format!("data {data} {flags}"));
        assert!(out.contains(&format!("pictures of {shape},")) && !err.contains("warning"), "{out}\n{err}");
    }
}
