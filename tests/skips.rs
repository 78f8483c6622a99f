//! A test that cannot run says so, and fails if it is required.

#[path = "common/skip.rs"]
mod skip;

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_list_of_this_machine_has_known_names_alone() {
    skip::parse(&skip::required()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn what_is_not_required_is_skipped() {
    skip::skip_unless("", "fashion", "this is a test");
    skip::skip_unless("gl, chromium,", "fashion", "this is a test");
}

#[test]
#[should_panic(expected = "VAE_GPU_REQUIRE requires fashion, but the test cannot run: this is a test")]
fn what_is_required_and_cannot_run_fails() {
    skip::skip_unless("gl, fashion", "fashion", "this is a test");
}

#[test]
#[should_panic(expected = "VAE_GPU_REQUIRE names \"spirvval\": use a list of bash, chromium, ")]
fn an_unknown_name_fails() {
    skip::skip_unless("spirvval", "fashion", "this is a test");
}

#[test]
#[should_panic(expected = "clothes: name it in tests/common/skip.rs")]
fn a_test_skips_under_a_known_name() {
    skip::skip_unless("", "clothes", "this is a test");
}

/// The test files except this one.
fn sources() -> Vec<(PathBuf, String)> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = [tests.clone(), tests.join("common")].map(|folder| fs::read_dir(folder).unwrap());
    let paths = files.into_iter().flatten().map(|entry| entry.unwrap().path());
    let rust = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let others = rust.filter(|path| !path.ends_with("skips.rs") && !path.ends_with("common/skip.rs"));
    others.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_name_is_used_and_no_test_skips_by_itself() {
    let sources = sources();
    assert!(sources.len() > 30, "tests/ was not read");
    for (name, _) in skip::NAMES {
        let word = format!("\"{name}\"");
        assert!(sources.iter().any(|(_, text)| text.contains(&word)), "no test can lack {name}");
    }
    for (path, text) in sources {
        assert!(!text.contains("skipped: "), "{} skips without tests/common/skip.rs", path.display());
    }
}
