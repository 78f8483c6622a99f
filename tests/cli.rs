//! The command as users see it: files, stdout, exit codes and messages, on a tiny data set.

#[path = "cli/refusals.rs"]
mod refusals;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use scratch::{Scratch, expect_failure};
use serde_json::Value;

/// A short training.
const TRAIN: &str = "train --data tiny --hidden 16 --latent 2 --batch-size 64 --epochs 2";
const METRICS: &str = "epoch,step,train_elbo,train_recon,train_kl,train_objective,test_elbo,test_recon,test_kl,\
     valid_elbo,valid_recon,valid_kl,images_per_second,seconds";

/// A folder with a run `run` of two epochs.
fn trained() -> Scratch {
    let scratch = Scratch::new();
    scratch.succeed(&format!("{TRAIN} --quiet --out run"));
    scratch
}

#[test]
fn training_leaves_a_whole_run_behind() {
    let scratch = Scratch::new();
    let assert = scratch.command(&format!("{TRAIN} --out run")).assert().success();
    let told = "256 training and 64 test images of 8x8";
    let assert = assert.stderr(contains("adapter").and(contains(told)).and(contains("64-16-2-16-64 relu")));
    let assert =
        assert.stderr(contains("\nnext     vae-gpu sample run ").and(contains("vae-gpu manifold run ")));

    let stdout = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{stdout}");
    assert!(lines[0].starts_with("epoch   1/2 ") && lines[1].starts_with("epoch   2/2 "), "{stdout}");
    assert!(lines[2].starts_with("best test ELBO -") && lines[2].ends_with(" is in run"), "{stdout}");

    let metrics = String::from_utf8(scratch.read("run/metrics.csv")).unwrap();
    let rows: Vec<Vec<&str>> = metrics.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((rows.len(), metrics.lines().next()), (3, Some(METRICS)));
    assert_eq!((&rows[1][..2], &rows[2][..2]), (&["1", "4"][..], &["2", "8"][..]));
    assert!(
        rows[1..].iter().flatten().filter(|v| !v.is_empty()).all(|v| v.parse::<f64>().unwrap().is_finite()),
        "{metrics}"
    );
    // Without validation data, its three columns are empty, and no others.
    let empty = |row: &[&str]| row.iter().enumerate().filter(|(_, v)| v.is_empty()).map(|(i, _)| i).collect();
    assert!(
        rows[1..].iter().all(|row| row.len() == 14 && Vec::<usize>::eq(&empty(row), &[9, 10, 11])),
        "{metrics}"
    );

    // 8 images of 16 pixels in a row, with 2 pixels around each; pairs are 8 pixels apart.
    for epoch in ["0001", "0002"] {
        assert_eq!(scratch.picture(&format!("run/samples/epoch-{epoch}.png")), (146, 146));
        assert_eq!(scratch.picture(&format!("run/reconstructions/epoch-{epoch}.png")), (146, 164));
    }
    assert_eq!(scratch.picture("run/curves.png"), (1560, 480));
    let config = String::from_utf8(scratch.read("run/config.toml")).unwrap();
    assert!(config.contains("shape = [8, 8, 1]") && config.contains("hidden = [16]"), "{config}");
    let names: Vec<_> = fs::read_dir(scratch.path("run")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 11, "{names:?}");

    let weights = scratch.read("run/model.safetensors");
    let weights = safetensors::SafeTensors::deserialize(&weights).unwrap();
    assert_eq!(weights.tensor("encoder.0.weight").unwrap().shape(), [16, 64]);
    assert_eq!(weights.len(), 10);
    let checkpoint = scratch.read("run/checkpoint.safetensors");
    assert_eq!(safetensors::SafeTensors::deserialize(&checkpoint).unwrap().len(), 30);
}

