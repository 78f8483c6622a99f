//! The command line of the latent space: pictures, codes in and out, scores.

mod common;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/tiny.rs"]
mod tiny;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use image::{AnimationDecoder, DynamicImage, ImageFormat, RgbaImage};
use scratch::Scratch;
use skip::skip;
use vae_gpu::data::{ReadOptions, rows};

/// The files of Debian's package dataset-fashion-mnist; the variable names another folder.
const FASHION: &str = "/usr/share/datasets/fashion-mnist";
const FASHION_VARIABLE: &str = "FASHION_MNIST";

/// A folder with a trained model of 8x8 images, `run`.
fn trained(flags: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.succeed(&format!(
        "train --data tiny --hidden 32 --batch-size 32 --epochs 3 --lr 0.01 --quiet --out run {flags}"
    ));
    scratch
}

fn decoded(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory_with_format(bytes, ImageFormat::Png).unwrap()
}

fn png(scratch: &Scratch, name: &str) -> DynamicImage {
    decoded(&scratch.read(name))
}

/// The pixels of the image in a column and row of a grid of 8x8 images, drawn at twice their size.
fn cell(picture: &DynamicImage, column: u32, row: u32) -> Vec<u8> {
    picture.crop_imm(2 + 18 * column, 2 + 18 * row, 16, 16).into_luma8().into_raw()
}

/// The values [N, columns] in a file of numbers.
fn matrix(scratch: &Scratch, name: &str) -> (usize, Vec<f32>) {
    let split = rows(scratch.path(name).to_str().unwrap(), &ReadOptions::default()).unwrap().split;
    (split.dim(), split.x(0..split.count).unwrap())
}

fn stdout(scratch: &Scratch, line: &str) -> Vec<u8> {
    let Output { status, stdout, stderr } = scratch.std_command(line).output().unwrap();
    assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
    stdout
}

#[cfg(unix)]
#[test]
fn a_pipe_is_written_into() {
    use std::os::unix::fs::FileTypeExt;

    let scratch = trained("--latent 2");
    let pipe = scratch.path("pipe.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe).unwrap()
    });
    scratch.succeed("sample run --count 4 --out pipe.png");
    assert!(reader.join().unwrap().starts_with(b"\x89PNG"));
    assert!(std::fs::metadata(pipe).unwrap().file_type().is_fifo());
}

#[test]
fn samples_have_a_temperature_and_go_to_stdout() {
    let scratch = trained("--latent 3");
    let file = stdout(&scratch, "sample run --count 9 --out nine.png");
    assert_eq!(String::from_utf8(file).unwrap(), "9 samples are in nine.png\n");
    assert_eq!(stdout(&scratch, "sample run --count 9 --out -"), scratch.read("nine.png"));
    assert_eq!(stdout(&scratch, "sample run --count 9 --temperature 1 --out -"), scratch.read("nine.png"));
    // At temperature 0, every z is 0.
    let cold = decoded(&stdout(&scratch, "sample run --count 3 --temperature 0 --out -"));
    assert_eq!((cell(&cold, 0, 0), cell(&cold, 1, 0)), (cell(&cold, 1, 0), cell(&cold, 2, 0)));
    let warm = png(&scratch, "nine.png");
    assert_ne!(cell(&warm, 0, 0), cell(&warm, 1, 0));
    scratch.fail("sample run --temperature=-1", 2, "--temperature -1: use a number that is not negative");
    scratch.fail("sample run --temperature NaN", 2, "--temperature NaN");
    let reconstructions = stdout(&scratch, "reconstruct run --count 4 --out -");
    scratch.succeed("reconstruct run --count 4");
    assert_eq!(reconstructions, scratch.read("reconstructions.png"));
}

