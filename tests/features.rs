//! What a run of the tests leaves out.

#[cfg(not(feature = "mpi"))]
#[path = "common/skip.rs"]
mod skip;

/// `tests/faults.rs` and `tests/limits.rs` need devices that break, which releases lack: without the feature cargo leaves them
/// out without a word, so this says it.
#[cfg(not(feature = "faults"))]
#[test]
#[ignore = "tests/faults.rs and tests/limits.rs are left out: cargo test --features faults"]
fn faults_and_limits_are_tested() {}

/// Neither is `tests/mpi.rs`, which needs an MPI.
#[cfg(not(feature = "mpi"))]
#[test]
fn ranks_of_mpi_are_tested() {
    skip::skip("mpi", "the tests are built without it: cargo test --features mpi");
}

/// The library stands by itself on few crates.
#[test]
fn few_crates_come_with_the_library_alone() {
    let tree = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO"));
        command.args([
            "tree",
            "--offline",
            "--locked",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]);
        let output = command.args(more).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        lines
            .lines()
            .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
            .collect::<std::collections::BTreeSet<_>>()
    };
    let (library, wgpu) = (tree(&["--no-default-features"]), tree(&["-p", "wgpu"]));
    let own: Vec<_> = library.difference(&wgpu).filter(|name| !name.starts_with("vae-gpu ")).collect();
    println!("{} crates, {} of them beside wgpu's own", library.len() - 1, own.len());
    assert!(wgpu.len() > 20 && own.len() <= 60, "{own:?}");
    for heavy in ["bhtsne ", "clap ", "indicatif ", "plotters ", "parquet ", "prost ", "rayon "] {
        assert!(!own.iter().any(|name| name.starts_with(heavy)), "{heavy}");
    }
}

/// Whoever uses the library has no flags: the command spells keys as flags.
#[test]
fn no_message_of_the_library_names_a_flag() {
    fn look(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // The command has flags.
                if !path.ends_with("src/cli") {
                    look(&path, found);
                }
                continue;
            }
            // The page of a report has a style sheet, whose variables begin like flags.
            if path.extension().is_none_or(|found| found != "rs") || path.ends_with("src/run/report.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let flagged = |line: &&str| {
                let flag = line.match_indices("--").any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    before.is_none_or(|c| " \"`(".contains(c))
                        && line[at + 2..].starts_with(|c: char| c.is_ascii_lowercase())
                });
                flag && !line.trim_start().starts_with("//")
            };
            found.extend(
                text.lines().filter(flagged).map(|line| format!("{}: {}", path.display(), line.trim())),
            );
        }
    }
    let mut found = Vec::new();
    look(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
