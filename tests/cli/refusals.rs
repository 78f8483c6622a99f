//! What the command refuses: flags, files that are not there, and damaged ones.

use super::*;

/// Exit code 2: the command line is invalid, and the message names a valid one.
#[test]
fn misuse() {
    let scratch = trained();
    for (args, words) in [
        ("train --nosuch", "'--nosuch'"),
        ("tran", "'train'"),
        ("train --epochs many", "'--epochs <N>'"),
        ("train --epochs 0", "at least one epoch"),
        ("train --batch-size 0", "--batch-size 0: use 1 to"),
        ("train --batch-size 65537", "--batch-size 65537: use 1 to"),
        ("train --hidden 0", "--hidden 0: use a width from 1 to"),
        ("train --hidden 16,,16", "'--hidden <WIDTHS>'"),
        ("train --hidden=", "'--hidden <WIDTHS>'"),
        ("train --latent 0", "--latent 0: use a width from 1 to"),
        ("train --latent -3", "'-3'"),
        ("train --lr 0", "--lr 0: use a positive number"),
        ("train --lr nan", "--lr NaN: use a positive number"),
        ("train --lr=-1e-3", "--lr -0.001: use a positive number"),
        ("train --activation identity", "relu, tanh, softplus, silu, elu"),
        ("train --likelihood poisson", "bernoulli"),
        ("train --likelihood categorical --levels 1", "--levels 1: use 2 to 256"),
        ("train --likelihood categorical --levels 257", "--levels 257: use 2 to 256"),
        ("train --likelihood categorical --binarize fixed", "use --binarize none"),
        ("train --likelihood gaussian-learned --variance none", "global, pixel, shared, optimal"),
        ("train --binarize maybe", "dynamic"),
        ("train --data nowhere", "mnist"),
        ("train --data run", "run is the folder of a run, not of data"),
        ("train --data tiny --batch-size 257", "has only 256 rows"),
        ("train --data tiny --device nosuch", "no adapter has this name; these are here:\n  0 "),
        ("train --data tiny --device 99", "there is no such adapter; these are here:\n  0 "),
        ("train --force", "by --out"),
        ("train --resume run --out other", "cannot be used with"),
        ("train --resume run --lr 0", "--lr 0: use a positive number"),
        ("train --resume run --batch-size 9 --init xavier", "--batch-size, --init cannot change"),
        ("train --resume run --latent 3", "--latent cannot change\n  --epochs, --lr, --lr-schedule"),
        ("train --resume run --epochs 1", "the run is in epoch 2 already"),
        ("train --data tiny --out run/config.toml", "is a file"),
        ("sample", "<RUN>"),
        ("sample run --count 0", "'--count <COUNT>'"),
        ("explain --batch-size 0", "--batch-size 0"),
    ] {
        scratch.fail(args, 2, words);
    }
    let mut unknown = scratch.command("devices");
    expect_failure(unknown.env("VAE_GPU_BACKENDS", "cuda"), 2, "vulkan, metal, dx12, gl, or none");
    assert!(!scratch.path("runs").exists(), "a refused training has made a run");
}

/// Exit code 1: the command line is valid, but carrying it out fails.
#[test]
fn failures() {
    let scratch = trained();
    scratch.write("unknown.toml", "[model]\nlatnet = 2\n");
    scratch.write("bad.toml", "[model\nlatent = 2\n");
    scratch.write("range.toml", "[train]\nbatch_size = 0\n");
    for (args, words) in [
        ("train --config missing.toml", "cannot read missing.toml"),
        ("train --config unknown.toml", "unknown.toml: "),
        ("train --config unknown.toml", "`latnet`"),
        ("train --config bad.toml", "line 1"),
        ("train --config range.toml", "`train.batch_size` = 0"),
        ("train --resume tiny", "tiny: not a run directory"),
        ("train --resume tiny", "such as ./run"),
        ("sample nowhere", "nowhere: no such run directory"),
        ("reconstruct run/config.toml", "but a file"),
        ("evaluate tiny", "not a run directory"),
        ("sample run --out nowhere/samples.png", "cannot write nowhere/samples.png"),
        ("reconstruct run --out tiny", "cannot write tiny"),
        ("train --data tiny --out run/config.toml/run -q", "cannot create run/config.toml/run"),
        ("train --data tiny --lr 1e30 --out diverged -q", "training diverged at step 2"),
        ("train --data tiny --hidden 65536,65536 -q", "but the adapter allows"),
    ] {
        scratch.fail(args, 1, words);
    }
    for args in ["train --data tiny", "sample run", "evaluate run", "check", "devices"] {
        let mut none = scratch.command(args);
        expect_failure(none.env("VAE_GPU_BACKENDS", "none"), 1, "apt install mesa-vulkan-drivers");
    }
}

#[test]
fn damaged_files_are_named() {
    let scratch = trained();
    let gone = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        *bytes.last_mut().unwrap() ^= 0x40;
        bytes
    };
    let header = br#"{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let foreign = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
    for (file, args) in
        [("model", "sample run"), ("model", "evaluate run"), ("checkpoint", "train --resume run --epochs 3")]
    {
        let name = format!("run/{file}.safetensors");
        let sound = scratch.read(&name);
        // Otherwise an older checkpoint would replace the damaged one.
        let _ = fs::remove_file(scratch.path("run/checkpoint.previous.safetensors"));
        for (bytes, words) in [
            (gone(&sound), "bytes of tensors, but"),
            (flipped(&sound), "checksum"),
            (foreign.clone(), "holds no configuration"),
            (b"PK\x03\x04 no tensors here".to_vec(), "claims a header"),
            (Vec::new(), "cut off"),
        ] {
            scratch.write(&name, bytes);
            let message = scratch.fail(args, 1, words);
            assert!(message.contains(&name), "{message}");
        }
        scratch.write(&name, &sound);
    }

    for part in tiny::IMAGES {
        let name = format!("tiny/{part}");
        let sound = scratch.read(&name);
        // Otherwise an older checkpoint would replace the damaged one.
        let _ = fs::remove_file(scratch.path("run/checkpoint.previous.safetensors"));
        for (bytes, words) in [
            (gone(&sound), "cut off"),
            (b"\x89PNG and more".to_vec(), "not an IDX file"),
            (tiny::idx(&[64], &[0; 64]), "1 dimensions"),
            (tiny::idx(&[64, 9, 9], &[0; 64 * 81]), "8x8"),
        ] {
            // A training set of another size fails for its number of labels before it disagrees with the test set.
            let words = if part.starts_with("train") && words == "8x8" { "256 labels" } else { words };
            scratch.write(&name, bytes);
            scratch.fail("train --data tiny", 1, words);
            scratch.fail("evaluate run", 1, words);
        }
        scratch.write(&name, &sound);
    }
    scratch.succeed("evaluate run");
}
