//! `curves.png`: the bound and its two terms by epoch.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::chart::{
    self, Area, Axis, Drawn, EARLY, Grid, MARKER, MAX_DRAWN, MAX_MARKERS, STROKE, TEST, TRAIN, px, range_of,
    text,
};
use super::metrics::EpochMetrics;
use super::write_atomic;
use crate::error::Result;

/// A panel: its title and the columns it shows.
struct Panel {
    title: &'static str,
    train: fn(&EpochMetrics) -> f64,
    test: fn(&EpochMetrics) -> f64,
}

static PANELS: [Panel; 3] = [
    Panel { title: "ELBO", train: |row| row.train_elbo, test: |row| row.test_elbo },
    Panel { title: "Reconstruction, log p(x|z)", train: |row| row.train_recon, test: |row| row.test_recon },
    Panel { title: "KL divergence from the prior", train: |row| row.train_kl, test: |row| row.test_kl },
];

/// Width and height of the picture.
const SIZE: (u32, u32) = (1560, 480);
const LEGEND_HEIGHT: u32 = px(40);

/// Writes the curves of `rows` to `path` as a PNG. Values that are not finite are left out; a panel without finite
/// values is empty.
///
/// # Errors
/// [`crate::error::Error::Io`].
pub fn draw(path: &Path, rows: &[EpochMetrics]) -> Result<()> {
    let png = curves_png(rows)?;
    write_atomic(path, |out| out.write_all(&png))
}

/// The curves of `rows` as a PNG file in memory.
///
/// # Errors
/// [`crate::error::Error::Io`] if the picture cannot be drawn, which would be a bug of this crate.
pub fn curves_png(rows: &[EpochMetrics]) -> Result<Vec<u8>> {
    chart::render("curves.png", SIZE, |root| paint(root, rows))
}

fn paint(root: &Area, rows: &[EpochMetrics]) -> Drawn {
    let (legend, panels) = root.split_vertically(LEGEND_HEIGHT);
    paint_legend(&legend)?;
    let shown = shown(rows);
    for (area, panel) in panels.split_evenly((1, shown.len())).iter().zip(shown) {
        paint_panel(area, panel, rows)?;
    }
    Ok(())
}

/// The panels with data: an autoencoder has no KL, and so no bound.
fn shown(rows: &[EpochMetrics]) -> &'static [Panel] {
    let has_kl = rows.iter().any(|row| row.train_kl != 0.0 || row.test_kl != 0.0);
    if has_kl || rows.is_empty() { &PANELS } else { &PANELS[1..2] }
}

/// One legend above all panels, where it covers no curve.
fn paint_legend(area: &Area) -> Drawn {
    let at = |x: u32, y: u32| (px(x) as i32, px(y) as i32);
    let middle = 26;
    for (left, name, colour) in [(640, "train", TRAIN), (810, "test", TEST)] {
        let line = [at(left, middle), at(left + 50, middle)];
        area.draw(&PathElement::new(line, colour.stroke_width(STROKE)))?;
        area.draw(&Circle::new(at(left + 25, middle), MARKER, colour.filled()))?;
        area.draw(&Text::new(name, at(left + 62, middle - 5), text(22)))?;
    }
    Ok(())
}

