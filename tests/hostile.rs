//! Files that lie, swell, shrink and loop: each is read as a user would read it, and the result is data or one error,
//! without a panic, a hang, or memory that the file does not account for.

#[path = "common/foreign.rs"]
mod foreign;
#[path = "common/tiny.rs"]
mod tiny;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vae_gpu::data::{self, Dataset, ReadOptions, Size};
use vae_gpu::error::Result;
use vae_gpu::run::store;
use vae_gpu::train::{Config, files};

/// Counts the bytes in use, and their peak.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is forwarded to the system's allocator unchanged; the counters are independent of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller upholds the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller upholds the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller upholds the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Memory that a refusal may take beside the file itself: buffers, threads, and the decoders' own tables.
const SMALL: usize = 48 << 20;
/// No file of these tests takes a second; a hang never ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// One test at a time: otherwise the memory of others would be counted too.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The result of `read`, and the memory it took.
fn measured<T>(read: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let begun = Instant::now();
    let read = read();
    assert!(begun.elapsed() < PATIENCE, "it took {:?}", begun.elapsed());
    (read, PEAK.load(Ordering::Relaxed).saturating_sub(before))
}

/// A folder of files.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn open_with(path: &Path, options: &ReadOptions) -> Result<Dataset> {
    data::open_with(path.to_str().unwrap(), options, &|_| {})
}

fn open(path: &Path) -> Result<Dataset> {
    open_with(path, &ReadOptions::default())
}

/// The error message for data that must be refused within `memory`.
#[track_caller]
fn refused_within(path: &Path, memory: usize) -> String {
    let (result, peak) = measured(|| open(path));
    let message = result.expect_err("a refusal").to_string();
    assert!(peak <= memory, "{} MiB for {message}", peak >> 20);
    assert!(message.contains(path.file_name().unwrap().to_str().unwrap()), "{message}");
    message
}

#[track_caller]
fn refused(path: &Path, words: &str) {
    let message = refused_within(path, SMALL);
    assert!(message.contains(words), "{message}");
}

/// The other three files of an IDX folder are intact.
fn idx(name: &str, train: &[u8]) -> (Folder, PathBuf) {
    let folder = Folder::new();
    folder.write(&format!("{name}/t10k-images-idx3-ubyte"), tiny::idx(&[2, 2, 2], &[0; 8]));
    folder.write(&format!("{name}/train-images-idx3-ubyte"), train);
    let path = folder.path(name);
    (folder, path)
}

#[track_caller]
fn idx_refused(train: &[u8], words: &str) {
    let (_folder, path) = idx("d", train);
    let (result, peak) = measured(|| open(&path));
    let message = result.expect_err("a refusal").to_string();
    assert!(message.contains(words) && peak <= SMALL, "{} MiB for {message}", peak >> 20);
}

#[test]
fn sizes_that_lie_allocate_nothing() {
    let _alone = alone();
    let most = u32::MAX as usize;
    for (sizes, words) in [
        ([most, most, most], "more than 16777216"),
        ([1 << 24, 4096, 4096], "more than 8 GiB"),
        ([1 << 24, 16, 16], "cut off: the header promises 4294967296 bytes"),
        ([0, 2, 2], "says 0 images"),
        ([2, 0, 2], "says 0 pixels per side"),
    ] {
        idx_refused(&tiny::idx(&sizes, &[0; 100]), words);
        let packed =
            if words.starts_with("cut off") { "more than a file of its size can unpack to" } else { words };
        idx_refused(&foreign::gzip(&tiny::idx(&sizes, &[0; 100])), packed);
    }
    let folder = Folder::new();
    for (shape, words) in [
        ("4294967296, 4294967296", "more than 2147483648 rows"),
        ("18446744073709551615, 2", "more than 2147483648 rows"),
        ("2, 18446744073709551615, 18446744073709551615, 3", "more than 2147483648 rows"),
        ("2147483648, 16777216", "but the file has"),
        ("99999999999999999999999999, 2", "makes no sense"),
        ("-1, 2", "makes no sense"),
    ] {
        for descr in ["|u1", "<f8"] {
            refused(&folder.write("lies.npy", foreign::npy(descr, shape, &[0; 64])), words);
            let packed = foreign::npz(&[("x", foreign::npy(descr, shape, &[0; 64]))]);
            let path = folder.write("lies.npz", packed);
            let message = refused_within(&path, SMALL);
            assert!(message.contains("bytes are packed") || message.contains("makes no sense"), "{message}");
        }
    }
    // A header of 4 GiB.
    let header = [b"\x93NUMPY\x02\x00", &u32::MAX.to_le_bytes()[..], b"{}"].concat();
    refused(&folder.write("header.npy", header), "more than 65536");
}