/// Each likelihood from training to pictures; grey data unless the likelihood is of binary data.
#[test]
fn every_likelihood_trains() {
    let scratch = Scratch::new();
    for (number, (flags, decoder, tensors)) in [
        ("bernoulli", "bernoulli decoder", 10),
        ("continuous-bernoulli", "continuous-bernoulli decoder", 10),
        ("gaussian", "gaussian decoder", 10),
        ("gaussian-learned", "gaussian-learned (global variance) decoder", 11),
        ("gaussian-learned --variance pixel", "gaussian-learned (pixel variance) decoder", 12),
        ("gaussian-learned --variance shared", "gaussian-learned (shared variance) decoder", 11),
        ("gaussian-learned --variance optimal", "gaussian-learned (optimal variance) decoder", 11),
        ("categorical --levels 5", "categorical (5 levels) decoder", 10),
        ("logistic", "logistic decoder", 12),
        ("logistic-mixture --components 3", "logistic-mixture (3 components) decoder", 10),
    ]
    .into_iter()
    .enumerate()
    {
        let args = format!("{TRAIN} --likelihood {flags} --out run{number}");
        let no_warning = contains("of grey data").not();
        scratch.command(&args).assert().success().stderr(contains(decoder).and(no_warning));
        let config = String::from_utf8(scratch.read(&format!("run{number}/config.toml"))).unwrap();
        let binarize = if flags == "bernoulli" { "dynamic" } else { "none" };
        assert!(config.contains(&format!("binarize = \"{binarize}\"")), "{config}");
        let weights = scratch.read(&format!("run{number}/model.safetensors"));
        assert_eq!(safetensors::SafeTensors::deserialize(&weights).unwrap().len(), tensors, "{flags}");
        let metrics = String::from_utf8(scratch.read(&format!("run{number}/metrics.csv"))).unwrap();
        let elbo = |row: &str| row.split(',').nth(6).unwrap().parse::<f64>().unwrap();
        let elbos: Vec<f64> = metrics.lines().skip(1).map(elbo).collect();
        assert!(elbos.len() == 2 && elbos[1] > elbos[0], "{flags} learns nothing: {elbos:?}");
        scratch.succeed(&format!("evaluate run{number}"));
        scratch.succeed(&format!("sample run{number} --count 3 --out samples.png"));
        scratch.succeed(&format!("train --resume run{number} --epochs 3 -q"));
    }
    let grey =
        contains("warning: bernoulli is no likelihood of grey data: use continuous-bernoulli, gaussian");
    scratch
        .command(&format!("{TRAIN} --likelihood bernoulli --binarize none --out grey"))
        .assert()
        .success()
        .stderr(grey);
}

#[test]
fn runs_without_a_name_are_numbered_and_quiet_ones_print_one_line() {
    let scratch = Scratch::new();
    for number in 1..=2 {
        let assert = scratch.command(&format!("{TRAIN} -q")).assert().success().stderr("");
        let stdout = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
        assert!(stdout.ends_with(&format!(" is in runs/tiny-vae-{number}\n")), "{stdout}");
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
    }
    let weights = |number| scratch.read(&format!("runs/tiny-vae-{number}/model.safetensors"));
    assert!(weights(1) == weights(2), "one seed, two results");
}

#[test]
fn a_run_is_replaced_only_with_force_and_other_files_stay() {
    let scratch = trained();
    scratch.write("run/notes.md", "mine");
    let files = ["config.toml", "model.safetensors", "checkpoint.safetensors", "metrics.csv", "notes.md"];
    let read = || files.map(|name| scratch.read(&format!("run/{name}")));
    let before = read();
    scratch.fail(&format!("{TRAIN} --seed 1 --out run -q"), 2, "--force");
    assert!(before == read(), "the refusal has changed a file");

    scratch.succeed(&format!("{TRAIN} --seed 1 --epochs 1 --out run --force").replace("--epochs 2", ""));
    let after = read();
    assert!(before.iter().zip(&after).take(4).all(|(before, after)| before != after));
    assert_eq!(after[4], b"mine");
    assert!(!scratch.path("run/samples/epoch-0002.png").exists(), "a picture of the old run is left");
}

