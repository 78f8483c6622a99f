//! The command line beyond the plain VAE: other models, objectives, recipes, evaluation.

mod common;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use scratch::Scratch;
use serde_json::Value;

const TRAIN: &str = "train --data tiny --hidden 16 --latent 3 --batch-size 64 --epochs 1";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn an_importance_weighted_model_is_trained_and_measured() {
    let scratch = Scratch::new();
    let told = scratch.succeed(&format!("{TRAIN} --model iwae --samples 4 --out run"));
    assert!(told.contains(", objective -"), "{told}");
    let report = json(&scratch.succeed("evaluate run --nll-samples 30 --limit 40 --json"));
    assert_eq!(
        (&report["count"], &report["model"], &report["split"]),
        (&40.into(), &"iwae".into(), &"test".into())
    );
    let nll = &report["nll"];
    assert_eq!(nll["samples"], 30);
    assert!(nll["mean"].as_f64().unwrap() < -report["elbo"]["mean"].as_f64().unwrap(), "{report}");
    assert!(nll["standard_error"].as_f64().unwrap() > 0.0 && nll["bits_per_dim"].as_f64().unwrap() > 0.0);
    let kl: f64 = report["kl_per_dimension"].as_array().unwrap().iter().map(|kl| kl.as_f64().unwrap()).sum();
    assert!((kl - report["kl"]["mean"].as_f64().unwrap()).abs() < 1e-3, "{report}");
    assert_eq!(report["labels"].as_array().unwrap().len(), 10);
    assert_eq!(scratch.picture("run/kl.png"), (900, 420));
    scratch.succeed("evaluate run --picture bars.png");
    assert_eq!(scratch.picture("bars.png"), (900, 420));
}

#[test]
fn an_autoencoder_shows_reconstruction_alone() {
    let scratch = Scratch::new();
    let told = scratch.succeed(&format!("{TRAIN} --model ae --out run"));
    assert!(told.contains("best test reconstruction -") && !told.contains("KL"), "{told}");
    let told = scratch.succeed("evaluate run");
    assert!(told.contains("reconstruction") && !told.contains("ELBO"), "{told}");
    let report = json(&scratch.succeed("evaluate run --json"));
    assert!(report.get("elbo").is_none() && report.get("kl_per_dimension").is_none(), "{report}");
    scratch.succeed("reconstruct run");
    let refuse = |line: &str, text: &'static str| {
        scratch.command(line).assert().code(2).stderr(contains(text));
    };
    refuse("sample run", "no prior to draw from");
    refuse("evaluate run --nll-samples 10", "does not model p(x)");
    refuse(&format!("{TRAIN} --model ae --samples 2"), "leave out --samples");
}

#[test]
fn a_conditional_model_draws_what_is_asked_for() {
    let scratch = Scratch::new();
    let assert = scratch.command(&format!("{TRAIN} --condition labels --out run")).assert().success();
    assert.stderr(contains("conditional vae"));
    // Ten rows of eight images of 16 pixels, with 2 pixels around each.
    scratch.succeed("sample run --label all --out all.png");
    assert_eq!(scratch.picture("all.png"), (146, 182));
    scratch.succeed("sample run --out default.png");
    assert_eq!(scratch.read("all.png"), scratch.read("default.png"));
    scratch.succeed("sample run --label 3 --count 8 --out three.png");
    assert_eq!(scratch.picture("three.png"), (146, 20));
    scratch.succeed("reconstruct run");
    scratch.succeed("evaluate run --nll-samples 5");
    let refuse = |line: &str, text: &'static str| {
        scratch.command(line).assert().code(2).stderr(contains(text));
    };
    refuse("sample run --label 10", "the model knows the labels 0 to 9");
    refuse("sample run --label three", "label `three`: the model knows the labels 0 to 9");
    scratch.succeed(&format!("{TRAIN} --quiet --out plain"));
    refuse("sample plain --label 3", "not trained with --condition labels");
}