#[test]
fn an_interpolation_has_its_ends_and_turns_back() {
    let scratch = trained("--latent 3");
    let told = scratch.succeed("interpolate run --from 0 --to 5 --steps 6");
    assert_eq!(told, "6 images from one to the other are in interpolation.png\n");
    let way = png(&scratch, "interpolation.png");
    // Six images of 16 pixels with 2 around each.
    assert_eq!((way.width(), way.height()), (110, 20));
    let back = decoded(&stdout(&scratch, "interpolate run --from 5 --to 0 --steps 6 --out -"));
    for step in 0..6 {
        assert_eq!(cell(&way, step, 0), cell(&back, 5 - step, 0), "step {step}");
    }
    assert_ne!(cell(&way, 0, 0), cell(&way, 5, 0));
    // A file with the same pixels is the same image.
    scratch.succeed("reconstruct run --count 6");
    let original = png(&scratch, "reconstructions.png").crop_imm(2 + 18 * 5, 2, 16, 16);
    let small = original.resize_exact(8, 8, image::imageops::FilterType::Nearest).into_luma8();
    small.save(scratch.path("five.png")).unwrap();
    assert_eq!(
        stdout(&scratch, "interpolate run --from 0 --to five.png --steps 6 --out -"),
        scratch.read("interpolation.png")
    );
    let spherical = stdout(&scratch, "interpolate run --from 0 --to 5 --steps 6 --spherical --out -");
    assert_eq!(
        spherical,
        stdout(&scratch, "interpolate run --from 0 --to 5 --steps 6 --path spherical --out -")
    );
    let spherical = decoded(&spherical);
    assert_eq!(cell(&spherical, 0, 0), cell(&way, 0, 0));

    scratch.succeed("animate run --from 0 --to 5 --steps 6");
    let frames = |name: &str| {
        if name.ends_with("gif") { gif_frames(&scratch.read(name)) } else { apng_frames(&scratch.read(name)) }
    };
    let gif = frames("animation.gif");
    // 2 x 6 frames without repeating the ends, 32 times as large.
    assert_eq!((gif.len(), gif[0].dimensions()), (10, (256, 256)));
    assert_eq!((&gif[1], &gif[4]), (&gif[9], &gif[6]));
    scratch.succeed("animate run --from 0 --to 5 --steps 6 --out way.apng");
    let apng = frames("way.apng");
    assert!(apng == gif, "grey frames are exact in either file");
    assert_eq!(gif[5].get_pixel(100, 100).0[0], cell(&way, 5, 0)[16 * 6 + 6], "the last image turns");
    assert_eq!(stdout(&scratch, "animate run --from 0 --to 5 --steps 6 --out -"), scratch.read("way.apng"));

    let refuse = |line: &str, code: i32, words: &str| drop(scratch.fail(line, code, words));
    refuse("interpolate run --from 0 --to 64", 2, "there is no test image 64: use 0 to 63");
    refuse("interpolate run --from 0 --to none.png", 1, "none.png: not a readable picture");
    refuse("interpolate run --from 0 --to 1 --label 3", 2, "not trained with --condition labels");
    refuse("animate run --from 0 --to 1 --out way.mp4", 2, "an animation is a .gif, .png or .apng file");
    let clap = scratch.command("interpolate run --from 0 --to 1 --steps 1").assert().code(2);
    assert!(String::from_utf8_lossy(&clap.get_output().stderr).contains("1 is not in 2..=1000"));
}

#[test]
fn a_traversal_has_a_row_for_each_dimension() {
    let scratch = trained("--latent 4");
    let told = scratch.succeed("traverse run --steps 5");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!((lines.len(), lines[0]), (5, "4 latent dimensions from -3 to 3 are in traversal.png"));
    let kl: Vec<f64> = lines[1..]
        .iter()
        .map(|line| line.split_whitespace().rev().nth(1).unwrap().parse().unwrap())
        .collect();
    assert!(kl.is_sorted_by(|a, b| a >= b) && kl[0] > 0.0, "{told}");
    let all = png(&scratch, "traversal.png");
    assert_eq!((all.width(), all.height()), (92, 74));
    // The middle of each row is z = 0.
    let cold = decoded(&stdout(&scratch, "sample run --count 1 --temperature 0 --out -"));
    assert!((0..4).all(|row| cell(&all, 2, row) == cell(&cold, 0, 0)));
    assert_ne!(cell(&all, 0, 0), cell(&all, 4, 0), "the first dimension does something");
    let some = decoded(&stdout(&scratch, "traverse run --steps 5 --dims 2 --image 3 --out -"));
    assert_eq!((some.width(), some.height()), (92, 38));
    assert_ne!(cell(&some, 2, 0), cell(&cold, 0, 0));
    scratch.fail("traverse run --image 999", 2, "there is no test image 999");
    scratch.fail("manifold run", 2, "a manifold is of two latent dimensions, but this model has 4");
}

