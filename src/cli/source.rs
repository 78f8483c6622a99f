//! Data for the commands: the flags that say how it is read, a bar while it is, and what the user should hear of it.

use std::io::IsTerminal;
use std::sync::Mutex;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use indicatif::{ProgressBar, ProgressStyle};

use super::model_args::set;
use super::output::talk;
use crate::data::{self, Colour, Dataset, Options, Scale, Size, Step};
use crate::error::Result;

/// How data is read. A flag that is not given leaves the value of --config, or what fits the data.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct DataArgs {
    /// Format of the data, where its name tells the wrong one
    #[arg(long, value_parser = PossibleValuesParser::new(formats()))]
    pub format: Option<String>,
    /// Size of the pictures: those of a folder are cut and resized to it, rows of a .npy file are read as it
    #[arg(long, value_name = "WxH")]
    pub image_size: Option<Size>,
    /// Read the pictures of a folder as grey ones [default: as the first one is]
    #[arg(long, conflicts_with = "colour")]
    pub grey: bool,
    /// Read the pictures of a folder as coloured ones
    #[arg(long)]
    pub colour: bool,
    /// Column of a table with labels, by name or by number from 1
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// Another source, which is the test part
    #[arg(long, value_name = "SOURCE")]
    pub test_data: Option<String>,
    // The help tells the constant.
    #[arg(long, value_name = "SHARE", help = test_fraction_help())]
    pub test_fraction: Option<f64>,
    /// Seed of the choice of test rows [default: 0]
    #[arg(long, value_name = "SEED")]
    pub split_seed: Option<u64>,
    /// How values become x [default: standard for tables of floats, none for pictures]
    #[arg(long, value_enum)]
    pub scaling: Option<Scale>,
}

fn formats() -> impl Iterator<Item = PossibleValue> {
    data::sources().map(|(name, describe)| PossibleValue::new(name).help(describe))
}

/// The help of `--data`, from the table of formats.
pub fn data_help() -> String {
    let names: Vec<_> = data::sources().map(|(name, _)| name).collect();
    format!(
        "Data: mnist (built in), or the path of a file or folder; formats: {} [default: mnist]",
        names.join(", ")
    )
}

fn test_fraction_help() -> String {
    format!(
        "Share of the rows that become the test part, where the source has none [default: {}]",
        data::TEST_FRACTION
    )
}

impl DataArgs {
    /// Puts the flags on top of `options`. What a run has learnt of its data is left behind: a new run learns its own.
    pub fn apply(&self, options: &mut data::Options) {
        let DataArgs { format, image_size, label_column, test_data, scaling, .. } = self.clone();
        options.format = format.or(options.format.take());
        options.image_size = image_size.or(options.image_size);
        options.label_column = label_column.or(options.label_column.take());
        options.scale = scaling.or(options.scale);
        if self.grey || self.colour {
            options.colour = Some(if self.grey { Colour::Grey } else { Colour::Colour });
        }
        // Either way to a test part replaces the other one of the file.
        if test_data.is_some() || self.test_fraction.is_some() {
            (options.test_data, options.test_fraction) = (test_data, self.test_fraction);
        }
        set(&mut options.split_seed, &self.split_seed);
        options.scaling = None;
    }
}

/// Opens `source`, with a bar on a terminal and warnings on stderr.
pub fn open(source: &str, options: &Options, quiet: bool) -> Result<Dataset> {
    let bar = Mutex::new((ProgressBar::hidden(), ""));
    let show = |step: Step| {
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
        talk(format_args!("warning: {warning}"));
    }
    Ok(dataset)
}
