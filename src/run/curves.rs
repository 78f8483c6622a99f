//! `curves.png`: how the bound and its two terms went, epoch by epoch.

use std::error::Error as StdError;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::metrics::EpochMetrics;
use super::picture::encode_png;
use super::write_atomic;
use crate::error::{Error, Result};

/// One panel: what it is called and which columns it shows.
struct Panel {
    title: &'static str,
    train: fn(&EpochMetrics) -> f64,
    test: fn(&EpochMetrics) -> f64,
}

const PANELS: [Panel; 3] = [
    Panel { title: "ELBO", train: |row| row.train_elbo, test: |row| row.test_elbo },
    Panel { title: "Reconstruction, log p(x|z)", train: |row| row.train_recon, test: |row| row.test_recon },
    Panel { title: "KL divergence from the prior", train: |row| row.train_kl, test: |row| row.test_kl },
];

/// Width and height of the picture.
const SIZE: (u32, u32) = (1560, 480);
/// Everything is drawn this many times larger and then averaged, because the backend draws thick
/// lines, discs and the places of letters in whole pixels.
const OVERSAMPLING: u32 = 3;

const FONT: &str = "vae-gpu";
const INK: RGBColor = RGBColor(51, 51, 51);
const GRID: RGBColor = RGBColor(228, 228, 228);
/// Orange and blue stay apart for every kind of colour blindness, and light from dark in print. (A
/// dashed line would turn to dust where the curve is noisy.)
const TRAIN: RGBColor = RGBColor(244, 165, 80);
const TEST: RGBColor = RGBColor(31, 95, 175);

const STROKE: u32 = px(2);
const MARKER: u32 = px(4);
const LEGEND_HEIGHT: u32 = px(40);
/// With more epochs than this, markers would touch and hide the line.
const MAX_MARKERS: usize = 30;
/// The first 1/50 of a long run may lie out of view: the steep start would flatten all that follows.
const EARLY: usize = 50;
/// Numbers beyond this say only that training diverged, and would flatten the rest of the curve.
const MAX_DRAWN: f64 = 1e9;

/// A length in the picture as the backend draws it.
const fn px(length: u32) -> u32 {
    length * OVERSAMPLING
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Drawn = std::result::Result<(), Box<dyn StdError + Send + Sync>>;

/// Writes the curves of `rows` to `path` as a PNG. Values that are not finite are left out; where
/// there are no others, a panel is empty.
///
/// # Errors
/// [`Error::Io`].
pub fn draw(path: &Path, rows: &[EpochMetrics]) -> Result<()> {
    let png = curves_png(rows)?;
    write_atomic(path, |out| out.write_all(&png))
}

/// The curves of `rows` as a PNG file in memory.
///
/// # Errors
/// [`Error::Io`] if the picture cannot be drawn, which would be a mistake of this crate.
pub fn curves_png(rows: &[EpochMetrics]) -> Result<Vec<u8>> {
    register_font_once();
    let size = (px(SIZE.0), px(SIZE.1));
    let mut large = vec![255; size.0 as usize * size.1 as usize * 3];
    let root = BitMapBackend::with_buffer(&mut large, size).into_drawing_area();
    paint(&root, rows).map_err(|error| Error::io("draw", "curves.png", io::Error::other(error)))?;
    drop(root);
    Ok(encode_png(&shrink(&large), (SIZE.0 as usize, SIZE.1 as usize), 3))
}

fn register_font_once() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let registered = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
        assert!(registered.is_ok(), "the font that is built in is sound");
    });
}

/// Averages each square of `OVERSAMPLING` x `OVERSAMPLING` pixels into one.
fn shrink(large: &[u8]) -> Vec<u8> {
    let (width, factor) = (SIZE.0 as usize * 3, OVERSAMPLING as usize);
    let mut small = Vec::with_capacity(width * SIZE.1 as usize);
    let mut sums = vec![0u32; width];
    for rows in large.chunks_exact(width * factor * factor) {
        sums.fill(0);
        for row in rows.chunks_exact(width * factor) {
            for (sum, pixels) in sums.chunks_exact_mut(3).zip(row.chunks_exact(3 * factor)) {
                for (index, &value) in pixels.iter().enumerate() {
                    sum[index % 3] += u32::from(value);
                }
            }
        }
        small.extend(sums.iter().map(|sum| (sum / (OVERSAMPLING * OVERSAMPLING)) as u8));
    }
    small
}