#[test]
fn a_plane_has_a_manifold_and_a_map() {
    let scratch = trained("--latent 2");
    scratch.succeed("manifold run --steps 7");
    let manifold = png(&scratch, "manifold.png");
    assert_eq!((manifold.width(), manifold.height()), (128, 128));
    let cold = decoded(&stdout(&scratch, "sample run --count 1 --temperature 0 --out -"));
    assert_eq!(cell(&manifold, 3, 3), cell(&cold, 0, 0), "the middle is z = 0");
    // z_0 to the right, z_1 upwards, at the quantiles of 1/14 and 13/14.
    scratch.write("corner.csv", "a,b\n-1.4652338,1.4652338\n1.4652338,1.4652338\n");
    scratch.succeed("decode run --latents corner.csv --out corners/");
    for (number, column) in [(0, 0), (1, 6)] {
        let corner = png(&scratch, &format!("corners/{number}.png")).into_luma8();
        assert_eq!(corner.dimensions(), (8, 8));
        let drawn = manifold.crop_imm(2 + 18 * column, 2, 16, 16).into_luma8();
        for (x, y, pixel) in corner.enumerate_pixels() {
            assert!(pixel.0[0].abs_diff(drawn.get_pixel(2 * x, 2 * y).0[0]) <= 1, "corner {number}");
        }
    }
    assert_eq!(scratch.succeed("latent-map run"), "the codes of 64 test data are in latent-map.png\n");
    assert_eq!(scratch.picture("latent-map.png"), (980, 840));
    let few = stdout(&scratch, "latent-map run --limit 10 --out -");
    assert_ne!(few, scratch.read("latent-map.png"));
    assert_eq!(
        scratch.succeed("latent-map run --split train --limit 100"),
        "the codes of 100 train data are in latent-map.png\n"
    );

    // By name it is the same plane; by other methods another picture, the same each time.
    let map = |flags: &str| stdout(&scratch, &format!("latent-map run --split train {flags} --out -"));
    assert_eq!(map("--method dims"), map(""));
    let others = ["--method pca", "--method tsne", "--method tsne --perplexity 10"].map(map);
    assert!(others.iter().all(|other| *other != map("")) && others[0] != others[1] && others[1] != others[2]);
    assert_eq!(map("--method tsne --perplexity 30"), others[1]);
    // Of few data the usual perplexity is as large as it can be.
    scratch.succeed("latent-map run --method tsne");
    scratch.fail(
        "latent-map run --method tsne --perplexity 30",
        2,
        "--perplexity 30: t-SNE looks at three times as many neighbours of each of the 64 data: use 21 or less, or more data",
    );
    scratch.fail("latent-map run --method pca --perplexity 5", 2, "--perplexity is for --method tsne");
    scratch.succeed("latent-map run --method tsne --perplexity 21");

    let scratch = trained("--latent 3 --model ae");
    scratch.succeed("latent-map run --out pca.png");
    assert_eq!(scratch.picture("pca.png"), (980, 840));
    scratch.succeed("latent-map run --method dims --out dims.png");
    assert_ne!(scratch.read("dims.png"), scratch.read("pca.png"));
    scratch.succeed("interpolate run --from 0 --to 1");
    scratch.fail("traverse run", 2, "an autoencoder has no KL");
    scratch.fail("encode run --what sample --out z.npy", 2, "an autoencoder gives one z");
    scratch.succeed("score run --out scores.csv");
    let scratch = trained("--latent 1");
    scratch.fail("latent-map run", 2, "this model has one: use `encode`");
}

