//! The output of `vae-gpu bench`, as scripts read it.

#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use std::time::Instant;

use scratch::Scratch;
use serde_json::Value;

/// A model with fast steps, on the scratch folder's data.
const STEP: &str = "bench --step --data tiny --hidden 16 --latent 2 --batch-size 64";

fn json(scratch: &Scratch, args: &str) -> Value {
    let stdout = scratch.succeed(args);
    serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{args}: {e}\n{stdout}"))
}

#[track_caller]
fn positive(value: &Value, names: &[&str]) {
    for name in names {
        let number = value[name].as_f64();
        assert!(number.is_some_and(|number| number > 0.0 && number.is_finite()), "{name} of {value}");
    }
}

fn list(value: &Value) -> &[Value] {
    let list = value.as_array().unwrap_or_else(|| panic!("{value} is no list"));
    assert!(!list.is_empty());
    list
}

#[test]
fn a_quick_bench_measures_everything_and_finds_nothing_wrong() {
    let report = json(&Scratch::new(), "bench --quick --json");
    assert!(report["adapter"]["name"].is_string() && report["wrong"].as_array().unwrap().is_empty());
    positive(&report["ceilings"], &["gflops", "copy_gbps", "dispatch_us"]);
    let number =
        |value: &Value, name: &str| value[name].as_f64().unwrap_or_else(|| panic!("{name} of {value}"));
    let near = |a: f64, b: f64| (a - b).abs() < 1e-6 * b.abs();
    let [gflops, gbps] = ["gflops", "copy_gbps"].map(|name| number(&report["ceilings"], name));
    let mut products = 0;
    for kernel in list(&report["kernels"]) {
        positive(kernel, &["ms", "share_of_ceiling"]);
        assert!(["label", "kernel", "shape"].iter().all(|name| kernel[name].is_string()), "{kernel}");
        // The share is that of the nearer ceiling.
        let nearer = (number(kernel, "gflops") / gflops).max(number(kernel, "gbps") / gbps);
        assert!(near(number(kernel, "share_of_ceiling"), nearer), "{kernel}: {nearer}");
        // A product of m x k by k x n has m k n multiply-adds; an epilogue may add a few per element.
        let shape: Vec<f64> =
            kernel["shape"].as_str().unwrap().split([' ', 'x']).filter_map(|n| n.parse().ok()).collect();
        if let ([m, k, n], true) = (&shape[..], kernel["kernel"].as_str().unwrap().starts_with("matmul/")) {
            products += 1;
            let flops = number(kernel, "gflops") * number(kernel, "ms") * 1e6;
            let least = 2.0 * m * k * n;
            assert!((least * 0.999999..least * (1.0 + 8.0 / k)).contains(&flops), "{kernel}: {flops}");
        }
    }
    // Forward and backward of the four layers, without the gradient of the data.
    assert!(products >= 11, "{products} products: {report}");
    for layout in ["NN", "NT", "TN"] {
        let variants: Vec<_> = list(&report["matmul"]).iter().filter(|m| m["layout"] == layout).collect();
        let chosen = variants.iter().filter(|m| m["chosen"] == true).count();
        assert!(variants.len() > 1 && chosen == 1, "{layout}: {variants:?}");
        variants.iter().for_each(|m| positive(m, &["m", "k", "n", "gflops", "share"]));
        assert!(
            variants.iter().all(|m| near(number(m, "share"), number(m, "gflops") / gflops)),
            "{variants:?}"
        );
        assert!(variants.iter().all(|m| m["wrong"] == false));
    }
    for step in list(&report["steps"]) {
        let numbers = ["batch", "ms_per_step", "images_per_second", "matmul_share", "host_us_per_step"];
        positive(step, &numbers);
        assert!(number(step, "matmul_share") < 1.0, "{step}");
    }
}

#[test]
fn timed_steps_train_the_model() {
    let begun = Instant::now();
    let done = json(&Scratch::new(), &format!("{STEP} --steps 100 --warmup 5 --json"));
    let whole = begun.elapsed().as_secs_f64();
    assert_eq!(done["peer"], "vae-gpu");
    assert_eq!(done["version"], env!("CARGO_PKG_VERSION"));
    assert!(done["device"].as_str().unwrap().ends_with(')'), "{done}");
    positive(&done, &["ms_per_step", "images_per_second", "loss_first", "loss_last"]);
    // At least three of the five parts of 20 steps took as long as the median, even on a busy machine.
    let seconds = done["ms_per_step"].as_f64().unwrap() / 1e3;
    assert!(60.0 * seconds < whole, "{done}, but all of it took {whole} s");
    let rate = done["images_per_second"].as_f64().unwrap();
    assert!((rate * seconds / 64.0 - 1.0).abs() < 1e-6, "a step has 64 images: {done}");
    assert!(done["loss_last"].as_f64() < done["loss_first"].as_f64(), "{done}");
}

#[test]
fn timed_steps_are_reported_in_words_too() {
    let told = Scratch::new().succeed(&format!("{STEP} --steps 3 --warmup 0"));
    assert!(told.starts_with("64-16-2-16-64 relu, batch 64: ") && told.lines().count() == 1, "{told}");
}

#[test]
fn flags_that_do_nothing_are_misuse() {
    let scratch = Scratch::new();
    scratch.fail("bench --hidden 16", 2, "go with --step");
    scratch.fail("bench --steps 3", 2, "--step");
    scratch.fail(&format!("{STEP} --quick"), 2, "--quick");
    scratch.fail("bench --step --data tiny --batch-size 257", 2, "has only 256 rows");
}

#[test]
fn timed_steps_are_of_what_would_be_trained() {
    let scratch = Scratch::new();
    let rows: String = (0..40).map(|i| format!("{},{}\n", i % 7, i * i)).collect();
    scratch.write("t.csv", format!("a,b\n{rows}"));
    let step = STEP.replace("tiny", "t.csv").replace("64", "20");
    scratch.fail(&format!("{step} --likelihood bernoulli"), 2, "is of values in 0..1");
    scratch.fail(&format!("{step} --condition labels"), 2, "has no labels");
    let told = scratch.succeed(&format!("{step} --steps 3 --warmup 0"));
    assert!(told.contains("rows/s") && !told.contains("NaN"), "{told}");
}

#[test]
fn a_profile_comes_before_the_training() {
    let scratch = Scratch::new();
    let train = "train --data tiny --hidden 16 --latent 2 --batch-size 64 --epochs 1 --profile --out run";
    let assert = scratch.command(train).assert().success();
    let told = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    for words in
        ["encoder.0 gradient", "adam", "by itself, by the", "% of it is not matmul", "us a step to encode"]
    {
        assert!(told.contains(words), "{words} in {told}");
    }
}