#[test]
fn what_unpacks_without_end_is_refused_early() {
    let _alone = alone();
    // 512 MiB of zeros in half a megabyte, declared and undeclared.
    let zeros = vec![0; 64 << 20];
    let told = [&tiny::idx(&[1 << 22, 16, 8], &[])[..], &zeros].concat();
    idx_refused(&foreign::gzip(&told), "more than a file of its size can unpack to");
    let untold = [&tiny::idx(&[2, 2, 2], &[0; 8])[..], &zeros].concat();
    idx_refused(&foreign::gzip(&untold), "goes on after the 8 bytes");
    let folder = Folder::new();
    let told = foreign::npz(&[("x", foreign::npy("|u1", "1048576, 512", &zeros))]);
    refused(&folder.write("told.npz", told), "bytes are packed");
    let untold = foreign::npz(&[("x", foreign::npy("|u1", "2, 2", &zeros))]);
    refused(&folder.write("untold.npz", untold), "but holds more or fewer");
    // A header that never ends, compressed.
    let header = foreign::npy_with(&[b' '; 65_000], &zeros);
    refused(&folder.write("header.npz", foreign::npz(&[("x", header)])), "makes no sense");
}

#[test]
fn pictures_claim_no_memory_that_their_files_do_not_account_for() {
    let _alone = alone();
    let folder = Folder::new();
    for (width, height, words) in [
        (i32::MAX as u32, i32::MAX as u32, "exceeds limit"),
        (1, i32::MAX as u32, "exceeds limit"),
        (32_768, 32_768, "claim to be 32768x32768 pixels"),
        (30_000, 12_000, "claim to be 30000x12000 pixels"),
        (0, 5, "Invalid image dimensions"),
    ] {
        folder.write("claims/a.png", foreign::png(width, height, &[0; 100]));
        refused(&folder.path("claims"), words);
    }
    // As large as that, and really present: 361 MB of zeros in 1.6 MB, more than 200 times as many.
    folder.write("bomb/a.png", foreign::png(19_000, 19_000, &vec![0; 19_000 * 19_001]));
    refused(&folder.path("bomb"), "claim to be 19000x19000 pixels");
}

/// One list of many equal numbers takes hardly any room in the file.
#[test]
fn a_parquet_list_is_not_unpacked_without_limit() {
    let _alone = alone();
    use parquet::data_type::Int32Type;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    let list = |items: usize| {
        let schema = "message m { required group x (LIST) { repeated group list { required int32 item; } } }";
        let schema = parse_message_type(schema).unwrap().into();
        let properties = WriterProperties::builder().build();
        let mut file = SerializedFileWriter::new(Vec::new(), schema, properties.into()).unwrap();
        let mut group = file.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let (zeros, defined, mut repeated) = (vec![0; items], vec![1; items], vec![1; items]);
        repeated[0] = 0;
        column.typed::<Int32Type>().write_batch(&zeros, Some(&defined), Some(&repeated)).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        file.into_inner().unwrap()
    };
    let folder = Folder::new();
    let bytes = list(24 << 20);
    assert!(bytes.len() < 1 << 20, "{} bytes", bytes.len());
    refused(&folder.write("endless.parquet", bytes), "items in the lists of column `x`");
    let path = folder.write("wide.parquet", list((1 << 17) + 1));
    let message = refused_within(&path, 256 << 20);
    assert!(message.contains("more than 131072 columns"), "{message}");
    let (result, _) = measured(|| open(&folder.write("one.parquet", list(8))));
    assert!(result.unwrap_err().to_string().contains("has one row"));
}

