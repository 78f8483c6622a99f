//! Data for the commands: the flags that say how it is read, a bar while it is, and what the user should hear of it.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::flags::{self, Flags};
use super::next::quoted;
use super::output::{self, talk};
use crate::data::{self, Colour, Dataset, Division, Progress, ReadOptions};
use crate::error::{Error, Result};
use crate::run::RunDir;
use crate::settings::{Named, names};
use crate::train::Config;
use crate::train::config::Fitting;

/// How data is read. A flag that is not given leaves the value of --config, or what fits the data.
// The formats are a table of the readers, which the section of options stands below.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(mut_arg("format", |arg| arg.value_parser(names(data::sources()))))]
pub struct DataArgs {
    #[command(flatten)]
    options: Flags<ReadOptions>,
    /// Read the pictures of a folder as grey ones [default: as the first one is]
    #[arg(long, conflicts_with = "colour")]
    grey: bool,
    /// Read the pictures of a folder as coloured ones
    #[arg(long)]
    colour: bool,
}

/// The help of `--data`, from the table of formats.
pub fn data_help() -> String {
    let names: Vec<_> = data::sources().map(|(name, _)| name).collect();
    format!(
        "Data: mnist or shapes (built in), or the path of a file or folder; formats: {} [default: mnist]",
        names.join(", ")
    )
}

impl DataArgs {
    /// Whether any flag is given.
    pub fn any(&self) -> bool {
        !self.given_but(&[]).is_empty()
    }

    /// The flags that are given, apart from those of these keys.
    pub fn given_but(&self, keys: &[&str]) -> Vec<String> {
        let colours = [(self.grey, "--grey"), (self.colour, "--colour")];
        let colours = colours.into_iter().filter(|(given, _)| *given).map(|(_, flag)| flag.to_owned());
        self.options.given_but(keys).into_iter().chain(colours).collect()
    }

    /// Puts the flags on top of `options`. What a run has learnt of its data is left behind: a new run learns its own.
    pub fn apply(&self, options: &mut ReadOptions) {
        // Either way to a test part replaces the other one of the file.
        if self.options.has("test_data") || self.options.has("test_fraction") {
            (options.test_data, options.test_fraction) = (None, None);
        }
        self.options.apply(options);
        if self.grey || self.colour {
            options.colour = Some(if self.grey { Colour::Grey } else { Colour::Colour });
        }
        (options.scaling, options.bits) = (None, None);
        options.division = Division::default();
    }
}

/// Checks that the data of a run is where it was.
pub fn check_present(source: &str, next: &str) -> Result<()> {
    match data::is_built_in(source) || Path::new(source).exists() {
        true => Ok(()),
        false => Err(Error::file(source, "the run's data is not there any more", next)),
    }
}

/// Refuses the folder of a run: its pictures are no data.
fn check_no_run(source: &str) -> Result<()> {
    let path = Path::new(source);
    let is_run = |run: &RunDir| run.model().exists() || run.checkpoint().exists();
    match RunDir::open(path).is_ok_and(|run| is_run(&run)) {
        true => Err(Error::Usage(format!(
            "{source} is the folder of a run, not of data\n  name what a model is to be trained on or shown"
        ))),
        false => Ok(()),
    }
}

/// Refuses the folder of the data as that of a run: the run's pictures would become data.
pub fn check_apart(out: &Path, config: &Config) -> Result<()> {
    let sources = [Some(&config.data), config.source.test_data.as_ref()];
    for source in sources.into_iter().flatten() {
        if !data::is_built_in(source) && output::is_same(out, Path::new(source)) {
            let beside = out.join("run");
            return Err(Error::Usage(format!(
                "--out {}: it is the folder of the data, and the run's pictures would become a part of them\n  \
                 name a folder of its own, such as --out {}",
                out.display(),
                quoted(&beside)
            )));
        }
    }
    Ok(())
}

/// Opens `source`, with a bar on a terminal and warnings on stderr.
pub fn open(source: &str, options: &ReadOptions, quiet: bool) -> Result<Dataset> {
    check_no_run(source)?;
    output::reads(source)?;
    let bar = Mutex::new((ProgressBar::hidden(), ""));
    let show = |step: Progress| {
        let Ok(mut shown) = bar.lock() else {
            return;
        };
        if shown.1 != step.what {
            let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} ETA {eta}");
            let style = style.expect("the template is well-formed");
            *shown = (ProgressBar::new(step.total).with_style(style).with_message(step.what), step.what);
        }
        shown.0.set_position(step.done);
    };
    let visible = !quiet && std::io::stderr().is_terminal();
    let dataset = if visible {
        data::open_with(source, options, &show)
    } else {
        data::open_with(source, options, &|_| {})
    };
    if let Ok(shown) = bar.lock() {
        shown.0.finish_and_clear();
    }
    let dataset = dataset?;
    for warning in dataset.warnings.iter().filter(|_| !quiet) {
        talk(format_args!("warning: {}", flags::spelled(warning)));
    }
    Ok(dataset)
}

/// The flags that name a likelihood that the data chose.
pub fn fitting_flags(fitting: &Fitting) -> String {
    let variance = fitting.variance.map(|variance| format!(" --variance {}", variance.name()));
    format!("--likelihood {}{}", fitting.likelihood, variance.unwrap_or_default())
}