#[test]
fn codes_go_out_and_come_back() {
    let scratch = trained("--latent 3");
    let told = scratch.succeed("encode run --out mu.npy");
    assert_eq!(told, "mu of 64 test data, 3 numbers each, is in mu.npy\n");
    let mu = matrix(&scratch, "mu.npy");
    assert_eq!((mu.0, mu.1.len()), (3, 3 * 64));
    for name in ["mu.csv", "mu.parquet"] {
        scratch.succeed(&format!("encode run --out {name}"));
        // The first column is the number of the row.
        let (columns, values) = matrix(&scratch, name);
        let rows: Vec<&[f32]> = values.chunks(columns).collect();
        assert!(rows.iter().enumerate().all(|(i, row)| row[0] == i as f32), "{name}");
        let codes: Vec<f32> = rows.iter().flat_map(|row| &row[1..]).copied().collect();
        assert_eq!((columns - 1, codes), mu, "{name}");
    }
    let csv = String::from_utf8(scratch.read("mu.csv")).unwrap();
    assert!(csv.starts_with("row,mu_0,mu_1,mu_2\n"), "{csv}");
    assert_eq!(stdout(&scratch, "encode run --out -"), csv.as_bytes());
    // z = mu + sigma eps: the draws deviate by about as much as the variance says.
    scratch.succeed("encode run --what log-var --out log_var.npy");
    scratch.succeed("encode run --what sample --out z.npy");
    let (log_var, z) = (matrix(&scratch, "log_var.npy").1, matrix(&scratch, "z.npy").1);
    let eps: Vec<f64> =
        (0..z.len()).map(|i| f64::from(z[i] - mu.1[i]) / (f64::from(log_var[i]) / 2.0).exp()).collect();
    let square = eps.iter().map(|e| e * e).sum::<f64>() / eps.len() as f64;
    // 192 draws: the mean of their squares is 1 with a deviation of 0.1.
    assert!((0.6..1.4).contains(&square), "{square}");
    scratch.succeed("encode run --split train --out train.npy");
    assert_eq!(matrix(&scratch, "train.npy").1.len(), 3 * 256);

    // The same data in a file without parts: their codes are those of the test part.
    let images: Vec<f32> = tiny::images(64).iter().map(|v| f32::from(*v) / 255.0).collect();
    write_npy(&scratch.path("x.npy"), 64, &images);
    scratch.succeed("encode run --data x.npy --out of_file.npy");
    let of_file = matrix(&scratch, "of_file.npy").1;
    assert_eq!(of_file.len(), mu.1.len());
    let error = of_file.iter().zip(&mu.1).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(error < 1e-4, "{error}");

    scratch.succeed("decode run --latents mu.npy --out x_again.npy");
    let (dim, x) = matrix(&scratch, "x_again.npy");
    assert_eq!((dim, x.len()), (64, 64 * 64));
    scratch.succeed("decode run --latents mu.parquet --out x_again.csv");
    assert_eq!(matrix(&scratch, "x_again.csv").1, x);
    assert_eq!(scratch.succeed("decode run --latents mu.csv --out some/"), "64 data of 8x8 are in some/\n");
    let last = png(&scratch, "some/63.png").into_luma8();
    let expected: Vec<u8> = x[63 * 64..].iter().map(|v| (v * 255.0).round() as u8).collect();
    assert_eq!((last.dimensions(), last.into_raw()), ((8, 8), expected));
    assert!(scratch.path("some/00.png").is_file());

    let refuse = |line: &str, code: i32, words: &str| drop(scratch.fail(line, code, words));
    refuse("encode run --out z.txt", 2, "z.txt: numbers are written as .npy, .csv or .parquet");
    refuse(
        "encode run --data x.npy --split test --out z.npy",
        2,
        "--split: x.npy has no parts, and is not the run's own data; leave it out",
    );
    refuse("encode run --split valid --out z.npy", 2, "the run held nothing out");
    write_npy(&scratch.path("far.npy"), 2, &[-1.0; 128]);
    refuse("encode run --data far.npy --out z.npy", 2, "far.npy: 2 of 2 rows have values outside 0..1");
    refuse("encode run --data none.npy --out z.npy", 1, "none.npy");
    refuse("encode run --data mu.npy --out z.npy", 2, "holds data of 3 columns, but the model is of 8x8");
    refuse("decode run --latents x.npy --out z.npy", 1, "rows of 64 numbers, but the model's codes have 3");
    refuse("decode run --latents mu.npy --label 3 --out z.npy", 2, "not trained with --condition labels");
    refuse(
        "decode run --latents mu.npy --out none",
        2,
        "none: numbers are written as .npy, .csv or .parquet",
    );
    write_npy(&scratch.path("nan.npy"), 2, &[1.0, 2.0, 3.0, 1.0, f32::NAN, 3.0]);
    refuse("decode run --latents nan.npy --out z.npy", 1, "row 2, column 2: no finite number");
    scratch.write("file", "");
    refuse("decode run --latents mu.npy --out file/", 1, "file");
}

