//! Every command that the README, the guide and the help texts show is one that the program takes.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::args::Cli;

#[path = "../../tests/common/commands.rs"]
mod commands;

/// The README and the chapters of the guide.
fn texts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapters = fs::read_dir(root.join("src/guide")).unwrap().map(|entry| entry.unwrap().path());
    chapters.chain([root.join("README.md")]).collect()
}

#[test]
fn every_command_in_a_text_parses() {
    let mut all = Vec::new();
    for text in texts() {
        let name = text.file_name().unwrap().to_string_lossy().into_owned();
        let content = fs::read_to_string(&text).unwrap();
        all.extend(commands::of_markdown(&content).into_iter().map(|command| (name.clone(), command)));
    }
    assert!(all.len() > 60, "{} commands in the README and the guide", all.len());
    for subcommand in Cli::command().get_subcommands() {
        let name = format!("{} --help", subcommand.get_name());
        let examples = commands::of_help(&subcommand.get_after_help().unwrap().to_string());
        assert!(!examples.is_empty(), "{name} shows no example");
        all.extend(examples.into_iter().map(|command| (name.clone(), command)));
    }
    let first = Cli::command().get_after_help().unwrap().to_string().replace("Begin with:", "Examples:");
    let first = commands::of_help(&first);
    assert_eq!(first.len(), 3);
    all.extend(first.into_iter().map(|command| ("--help".to_owned(), command)));
    for (place, command) in all {
        // What a shell makes of it where there are two runs.
        let command = command.replace("runs/*", "runs/mnist-vae-1 runs/mnist-vae-2");
        if let Err(error) = Cli::command().try_get_matches_from(commands::words(&command)) {
            panic!("{place}: {command}\n{error}");
        }
    }
}
