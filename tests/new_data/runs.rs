//! Runs that begin with another's weights or go on with other settings, and what a run says of its model.

use super::foreign;
use super::scratch::Scratch;
use super::{TRAIN, columns, csv, json, numbers, table, trained};

#[test]
fn a_run_begins_with_the_weights_of_another_where_they_fit() {
    let scratch = Scratch::new();
    scratch.write("t.csv", csv(&table(300)));
    let line = TRAIN.replace("--epochs 3", "--epochs 30");
    scratch.succeed(&format!("{line} --data t.csv --quiet"));
    let first = |name: &str| -> f64 {
        let text = String::from_utf8(scratch.read(&format!("{name}/metrics.csv"))).unwrap();
        numbers(&columns(&text), "train_elbo")[0]
    };
    scratch.write("u.csv", csv(&table(500)[300..]));
    let line = TRAIN.replace("--out run", "");
    let (_, err) = scratch.both(&format!("{line} --data u.csv --out fine --init-from run"));
    assert!(err.contains("weights  11 of 11 tensors of"), "{err}");
    scratch.succeed(&format!("{line} --data u.csv --out plain --quiet"));
    assert!(first("fine") > first("plain") + 0.3, "{} {}", first("fine"), first("plain"));
    // It says where it comes from, and does so again from its own configuration.
    assert!(String::from_utf8(scratch.read("fine/config.toml")).unwrap().contains("init_from = "));
    scratch.succeed("train --config fine/config.toml --out again --quiet");
    assert_eq!(scratch.read("fine/model.safetensors"), scratch.read("again/model.safetensors"));
    scratch.succeed("train --resume fine --epochs 4 --quiet");

    let wider = line.replace("--hidden 16", "--hidden 16,24");
    let (_, err) = scratch.both(&format!("{wider} --data u.csv --out wider --init-from run"));
    assert!(err.contains("encoder.mu.weight, which is [2, 16] there and [2, 24] here"), "{err}");
    let strange = format!("train --data tiny --hidden 9 --latent 3 --epochs 1 --out s --init-from {}", "run");
    scratch.fail(&strange, 1, "no tensor has the name and shape of one of this model");
    scratch.fail(&format!("{line} --data u.csv --init-from nowhere"), 1, "no such run directory");
}

#[test]
fn a_resumed_run_takes_settings_that_keep_their_meaning() {
    let scratch = trained(300, "");
    for flags in
        ["--lr 0.0001", "--lr-schedule cosine --beta 0.5 --weight-decay 0.01 --clip-norm 1 --free-bits 0.1"]
    {
        let epochs = if flags.starts_with("--lr 0") { 4 } else { 5 };
        scratch.succeed(&format!("train --resume run --epochs {epochs} --quiet {flags}"));
    }
    let config = String::from_utf8(scratch.read("run/config.toml")).unwrap();
    assert!(config.contains("lr = 0.0001") && config.contains("beta = 0.5"), "{config}");
    let message = scratch.fail("train --resume run --batch-size 7 --seed 3 --hidden 9", 2, "cannot change");
    assert!(message.contains("--hidden, --batch-size, --seed cannot change"), "{message}");
    assert!(message.contains("--init-from run"), "{message}");
}

#[test]
fn a_model_that_ignores_its_code_is_told_of() {
    let scratch = Scratch::new();
    scratch.write("t.csv", csv(&table(400)));
    let line = "train --data t.csv --hidden 16 --latent 2 --lr 0.01";
    // Beta this large leaves nothing to the code.
    let (out, err) = scratch.both(&format!("{line} --epochs 15 --likelihood gaussian --beta 50 --out run"));
    assert!(out.contains("active 0/2"), "{out}");
    assert_eq!(err.matches("no latent dimension is active").count(), 1, "{err}");
    assert!(err.contains("--likelihood gaussian-learned or --beta 0.1"), "{err}");
    // The first epochs often have none.
    assert!(!err.contains("is active after epoch 1:") && !err.contains("is active after epoch 2:"), "{err}");
    // The advice helps.
    for help in ["--likelihood gaussian-learned --epochs 40", "--likelihood gaussian --epochs 15 --beta 0.1"]
    {
        let (out, _) = scratch.both(&format!("{line} {help} --out run --force"));
        assert!(
            out.lines().rev().any(|line| line.contains("active 1/2") || line.contains("active 2/2")),
            "{out}"
        );
    }
    let (out, _) =
        scratch.both(&format!("{line} --likelihood gaussian --epochs 2 --log-format json --out j"));
    let epoch = out.lines().map(json).find(|line| line["event"] == "epoch").unwrap();
    assert!(epoch["active_units"].is_u64(), "{epoch}");
}

#[test]
fn pictures_of_256x256_in_colour_are_trained_on_by_convolutions() {
    let scratch = Scratch::new();
    // A slope for each picture and colour.
    let slope = |i: usize| ((i / 3 % 256) * (1 + i % 3) / (1 + i / 196_608)) as u8;
    let values: Vec<u8> = (0..4 * 256 * 256 * 3).map(slope).collect();
    scratch.write("x.npy", foreign::npy("|u1", "4, 256, 256, 3", &values));
    let line = "train --data x.npy --latent 2 --epochs 1 --batch-size 2 --lr 0.0001";
    let (out, err) = scratch.both(&format!("{line} --out run"));
    assert!(err.contains("a convolutional network for images of 256x256x3"), "{err}");
    assert!(err.contains("1 epoch of 2 steps") && !out.contains("NaN"), "{out} {err}");
    let message =
        scratch.fail(&format!("{line} --net mlp --out mlp"), 2, "linear layers take 65536 or fewer");
    assert!(message.contains("--net conv, which takes 196608"), "{message}");
    scratch.succeed("sample run --count 1 --out s.png");
    let told = scratch.succeed("score run --data x.npy --out s.csv");
    assert!(told.contains("the scores of 4 data"), "{told}");
}
