//! The messages after a user's mistakes: each command line with its exit code and full message, in a snapshot to be
//! read by anyone who changes one. `INSTA_UPDATE=always cargo test --test messages` rewrites it.
#![cfg(unix)]

#[path = "common/foreign.rs"]
mod foreign;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;
use std::sync::Mutex;

use scratch::Scratch;

/// Command lines under the headings of the snapshot. `run` is a trained run, `tiny` its data; `files` makes the rest.
const ROWS: &[(&str, &[&str])] = &[
    (
        "Words and flags",
        &[
            "tran",
            "train --nosuch",
            "sample run --cuont 3",
            "train extra",
            "man nosuch",
            "sample",
            "encode run",
            "compare run",
            "score run --out s.csv --top 3",
            "encode run --out z.csv --format npy",
            "bench --steps 3",
            "train --scale 2",
            "completions basch",
            "explain --target gpu",
            "train --likelihood gausian",
            "train --activation rleu",
            "train --preset kingma2014",
            "train --lr-schedule cos",
            "train --log-format yaml",
            "evaluate run --split vald",
            "data tiny --format cvs",
            "train --data mnits",
            "data tiny --image-size 28",
            "sample run --label three",
        ],
    ),
    (
        "Numbers out of range",
        &[
            "train --epochs many",
            "train --epochs -1",
            "train --epochs 0",
            "train --hidden 16,,16",
            "train --hidden 0",
            "train --hidden 99999999999999999999",
            "train --latent 65537",
            "train --batch-size 65537",
            "train --data tiny --batch-size 257",
            "train --samples 513",
            "train --lr 0",
            "train --lr fast",
            "train --lr nan",
            "train --beta -1",
            "train --valid 1",
            "train --adam-epsilon 0",
            "train --clip-norm inf",
            "train --seed 18446744073709551616",
            "train --preset kingma2013 --scale 0",
            "explain --likelihood categorical --levels 257",
            "tune --latent 0",
            "bench --step --steps 0",
            "sample run --count 0",
            "sample run --temperature -0.5",
            "interpolate run --from 0 --to 64",
            "interpolate run --from 0 --to 1 --steps 1",
            "animate run --from 0 --to 1 --fps 51",
            "traverse run --dims 0",
            "traverse run --image 64",
            "manifold run --steps 1",
            "latent-map run --limit 0",
            "score run --out s.csv --nll-samples 0",
            "evaluate run --nll-samples 100001",
            "evaluate run --limit 0",
            "data ok.npy --test-fraction 1",
            "train --data tiny --device 99",
        ],
    ),
    (
        "What does not go together",
        &[
            "train --config run/config.toml --preset kingma2013",
            "train --resume run --out other",
            "train --resume run --latent 3",
            "train --resume run --epochs 1",
            "train --force",
            "train --model ae --beta 2",
            "train --model iwae --free-bits 1",
            "train --patience 3",
            "train --likelihood categorical --binarize fixed",
            "train --data ok.csv --likelihood bernoulli",
            "train --data ok.csv --likelihood gaussian --binarize fixed",
            "train --data ok.csv --flip",
            "train --data ok.csv --net conv",
            "train --likelihood logistic-mixture --components 33",
            "train --data shapes --image-size 28x28",
            "data tiny --factors factors.csv",
            "train --data ok.csv --condition labels",
            "train --data tiny --out run",
            "train --data tiny --out run/config.toml",
            "bench --quick --step",
            "interpolate run --from 0 --to 1 --path linear --spherical",
            "data tiny --grey --colour",
            "data ok.csv --grey",
            "data ok.npy --label-column a",
            "data tiny --test-fraction 0.5",
            "data ok.npy --test-data tiny",
            "data ok.npy --test-data ok.csv",
            "data ok.npy --test-data nosuch",
            "data ok.npy --image-size 3x3",
            "data ok.csv --picture mean.png",
            "data ok.npy --format mnist",
            "sample run --label 3",
            "traverse run --label 3",
            "evaluate run --split valid",
            "encode run --out z.csv --split valid --data tiny",
            "encode run --out z.csv --data ok.npy",
            "latent-map run --data ok.csv",
            "decode run --latents four.npy --out d/",
            "score run --out - --picture -",
        ],
    ),
    (
        "Names of results",
        &[
            "sample run --out x.jpg",
            "sample run --out nowhere/x.png",
            "sample run --out nowhere/",
            "reconstruct run --out x.csv",
            "reconstruct run --out tiny",
            "interpolate run --from 0 --to 1 --out x.gif",
            "animate run --from 0 --to 1 --out x.mp4",
            "traverse run --out x.npy",
            "manifold run --out x.svg",
            "latent-map run --out x.pdf",
            "compare run run --out x.gif",
            "evaluate run --picture x.svg",
            "data tiny --picture x.jpg",
            "encode run --out z.txt",
            "decode run --latents two.npy --out x.png",
            "score run --out s.npy",
            "score run --out s.csv --picture s.webp",
            "export run --onnx run/config.toml",
            "export run --onnx run/config.toml/deeper",
            "man --out run/config.toml",
        ],
    ),
    (
        "Files that are not there",
        &[
            "data nosuch",
            "data nosuch.csv",
            "data empty-folder",
            "data run/model.safetensors",
            "data run",
            "data nosuch --format idx",
            "data ok.csv --format pictures",
            "explain --config nosuch.toml",
            "sample nosuch",
            "reconstruct run/config.toml",
            "evaluate tiny",
            "export nosuch --onnx x",
            "train --resume nosuch",
            "compare run nosuch",
            "runs nosuch",
            "runs run/config.toml",
            "latent-map run --data nosuch.npy",
            "decode run --latents nosuch.npy --out d/",
            "decode run --latents nosuch --out d/",
            "interpolate run --from 0 --to nosuch.png",
            "traverse run --image tiny",
            "sample no-model",
            "train --resume no-checkpoint",
        ],
    ),
    (
        "IDX",
        &[
            "data idx-empty",
            "data idx-none",
            "data idx-huge",
            "data idx-short",
            "data idx-long",
            "data idx-floats",
            "data idx-flat",
            "data idx-labels",
            "data idx-shapes",
            "data idx-half",
            "data idx-gzip-cut",
            "data idx-gzip-bomb",
            "data idx-png",
        ],
    ),
    (
        "NumPy",
        &[
            "data empty.npy",
            "data cut.npy",
            "data foreign.npy",
            "data version.npy",
            "data header.npy",
            "data long.npy",
            "data objects.npy",
            "data five.npy",
            "data first.npy",
            "data none.npy",
            "data one.npy",
            "data nan.npy",
            "data empty.npz",
            "data bomb.npz",
            "data two.npz",
            "data labels.npz",
            "data none.npz",
        ],
    ),
    (
        "Tables",
        &[
            "data empty.csv",
            "data names.csv",
            "data text.csv",
            "data text.csv --label-column kind",
            "data label.csv --label-column label",
            "data ragged.csv",
            "data missing.csv",
            "data infinite.csv",
            "data steering.csv",
            "data empty.parquet",
            "data foreign.parquet",
            "data cut.parquet",
        ],
    ),
    (
        "Pictures",
        &[
            "data pictures-broken",
            "data pictures-mixed",
            "data pictures-claims",
            "data pictures-wide",
            "data pictures-none --format pictures",
            "interpolate run --from pictures-broken/a.png --to 1",
        ],
    ),
    (
        "Configurations",
        &[
            "explain --config unknown.toml",
            "explain --config unclosed.toml",
            "explain --config type.toml",
            "explain --config range.toml",
            "explain --config variant.toml",
            "explain --config likelihood.toml",
            "explain --config negative.toml",
            "explain --config nested.toml",
            "explain --config twice.toml",
            "explain --config size.toml",
            "explain --config bytes.toml",
            "train --config device.toml",
        ],
    ),
    (
        "Models and checkpoints",
        &[
            "sample model-empty",
            "sample model-cut",
            "sample model-flipped",
            "sample model-zip",
            "sample model-lies",
            "sample model-overflows",
            "sample model-half",
            "sample model-foreign",
            "evaluate model-cut",
            "train --resume checkpoint-cut",
            "train --resume checkpoint-foreign",
            "compare run metrics-text",
        ],
    ),
];

