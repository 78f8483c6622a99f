//! Bars of long jobs.

use indicatif::{ProgressBar, ProgressStyle};

use super::output::is_mute;
use crate::error::Result;
use crate::evaluate::Tsne;

/// A bar of `total` data on stderr; hidden where that is no terminal.
pub fn bar(what: &'static str, total: usize) -> ProgressBar {
    if is_mute() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} ETA {eta}");
    let style = style.expect("the template is well-formed");
    ProgressBar::new(total as u64).with_style(style).with_message(what)
}

/// Places [N, 2] of codes [N, Z] by t-SNE.
pub fn tsne(map: Tsne, codes: &[f32], latent: usize) -> Result<Vec<[f64; 2]>> {
    let bar = bar("t-SNE", Tsne::STEPS);
    let places = map.map(codes, latent, |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    Ok(places)
}