#[test]
fn an_endless_line_is_not_a_row() {
    let _alone = alone();
    let folder = Folder::new();
    for (text, words) in [
        ("1,", "more than 131072 columns"),
        ("1 ", "more than 131072 columns"),
        ("abcd", "has more than 4 MiB"),
    ] {
        // The start of the file is parsed as one line: 4 MiB of text, with the position of each cell.
        let message = refused_within(&folder.write("line.csv", text.repeat(25 << 20)), 3 * SMALL);
        assert!(message.contains(words), "{message}");
    }
    // A quote that is never closed does not hold the rest of the file either.
    let path = folder.write("quote.csv", format!("a,b\n1,\"{}", "x".repeat(100 << 20)));
    let message = refused_within(&path, 3 * SMALL);
    assert!(message.contains("row 1 (line 2) has more than 4 MiB"), "{message}");
    refused_within(&folder.write("zeros.csv", vec![0; 16 << 20]), 2 * SMALL);
    refused_within(&folder.write("ends.csv", vec![b'\n'; 16 << 20]), 6 * (16 << 20));
}

#[test]
fn images_of_one_pixel_are_data() {
    let _alone = alone();
    let (_folder, path) = idx("one", &tiny::idx(&[5, 1, 1], &[0, 9, 99, 199, 255]));
    let message = open(&path).unwrap_err().to_string();
    assert!(message.contains("the test images are 2x2"), "{message}");
    let folder = Folder::new();
    for name in ["a", "b", "c"] {
        folder.write(&format!("one/{name}.png"), foreign::png(1, 1, &[0, 7]));
    }
    let dataset = open(&folder.path("one")).unwrap();
    assert_eq!((dataset.shape.dim(), dataset.train.count, dataset.test.count), (1, 2, 1));
    let size = ReadOptions { image_size: Some(Size { width: 4096, height: 1 }), ..ReadOptions::default() };
    assert_eq!(open_with(&folder.path("one"), &size).unwrap().shape.dim(), 4096);
}

#[cfg(unix)]
#[test]
fn folders_that_loop_nest_or_are_no_text_are_read_to_their_end() {
    let _alone = alone();
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let folder = Folder::new();
    let png = foreign::png(1, 1, &[0, 7]);
    for name in ["p/cats/a.png", "p/dogs/b.png", "p/dogs/c.png"] {
        folder.write(name, &png);
    }
    for (target, link) in [("p", "p/dogs/up"), ("p/dogs", "p/dogs/self"), ("nowhere", "p/cats/dangling.png")]
    {
        symlink(folder.path(target), folder.path(link)).unwrap();
    }
    symlink("loop.png", folder.path("p/cats/loop.png")).unwrap();
    let dataset = open(&folder.path("p")).unwrap();
    assert_eq!(dataset.train.count + dataset.test.count, 3);
    assert!(dataset.warnings[0].contains("2 of 5 pictures cannot be read"), "{:?}", dataset.warnings);

    // Names of folders and files need not be Unicode.
    let odd = folder.path("p").join(OsStr::from_bytes(b"od\xffd\n\x1b[31m"));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join(OsStr::from_bytes(b"\xfe.png")), &png).unwrap();
    let dataset = open(&folder.path("p")).unwrap();
    assert_eq!((dataset.train.count + dataset.test.count, dataset.classes.len()), (4, 3));

    let mut deep = folder.path("deep");
    for _ in 0..100 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("a.png"), &png).unwrap();
    assert!(open(&folder.path("deep")).is_err());

    // A special file is not a picture: opening a pipe would wait for its writer forever.
    let made = std::process::Command::new("mkfifo").arg(folder.path("p/cats/pipe.png")).status().unwrap();
    assert!(made.success());
    let (dataset, _) = measured(|| open(&folder.path("p")).unwrap());
    assert_eq!(dataset.train.count + dataset.test.count, 4);
}

/// The rows of a .npy file stay in it, so it can change while in use.
#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let _alone = alone();
    let folder = Folder::new();
    let path = folder.write("t.npy", foreign::npy("<f4", "4096, 16", &[0; 4096 * 16 * 4]));
    let dataset = open(&path).unwrap();
    assert!(dataset.train.is_in_file() && dataset.train.x([4000 - 800]).is_ok());
    fs::File::options().write(true).open(&path).unwrap().set_len(1000).unwrap();
    let message = dataset.train.x(0..dataset.train.count).unwrap_err().to_string();
    assert!(message.contains("t.npy: it has become shorter since it was opened"), "{message}");
    fs::write(&path, "").unwrap();
    assert!(dataset.train.x([0]).is_err() && dataset.test.marginals().is_err());
}

