//! The seeds of the fuzz targets and damaged copies of them, read in every run of the tests: truncated, with changed
//! bytes, with repeated parts. `make fuzz` searches further.

#[path = "fuzz/inputs.rs"]
mod inputs;

use std::fs;
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Damaged copies of each seed.
const COPIES: u64 = 24;
/// Most changed bytes per copy.
const CHANGES: usize = 8;

/// A copy that is truncated, changed or lengthened at places chosen by `seed`.
fn damaged(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let mut copy = bytes.to_vec();
    match seed % 3 {
        0 => copy.truncate(draw.random_range(0..=bytes.len())),
        1 => {
            for _ in 0..draw.random_range(1..=CHANGES) {
                let place = draw.random_range(0..bytes.len());
                copy[place] = draw.random();
            }
        }
        _ => {
            let start = draw.random_range(0..bytes.len());
            let part = bytes[start..draw.random_range(start..bytes.len()) + 1].to_vec();
            let place = draw.random_range(0..=bytes.len());
            copy.splice(place..place, part);
        }
    }
    copy
}

#[test]
fn seeds_and_damaged_copies_are_read_or_refused() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    for (name, _) in inputs::TARGETS {
        let mut files: Vec<_> =
            fs::read_dir(seeds.join(name)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no seeds");
        let (mut sound, mut refused) = (0, 0);
        for file in files {
            let bytes = fs::read(&file).unwrap();
            println!("{}", file.display());
            *if inputs::run(name, &bytes) { &mut sound } else { &mut refused } += 1;
            for copy in 0..COPIES {
                println!("  copy {copy}");
                inputs::run(name, &damaged(&bytes, copy));
            }
        }
        assert!(sound > 0 && refused > 0, "{name}: {sound} seeds are read, {refused} refused");
    }
}
