//! A run's files stay in its folder and belong to the user, and names in the data cannot escape: into file names, pages
//! or the terminal.
#![cfg(unix)]

#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use scratch::Scratch;
use serde_json::Value;

/// Names that would do harm if trusted.
const NAMES: [&str; 10] = [
    "../../up",
    "/etc/absolute",
    "a/b",
    "..",
    "NUL",
    "two\nlines",
    "<script>alert(1)</script>",
    "\x1b]0;title\x07\x1b[31m",
    "\u{202e}txt.exe",
    "=1+1\"',;\t",
];

/// Every file below a folder with its content, except drivers' caches.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name() != Some(OsStr::new("cache")) {
                folders.push(path);
            } else if path.is_file() {
                let content = fs::read(&path).unwrap();
                found.insert(path, content);
            }
        }
    }
    found
}

/// Runs a command that must succeed, and returns stdout; neither stream may contain terminal control characters.
#[track_caller]
fn shown(scratch: &Scratch, args: &str) -> String {
    let output = scratch.command(args).output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{args}: {stderr}");
    for text in [&stdout, &stderr] {
        let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.contains(steers), "{args}: {text:?}");
        let forged = text.lines().any(|line| line.trim_start().starts_with("lines"));
        assert!(!forged, "{args}: a name has begun a line\n{text}");
    }
    stdout
}

/// Checks that a run's files have plain names, and that its report contains no markup from the data.
fn check_run(scratch: &Scratch, run: &str) {
    for (path, content) in tree(&scratch.path(run)) {
        let name = path.strip_prefix(scratch.path(run)).unwrap().to_str().unwrap();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        assert!(name.chars().all(plain) && !name.contains(".."), "{name:?}");
        if name.ends_with(".html") {
            let html = String::from_utf8(content).unwrap();
            assert!(!html.contains("<script") && !html.contains('\x1b'), "{html}");
        }
    }
}

#[test]
fn labels_from_data_stay_words() {
    let scratch = Scratch::new();
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let rows: String =
        (0..60).map(|i| format!("{i},{},{}\n", i * i % 7, quoted(NAMES[i % NAMES.len()]))).collect();
    scratch.write("t.csv", format!("a,{},kind\n{rows}", quoted(NAMES[6])));
    let before = tree(&scratch.path(""));
    let train =
        "train --data t.csv --label-column kind --likelihood gaussian --hidden 8 --latent 2 --batch-size 20";
    shown(&scratch, &format!("{train} --epochs 2 --condition labels --tensorboard --out run"));
    for args in [
        "data t.csv --label-column kind",
        "evaluate run",
        "runs .",
        "latent-map run --out map.png",
        "score run --out scores.csv",
        "sample run --label all --out samples.csv",
        "encode run --out codes.parquet",
    ] {
        shown(&scratch, args);
    }
    let told: Value =
        serde_json::from_str(&shown(&scratch, "data t.csv --label-column kind --json")).unwrap();
    let mut found: Vec<_> =
        told["labels"].as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap()).collect();
    let mut expected = NAMES.map(str::trim).to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "JSON has the names themselves");

    check_run(&scratch, "run");
    let after = tree(&scratch.path(""));
    for (path, content) in &after {
        let name = path.strip_prefix(scratch.path("")).unwrap().to_str().unwrap();
        let asked = ["map.png", "scores.csv", "samples.csv", "codes.parquet"].contains(&name);
        assert!(
            asked || name.starts_with("run/") || before.get(path) == Some(content),
            "{name} was made or changed"
        );
    }
    assert!(before.keys().all(|path| after.contains_key(path)), "a file was deleted");

    // A class that is new to the model.
    let table = String::from_utf8(scratch.read("t.csv")).unwrap();
    scratch.write("t.csv", table.replacen("\"a/b\"", "new", 1));
    let words = "label `new`: the model knows the labels";
    scratch.fail("train --resume run --epochs 3", 2, words);
}

