//! The Python with the packages of tests/python/requirements.txt, if `make test-python` has set one.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::Path;
use std::process::Command;

use super::skip::skip;

/// The interpreter; without it, tests that need it are skipped.
pub fn find() -> Option<String> {
    let python = std::env::var("VAE_GPU_PYTHON").ok();
    if python.is_none() {
        skip("python", "`make test-python` runs this test, with Python packages of its own");
    }
    python
}

/// Runs a script of tests/python, and returns its output.
#[track_caller]
pub fn run(python: &str, script: &str, arguments: &[&Path]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
    let output = Command::new(python).arg(path).args(arguments).output().expect("VAE_GPU_PYTHON can be run");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script}:\n{told}\n{}", String::from_utf8_lossy(&output.stderr));
    told
}