#[test]
fn the_config_of_a_run_repeats_it() {
    let scratch = Scratch::new();
    let flags =
        "--hidden 12,8 --latent 3 --activation softplus --binarize threshold --batch-size 50 --lr 0.0123";
    scratch
        .succeed(&format!("train --data tiny {flags} --epochs 2 --seed 18446744073709551615 --out first -q"));
    scratch.succeed("train --config first/config.toml --out second -q");
    assert_eq!(scratch.read("first/config.toml"), scratch.read("second/config.toml"));
    assert!(scratch.read("first/model.safetensors") == scratch.read("second/model.safetensors"));

    // The shaders' run-time checks change nothing.
    scratch.succeed("train --config first/config.toml --out checked -q --checked-shaders");
    assert!(scratch.read("first/model.safetensors") == scratch.read("checked/model.safetensors"));

    scratch.succeed("train --config first/config.toml --latent 4 --out third -q");
    let config = String::from_utf8(scratch.read("third/config.toml")).unwrap();
    assert!(config.contains("latent = 4") && config.contains("hidden = [12, 8]"), "{config}");
}

#[test]
fn a_trained_model_samples_reconstructs_and_is_measured() {
    let scratch = trained();
    assert_eq!(scratch.succeed("sample run"), "64 samples are in samples.png\n");
    assert_eq!(scratch.picture("samples.png"), (146, 146));
    for (name, seed) in [("a", 1), ("b", 1), ("c", 2)] {
        scratch.succeed(&format!("sample run --count 5 --seed {seed} --out {name}.png"));
    }
    assert_eq!(scratch.picture("a.png"), (92, 20));
    assert_eq!(scratch.read("a.png"), scratch.read("b.png"));
    assert_ne!(scratch.read("a.png"), scratch.read("c.png"));

    let told = scratch.succeed("reconstruct run");
    assert_eq!(told, "32 test images above their reconstructions are in reconstructions.png\n");
    assert_eq!(scratch.picture("reconstructions.png"), (146, 164));
    assert_eq!(scratch.read("reconstructions.png"), scratch.read("run/reconstructions/epoch-0002.png"));
    // There are only 64 test images.
    assert!(scratch.succeed("reconstruct run --count 1000 --out all.png").starts_with("64 test images"));
    assert_eq!(scratch.picture("all.png"), (146, 332));

    let told = scratch.succeed("evaluate run");
    assert!(told.starts_with("64 test images, vae, nats per image\nELBO "), "{told}");
    let json: Value = serde_json::from_str(&scratch.succeed("evaluate run --json")).unwrap();
    let mean = |term: &str| json[term]["mean"].as_f64().unwrap();
    assert_eq!(json["count"], 64);
    // `score` gives the negative ELBO of each datum; compare their mean.
    scratch.succeed("score run --out scores.csv");
    let scores = String::from_utf8(scratch.read("scores.csv")).unwrap();
    let scores: Vec<f64> =
        scores.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
    let score = scores.iter().sum::<f64>() / 64.0;
    assert!(scores.len() == 64 && (mean("elbo") + score).abs() < 1e-3, "{json} and {score}");
    assert!(["elbo", "recon", "kl"].iter().all(|t| json[t]["standard_error"].as_f64().unwrap() > 0.0));
    // The same draws as in training.
    let metrics = String::from_utf8(scratch.read("run/metrics.csv")).unwrap();
    let last: Vec<f64> =
        metrics.lines().last().unwrap().split(',').map(|v| v.parse().unwrap_or(f64::NAN)).collect();
    for (logged, measured) in last[6..9].iter().zip(["elbo", "recon", "kl"].map(mean)) {
        // The JSON parser may be off by one bit.
        assert!((logged - measured).abs() < 1e-12 * logged.abs(), "{json} is not {metrics}");
    }
}

#[test]
fn devices_names_every_adapter_and_the_automatic_one() {
    let scratch = Scratch::new();
    let told = scratch.succeed("devices");
    assert!(told.contains("<- auto") && told.contains("subgroup size"), "{told}");
    assert!(told.lines().last().unwrap().starts_with("auto takes "), "{told}");

    let json: Value = serde_json::from_str(&scratch.succeed("devices --json")).unwrap();
    let auto = json["auto"].as_u64().unwrap() as usize;
    for field in ["name", "backend", "kind", "driver", "subgroup_sizes", "max_buffer_size"] {
        assert!(json["adapters"][auto].get(field).is_some(), "{field} in {json}");
    }
    let mut none = scratch.command("devices --json");
    let assert = none.env("VAE_GPU_BACKENDS", "none").assert().success();
    let json: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    assert_eq!(json, serde_json::json!({ "adapters": [], "auto": null }));
}