fn files(scratch: &Scratch) {
    let folder = |name: &str| fs::create_dir_all(scratch.path(name)).unwrap();
    folder("empty-folder");
    let idx = |name: &str, train: &[u8]| {
        folder(name);
        scratch.write(&format!("{name}/train-images-idx3-ubyte"), train);
        scratch.write(&format!("{name}/t10k-images-idx3-ubyte"), tiny::idx(&[2, 2, 2], &[0; 8]));
    };
    let sound = tiny::idx(&[2, 2, 2], &[0; 8]);
    idx("idx-empty", b"");
    idx("idx-none", &tiny::idx(&[0, 2, 2], b""));
    idx("idx-huge", &tiny::idx(&[1 << 24, 4096, 4096], b""));
    idx("idx-short", &tiny::idx(&[9, 2, 2], b"abc"));
    idx("idx-long", &tiny::idx(&[2, 2, 2], &[0; 9]));
    idx("idx-floats", &[&[0, 0, 13, 3], &sound[4..]].concat());
    idx("idx-flat", &tiny::idx(&[2], &[0; 2]));
    idx("idx-labels", &sound);
    scratch.write("idx-labels/train-labels-idx1-ubyte", tiny::idx(&[3], &[0; 3]));
    idx("idx-shapes", &tiny::idx(&[2, 3, 2], &[0; 12]));
    idx("idx-half", b"");
    fs::remove_file(scratch.path("idx-half/train-images-idx3-ubyte")).unwrap();
    let packed = foreign::gzip(&sound);
    idx("idx-gzip-cut", &packed[..packed.len() - 9]);
    idx("idx-gzip-bomb", &foreign::gzip(&[sound, vec![0; 8 << 20]].concat()));
    idx("idx-png", b"\x89PNG\r\n\x1a\n");

    let npy = |name: &str, descr: &str, shape: &str, values: &[u8]| {
        scratch.write(&format!("{name}.npy"), foreign::npy(descr, shape, values));
    };
    npy("ok", "|u1", "20, 4", &[0; 80]);
    npy("four", "<f4", "1, 4", &[0; 16]);
    npy("two", "<f4", "1, 2", &[0; 8]);
    npy("long", "<f8", "4294967296, 4294967296", b"");
    npy("objects", "|O", "2, 2", &[0; 16]);
    npy("five", "|u1", "2, 2, 2, 2, 2", &[0; 32]);
    npy("first", "|u1", "2, 3, 8, 8", &[0; 384]);
    npy("none", "|u1", "0, 4", b"");
    npy("one", "|u1", "1, 4", &[0; 4]);
    npy("nan", "<f4", "2, 1", &[0, 0, 0, 0, 0, 0, 0xc0, 0x7f]);
    scratch.write("empty.npy", b"");
    scratch.write("cut.npy", b"\x93NUMPY\x01\x00\xff\xff{");
    scratch.write("foreign.npy", b"\x89PNG\r\n\x1a\n");
    scratch.write("version.npy", b"\x93NUMPY\x09\x00\x04\x00abcd");
    scratch.write("header.npy", foreign::npy_with(b"{'descr': \x1b[2J}", b""));

    let bytes = |shape: &str, values: &[u8]| foreign::npy("|u1", shape, values);
    scratch.write("empty.npz", b"");
    scratch.write("none.npz", foreign::npz(&[]));
    scratch.write("bomb.npz", foreign::npz(&[("x", bytes("1048576, 1048576", &[0; 4096]))]));
    scratch.write("two.npz", foreign::npz(&[("a", bytes("1, 1", &[0])), ("b", bytes("1, 1", &[0]))]));
    scratch.write("labels.npz", foreign::npz(&[("x", bytes("2, 1", &[0; 2])), ("y", bytes("3", &[0; 3]))]));

    let numbers: String = (0..40).map(|i| format!("{i},{}\n", 2 * i)).collect();
    for (name, text) in [
        ("ok", format!("a,b\n{numbers}").as_str()),
        ("empty", ""),
        ("names", "a,b\n"),
        ("text", "a,b\n1,dog\n2,cat\n"),
        ("label", "label\ndog\ncat\n"),
        ("ragged", "1,2\n\n\n3\n"),
        ("missing", "a,b\r\n1,2\r\n\r\n,4\r\n"),
        ("infinite", "1,2\n1e39,3\n"),
        ("steering", "\x1b[2Ja,b\n1,\x1b]0;title\x07\n2,3\n"),
    ] {
        scratch.write(&format!("{name}.csv"), text);
    }
    scratch.write("empty.parquet", b"");
    scratch.write("foreign.parquet", b"a,b\n1,2\n3,4\n");
    let mut parquet = Vec::new();
    vae_gpu::data::write::Matrix::Parquet.write(&mut parquet, &[], 1, &[0.0; 100]).unwrap();
    scratch.write("cut.parquet", &parquet[parquet.len() / 2..]);

    for name in ["broken", "mixed", "claims", "wide", "none"] {
        folder(&format!("pictures-{name}"));
    }
    scratch.write("pictures-broken/a.png", b"no picture");
    scratch.write("pictures-mixed/a.png", foreign::png(2, 2, b"\0ab\0cd"));
    scratch.write("pictures-mixed/b.png", foreign::png(3, 2, b"\0abc\0cde"));
    scratch.write("pictures-claims/a.png", foreign::png(i32::MAX as u32, i32::MAX as u32, b"\0"));
    scratch.write("pictures-wide/a.png", foreign::png(30_000, 30_000, b"\0"));

    for (name, text) in [
        ("unknown", "[model]\nlatnet = 2\n"),
        ("unclosed", "[model\nlatent = 2\n"),
        ("type", "[model]\nlatent = \"two\"\n"),
        ("range", "[train]\nbatch_size = 0\n"),
        ("variant", "[model]\nactivation = \"rleu\"\n"),
        ("likelihood", "[model]\nlikelihood = \"gausian\"\n"),
        ("negative", "[train]\nepochs = -1\n"),
        ("nested", &format!("data = {}", "[".repeat(10_000))),
        ("twice", "data = \"a\"\ndata = \"b\"\n"),
        ("size", "[source]\nimage_size = \"3\"\n"),
        ("device", "data = \"tiny\"\n[run]\ndevice = \"nosuch\"\n"),
    ] {
        scratch.write(&format!("{name}.toml"), text);
    }
    scratch.write("bytes.toml", [0xff, 0xfe, 0]);

    let model = scratch.read("run/model.safetensors");
    let mut flipped = model.clone();
    *flipped.last_mut().unwrap() ^= 0x40;
    let lies = r#"{"w":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}"#;
    let overflows = r#"{"w":{"dtype":"F32","shape":[9223372036854775807,8],"data_offsets":[0,4]}}"#;
    let half = r#"{"w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#;
    let foreign = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let safetensors = |header: &str| foreign::safetensors(header, &[0; 4]);
    for (name, file, content) in [
        ("model-empty", "model", Vec::new()),
        ("model-cut", "model", model[..model.len() / 2].to_vec()),
        ("model-flipped", "model", flipped),
        ("model-zip", "model", b"PK\x03\x04 no tensors here".to_vec()),
        ("model-lies", "model", safetensors(lies)),
        ("model-overflows", "model", safetensors(overflows)),
        ("model-half", "model", safetensors(half)),
        ("model-foreign", "model", safetensors(foreign)),
        ("checkpoint-cut", "checkpoint", model[..model.len() / 2].to_vec()),
        ("checkpoint-foreign", "checkpoint", model.clone()),
    ] {
        folder(name);
        scratch.write(&format!("{name}/config.toml"), scratch.read("run/config.toml"));
        scratch.write(&format!("{name}/{file}.safetensors"), content);
    }
    for name in ["no-model", "no-checkpoint", "metrics-text"] {
        folder(name);
        scratch.write(&format!("{name}/config.toml"), scratch.read("run/config.toml"));
    }
    scratch.write("metrics-text/metrics.csv", "epoch,step\none,two\n");
}

