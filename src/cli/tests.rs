//! What holds for the commands as a whole.

use std::collections::BTreeSet;

use clap::CommandFactory;

use super::args::Cli;
use crate::train::Config;

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
    let mut known: BTreeSet<String> =
        ["", "[source]", "[model]", "[train]", "[run]"].iter().flat_map(|part| keys(part)).collect();
    // The parts themselves, and what is taken from the data.
    for name in ["source", "model", "train", "run", "shape", "classes", "class_names", "columns", "scaling"] {
        assert!(known.remove(name), "{name} is no key");
    }
    assert_eq!(flags, known);
}