/// Mesa's choice of a device asks Wayland, which complains where nobody has said where its socket is.
#[test]
#[cfg(unix)]
fn drivers_are_quiet_where_there_is_no_desktop() {
    let scratch = Scratch::new();
    for runtime in [None, Some(""), Some("relative")] {
        let mut command = scratch.command("devices");
        command.env_remove("NODEVICE_SELECT").env_remove("XDG_RUNTIME_DIR");
        if let Some(folder) = runtime {
            command.env("XDG_RUNTIME_DIR", folder);
        }
        let assert = command.assert().success();
        let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(!said.contains("XDG_RUNTIME_DIR"), "{runtime:?}: {said}");
    }
}

#[test]
fn explain_needs_no_adapter() {
    let scratch = Scratch::new();
    for target in ["card", "software"] {
        let mut command = scratch.command(&format!("explain --data tiny --hidden 16,8 --target {target}"));
        let assert = command.env("VAE_GPU_BACKENDS", "none").assert().success();
        assert.stdout(contains("encoder.1 gradient").and(contains("adam")).and(contains("\nmemory: ")));
    }
}

/// tests/kernels.rs runs every case.
#[test]
fn check_passes_and_lists_the_cases_of_the_kernels_it_is_asked_for() {
    let scratch = Scratch::new();
    let json: Value = serde_json::from_str(&scratch.succeed("check adam random: --json")).unwrap();
    let cases = json["cases"].as_array().unwrap();
    assert_eq!(json["failed"], 0);
    assert!(cases.iter().all(|case| case["passed"] == true));
    let kernels: BTreeSet<_> = cases.iter().map(|case| case["kernel"].as_str().unwrap()).collect();
    assert!(kernels.contains("adam") && kernels.contains("random:normal_draws"), "{kernels:?}");
    assert!(kernels.iter().all(|name| name.contains("adam") || name.contains("random:")), "{kernels:?}");
    assert!(json["adapter"]["name"].is_string());
    let lines = scratch.succeed("check condition");
    assert!(
        lines.contains("\ncondition ") && lines.contains("\nall ") && !lines.contains("matmul"),
        "{lines}"
    );
    scratch.fail("check adam adem", 2, "no kernel has \"adem\" in its name");
}

#[cfg(target_os = "linux")]
#[test]
fn workers_of_llvmpipe_are_spread_over_the_processors() {
    let scratch = Scratch::new();
    let report: Value = serde_json::from_str(&scratch.succeed("check condition --json")).unwrap();
    let name = report["adapter"]["name"].as_str().unwrap();
    let processors = rustix::thread::sched_getaffinity(None).unwrap().count();
    // Mesa 22 starts 16 workers at most.
    if !name.contains("llvmpipe") || processors >= 16 {
        eprintln!("nothing to spread: {name}, {processors} processors");
        return;
    }
    for (threads, told) in
        [(processors, "each on a processor of its own"), (processors + 1, "stay where they are")]
    {
        let mut command = scratch.command("check condition");
        command.env("LP_NUM_THREADS", threads.to_string()).env("RUST_LOG", "vae_gpu::gpu=debug");
        command.assert().success().stderr(contains(format!("debug: {threads} workers")).and(contains(told)));
    }
}