#[test]
fn a_conditional_model_uses_labels() {
    let scratch = trained("--latent 2 --condition labels");
    scratch.succeed("encode run --out z.npy");
    scratch.succeed("decode run --latents z.npy --label 3 --out three.npy");
    scratch.succeed("decode run --latents z.npy --label 4 --out four.npy");
    let (three, four) = (matrix(&scratch, "three.npy").1, matrix(&scratch, "four.npy").1);
    assert_ne!(three, four);
    let z = matrix(&scratch, "z.npy").1;
    let row = |i: usize, label: usize| format!("{},{},{label}\n", z[2 * i], z[2 * i + 1]);
    scratch.write("z.csv", ["a,b,class\n", &row(0, 3), &row(1, 4)].concat());
    let values = |text: Vec<u8>| -> Vec<f32> {
        String::from_utf8(text).unwrap().split([',', '\n']).filter_map(|v| v.parse().ok()).collect()
    };
    let both = values(stdout(&scratch, "decode run --latents z.csv --label-column class --out -"));
    assert_eq!(both, [&three[..64], &four[64..128]].concat());
    scratch.succeed("manifold run --label 3 --steps 3");
    scratch.succeed("traverse run --label 3 --steps 3");
    scratch.succeed("traverse run --image 0 --steps 3");
    scratch.succeed("interpolate run --from 0 --to 1");
    scratch.fail("manifold run", 2, "give one with --label: 0 to 9");
    scratch.fail("manifold run --label 10", 2, "label `10`: the model knows the labels 0 to 9");
    scratch.fail("decode run --latents z.npy --out x.npy", 2, "give one with --label: 0 to 9");
    let images: Vec<f32> = tiny::images(2).iter().map(|v| f32::from(*v) / 255.0).collect();
    write_npy(&scratch.path("x.npy"), 2, &images);
    scratch.fail("encode run --data x.npy --out y.npy", 2, "but x has none");
}

#[test]
fn the_strangest_data_come_first() {
    let scratch = trained("--latent 3");
    let told = scratch.succeed("score run --out scores.csv --picture worst.png --top 12");
    let expected =
        "the scores of 64 test data, highest first, are in scores.csv\nthe 12 highest are in worst.png\n";
    assert_eq!(told, expected);
    let scores = read_scores(&scratch, "scores.csv");
    assert!(scores.windows(2).all(|pair| pair[0].1 >= pair[1].1), "{scores:?}");
    let mut numbers: Vec<usize> = scores.iter().map(|(row, _)| *row).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..64).collect::<Vec<_>>());
    // Their mean is the value that `evaluate` measures.
    let report: serde_json::Value = serde_json::from_str(&scratch.succeed("evaluate run --json")).unwrap();
    let mean = scores.iter().map(|(_, score)| score).sum::<f64>() / 64.0;
    assert!((mean + report["elbo"]["mean"].as_f64().unwrap()).abs() < 1e-3, "{mean}");
    // The first image of the picture is the datum with the highest score.
    let worst = png(&scratch, "worst.png");
    assert_eq!((worst.width(), worst.height()), (146, 116));
    let pixel = |i: usize| tiny::images(64)[64 * scores[0].0 + i];
    assert_eq!(cell(&worst, 0, 0)[2 * 3 + 16 * 2 * 4], pixel(3 + 8 * 4));
    assert_eq!(
        stdout(&scratch, "score run --out scores.csv --picture - --top 12"),
        scratch.read("worst.png")
    );
    scratch.succeed("score run --out scores.parquet");
    let (columns, values) = matrix(&scratch, "scores.parquet");
    assert_eq!((columns, values.len()), (3, 3 * 64), "row, score, label");
    assert_eq!((values[0] as usize, values[1]), (scores[0].0, scores[0].1 as f32));
    assert_eq!(values[2], (scores[0].0 % 10) as f32);

    // Half of these images are noise.
    let mut images: Vec<f32> = tiny::images(32).iter().map(|v| f32::from(*v) / 255.0).collect();
    images.extend((0..32 * 64u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as f32 / 255.0));
    write_npy(&scratch.path("mixed.npy"), 64, &images);
    for flags in ["", "--nll-samples 20"] {
        scratch.succeed(&format!("score run --data mixed.npy --out mixed.csv {flags}"));
        let scores: BTreeMap<usize, f64> = read_scores(&scratch, "mixed.csv").into_iter().collect();
        let part = |rows: std::ops::Range<usize>| rows.map(|i| scores[&i]).collect::<Vec<_>>();
        let area = area_under_roc(&part(0..32), &part(32..64));
        assert!(area >= 0.99, "{flags}: {area}");
    }
    scratch.fail("score run --out scores.npy", 2, "scores are written as .csv or .parquet");
    scratch.fail("score run --out - --nll-samples 0", 2, "--nll-samples 0: use 1 to");
    scratch.fail("score run --out - --picture -", 2, "cannot both go to stdout");
}

