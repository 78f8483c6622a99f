//! The ELBO of several runs in one chart.

use plotters::prelude::*;

use super::chart::{
    self, Area, Axis, Drawn, EARLY, Grid, MARKER, MAX_DRAWN, MAX_MARKERS, STROKE, px, range_of, text,
};
use super::metrics::EpochMetrics;
use crate::error::Result;

/// Width of the picture, and height of its plot.
const WIDTH: u32 = 1100;
const HEIGHT: u32 = 560;
/// Height of a legend line.
const LINE: u32 = 30;

/// Colours that differ under every kind of colour blindness (Okabe & Ito), without their yellow, which is too light for
/// a line. With more runs, colours repeat.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(51, 51, 51),
];

/// The test ELBO of each run, by epoch, as a PNG file in memory. Values that are not finite are left out.
///
/// # Errors
/// [`crate::error::Error::Io`] if the picture cannot be drawn, which would be a bug of this crate.
pub fn comparison_png(runs: &[(String, Vec<EpochMetrics>)]) -> Result<Vec<u8>> {
    let legend = LINE * runs.len() as u32 + 16;
    chart::render("the comparison", (WIDTH, HEIGHT + legend), |root| {
        let (above, below) = root.split_vertically(px(legend));
        paint_legend(&above, runs)?;
        paint_plot(&below, runs)
    })
}

fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

fn paint_legend(area: &Area, runs: &[(String, Vec<EpochMetrics>)]) -> Drawn {
    let at = |x: u32, y: u32| (px(x) as i32, px(y) as i32);
    for (i, (name, _)) in runs.iter().enumerate() {
        let middle = 24 + LINE * i as u32;
        let line = [at(104, middle), at(154, middle)];
        area.draw(&PathElement::new(line, colour(i).stroke_width(STROKE)))?;
        area.draw(&Circle::new(at(129, middle), MARKER, colour(i).filled()))?;
        area.draw(&Text::new(name.clone(), at(166, middle - 5), text(20)))?;
    }
    Ok(())
}

fn paint_plot(area: &Area, runs: &[(String, Vec<EpochMetrics>)]) -> Drawn {
    let points = |rows: &[EpochMetrics]| -> Vec<(f64, f64)> {
        let points = rows.iter().map(|row| (f64::from(row.epoch), row.test_elbo));
        points.filter(|(_, elbo)| elbo.abs() <= MAX_DRAWN).collect()
    };
    let curves: Vec<Vec<(f64, f64)>> = runs.iter().map(|(_, rows)| points(rows)).collect();
    let epochs = range_of(curves.iter().flatten().map(|point| point.0), 0.02, 0.5);
    let settled = curves.iter().flat_map(|curve| &curve[curve.len() / EARLY..]);
    let nats = range_of(settled.map(|point| point.1), 0.06, 0.01);
    let mut chart = ChartBuilder::on(area)
        .margin(px(12))
        .margin_right(px(24))
        .x_label_area_size(px(56))
        .y_label_area_size(px(84))
        .build_cartesian_2d(Axis::new(epochs, 12.0, 1.0), Axis::new(nats.clone(), 8.0, 0.0))?;
    chart::mesh(&mut chart, Grid::Both, "epoch", "test ELBO, nats per datum")?;
    for (i, mut curve) in curves.into_iter().enumerate() {
        curve.retain(|point| nats.contains(&point.1));
        if curve.len() <= MAX_MARKERS {
            chart.draw_series(curve.iter().map(|&point| Circle::new(point, MARKER, colour(i).filled())))?;
        }
        chart.draw_series(LineSeries::new(curve, colour(i).stroke_width(STROKE)))?;
    }
    Ok(())
}
