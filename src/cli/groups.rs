//! The subcommands in groups, as `vae-gpu --help` lists them: clap knows one list only.

use std::fmt::Write;

use clap::Command;

/// Each group and its subcommands. A new subcommand is one name here; its line stays the one that it declares itself.
const GROUPS: &[(&str, &[&str])] = &[
    ("Train", &["data", "train", "presets", "explain"]),
    ("Use a model", &["sample", "reconstruct", "evaluate", "score", "encode", "decode", "export"]),
    (
        "Look into its latent space",
        &["interpolate", "animate", "traverse", "manifold", "latent-map", "explore"],
    ),
    ("Keep track of runs", &["runs", "compare"]),
    ("Know the machine", &["devices", "check", "bench", "tune"]),
    ("Get help", &["help", "man", "completions"]),
];

/// The command, with a help that lists its subcommands in groups.
pub fn grouped(command: Command) -> Command {
    let list = command.clone().help_template("{subcommands}").render_help().to_string();
    let styles = command.get_styles().clone();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut groups = String::new();
    for (title, names) in GROUPS {
        let _ = writeln!(groups, "{header}{title}:{header:#}");
        for name in *names {
            let rest = entry(&list, name).unwrap_or_default();
            let _ = writeln!(groups, "  {literal}{name}{literal:#}{rest}");
        }
        groups.push('\n');
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{header}Options:{header:#}\n{{options}}{{after-help}}"
    ))
}

/// What follows a subcommand's name in clap's list, to the end of its last line: clap aligns and breaks them.
fn entry<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let begins = |line: &str| line.starts_with("  ") && !line.starts_with("   ");
    let mut at = 0;
    let mut found = None;
    for line in list.split_inclusive('\n') {
        match found {
            Some(start) if begins(line) => return Some(list[start..at].trim_end()),
            None if begins(line) && line.split_whitespace().next() == Some(name) => {
                found = Some(at + 2 + name.len());
            }
            _ => {}
        }
        at += line.len();
    }
    found.map(|start| list[start..].trim_end())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    /// The words of a text, wherever its lines are broken.
    fn words(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_subcommand_is_in_one_group() {
        let mut groups: BTreeMap<String, usize> = BTreeMap::new();
        for (title, names) in GROUPS {
            assert!(!names.is_empty(), "{title}");
            names.iter().for_each(|name| *groups.entry((*name).to_owned()).or_default() += 1);
        }
        let mut command = Cli::command();
        command.build();
        let known = command.get_subcommands().map(|found| (found.get_name().to_owned(), 1)).collect();
        assert_eq!(groups, known);
    }

    #[test]
    fn the_help_shows_each_subcommand_with_its_own_line() {
        for width in [40, 80, 110] {
            // The list takes the width of the terminal, unless the command says one.
            let help = grouped(Cli::command().term_width(width)).render_help().to_string();
            assert!(help.lines().all(|line| line.chars().count() <= width), "{help}");
            let help = words(&help);
            let mut command = Cli::command();
            command.build();
            let mut expected = String::new();
            for (title, names) in GROUPS {
                expected += &format!("{title}: ");
                for name in *names {
                    let about = command.find_subcommand(name).unwrap().get_about().unwrap().to_string();
                    expected += &format!("{name} {} ", words(&about));
                }
            }
            assert!(help.contains(&format!("{expected}Options: -h, --help")), "{help}");
        }
    }
}
