//! A temporary folder in which a test runs the command.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use tempfile::TempDir;

use super::tiny;

/// The folder, which holds the data set `tiny`: 256 training and 64 test images of 8x8.
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    pub fn new() -> Scratch {
        let folder = tempfile::tempdir().unwrap();
        tiny::write_folder(&folder.path().join("tiny"), 256, 64);
        Scratch { folder }
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Width and height of a PNG, after decoding all of its pixels.
    pub fn picture(&self, name: &str) -> (u32, u32) {
        let picture = image::load_from_memory_with_format(&self.read(name), image::ImageFormat::Png);
        let picture = picture.unwrap_or_else(|e| panic!("{name}: {e}")).into_luma8();
        let first = *picture.get_pixel(0, 0);
        assert!(picture.pixels().any(|pixel| *pixel != first), "{name} has one colour");
        picture.dimensions()
    }

    /// `vae-gpu` in the folder, with these arguments.
    pub fn std_command(&self, args: &str) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vae-gpu"));
        command.current_dir(self.folder.path()).args(args.split_whitespace());
        // A layer of Mesa prints to stderr if it finds no display.
        command.env("NODEVICE_SELECT", "1").env("XDG_RUNTIME_DIR", self.folder.path());
        command.env_remove("RUST_LOG").env_remove("RUST_BACKTRACE");
        // Tunings of `vae-gpu tune` would choose other kernels. Mesa's compiled shaders may stay.
        let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache"));
        if let Some(caches) = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home) {
            command.env("MESA_SHADER_CACHE_DIR", caches);
        }
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    pub fn command(&self, args: &str) -> Command {
        let mut command = Command::from_std(self.std_command(args));
        command.timeout(Duration::from_secs(300));
        command
    }

    /// Runs, and returns stdout.
    #[track_caller]
    pub fn succeed(&self, args: &str) -> String {
        let assert = self.command(args).assert().success().stderr(contains("panicked").not());
        String::from_utf8(assert.get_output().stdout.clone()).unwrap()
    }

    /// stdout and stderr of a command that succeeds.
    #[track_caller]
    pub fn both(&self, args: &str) -> (String, String) {
        let output = self.std_command(args).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success() && !err.contains("panicked"), "{args}: {err}");
        (out, err)
    }

    /// stderr of a command that succeeds.
    #[track_caller]
    pub fn said(&self, args: &str) -> String {
        self.both(args).1
    }

    /// Runs a command that must fail with this exit code and a message containing `words`; returns the message.
    #[track_caller]
    pub fn fail(&self, args: &str, code: i32, words: &str) -> String {
        expect_failure(&mut self.command(args), code, words)
    }
}

/// Checks that a command fails with this exit code, nothing on stdout, and a message containing `words`.
#[track_caller]
pub fn expect_failure(command: &mut Command, code: i32, words: &str) -> String {
    let assert = command.assert().code(code).stdout("");
    let assert = assert.stderr(contains("error: ").and(contains(words)).and(contains("panicked").not()));
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}