/// The output of a row, made independent of the machine.
fn row(scratch: &Scratch, args: &str) -> String {
    let output = scratch.command(args).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    let code = output.status.code();
    assert!(matches!(code, Some(1 | 2)), "{args}: {code:?}\n{message}");
    assert!(output.stdout.is_empty(), "{args}: something on stdout");
    let errors = message.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors, 1, "{args}: {message}");
    assert!(!message.contains("panicked"), "{args}: {message}");
    assert!(!message.contains(|c: char| c.is_control() && c != '\n'), "{args}: {message:?}");
    assert!(
        message.lines().all(|line| line.chars().count() <= 1100),
        "{args}: a line is too long for any screen"
    );
    let root = scratch.path("").canonicalize().unwrap();
    let message = message.replace(&format!("{}/", root.display()), "DIR/");
    let mut lines = String::new();
    for line in message.lines().filter(|line| !line.is_empty()) {
        // The adapters of this machine.
        let numbered =
            line.strip_prefix("  ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let of_adapter =
            line.starts_with("adapter ") || line.starts_with("warning: this is a software adapter");
        // Each adapter trains slightly different weights.
        let line = without_checksums(line);
        match (numbered, of_adapter) {
            (true, _) if lines.ends_with("  NUMBER ADAPTER\n") => {}
            (true, _) => lines.push_str("  NUMBER ADAPTER\n"),
            (_, true) => {}
            _ => lines.push_str(&format!("{line}\n")),
        }
    }
    format!("$ vae-gpu {args}\n{lines}exit {}\n\n", code.unwrap())
}

