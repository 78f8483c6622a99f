//! Opening data for the commands: a bar while it is read, and what the user should hear of it.

use std::io::IsTerminal;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::talk;
use crate::data::{self, Dataset, Options, Step};
use crate::error::Result;

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
