//! The program's dependencies: none opens a connection, and all come from the registry.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> Table {
    let text = fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    text.parse().unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// Only for browsers; names tokio for a feature that is not enabled.
const BROWSER: &str = "wasm-bindgen-futures";

/// Every crate for any platform, those of the tests included.
#[test]
fn no_crate_opens_a_connection() {
    let (lock, deny) = (read("Cargo.lock"), read("deny.toml"));
    let refused = texts(&deny["bans"]["deny"]);
    assert!(
        ["hyper", "reqwest", "rustls", "socket2", "tokio", "ureq"].iter().all(|name| refused.contains(name))
    );
    let packages = lock["package"].as_array().unwrap();
    let name = |package: &Value| package["name"].as_str().unwrap().to_owned();
    assert!(packages.iter().any(|package| name(package) == "wgpu"), "Cargo.lock was not read");
    let needs = |package: &Value| -> Vec<String> {
        let all = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
        all.map(|one| one.as_str().unwrap().split(' ').next().unwrap().to_owned()).collect()
    };
    let strangers: Vec<_> = packages
        .iter()
        .filter(|package| name(package) != BROWSER)
        .flat_map(|package| needs(package).into_iter().map(move |need| (name(package), need)))
        .filter(|(_, need)| refused.contains(need.as_str()))
        .collect();
    assert!(strangers.is_empty(), "(who, what that can open connections): {strangers:?}");
}

#[test]
fn every_crate_comes_from_the_registry_with_a_checksum() {
    let (lock, deny) = (read("Cargo.lock"), read("deny.toml"));
    assert_eq!(texts(&deny["sources"]["allow-registry"]).len(), 1);
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if name != "vae-gpu" {
            let source = package["source"].as_str().unwrap();
            assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index", "{name}");
            assert_eq!(package["checksum"].as_str().map(str::len), Some(64), "{name}");
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.extend(path.extension().is_some_and(|e| e == "rs").then_some(path)),
        }
    }
}

#[test]
fn nothing_here_opens_a_connection_or_starts_another_program() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    assert!(files.len() > 100, "src/ was not read: {files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["std::net", "os::unix::net", "TcpStream", "UdpSocket", "UnixStream", "process::Command"]
        {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}