fn paint_panel(area: &Area, panel: &Panel, rows: &[EpochMetrics]) -> Drawn {
    let points = |value: fn(&EpochMetrics) -> f64| -> Vec<(f64, f64)> {
        let points = rows.iter().map(|row| (f64::from(row.epoch), value(row)));
        points.filter(|(_, value)| value.abs() <= MAX_DRAWN).collect()
    };
    let (mut train, mut test) = (points(panel.train), points(panel.test));
    let epochs = range_of(rows.iter().map(|row| f64::from(row.epoch)), 0.02, 0.5);
    let settled = [&train, &test].into_iter().flat_map(|curve| &curve[curve.len() / EARLY..]);
    let nats = range_of(settled.map(|point| point.1), 0.06, 0.01);
    for curve in [&mut train, &mut test] {
        curve.retain(|point| nats.contains(&point.1));
    }

    let mut chart = ChartBuilder::on(area)
        .margin(px(12))
        .margin_top(px(46))
        .margin_right(px(20))
        .x_label_area_size(px(56))
        .y_label_area_size(px(80))
        .build_cartesian_2d(Axis::new(epochs, 8.0, 1.0), Axis::new(nats, 8.0, 0.0))?;
    // Centred on the plot; the builder's own caption would be centred on the panel.
    let (plot, left) = (chart.plotting_area().get_pixel_range().0, area.get_base_pixel().0);
    let centred = text(24).pos(Pos::new(HPos::Center, VPos::Top));
    area.draw(&Text::new(panel.title, ((plot.start + plot.end) / 2 - left, px(14) as i32), centred))?;
    chart::mesh(&mut chart, Grid::Both, "epoch", "nats per image")?;

    for (curve, colour) in [(train, TRAIN), (test, TEST)] {
        if rows.len() <= MAX_MARKERS {
            chart.draw_series(curve.iter().map(|&point| Circle::new(point, MARKER, colour.filled())))?;
        }
        chart.draw_series(LineSeries::new(curve, colour.stroke_width(STROKE)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: u32, elbo: f64) -> EpochMetrics {
        EpochMetrics {
            epoch,
            step: 1,
            train_elbo: elbo - 2.0,
            train_recon: elbo + 23.0,
            train_kl: 25.0,
            train_objective: elbo,
            valid_elbo: None,
            valid_recon: None,
            valid_kl: None,
            test_elbo: elbo,
            test_recon: elbo + 25.0,
            test_kl: 25.0,
            images_per_second: 1.0,
            seconds: 1.0,
        }
    }

    /// The number of pixels with that colour.
    fn count(png: &[u8], colour: RGBColor) -> usize {
        let picture = image::load_from_memory(png).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), SIZE);
        picture.pixels().filter(|pixel| pixel.0 == [colour.0, colour.1, colour.2]).count()
    }

    #[test]
    fn both_curves_are_drawn_in_their_colours() {
        let rows: Vec<_> = (1..=100).map(|epoch| row(epoch, -100.0 - 80.0 / f64::from(epoch))).collect();
        let (png, empty) = (curves_png(&rows).unwrap(), curves_png(&[]).unwrap());
        assert!(count(&png, TRAIN) > count(&empty, TRAIN) + 500);
        assert!(count(&png, TEST) > count(&empty, TEST) + 500);
    }

    #[test]
    fn an_autoencoder_has_one_panel() {
        let rows = [EpochMetrics { train_kl: 0.0, test_kl: 0.0, ..row(1, -80.0) }];
        assert_eq!(shown(&rows).iter().map(|panel| panel.title).collect::<Vec<_>>(), [PANELS[1].title]);
        assert_eq!(shown(&[row(1, -80.0)]).len(), PANELS.len());
    }

    #[test]
    fn values_that_are_not_numbers_leave_the_rest_as_it_was() {
        let sound = [row(1, -150.0), row(2, -120.0), row(3, -110.0)];
        let mut diverged = sound;
        for (row, value) in diverged.iter_mut().zip([f64::NAN, f64::INFINITY, 1e300]) {
            *row = EpochMetrics { train_elbo: value, train_recon: value, train_kl: value, ..*row };
        }
        let (whole, part) = (curves_png(&sound).unwrap(), curves_png(&diverged).unwrap());
        assert!(count(&part, TRAIN) < count(&whole, TRAIN));
        assert!(count(&part, TEST) * 10 > count(&whole, TEST) * 9);
    }

    #[test]
    fn the_steep_start_of_a_long_run_does_not_flatten_the_rest() {
        let mut rows: Vec<_> = (1..=100).map(|epoch| row(epoch, -100.0 - f64::from(epoch % 7))).collect();
        let flat = curves_png(&rows).unwrap();
        rows[0] = row(1, -1e6);
        let steep = curves_png(&rows).unwrap();
        assert!(count(&steep, TEST) * 10 > count(&flat, TEST) * 9);
    }

    #[test]
    fn one_epoch_and_equal_epochs_still_have_axes() {
        for rows in [vec![], vec![row(1, -100.0)], vec![row(7, 0.0); 3], vec![row(u32::MAX, -1e9)]] {
            curves_png(&rows).unwrap();
        }
        assert_eq!(range_of([2.0, 2.0].into_iter(), 0.1, 0.5), 1.5..2.5);
        assert_eq!(range_of([].into_iter(), 0.1, 0.5), 0.0..1.0);
    }

    #[test]
    fn ticks_are_round_few_and_whole_where_asked() {
        let at = |range: std::ops::Range<f64>, least_step| Axis::new(range, 6.0, least_step);
        assert_eq!(at(0.5..3.5, 1.0).ticks, [1.0, 2.0, 3.0]);
        assert_eq!(at(-182.0..-98.0, 0.0).ticks, [-180.0, -160.0, -140.0, -120.0, -100.0]);
        let fine = at(0.11..0.16, 0.0);
        assert_eq!((fine.ticks.len(), fine.decimals), (6, 2));
        for (start, end) in [(1e9 - 1.0, 1e9 + 1.0), (-1e9, 1e9), (0.0, 1e-3)] {
            assert!((2..=7).contains(&at(start..end, 0.0).ticks.len()), "{start}..{end}");
        }
    }
}
