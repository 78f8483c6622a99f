use super::*;
use crate::train::Config;
use clap::{CommandFactory, Parser};

#[test]
fn clap_finds_no_fault() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_tells_the_true_defaults() {
    let mut command = Cli::command();
    let help = command.find_subcommand_mut("train").unwrap().render_long_help().to_string();
    // Where lines are broken depends on the terminal.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = |flag: &str| {
        let at = help.find(&format!("{flag} ")).unwrap_or_else(|| panic!("{flag} in the help"));
        help[at..].split("[default: ").nth(1).and_then(|t| t.split(']').next()).unwrap().to_owned()
    };
    let config = Config::default();
    let binarize = "dynamic for bernoulli, none for the other likelihoods";
    for (flag, default) in [
        ("--data", config.data.as_str()),
        ("--model", "vae"),
        ("--hidden", "400"),
        ("--latent", "20"),
        ("--activation", "relu"),
        ("--likelihood", config.model.likelihood.as_str()),
        ("--epochs", "10"),
        ("--lr", "1e-3"),
        ("--lr-schedule", "constant"),
        ("--beta", "1"),
        ("--adam-epsilon", "1e-8"),
        ("--binarize", binarize),
        ("--test-fraction", crate::data::TEST_FRACTION.to_string().as_str()),
        ("--split-seed", "0"),
        ("--log-format", "text"),
    ] {
        assert_eq!(told(flag), default, "{flag}");
    }
    assert!(!help.contains("[default: false]"));
    // Keys are spelled as flags.
    assert!(help.contains("Write into --out even"), "{help}");
}

fn resolved(line: &str) -> Config {
    let Command::Train(args) = Cli::parse_from(line.split(' ')).command else { panic!("{line}") };
    args.model.resolve(&args.train).unwrap()
}

#[test]
fn flags_win_over_the_preset_and_what_is_not_given_stays() {
    let preset = resolved("vae-gpu train --preset burda2015-vae");
    assert!(preset.train.output_bias && preset.model.latent == 50);
    let config = resolved("vae-gpu train --preset burda2015-vae --latent 3 --hidden 16,8 --beta=-1 --stream");
    assert_eq!((config.model.latent, &config.model.hidden[..]), (3, &[16, 8][..]));
    assert_eq!((config.train.beta, config.train.stream), (-1.0, true));
    // A switch that is not given does not turn off what the preset turns on.
    assert!(config.train.output_bias);
    assert_eq!(config.train.init, preset.train.init);
}

#[test]
fn a_test_part_of_the_flags_replaces_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    std::fs::write(&file, "[source]\ntest_data = \"other\"\n").unwrap();
    let source = |flags: &str| resolved(&format!("vae-gpu train --config {}{flags}", file.display())).source;
    assert_eq!(source("").test_data.as_deref(), Some("other"));
    let replaced = source(" --test-fraction 0.5");
    assert_eq!((replaced.test_data, replaced.test_fraction), (None, Some(0.5)));
}
