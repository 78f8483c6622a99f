//! A bar chart of the KL of each latent dimension.

use std::path::Path;

use plotters::prelude::*;

use super::chart::{self, Area, Axis, Drawn, Grid, TEST, px};
use super::write_atomic;
use crate::error::Result;

/// Width and height of the picture.
const SIZE: (u32, u32) = (900, 420);
/// Share of its slot that a bar fills.
const FILLED: f64 = 0.8;

/// Writes the KL of each latent dimension to `path` as a PNG, the largest first.
///
/// # Errors
/// [`crate::error::Error::Io`].
pub fn draw(path: &Path, kl_per_dimension: &[f64]) -> Result<()> {
    let png = bars_png(kl_per_dimension)?;
    write_atomic(path, |out| out.write_all(&png))
}

/// The bars as a PNG file in memory.
///
/// # Errors
/// [`crate::error::Error::Io`] if the picture cannot be drawn, which would be a bug of this crate.
pub fn bars_png(kl_per_dimension: &[f64]) -> Result<Vec<u8>> {
    let mut sorted: Vec<f64> = kl_per_dimension.iter().copied().filter(|kl| kl.is_finite()).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    chart::render("the bars", SIZE, |root| paint(root, &sorted))
}

fn paint(root: &Area, sorted: &[f64]) -> Drawn {
    // A model with all dimensions collapsed still gets an axis.
    let top = 1.06 * sorted.first().copied().unwrap_or(0.0).max(0.01);
    let width = sorted.len().max(1) as f64;
    let mut chart = ChartBuilder::on(root)
        .margin(px(14))
        .x_label_area_size(px(56))
        .y_label_area_size(px(76))
        .build_cartesian_2d(Axis::new(0.5..width + 0.5, 20.0, 1.0), Axis::new(0.0..top, 8.0, 0.0))?;
    chart::mesh(&mut chart, Grid::Rows, "rank of the latent dimension by its KL", "KL, nats per datum")?;
    chart.draw_series(sorted.iter().enumerate().map(|(i, kl)| {
        let (middle, half) = (i as f64 + 1.0, FILLED / 2.0);
        Rectangle::new([(middle - half, 0.0), (middle + half, *kl)], TEST.filled())
    }))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::picture::tests::decode;

    /// Blue pixels in each column of the picture.
    fn blue(kl: &[f64]) -> Vec<usize> {
        let image = decode(&bars_png(kl).unwrap()).into_rgb8();
        let is_blue = |x: u32, y: u32| {
            let [r, g, b] = image.get_pixel(x, y).0;
            (r, g, b) == (TEST.0, TEST.1, TEST.2)
        };
        (0..image.width()).map(|x| (0..image.height()).filter(|y| is_blue(x, *y)).count()).collect()
    }

    #[test]
    fn bars_stand_by_size_whatever_their_order() {
        let heights = blue(&[1.0, 4.0, 2.0]);
        let tallest = *heights.iter().max().unwrap();
        let tall: Vec<usize> = heights.iter().copied().filter(|h| *h > 0).collect();
        assert_eq!(tall[tall.len() / 6], tallest, "the largest comes first");
        let (middle, last) = (tall[tall.len() / 2], tall[5 * tall.len() / 6]);
        assert!(
            middle.abs_diff(tallest / 2) < 4 && last.abs_diff(tallest / 4) < 4,
            "{tallest} {middle} {last}"
        );
        assert_eq!(heights, blue(&[4.0, 1.0, 2.0]));
    }

    #[test]
    fn no_bar_at_all_is_still_a_picture() {
        assert!(blue(&[]).iter().chain(&blue(&[f64::NAN, 0.0])).all(|h| *h <= 4));
    }
}
