//! Runs of earlier versions still load, go on, and mean what they meant.
//!
//! `tests/runs` holds two of version 0.1.0, each of one epoch on MNIST (llvmpipe, Mesa 22.3.6):
//!
//! ```sh
//! vae-gpu train --hidden 6,4 --latent 2 --activation tanh --epochs 1 --out mlp
//! vae-gpu train --hidden 4 --latent 2 --model iwae --samples 2 --condition labels --epochs 1 --out conditional-iwae
//! ```
//!
//! The figures below are what that version measured after `vae-gpu train --resume RUN --epochs 2`.

#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;
use std::path::Path;

use scratch::Scratch;

/// Other adapters round otherwise, and an epoch adds it up.
const TOLERANCE: f64 = 1e-3;

/// The values of a line of metrics.csv by the names of its header.
fn metric(folder: &Path, epoch: usize, name: &str) -> f64 {
    let text = fs::read_to_string(folder.join("metrics.csv")).unwrap();
    let column = text.lines().next().unwrap().split(',').position(|column| column == name).unwrap();
    text.lines().nth(epoch).unwrap().split(',').nth(column).unwrap().parse().unwrap()
}

fn goes_on(run: &str, test: [f64; 3], objective: f64) {
    let scratch = Scratch::new();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs").join(run);
    let folder = scratch.path(run);
    fs::create_dir(&folder).unwrap();
    for file in fs::read_dir(kept).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    scratch.succeed(&format!("evaluate {run} --limit 200"));
    scratch.succeed(&format!("train --resume {run} --epochs 2 --quiet"));
    let names = ["test_elbo", "test_recon", "test_kl", "train_objective"];
    for (name, want) in names.into_iter().zip(test.into_iter().chain([objective])) {
        let got = metric(&folder, 2, name);
        assert!((got / want - 1.0).abs() < TOLERANCE, "{run}: {name} is {got}, was {want}");
    }
}

#[test]
fn a_perceptron_of_an_earlier_version_goes_on() {
    let test = [-215.1470880519569, -214.25722088928222, 0.8898671626746655];
    goes_on("mlp", test, -222.56217099609376);
}

#[test]
fn a_conditional_model_of_an_earlier_version_goes_on() {
    let test = [-206.6870045362115, -202.45901388626098, 4.227990649950504];
    goes_on("conditional-iwae", test, -209.79936927083332);
}