#[test]
fn tables_are_encoded_and_decoded_in_their_own_units() {
    let scratch = Scratch::new();
    let row = |i: usize| format!("{},{},{}\n", 1000 + i, 5.0 + (i % 7) as f32, i % 2);
    let table: String = (0..120).map(row).collect();
    scratch.write("table.csv", format!("height,weight,class\n{table}"));
    scratch.succeed(
        "train --data table.csv --label-column class --likelihood gaussian --hidden 8 --latent 2 --batch-size 16 --epochs 2 --quiet --out run",
    );
    scratch.succeed("encode run --data table.csv --out z.npy");
    assert_eq!(matrix(&scratch, "z.npy").1.len(), 240);
    scratch.succeed("decode run --latents z.npy --out x.npy");
    let x = matrix(&scratch, "x.npy").1;
    assert!(
        x.chunks(2).all(|row| (900.0..1300.0).contains(&row[0]) && (0.0..15.0).contains(&row[1])),
        "{x:?}"
    );
    scratch.write("one.csv", "height,weight,class\n1060,8,1\n");
    scratch.succeed("score run --data one.csv --out one_score.csv");
    assert_eq!(read_scores(&scratch, "one_score.csv").len(), 1);
    assert!(scratch.succeed("latent-map run").contains("test data"));
    assert_eq!(scratch.succeed("sample run"), "64 samples are in samples.csv\n");
    scratch.fail("sample run --out samples.png", 2, "the model is of data of 2 columns, which is no picture");
    scratch.fail("decode run --latents z.npy --out x/", 2, "which is no picture");
}

#[test]
fn clothes_are_strange_to_a_model_of_digits() {
    let folder = std::env::var(FASHION_VARIABLE).unwrap_or_else(|_| FASHION.to_owned());
    if !Path::new(&folder).is_dir() {
        let remedy = format!("install Debian's dataset-fashion-mnist, or set {FASHION_VARIABLE}");
        return skip("fashion", &format!("Fashion-MNIST is not in {folder}: {remedy}"));
    }
    let scratch = Scratch::new();
    scratch.succeed("train --hidden 100 --latent 10 --epochs 1 --batch-size 200 --quiet --out run");
    scratch.succeed("score run --out digits.csv");
    scratch.succeed(&format!("score run --data {folder} --out clothes.csv"));
    let scores = |name| read_scores(&scratch, name).into_iter().map(|(_, score)| score).collect::<Vec<_>>();
    let area = area_under_roc(&scores("digits.csv"), &scores("clothes.csv"));
    assert!(area >= 0.99, "{area}");
}

/// The frames of a GIF, in RGBA.
fn gif_frames(bytes: &[u8]) -> Vec<RgbaImage> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(bytes).unwrap();
    let (width, height) = (decoder.width().into(), decoder.height().into());
    let mut frames = Vec::new();
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        frames.push(RgbaImage::from_raw(width, height, frame.buffer.to_vec()).unwrap());
    }
    frames
}

/// The frames of an APNG, in RGBA.
fn apng_frames(bytes: &[u8]) -> Vec<RgbaImage> {
    let decoder = image::codecs::png::PngDecoder::new(std::io::Cursor::new(bytes)).unwrap();
    let frames = decoder.apng().unwrap().into_frames().collect_frames().unwrap();
    frames.into_iter().map(|frame| frame.into_buffer()).collect()
}

/// Number and score of each row.
fn read_scores(scratch: &Scratch, name: &str) -> Vec<(usize, f64)> {
    let text = String::from_utf8(scratch.read(name)).unwrap();
    assert!(text.starts_with("row,score"), "{text}");
    let row = |line: &str| {
        let mut cells = line.split(',');
        (cells.next().unwrap().parse().unwrap(), cells.next().unwrap().parse().unwrap())
    };
    text.lines().skip(1).map(row).collect()
}

/// The probability that an anomaly scores higher than an ordinary datum; ties count half.
fn area_under_roc(ordinary: &[f64], anomalies: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = ordinary.iter().map(|score| (*score, false)).collect();
    all.extend(anomalies.iter().map(|score| (*score, true)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut won) = (0.0, 0.0);
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let strange = group.iter().filter(|(_, strange)| *strange).count() as f64;
        let usual = group.len() as f64 - strange;
        won += strange * (below + usual / 2.0);
        below += usual;
    }
    won / (ordinary.len() * anomalies.len()) as f64
}

#[test]
fn the_area_under_a_curve_is_known_for_known_scores() {
    assert_eq!(area_under_roc(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
    assert_eq!(area_under_roc(&[1.0, 3.0], &[2.0, 3.0]), 0.625);
}

/// A .npy file of `count` rows of floats.
fn write_npy(path: &Path, count: usize, values: &[f32]) {
    let mut file = std::fs::File::create(path).unwrap();
    vae_gpu::data::write::Matrix::Npy.write(&mut file, &[], values.len() / count, values).unwrap();
}