#[test]
fn validation_data_choose_the_weights_and_can_be_evaluated() {
    let scratch = Scratch::new();
    let told = scratch.succeed(&format!("{TRAIN} --valid 0.25 --patience 5 --keep best --out run"));
    assert!(told.contains("  valid -") && told.contains("best validation ELBO -"), "{told}");
    let report = |split: &str| json(&scratch.succeed(&format!("evaluate run --split {split} --json")));
    let counts = ["train", "valid", "test"].map(|split| report(split)["count"].as_u64().unwrap());
    assert_eq!(counts, [192, 64, 64]);
    let metrics = String::from_utf8(scratch.read("run/metrics.csv")).unwrap();
    let best = report("valid")["elbo"]["mean"].as_f64().unwrap();
    let logged = metrics.lines().skip(1).map(|row| row.split(',').nth(9).unwrap().parse::<f64>().unwrap());
    let logged = logged.fold(f64::NEG_INFINITY, f64::max);
    assert!((best - logged).abs() < 1e-9 * best.abs(), "{best} and {metrics}");
    // Training continues after its last epoch.
    scratch.succeed("train --resume run --epochs 2 --quiet");
    scratch.succeed(&format!("{TRAIN} --quiet --out plain"));
    // A run without validation data cannot get any: the advice is for a new one, and it works.
    let message = scratch.fail("train --resume plain --epochs 2 --patience 3", 2, "the run has none");
    assert!(message.contains("begin a new run with --valid 0.1 --init-from plain"), "{message}");
    let new = "--patience 3 --valid 0.1 --init-from plain --out new";
    scratch.succeed(&format!("{TRAIN} --quiet {new}"));
    let help = scratch.succeed("train --help").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("these go with it: --epochs, --lr,"), "{help}");
    let refusal = scratch.command("evaluate plain --split valid").assert().code(2);
    refusal.stderr(contains("held nothing out").and(contains("--valid 0.1")));
    scratch.command("evaluate plain --limit 0").assert().code(2).stderr(contains("--limit 0"));
    scratch.command("evaluate plain --nll-samples 0").assert().code(2).stderr(contains("use 1 to 100000"));
}

#[test]
fn the_commands_that_are_named_after_training_work() {
    let scratch = Scratch::new();
    for flags in ["", "--condition labels", "--latent 2", "--model ae", "--model iwae --samples 2"] {
        let line = if flags.contains("--latent") { TRAIN.replace("--latent 3 ", "") } else { TRAIN.into() };
        let line = format!("{line} {flags} --out run --force");
        let output = scratch.command(&line).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        let named: Vec<&str> = told
            .lines()
            .filter_map(|line| line.split_once("vae-gpu ")?.1.split_once('#'))
            .map(|(command, _)| command.trim())
            .collect();
        assert_eq!(named.len(), 3, "{flags}: {told}");
        for command in named {
            scratch.succeed(command);
        }
    }
}

#[test]
fn presets_are_listed_and_trained() {
    let scratch = Scratch::new();
    let told = scratch.succeed("presets");
    for text in ["burda2015-iwae", "arXiv 1312.6114", "NLL 89.78", "published", "differs"] {
        assert!(told.contains(text), "{text} in {told}");
    }
    assert!(told.lines().all(|line| line.chars().count() <= 110), "{told}");
    let list = json(&scratch.succeed("presets --json"));
    assert_eq!(list.as_array().unwrap().len(), 12);
    assert!(list[2]["config"].as_str().unwrap().contains("lr_schedule = \"burda\""), "{list}");

    let train =
        "train --preset burda2015-iwae --scale 0.0003 --data tiny --samples 3 --batch-size 64 --out run";
    let told = scratch.succeed(train);
    assert!(told.starts_with("epoch   1/1 "), "{told}");
    let config = String::from_utf8(scratch.read("run/config.toml")).unwrap();
    for line in [
        "kind = \"iwae\"",
        "hidden = [200, 200]",
        "samples = 3",
        "adam_epsilon = 0.0001",
        "output_bias = true",
    ] {
        assert!(config.contains(line), "{line} in {config}");
    }
    let refuse = |line: &str, text: &'static str| {
        scratch.command(line).assert().code(2).stderr(contains(text));
    };
    refuse("train --preset burda", "[possible values: pytorch-example, kingma2013");
    refuse("train --scale 0.1", "--preset <NAME>");
    refuse("train --preset kingma2013 --scale 0", "--scale 0: use a positive number");
}

#[test]
fn every_knob_of_the_recipe_reaches_the_run() {
    let scratch = Scratch::new();
    let flags = "--free-bits 0.1 --weight-decay 0.01 --clip-norm 1 --init he --output-bias --samples 2 \
                 --lr-schedule steps:1*0.5 --adam-epsilon 1e-6";
    scratch.succeed(&format!("{TRAIN} {flags} --out run"));
    let config = String::from_utf8(scratch.read("run/config.toml")).unwrap();
    for line in [
        "free_bits = 0.1",
        "weight_decay = 0.01",
        "clip_norm = 1.0",
        "init = \"he\"",
        "output_bias = true",
        "samples = 2",
        "lr_schedule = \"steps:1*0.5\"",
        "adam_epsilon = 0.000001",
    ] {
        assert!(config.contains(line), "{line} in {config}");
    }
}
