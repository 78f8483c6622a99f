//! Bars of long jobs.

use indicatif::{ProgressBar, ProgressStyle};

use super::output::is_mute;

/// A bar of `total` data on stderr; hidden where that is no terminal.
pub fn bar(what: &'static str, total: usize) -> ProgressBar {
    if is_mute() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} ETA {eta}");
    let style = style.expect("the template is well-formed");
    ProgressBar::new(total as u64).with_style(style).with_message(what)
}