fn paint(root: &Area, rows: &[EpochMetrics]) -> Drawn {
    let (legend, panels) = root.split_vertically(LEGEND_HEIGHT);
    paint_legend(&legend)?;
    for (area, panel) in panels.split_evenly((1, PANELS.len())).iter().zip(&PANELS) {
        paint_panel(area, panel, rows)?;
    }
    root.present()?;
    Ok(())
}

fn text(size: u32) -> TextStyle<'static> {
    (FONT, px(size)).into_font().color(&INK)
}

/// One legend for all panels, above them, where it can cover no curve.
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
    // Over the middle of the plot; the builder's own caption would sit over that of the panel.
    let (plot, left) = (chart.plotting_area().get_pixel_range().0, area.get_base_pixel().0);
    let centred = text(24).pos(Pos::new(HPos::Center, VPos::Top));
    area.draw(&Text::new(panel.title, ((plot.start + plot.end) / 2 - left, px(14) as i32), centred))?;
    chart
        .configure_mesh()
        .bold_line_style(GRID.stroke_width(OVERSAMPLING))
        .light_line_style(TRANSPARENT)
        .axis_style(INK.mix(0.4).stroke_width(OVERSAMPLING))
        .set_all_tick_mark_size(px(5))
        // The backend places text a quarter of its size too high.
        .y_label_offset(px(18) / 4)
        .label_style(text(18))
        .axis_desc_style(text(20))
        .x_desc("epoch")
        .y_desc("nats per image")
        .draw()?;

    for (curve, colour) in [(train, TRAIN), (test, TEST)] {
        if rows.len() <= MAX_MARKERS {
            chart.draw_series(curve.iter().map(|&point| Circle::new(point, MARKER, colour.filled())))?;
        }
        chart.draw_series(LineSeries::new(curve, colour.stroke_width(STROKE)))?;
    }
    Ok(())
}

/// The range of `values` with a margin: the part `relative` of its span, and at least `least`, so that
/// equal values, or a single one, get an axis too.
fn range_of(values: impl Iterator<Item = f64>, relative: f64, least: f64) -> Range<f64> {
    let (low, high) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    // A thousandth of the values keeps the ticks of a flat curve at a few decimals.
    let margin = (relative * (high - low)).max(least).max(1e-3 * low.abs().max(high.abs()));
    low - margin..high + margin
}

/// A linear axis with numbers at round places, and no more decimals than they need.
struct Axis {
    range: Range<f64>,
    ticks: Vec<f64>,
    decimals: usize,
}

impl Axis {
    /// With at most `most` ticks, or one more, at multiples of a round step: 1, 2 or 5 times a
    /// power of ten, and at least `least_step`.
    fn new(range: Range<f64>, most: f64, least_step: f64) -> Axis {
        let least_step = ((range.end - range.start) / most).max(least_step);
        let power = 10f64.powf(least_step.log10().floor());
        let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least_step).unwrap_or(10.0);
        let step = factor * power;
        let (first, last) = ((range.start / step).ceil() as i64, (range.end / step).floor() as i64);
        let ticks = (first..=last).map(|multiple| multiple as f64 * step).collect();
        Axis { range, ticks, decimals: (-step.log10().floor()).max(0.0) as usize }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let part = (value - self.range.start) / (self.range.end - self.range.start);
        limit.0 + (part * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        format!("{value:.*}", self.decimals)
    }
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
            test_elbo: elbo,
            test_recon: elbo + 25.0,
            test_kl: 25.0,
            images_per_second: 1.0,
            seconds: 1.0,
        }
    }

    /// The number of pixels of that colour.
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
        let at = |range: Range<f64>, least_step| Axis::new(range, 6.0, least_step);
        assert_eq!(at(0.5..3.5, 1.0).ticks, [1.0, 2.0, 3.0]);
        assert_eq!(at(-182.0..-98.0, 0.0).ticks, [-180.0, -160.0, -140.0, -120.0, -100.0]);
        let fine = at(0.11..0.16, 0.0);
        assert_eq!((fine.ticks.len(), fine.decimals), (6, 2));
        for (start, end) in [(1e9 - 1.0, 1e9 + 1.0), (-1e9, 1e9), (0.0, 1e-3)] {
            assert!((2..=7).contains(&at(start..end, 0.0).ticks.len()), "{start}..{end}");
        }
    }
}
