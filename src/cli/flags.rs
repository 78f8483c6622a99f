//! Settings as flags: each section of the configuration is its own list of flags, and what is given goes on top of what is
//! there. A setting needs nothing here: its declaration in the section is enough.

use std::ffi::OsString;
use std::marker::PhantomData;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use serde::Serialize;

use crate::data::ReadOptions;
use crate::error::Error;
use crate::settings::Section;
use crate::train::config::{ModelSection, RunSection, TrainSection};

/// Which settings of a section a command takes.
pub trait Keys {
    /// Their keys; none for all.
    const KEYS: Option<&'static [&'static str]>;
}

/// Every setting of a section.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct All;

impl Keys for All {
    const KEYS: Option<&'static [&'static str]> = None;
}

/// The flags of a section, as they were given.
#[derive(Clone, Debug, PartialEq)]
pub struct Flags<T, K = All> {
    /// The key, and the flag with its value.
    given: Vec<(String, OsString)>,
    section: PhantomData<(T, K)>,
}

impl<T, K> Default for Flags<T, K> {
    fn default() -> Self {
        Flags { given: Vec::new(), section: PhantomData }
    }
}

impl<T: Args + Section, K> Flags<T, K> {
    /// Whether any is given, apart from those of these keys.
    pub fn any_but(&self, keys: &[&str]) -> bool {
        !self.given_but(keys).is_empty()
    }

    /// Those that are given, without their values, apart from those of these keys.
    pub fn given_but(&self, keys: &[&str]) -> Vec<String> {
        let others = self.given.iter().filter(|(key, _)| !keys.contains(&key.as_str()));
        let name = |flag: &OsString| flag.to_string_lossy().split('=').next().unwrap_or_default().to_owned();
        others.map(|(_, flag)| name(flag)).collect()
    }

    /// Whether that of this key is given.
    pub fn has(&self, key: &str) -> bool {
        self.given.iter().any(|(given, _)| given == key)
    }

    /// Puts those that are given on top of `section`.
    pub fn apply(&self, section: &mut T) {
        let command = command_of::<T>().no_binary_name(true);
        let flags = self.given.iter().map(|(_, flag)| flag);
        let matches = command.clone().try_get_matches_from(flags);
        let mut matches = matches.expect("the whole command line was parsed before");
        // What is not given leaves the section as it is; clap would say `false` of a switch.
        for arg in command.get_arguments() {
            if matches.value_source(arg.get_id().as_str()) != Some(ValueSource::CommandLine) {
                let _ = matches.try_clear_id(arg.get_id().as_str());
            }
        }
        section.update_from_arg_matches(&matches).expect("the whole command line was parsed before");
    }
}

