//! The command line: the only code that prints. Results go to stdout, talk to stderr.

mod args;
mod bench;
mod check;
mod compare;
mod data;
mod devices;
mod encode;
mod evaluate;
mod explain;
mod export;
mod faults;
mod interpolate;
mod latent_args;
mod latent_map;
mod output;
mod pictures;
mod presets;
mod profile;
mod progress;
mod report;
mod runs;
mod saved;
mod saver;
mod score;
mod shell;
mod source;
mod tracking;
mod train;
mod train_args;
mod traverse;
mod tune;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

use crate::data::GUARDED_THREAD;

/// Runs the command that the arguments name. Exit code 0: done, 1: failed, 2: misuse.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
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
        .format_target(false)
        .format_timestamp(None)
        .init();
    let result = match cli.command {
        Command::Train(args) => train::run(&args),
        Command::Sample(args) => pictures::sample(&args),
        Command::Reconstruct(args) => pictures::reconstruct(&args),
        Command::Interpolate(args) => interpolate::interpolate(&args),
        Command::Animate(args) => interpolate::animate(&args),
        Command::Traverse(args) => traverse::traverse(&args),
        Command::Manifold(args) => traverse::manifold(&args),
        Command::LatentMap(args) => latent_map::run(&args),
        Command::Encode(args) => encode::encode(&args),
        Command::Decode(args) => encode::decode(&args),
        Command::Score(args) => score::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
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
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::talk(format_args!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

#[cfg(test)]
mod tests;