/// A model file, with a matching checksum if the header is ours.
fn model(folder: &Folder, config: &str) -> PathBuf {
    let path = folder.path("model.safetensors");
    let metadata = [("config".to_owned(), config.to_owned())].into();
    store::write_tensors(&path, &[], &metadata).unwrap();
    path
}

#[test]
fn models_that_lie_are_refused() {
    let _alone = alone();
    let folder = Folder::new();
    for header in [
        r#"{"w":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}"#.to_owned(),
        r#"{"w":{"dtype":"F32","shape":[9223372036854775807,8],"data_offsets":[0,4]}}"#.to_owned(),
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#.to_owned(),
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}"#.to_owned(),
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
            .to_owned(),
        format!("{{\"a\":{}{}}}", "[".repeat(1 << 20), "]".repeat(1 << 20)),
        " ".repeat(1 << 20),
    ] {
        let path = folder.write("model.safetensors", foreign::safetensors(&header, &[0; 4]));
        let (result, peak) = measured(|| store::read_tensors(&path).map(|_| ()));
        assert!(result.unwrap_err().to_string().lines().all(|line| line.len() < 4096));
        assert!(peak < SMALL, "{} MiB", peak >> 20);
    }
    let lies = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    assert!(store::read_tensors(&folder.write("model.safetensors", lies)).is_err());

    // Intact files whose configuration describes sizes that no file can hold, or that cannot exist.
    let most = i64::MAX;
    let layers = vec!["65536"; 64].join(",");
    for config in [
        String::new(),
        format!("shape = [{most}, {most}, {most}]"),
        format!("shape = [8, 8, 1]\nclasses = {most}"),
        format!("shape = [65536, 1, 1]\n[model]\nhidden = [{layers}]\nlatent = 65536"),
        format!("shape = [65536, 1, 1]\n[model]\nlikelihood = \"categorical\"\nlevels = {most}"),
        "shape = [0, 0, 0]".to_owned(),
        "shape = [2, 1, 1]\n[source.scaling]\nshift = []\nscale = []".to_owned(),
        "shape = [2, 1, 1]\n[source.scaling]\nshift = [0.0, 1.0, 2.0]\nscale = [1.0]".to_owned(),
        "shape = [2, 1, 1]\n[source.scaling]\nshift = [nan]\nscale = [0.0]".to_owned(),
    ] {
        let path = model(&folder, &config);
        for refused in [files::load_model(&path).map(|_| ()), files::load_checkpoint(&path).map(|_| ())] {
            assert!(refused.is_err(), "{config}");
        }
        let (_, peak) = measured(|| files::load_model(&path).map(|_| ()));
        assert!(peak < SMALL, "{} MiB for {config}", peak >> 20);
    }
    // The last ones fail for their scaling, not for missing tensors.
    let path = model(&folder, "shape = [2, 1, 1]\n[source.scaling]\nshift = []\nscale = []");
    assert!(files::load_model(&path).unwrap_err().to_string().contains("scaled differently"));
}

#[test]
fn configurations_nest_no_deeper_than_the_parser_allows_and_are_no_longer_than_a_cap() {
    let _alone = alone();
    let folder = Folder::new();
    for text in [
        format!("data = {}", "[".repeat(1 << 20)),
        format!("a{} = 1", ".a".repeat(1 << 18)),
        format!("a = {}", "{b=".repeat(1 << 18)),
        "[[a]]\n".repeat(1 << 16),
        format!("data = \"{}\"\nnonsense = 1", "x".repeat(4 << 20)),
    ] {
        let path = folder.write("c.toml", &text);
        let (result, peak) = measured(|| Config::read(&path));
        let message = result.unwrap_err().to_string();
        assert!(message.len() < 8192, "{} bytes of message", message.len());
        assert!(peak < SMALL + 256 * text.len(), "{} MiB", peak >> 20);
    }
    let sparse = folder.path("sparse.toml");
    fs::File::create(&sparse).unwrap().set_len(64 << 30).unwrap();
    let (result, peak) = measured(|| Config::read(&sparse));
    assert!(result.is_err() && peak < 256 << 20, "{} MiB", peak >> 20);
}