#[test]
fn folders_and_files_with_any_name_are_read_and_shown_as_words() {
    let scratch = Scratch::new();
    let names =
        [&b"two\nlines"[..], b"<script>", b"\x1b[31mred", b"no \xff text", b"-rf", b"$(touch pwned)", b"a;b"];
    for (i, name) in names.iter().enumerate() {
        let folder = scratch.path("pictures").join(OsStr::from_bytes(name));
        fs::create_dir_all(&folder).unwrap();
        let pixels = tiny::images(8);
        for (j, pixels) in pixels.chunks(64).enumerate() {
            let picture = image::GrayImage::from_raw(8, 8, pixels.to_vec()).unwrap();
            picture.save(folder.join(format!("{i}-{j}.png"))).unwrap();
        }
        fs::write(folder.join(OsStr::from_bytes(b"broken\n\x1b[2J\xff.png")), "no picture").unwrap();
    }
    let told = shown(&scratch, "data pictures");
    assert!(told.contains("two\\nlines"), "{told}");
    shown(
        &scratch,
        "train --data pictures --condition labels --hidden 8 --latent 2 --batch-size 16 --epochs 1 --out run",
    );
    shown(&scratch, "latent-map run --out map.png");
    check_run(&scratch, "run");
    assert!(!scratch.path("pwned").exists());

    // A run without a name takes one from the data: a single plain word.
    fs::rename(scratch.path("pictures"), scratch.path("..\x1b[31m; $(touch pwned) ..")).unwrap();
    let mut train = scratch.std_command("train --hidden 8 --latent 2 --batch-size 16 --epochs 1 -q --data");
    assert!(train.arg("..\x1b[31m; $(touch pwned) ..").output().unwrap().status.success());
    let runs: Vec<_> = fs::read_dir(scratch.path("runs")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(runs, ["..--31m----touch-pwned--..-vae-1"]);

    // A run's name need not be Unicode, with or without JSON.
    for flags in ["--log-format json", ""] {
        let args = format!(
            "train --data tiny --hidden 8 --latent 2 --batch-size 64 --epochs 1 --force {flags} --out"
        );
        let output = scratch.std_command(&args).arg(OsStr::from_bytes(b"r\xff\x1b[2J")).output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(output.status.success() && !stderr.contains("panicked"), "{stderr}");
        assert!(!stdout.contains('\x1b') && !stderr.contains('\x1b'), "{stdout}{stderr}");
    }
    assert!(shown(&scratch, "runs . --json").contains("r\u{fffd}"));
}

#[test]
fn files_have_the_permissions_that_the_user_wants() {
    let scratch = Scratch::new();
    let train = format!(
        "umask 027 && exec {} train --data tiny --hidden 8 --latent 2 --batch-size 64 --epochs 1 --tensorboard -q --out run",
        env!("CARGO_BIN_EXE_vae-gpu")
    );
    let command = scratch.std_command("");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &train]).current_dir(scratch.path(""));
    for (name, value) in command.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        shell.env(name, value);
    }
    assert!(shell.output().unwrap().status.success());
    let files = tree(&scratch.path("run"));
    assert!(files.len() > 8, "{files:?}");
    for path in files.keys() {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o640, "{}", path.display());
    }
    assert_eq!(fs::metadata(scratch.path("run")).unwrap().mode() & 0o777, 0o750);
}

/// A user who owns nothing, for tests run as root, which may write anywhere.
const NOBODY: u32 = 65534;

#[test]
fn a_folder_that_cannot_be_written_ends_training_before_it_begins() {
    let scratch = Scratch::new();
    scratch.succeed("train --data tiny --hidden 8 --latent 2 --batch-size 64 --epochs 1 --out run -q");
    // Another user must be able to enter here, and to run the program.
    let program = scratch.path("vae-gpu");
    fs::copy(env!("CARGO_BIN_EXE_vae-gpu"), &program).unwrap();
    fs::create_dir(scratch.path("locked")).unwrap();
    for folder in ["run", "locked"] {
        fs::set_permissions(scratch.path(folder), fs::Permissions::from_mode(0o555)).unwrap();
    }
    fs::set_permissions(scratch.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let is_root = fs::metadata(scratch.path("run")).unwrap().uid() == 0;
    let output = |args: &str| {
        let plain = scratch.std_command(args);
        let mut command = std::process::Command::new(&program);
        command.args(plain.get_args()).current_dir(scratch.path(""));
        for (name, value) in plain.get_envs().filter_map(|(name, value)| Some((name, value?))) {
            command.env(name, value);
        }
        if is_root {
            command.uid(NOBODY).gid(NOBODY).env("MESA_SHADER_CACHE_DISABLE", "true");
        }
        command.output().unwrap()
    };
    for (args, words) in [
        ("train --data tiny --epochs 1 --out locked", "cannot write locked/.lock: Permission denied"),
        ("train --data tiny --epochs 1 --out locked/run", "cannot create locked/run: Permission denied"),
        ("train --data tiny --epochs 1 --out run --force", "cannot write run/.lock: Permission denied"),
        ("train --resume run --epochs 2", "cannot write run/.lock: Permission denied"),
        ("sample run --out locked/x.png", "cannot write locked/x.png: Permission denied"),
    ] {
        let before = tree(&scratch.path(""));
        let output = output(args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args}: {message}");
        let errors = message.lines().filter(|line| line.starts_with("error: ")).count();
        assert!(
            errors == 1 && message.contains(words) && message.contains("belongs to someone else"),
            "{message}"
        );
        assert!(output.stdout.is_empty() && tree(&scratch.path("")) == before, "{args}: it began");
    }
    // Someone else's run can still be used; for the picture written unasked there is a warning.
    let evaluated = output("evaluate run");
    let message = String::from_utf8(evaluated.stderr).unwrap();
    assert!(evaluated.status.success() && message.contains("warning: cannot write run/kl.png"), "{message}");
    assert!(evaluated.stdout.starts_with(b"64 test images"), "the results are on stdout");
    for folder in ["run", "locked"] {
        fs::set_permissions(scratch.path(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
}
