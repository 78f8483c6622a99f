//! The speed of reading data: `cargo bench --bench reading`. If `PYTHON` names an interpreter with pandas,
//! `pandas.read_csv` also reads the CSV, alternating on the same machine. Every figure is the best of three, with files
//! in the system's cache.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use vae_gpu::data::write::Matrix;
use vae_gpu::data::{self, Dataset, ReadOptions, Scale};

const ROUNDS: usize = 3;
const PICTURES: usize = 10_000;
const ROWS: usize = 1_000_000;
const COLUMNS: usize = 64;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);

    let seconds = best(|| drop(open(Path::new("mnist"))));
    println!("mnist, built in           {seconds:8.3} s");

    for (bits, name) in [(8, "pictures"), (16, "pictures-16")] {
        let pictures = path(name);
        write_pictures(&pictures, bits);
        let seconds = best(|| assert_eq!(open(&pictures).train.count, PICTURES - PICTURES / 10));
        let what = format!("{PICTURES} PNGs, {bits} bits");
        println!("{what:<25} {seconds:8.3} s  {:9.0} files/s", PICTURES as f64 / seconds);
    }

    let values = table();
    let csv = path("table.csv");
    write_csv(&csv, &values);
    let mebibytes = |path: &Path| fs::metadata(path).expect("a file").len() as f64 / f64::from(1 << 20);
    let packed = path("table.csv.gz");
    gzip(&csv, &packed);
    let python = std::env::var_os("PYTHON");
    for (what, path) in [("CSV", &csv), (".csv.gz", &packed)] {
        let (mut ours, mut pandas) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            ours = ours.min(time(|| drop(open(path))));
            if let Some(python) = &python {
                let program = "import sys, time, pandas\nt = time.perf_counter()\npandas.read_csv(sys.argv[1])\n\
                               print(time.perf_counter() - t)";
                let output =
                    Command::new(python).args(["-c", program]).arg(path).output().expect("python runs");
                let text = String::from_utf8_lossy(&output.stdout);
                pandas = pandas.min(text.trim().parse().expect("pandas read the file"));
            }
        }
        // Of a packed file, the bytes of its text.
        println!("{what:<7} of {ROWS} x {COLUMNS} {ours:8.3} s  {:9.0} MiB/s", mebibytes(&csv) / ours);
        if python.is_some() {
            println!("the same, pandas.read_csv {pandas:8.3} s  {:9.2} of our time", pandas / ours);
        }
    }
    for (name, format) in [("table.parquet", Matrix::Parquet), ("table.npy", Matrix::Npy)] {
        let path = path(name);
        let mut file = BufWriter::new(fs::File::create(&path).expect("a file"));
        format.write(&mut file, &[], COLUMNS, &values).expect("written");
        drop(file);
        let seconds = best(|| drop(open(&path)));
        println!("{name:<25} {seconds:8.3} s  {:9.0} MiB/s", mebibytes(&path) / seconds);
    }
}

/// Opens a source as training does, but without the standardisation, which pandas does not do either.
fn open(source: &Path) -> Dataset {
    let options = ReadOptions { scale: Some(Scale::None), ..ReadOptions::default() };
    let source = source.to_str().expect("a plain name");
    data::open_with(source, &options, &|_| {}).unwrap_or_else(|error| panic!("{error}"))
}

fn time(job: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    job();
    begin.elapsed().as_secs_f64()
}

fn best(job: impl Fn()) -> f64 {
    (0..ROUNDS).map(|_| time(&job)).fold(f64::INFINITY, f64::min)
}

/// Digits of 28x28 with that many bits a value.
fn write_pictures(folder: &Path, bits: u32) {
    fs::create_dir(folder).expect("a folder");
    let mnist = open(Path::new("mnist")).train;
    for i in 0..PICTURES {
        let x = mnist.x([i]).expect("in memory");
        let path = folder.join(format!("{i:05}.png"));
        let written = if bits == 8 {
            let pixels = x.iter().map(|x| (255.0 * x).round() as u8).collect();
            image::GrayImage::from_raw(28, 28, pixels).expect("28x28").save(path)
        } else {
            let pixels = x.iter().map(|x| (65535.0 * x).round() as u16).collect();
            let picture: Option<image::ImageBuffer<image::Luma<u16>, _>> =
                image::ImageBuffer::from_vec(28, 28, pixels);
            picture.expect("28x28").save(path)
        };
        written.expect("written");
    }
}

/// Numbers from -8 to 8 with six decimals.
fn table() -> Vec<f32> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 20) as f32 - 8.0
    };
    (0..ROWS * COLUMNS).map(|_| next()).collect()
}

fn gzip(from: &Path, to: &Path) {
    let file = BufWriter::new(fs::File::create(to).expect("a file"));
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    std::io::copy(&mut fs::File::open(from).expect("a file"), &mut packed).expect("packed");
    packed.finish().expect("packed");
}

fn write_csv(path: &Path, values: &[f32]) {
    let mut file = BufWriter::with_capacity(1 << 20, fs::File::create(path).expect("a file"));
    let names: Vec<String> = (0..COLUMNS).map(|column| format!("c{column}")).collect();
    writeln!(file, "{}", names.join(",")).expect("written");
    for row in values.chunks_exact(COLUMNS) {
        let cells: Vec<String> = row.iter().map(|value| format!("{value:.6}")).collect();
        writeln!(file, "{}", cells.join(",")).expect("written");
    }
    file.flush().expect("written");
}
