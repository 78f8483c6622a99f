//! What holds for the commands as a whole.

use std::collections::BTreeSet;

use clap::CommandFactory;

use super::args::Cli;
use super::flags::{defaults, spelled};
use crate::data::ReadOptions;
use crate::settings::Section;
use crate::train::Config;
use crate::train::config::{ModelSection, RunSection, TrainSection};

/// Flags that a file tells in other words.
const IN_OTHER_WORDS: [(&str, &str); 4] =
    [("model", "kind"), ("scaling", "scale"), ("grey", "colour"), ("colour", "colour")];

/// Flags of `train` that a file cannot hold: they say which file, or which run.
const NOT_IN_FILES: [&str; 4] = ["config", "preset", "scale", "resume"];

/// The keys of a part of a configuration file: the error of an unknown one lists them.
fn keys(part: &str) -> BTreeSet<String> {
    let message = Config::parse(&format!("{part}\nno_such_key = 1\n")).unwrap_err();
    let list = message.split("expected one of ").nth(1).expect("a list of keys");
    let list = list.lines().next().unwrap_or_default();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_flag_of_train_has_a_key_in_the_file_and_no_key_is_without_a_flag() {
    let command = Cli::command();
    let train = command.find_subcommand("train").unwrap();
    let flags: BTreeSet<String> = train
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .filter(|flag| !["help", "version"].contains(flag) && !NOT_IN_FILES.contains(flag))
        .map(|flag| match IN_OTHER_WORDS.iter().find(|(word, _)| *word == flag) {
            Some((_, key)) => (*key).to_owned(),
            None => flag.replace('-', "_"),
        })
        .collect();
    let mut known = BTreeSet::new();
    for (part, without) in [
        // The parts themselves, and what is taken from the data.
        (
            "",
            &[
                "source",
                "model",
                "train",
                "run",
                "shape",
                "classes",
                "class_names",
                "columns",
                "schema",
                "fingerprint",
            ][..],
        ),
        ("[source]", &["scaling", "division", "bits"]),
        ("[model]", &[]),
        ("[train]", &[]),
        ("[run]", &[]),
    ] {
        let mut keys = keys(part);
        for name in without {
            assert!(keys.remove(*name), "{name} is no key of {part}");
        }
        known.extend(keys);
    }
    assert_eq!(flags, known);
}

#[test]
fn keys_in_messages_are_spelled_as_flags() {
    for (text, expected) in [
        ("`train.batch_size` = 0: use 1 to 8", "--batch-size 0: use 1 to 8"),
        ("`model.kind` = ae: leave out `train.kl_warmup`", "--model ae: leave out --kl-warmup"),
        ("add `train.stream` = true, or `source.scale` = none", "add --stream, or --scaling none"),
        ("`source.colour` = grey: no; `data` `x`", "--grey: no; --data `x`"),
        ("`vae-gpu devices` and `nosuch.key` stay", "`vae-gpu devices` and `nosuch.key` stay"),
    ] {
        assert_eq!(spelled(text), expected);
    }
}

/// The settings of a section as rows of a table.
fn rows<T: Section + clap::Args + serde::Serialize>(train: &clap::Command, text: &mut String) {
    let defaults = defaults::<T>();
    let keys = T::augment_args_for_update(clap::Command::new(""));
    for key in keys.get_arguments().map(|arg| arg.get_id().as_str()) {
        let arg = train.get_arguments().find(|arg| arg.get_id() == key).expect("train has every setting");
        let flag = arg.get_long().unwrap();
        let help = arg.get_help().unwrap().to_string();
        let (help, said) = help.split_once(" [default: ").unwrap_or((&help, ""));
        let default = match defaults.iter().find(|(name, _)| name == key) {
            Some((_, value)) => value,
            None => said.trim_end_matches(']'),
        };
        let range = T::RANGES.iter().find(|(name, _)| *name == key);
        let names: Vec<_> =
            arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        let values = match range {
            Some((_, range)) => range.to_string(),
            None if arg.get_action().takes_values() => names.join(", "),
            None => "true, false".to_owned(),
        };
        let row = format!("| `{}.{key}` | `--{flag}` | {default} | {values} | {help} |", T::PART);
        // A bar would end the cell, and a bracket would begin a link.
        text.push_str(&row.replace("p(x|z)", "p(x given z)").replace("[run]", "`[run]`"));
        text.push('\n');
    }
}

/// `VAE_GPU_WRITE_GUIDE=1 cargo test --lib cli::tests` writes the table anew.
#[test]
fn the_guide_has_the_table_of_settings() {
    const MARKS: [&str; 2] = ["<!-- settings: begin -->\n", "<!-- settings: end -->"];
    let mut command = Cli::command();
    command.build();
    let train = command.find_subcommand("train").unwrap();
    let mut table =
        "\n| key | flag | default | values | what it is |\n| --- | --- | --- | --- | --- |\n".to_owned();
    rows::<ReadOptions>(train, &mut table);
    rows::<ModelSection>(train, &mut table);
    rows::<TrainSection>(train, &mut table);
    rows::<RunSection>(train, &mut table);
    table.push('\n');
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/settings.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(MARKS[0]).expect("where the table begins");
    let (found, after) = rest.split_once(MARKS[1]).expect("where the table ends");
    if std::env::var_os("VAE_GPU_WRITE_GUIDE").is_some() {
        std::fs::write(&path, [before, MARKS[0], &table, MARKS[1], after].concat()).unwrap();
        return;
    }
    assert!(found == table, "src/guide/settings.md is out of date; it should have\n{table}");
}
