//! What each fuzz target does with its bytes: writes them to a file as a user would, and reads it as the program does.
//! Whatever the bytes are, the result is data or one error: no panic, no hang, no memory beyond what the file backs. A
//! target returns whether it read data, so that a reader that refuses everything is noticed.
//!
//! The targets under `targets/` pass libFuzzer's bytes to these functions; `tests/fuzz_seeds.rs` passes the seeds, and
//! damaged copies of them, in every run of the tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;
use vae_gpu::data::{self, ReadOptions, Split};
use vae_gpu::error::Result;
use vae_gpu::gpu::Gpu;
use vae_gpu::kernels::tuning::Tuning;
use vae_gpu::run::{metrics, store};
use vae_gpu::train::RunSection;
use vae_gpu::train::{Config, files};
use vae_gpu::tune;

/// A target's name, which is also its folder of seeds, and its function.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// Every target.
pub const TARGETS: &[Target] = &[
    ("config", config),
    ("csv", csv),
    ("idx", idx),
    ("metrics", metrics_table),
    ("npy", npy),
    ("npz", npz),
    ("pictures", pictures),
    ("safetensors", safetensors),
    ("tuning", tuning),
];

/// Runs a target, and returns whether the bytes were read.
pub fn run(target: &str, bytes: &[u8]) -> bool {
    let (_, read) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target of the table");
    read(bytes)
}

/// Most rows read from data that opens.
const ROWS: usize = 4;
/// Longest error message: a few lines, however long the file.
const MAX_MESSAGE: usize = 4096;

/// A folder in memory, if the system has one.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
        .expect("a folder for the file")
}

/// Checks that an error is readable on a terminal.
fn judge<T>(result: Result<T>) -> Option<T> {
    result
        .map_err(|error| {
            let message = error.to_string();
            assert!(
                !message.trim().is_empty() && message.len() < MAX_MESSAGE,
                "{} bytes: {message}",
                message.len()
            );
        })
        .ok()
}

/// Opens a source as `train` does, and reads its first rows.
fn open(source: &Path, options: &ReadOptions) -> bool {
    let name = source.to_str().expect("a path of our own");
    let Some(dataset) = judge(data::open_with(name, options, &|_| {})) else { return false };
    for Split { count, .. } in [&dataset.train, &dataset.test] {
        assert!(*count > 0, "an empty part");
    }
    for part in [&dataset.train, &dataset.test] {
        if let Some(x) = judge(part.x(0..part.count.min(ROWS))) {
            assert_eq!(x.len(), part.count.min(ROWS) * dataset.shape.dim());
            assert!(x.iter().all(|value| value.is_finite()), "data that is no number");
        }
    }
    true
}

/// Splits the bytes in two: the first two bytes give the length of the first part.
fn two(bytes: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk() else { return (bytes, &[]) };
    rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()))
}