impl<T: Args + Section + Serialize, K: Keys> Args for Flags<T, K> {
    fn augment_args(command: Command) -> Command {
        let heading = command.get_next_help_heading().map(str::to_owned);
        let args = arguments::<T>().filter(|arg| K::KEYS.is_none_or(|keys| keys.contains(&key_of(arg))));
        // In the order of the declarations, behind what the command has already.
        command.args(args.map(|arg| match &heading {
            Some(heading) => arg.display_order(None).help_heading(heading),
            None => arg.display_order(None),
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: Args + Section + Serialize, K: Keys> FromArgMatches for Flags<T, K> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for arg in Self::augment_args(Command::new("")).get_arguments() {
            let (key, flag) = (key_of(arg), flag_of(arg));
            if !matches!(matches.value_source(key), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
            {
                continue;
            }
            if !arg.get_action().takes_values() {
                given.push((key.to_owned(), flag.into()));
                continue;
            }
            for value in matches.get_raw(key).into_iter().flatten() {
                let mut text = OsString::from(format!("{flag}="));
                text.push(value);
                given.push((key.to_owned(), text));
            }
        }
        Ok(Flags { given, section: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A setting's key within its section.
fn key_of(arg: &Arg) -> &str {
    arg.get_id().as_str()
}

fn flag_of(arg: &Arg) -> String {
    format!("--{}", arg.get_long().expect("every setting has a long flag"))
}

/// The section's flags as they are declared.
fn command_of<T: Args>() -> Command {
    T::augment_args_for_update(Command::new("")).disable_help_flag(true).disable_version_flag(true)
}

/// The section's flags with their defaults in the help.
fn arguments<T: Args + Section + Serialize>() -> impl Iterator<Item = Arg> {
    let defaults = defaults::<T>();
    let args: Vec<Arg> = command_of::<T>().get_arguments().cloned().collect();
    args.into_iter().map(move |arg| {
        let help = spelled(&arg.get_help().map(ToString::to_string).unwrap_or_default());
        match defaults.iter().find(|(key, _)| key == key_of(&arg)) {
            Some((_, value)) => arg.help(format!("{help} [default: {value}]")),
            None => match help.split_once("; by default ") {
                Some((help, value)) => arg.help(format!("{help} [default: {value}]")),
                None => arg.help(help),
            },
        }
    })
}

/// The section's defaults as a file has them, by key. That a switch is off goes without saying.
pub fn defaults<T: Section + Serialize>() -> Vec<(String, String)> {
    let text = toml::to_string(&T::default()).expect("a section has only plain values");
    let pairs = text.lines().filter_map(|line| line.split_once(" = "));
    let plain = |value: &str| {
        let value = value.trim_matches(['"', '[', ']']);
        match value.parse::<f64>() {
            Ok(small) if small != 0.0 && small.abs() <= 1e-3 => format!("{small:e}"),
            _ => value.strip_suffix(".0").unwrap_or(value).replace(", ", ","),
        }
    };
    let shown = pairs.filter(|(_, value)| *value != "false");
    shown.map(|(key, value)| (key.to_owned(), plain(value))).collect()
}

/// Settings and arguments of the library that a section does not declare, and the flags for them.
const OTHERS: &[(&str, &str)] = &[
    ("data", "--data"),
    ("latents", "--latents"),
    ("limit", "--limit"),
    ("nll_samples", "--nll-samples"),
    ("perplexity", "--perplexity"),
    ("resume", "--resume"),
    ("scale", "--scale"),
    ("source.colour", "--grey or --colour"),
];

/// Every key with its flag, and whether the flag is a switch.
fn table() -> Vec<(String, String, bool)> {
    fn of<T: Args + Section>() -> impl Iterator<Item = (String, String, bool)> {
        let args: Vec<Arg> = command_of::<T>().get_arguments().cloned().collect();
        args.into_iter().map(|arg| {
            let key = format!("{}.{}", T::PART, key_of(&arg));
            (key, flag_of(&arg), !arg.get_action().takes_values())
        })
    }
    let others = OTHERS.iter().map(|(key, flag)| ((*key).to_owned(), (*flag).to_owned(), false));
    let sections =
        of::<ReadOptions>().chain(of::<ModelSection>()).chain(of::<TrainSection>()).chain(of::<RunSection>());
    sections.chain(others).collect()
}

/// A text of the library with the flag for each key in it: of `train.lr` = 0, in backticks, --lr 0.
pub fn spelled(text: &str) -> String {
    if !text.contains('`') {
        return text.to_owned();
    }
    let mut text = text.to_owned();
    for colour in ["grey", "colour"] {
        text = text.replace(&format!("`source.colour` = {colour}"), &format!("--{colour}"));
    }
    for (key, flag, switch) in table() {
        let named = format!("`{key}`");
        if switch {
            text = text.replace(&format!("{named} = true"), &flag);
        }
        text = text.replace(&format!("{named} = "), &format!("{flag} ")).replace(&named, &flag);
    }
    text
}

/// An error as the command line puts it. What is wrong in a file stays in the file's own words.
pub fn message(error: &Error) -> String {
    let text = error.to_string();
    match error {
        Error::Io { .. } | Error::Check { .. } => text,
        Error::File { next, .. } => {
            let problem = text.strip_suffix(next.as_str()).unwrap_or(&text);
            format!("{problem}{}", spelled(next))
        }
        _ => spelled(&text),
    }
}
