//! The command line: the only code that prints. Results go to stdout, talk to stderr.

mod args;
mod bench;
mod check;
mod checkpoints;
mod coded;
mod common_args;
mod compare;
mod data;
mod devices;
mod encode;
mod evaluate;
mod explain;
mod explore;
mod export;
mod faults;
mod flags;
mod groups;
mod interpolate;
mod latent_args;
mod latent_map;
mod model_args;
mod next;
mod output;
mod pictures;
mod presets;
mod profile;
mod progress;
mod report;
mod rows;
mod runs;
mod saved;
mod saver;
mod score;
mod session;
mod shell;
mod source;
mod suit;
mod team;
mod tracking;
mod train;
mod train_args;
mod traverse;
mod tune;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use log::Level;

use args::{Cli, Command};
use team::Team;

use crate::data::GUARDED_THREAD;
use crate::error::Error;

/// Runs the command that the arguments name. Exit code 0: done, 1: failed, 2: misuse.
pub fn main() -> ExitCode {
    team::mute_followers();
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(GUARDED_THREAD) {
            report(panic);
        }
    }));
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        // The GL backend complains of displays that a compute program does not want.
        .filter_module("wgpu_hal", log::LevelFilter::Off)
        .filter_module("wgpu_core", log::LevelFilter::Error)
        .parse_default_env()
        // As the program's own talk.
        .format(|out, record| match record.level() {
            Level::Warn => writeln!(out, "warning: {}", record.args()),
            level => writeln!(out, "{}: {}", level.as_str().to_lowercase(), record.args()),
        })
        .init();
    if output::is_mute() {
        log::set_max_level(log::LevelFilter::Off);
    }
    let mut team = None;
    let result = match cli.command {
        Command::Train(args) => together(&mut team, |team| train::run(&args, team)),
        Command::Sample(args) => pictures::sample(&args),
        Command::Reconstruct(args) => pictures::reconstruct(&args),
        Command::Interpolate(args) => interpolate::interpolate(&args),
        Command::Animate(args) => interpolate::animate(&args),
        Command::Traverse(args) => traverse::traverse(&args),
        Command::Manifold(args) => traverse::manifold(&args),
        Command::LatentMap(args) => latent_map::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Encode(args) => encode::encode(&args),
        Command::Decode(args) => encode::decode(&args),
        Command::Score(args) => score::run(&args),
        Command::Evaluate(args) => together(&mut team, |team| evaluate::run(&args, team)),
        Command::Data(args) => data::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Presets(args) => presets::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Completions(args) => shell::completions(&args, Cli::command()),
        Command::Man(args) => shell::man(&args, Cli::command()),
    };
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if team.is_none() {
                team::let_the_first_speak();
            }
            output::talk(format_args!("error: {}", flags::message(&error)));
            ExitCode::from(error.exit_code())
        }
    };
    // All has been said: a launcher ends everyone when the first one fails.
    if let Some(team) = team {
        team.leave();
    }
    code
}

/// Runs a command that processes of a launcher divide among them.
fn together(team: &mut Option<Team>, command: impl FnOnce(&Team) -> Result<(), Error>) -> Result<(), Error> {
    command(team.insert(Team::gather()?))
}

/// Parses the arguments. A number below zero is a value, which is then refused with its flag, and no unknown flag.
fn parse() -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let names: Vec<String> = command.get_subcommands().map(|found| found.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, |found| {
            found.mut_args(|arg| match arg.get_action().takes_values() {
                true => arg.allow_negative_numbers(true),
                false => arg,
            })
        });
    }
    Cli::from_arg_matches(&groups::grouped(command).try_get_matches()?)
}

/// Prints what clap says, but for the words of Rust's own parsers of numbers.
fn refuse(error: &clap::Error) -> ExitCode {
    if output::is_mute() && error.exit_code() == 0 {
        return ExitCode::SUCCESS;
    }
    team::let_the_first_speak();
    // A process that is still there may be alone with its mistake.
    output::unmute();
    let source = std::error::Error::source(error);
    let said = source.filter(|_| error.kind() == ErrorKind::ValueValidation).map(ToString::to_string);
    let plain = match said.as_deref() {
        Some("invalid digit found in string") => Some("use a whole number that is not negative"),
        Some("number too large to fit in target type") => Some("the number is too large"),
        Some("invalid float literal") => Some("use a number"),
        Some("cannot parse integer from empty string" | "cannot parse float from empty string") => {
            Some("a number is missing")
        }
        _ => None,
    };
    match (said, plain) {
        (Some(said), Some(plain)) => {
            output::talk(format_args!("{}", error.to_string().replace(&said, plain).trim_end()));
        }
        // There is nobody to tell when it fails.
        _ => drop(error.print()),
    }
    ExitCode::from(error.exit_code() as u8)
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;