#[test]
fn every_help_shows_examples_and_defaults() {
    let scratch = Scratch::new();
    let help = scratch.succeed("--help");
    let list = help.lines().skip_while(|line| *line != "Train:").take_while(|line| *line != "Options:");
    // Continuation lines are indented further.
    let commands = list.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let commands: Vec<&str> = commands.filter(|name| !["", "help"].contains(name)).collect();
    assert!(commands.len() >= 24 && commands.contains(&"explain"), "{commands:?}");
    for command in commands {
        let help = scratch.succeed(&format!("{command} --help"));
        assert!(help.contains("Examples:\n") && help.contains(&format!("  vae-gpu {command}")), "{help}");
        let without = ["devices", "presets", "export", "completions", "man"];
        assert!(help.contains("[default: ") || without.contains(&command), "{help}");
    }
    assert!(scratch.succeed("--version").starts_with("vae-gpu "));
    let begin = "Begin with:\n  vae-gpu devices ";
    scratch.command("").assert().code(2).stderr(contains("Usage: vae-gpu").and(contains(begin)));
}

#[test]
fn a_run_goes_on_where_it_ended() {
    let scratch = trained();
    scratch.succeed(&format!("{TRAIN} --out whole -q").replace("--epochs 2", "--epochs 4"));
    let told = scratch.succeed("train --resume run");
    assert!(told.starts_with("best test ELBO") && told.lines().count() == 1, "{told}");
    let told = scratch.succeed("train --resume run --epochs 4");
    assert!(told.starts_with("epoch   3/4") && told.lines().count() == 3, "{told}");
    assert!(scratch.read("run/model.safetensors") == scratch.read("whole/model.safetensors"));
    assert_eq!(losses(&scratch, "run"), losses(&scratch, "whole"));
}

/// The metrics without the two columns of time.
fn losses(scratch: &Scratch, run: &str) -> Vec<String> {
    let metrics = String::from_utf8(scratch.read(&format!("{run}/metrics.csv"))).unwrap();
    metrics.lines().map(|line| line.rsplitn(3, ',').last().unwrap().to_owned()).collect()
}

/// Epochs of one step, within which training cannot stop, and of many.
#[cfg(unix)]
#[test]
fn interrupted_training_resumes_to_the_same_bits() {
    for (batch, epochs, after) in [(256, 24, 3), (1, 4, 1)] {
        let scratch = Scratch::new();
        let train =
            format!("train --data tiny --hidden 16 --latent 2 --batch-size {batch} --epochs {epochs}");
        let mut command = scratch.std_command(&format!("{train} --out run"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..after {
            assert!(lines.next().unwrap().unwrap().starts_with("epoch "));
        }
        let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let rest = lines.count();
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(130),
            "batch {batch}: {rest} lines after the signal\n{message}"
        );
        assert!(message.ends_with("continue with: vae-gpu train --resume run\n"), "{message}");

        scratch.succeed("train --resume run");
        scratch.succeed(&format!("{train} --out whole -q"));
        assert!(
            scratch.read("run/model.safetensors") == scratch.read("whole/model.safetensors"),
            "batch {batch}"
        );
        assert_eq!(losses(&scratch, "run"), losses(&scratch, "whole"));
    }
}

#[test]
fn a_reader_that_leaves_is_not_an_error() {
    let scratch = trained();
    for args in ["devices", "devices --json", "explain --data tiny", "evaluate run", "train --help"] {
        let mut command = scratch.std_command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut message = String::new();
        child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args}: {message}");
        assert!(!message.contains("panicked") && !message.contains("pipe"), "{args}: {message}");
    }
}

/// Each of several processes would train a model of its own. One of them says so.
#[cfg(not(feature = "mpi"))]
#[test]
fn a_launcher_that_cannot_be_joined_is_refused() {
    let scratch = Scratch::new();
    let train = "train --data tiny --hidden 16 --latent 2 --epochs 1 --out run";
    for [size, rank] in [["OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"], ["PMI_SIZE", "PMI_RANK"]] {
        let start = |number: &str| {
            let mut command = scratch.command(train);
            command.env(size, "2").env(rank, number);
            command
        };
        let error = expect_failure(&mut start("0"), 2, "--features mpi");
        assert!(error.contains(&format!("({size}=2)")), "{error}");
        start("1").assert().code(2).stdout("").stderr("");
        assert!(!scratch.path("run").exists());
    }
    scratch.command(train).env("OMPI_COMM_WORLD_SIZE", "1").assert().success();
}