/// A folder of IDX files, with the same images and labels in both parts; plain or, by their magic, gzipped.
fn idx(bytes: &[u8]) -> bool {
    let folder = scratch();
    let (images, labels) = two(bytes);
    for part in ["train", "t10k"] {
        fs::write(folder.path().join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        if !labels.is_empty() {
            fs::write(folder.path().join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
        }
    }
    open(folder.path(), &ReadOptions::default())
}

fn file(name: &str, bytes: &[u8], options: &ReadOptions) -> bool {
    let folder = scratch();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    open(&path, options)
}

fn npy(bytes: &[u8]) -> bool {
    file("x.npy", bytes, &ReadOptions::default())
}

fn npz(bytes: &[u8]) -> bool {
    file("x.npz", bytes, &ReadOptions::default())
}

/// A table; if its first byte is odd, with a label column.
fn csv(bytes: &[u8]) -> bool {
    let odd = bytes.first().is_some_and(|first| first % 2 == 1);
    let label_column = odd.then(|| "label".to_owned());
    file("x.csv", bytes, &ReadOptions { label_column, ..ReadOptions::default() })
}

/// Entries of a folder of pictures: a byte for the kind, two for the length, then the content.
fn pictures(bytes: &[u8]) -> bool {
    const NAMES: [&str; 8] =
        ["0.png", "1.jpg", "2.bmp", "3.webp", "4.tiff", "a/5.png", "b/6.jpeg", "a/c/7.png"];
    /// One more kind: a symlink to the folder itself.
    const LINK: usize = NAMES.len();
    let folder = scratch();
    let mut rest = bytes;
    while let Some((&kind, after)) = rest.split_first() {
        let (content, next) = two(after);
        let kind = usize::from(kind) % (LINK + 1);
        if kind == LINK {
            #[cfg(unix)]
            let _ = std::os::unix::fs::symlink(folder.path(), folder.path().join("loop"));
        } else {
            let path = folder.path().join(NAMES[kind]);
            fs::create_dir_all(path.parent().expect("a file in the folder")).unwrap();
            fs::write(path, content).unwrap();
        }
        rest = next;
    }
    open(folder.path(), &ReadOptions { format: Some("pictures".into()), ..ReadOptions::default() })
}

/// A configuration, which must survive a round trip through its own text.
fn config(bytes: &[u8]) -> bool {
    let folder = scratch();
    let path = folder.path().join("config.toml");
    fs::write(&path, bytes).unwrap();
    let Some(mut config) = judge(Config::read(&path)) else { return false };
    // How the program runs is not part of a run's configuration.
    config.run = RunSection::default();
    assert_eq!(Config::parse(&config.to_toml()).as_ref(), Ok(&config));
    let _ = config.warning();
    config.resolve();
    assert_eq!(Config::parse(&config.to_toml()).as_ref(), Ok(&config));
    true
}

/// A model or checkpoint: first the bytes as a file, then an intact file with these bytes as metadata: up to a 0 the
/// configuration, then the number of values in its one tensor.
fn safetensors(bytes: &[u8]) -> bool {
    let folder = scratch();
    let path = folder.path().join("model.safetensors");
    let read = || {
        let model = judge(files::load_model(&path)).is_some();
        model | judge(files::load_checkpoint(&path)).is_some()
    };
    fs::write(&path, bytes).unwrap();
    let is_read = read();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let Ok(config) = std::str::from_utf8(&bytes[..end]) else { return is_read };
    let count = usize::from(bytes.get(end + 1).copied().unwrap_or(0));
    let tensor =
        store::NamedTensor { name: "encoder.0.weight".into(), shape: vec![count], values: vec![0.5; count] };
    let metadata =
        BTreeMap::from([("config".to_owned(), config.to_owned()), ("step".to_owned(), config.to_owned())]);
    store::write_tensors(&path, &[tensor], &metadata).unwrap();
    is_read | read()
}

/// A tuning file, in which `KEY` stands for the adapter's key.
fn tuning(bytes: &[u8]) -> bool {
    static GPU: OnceLock<(Arc<Gpu>, String)> = OnceLock::new();
    let folder = scratch();
    let (gpu, key) = GPU.get_or_init(|| {
        let gpu = Gpu::noop();
        let path = tune::save(folder.path(), gpu.report(), &Tuning::default()).unwrap();
        let written: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        (gpu, written["key"].as_str().expect("a key").to_owned())
    });
    // Saving replaces the existing file, and is the only way to learn its path.
    let path = tune::save(folder.path(), gpu.report(), &Tuning::default()).unwrap();
    let content = match std::str::from_utf8(bytes) {
        Ok(text) => text.replace("KEY", key).into_bytes(),
        Err(_) => bytes.to_owned(),
    };
    fs::write(path, content).unwrap();
    let found = tune::load(folder.path(), gpu.report());
    // The next measurement keeps the accepted content, which must be readable again.
    tune::save(folder.path(), gpu.report(), &Tuning::default()).unwrap();
    assert_eq!(tune::load(folder.path(), gpu.report()), found);
    found != Tuning::default()
}

/// The table of a run's epochs: if readable, it can be truncated and read again.
fn metrics_table(bytes: &[u8]) -> bool {
    let folder = scratch();
    let path = folder.path().join("metrics.csv");
    fs::write(&path, bytes).unwrap();
    let Some(rows) = judge(metrics::read(&path)) else { return false };
    if judge(metrics::truncate_after(&path, 1)).is_some() {
        let left = judge(metrics::read(&path)).expect("a table of our own");
        assert_eq!(left.len(), rows.iter().filter(|row| row.epoch <= 1).count());
    }
    !rows.is_empty()
}