/// The line with every eight-digit hexadecimal number replaced by a word.
fn without_checksums(line: &str) -> String {
    let is_checksum = |word: &str| word.len() == 8 && word.chars().all(|c| c.is_ascii_hexdigit());
    let plain = |word: &str| match word.trim_end_matches(',') {
        bare if is_checksum(bare) => word.replace(bare, "CHECKSUM"),
        _ => word.to_owned(),
    };
    line.split(' ').map(plain).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_mistake_has_its_exit_code_and_message() {
    let scratch = Scratch::new();
    scratch.succeed("train --data tiny --hidden 8 --latent 2 --batch-size 64 --epochs 2 --out run -q");
    files(&scratch);
    let all: Vec<&str> = ROWS.iter().flat_map(|(_, rows)| *rows).copied().collect();
    let (next, done) = (Mutex::new(0..all.len()), Mutex::new(vec![String::new(); all.len()]));
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get()).min(8);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(number) = next.lock().unwrap().next() else { break };
                    let text = row(&scratch, all[number]);
                    done.lock().unwrap()[number] = text;
                }
            });
        }
    });
    let mut texts = done.into_inner().unwrap().into_iter();
    let mut table = String::new();
    for (heading, rows) in ROWS {
        table.push_str(&format!("## {heading}\n\n"));
        table.extend(texts.by_ref().take(rows.len()));
    }
    assert!(!scratch.path("runs").exists(), "a refused training has made a run");
    insta::assert_snapshot!("messages", table);
}
