//! Shared drawing for a run's charts: colours, text, axes and antialiased lines.

use std::error::Error as StdError;
use std::io;
use std::ops::Range;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::register_font;

use super::picture::encode_png;
use crate::error::{Error, Result};

/// Everything is drawn this many times larger and then averaged, because the backend rounds line widths, discs and the
/// positions of letters to whole pixels.
pub(super) const OVERSAMPLING: u32 = 3;

pub(super) const FONT: &str = "vae-gpu";
pub(super) const INK: RGBColor = RGBColor(51, 51, 51);
pub(super) const GRID: RGBColor = RGBColor(228, 228, 228);
/// Orange and blue differ under every kind of colour blindness, and in lightness when printed. (A dashed line would
/// break into dots where the curve is noisy.)
pub(super) const TRAIN: RGBColor = RGBColor(244, 165, 80);
pub(super) const TEST: RGBColor = RGBColor(31, 95, 175);

pub(super) const STROKE: u32 = px(2);
pub(super) const MARKER: u32 = px(4);
/// With more epochs than this, markers would touch and hide the line.
pub(super) const MAX_MARKERS: usize = 30;
/// The first 1/50 of a long run may fall outside the plot: its steep start would flatten the rest.
pub(super) const EARLY: usize = 50;
/// Values beyond this only show that training diverged, and would flatten the rest of the curve.
pub(super) const MAX_DRAWN: f64 = 1e9;

/// A length in the picture, in the backend's pixels.
pub(super) const fn px(length: u32) -> u32 {
    length * OVERSAMPLING
}

pub(super) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
pub(super) type Drawn = std::result::Result<(), Box<dyn StdError + Send + Sync>>;

/// Renders `paint` as a PNG file of `size` in memory.
///
/// # Errors
/// [`Error::Io`] if the picture cannot be drawn, which would be a bug of this crate.
pub(super) fn render(name: &str, size: (u32, u32), paint: impl FnOnce(&Area) -> Drawn) -> Result<Vec<u8>> {
    register_font_once();
    let large_size = (px(size.0), px(size.1));
    let mut large = vec![255; large_size.0 as usize * large_size.1 as usize * 3];
    let root = BitMapBackend::with_buffer(&mut large, large_size).into_drawing_area();
    let painted = paint(&root).and_then(|()| Ok(root.present()?));
    painted.map_err(|error| Error::io("draw", name, io::Error::other(error)))?;
    drop(root);
    Ok(encode_png(&shrink(&large, size), (size.0 as usize, size.1 as usize), 3))
}

fn register_font_once() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let registered = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
        assert!(registered.is_ok(), "the font that is built in is sound");
    });
}

/// Averages each square of `OVERSAMPLING` x `OVERSAMPLING` pixels into one.
fn shrink(large: &[u8], size: (u32, u32)) -> Vec<u8> {
    let (width, factor) = (size.0 as usize * 3, OVERSAMPLING as usize);
    let mut small = Vec::with_capacity(width * size.1 as usize);
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

pub(super) fn text(size: u32) -> TextStyle<'static> {
    (FONT, px(size)).into_font().color(&INK)
}

/// The lines of a grid.
pub(super) enum Grid {
    /// Horizontal and vertical.
    Both,
    /// Horizontal only.
    Rows,
}

/// Draws the grid and the axes.
pub(super) fn mesh(
    chart: &mut ChartContext<'_, BitMapBackend<'_>, Cartesian2d<Axis, Axis>>,
    grid: Grid,
    x: &str,
    y: &str,
) -> Drawn {
    let mut mesh = chart.configure_mesh();
    if let Grid::Rows = grid {
        mesh.disable_x_mesh();
    }
    mesh.bold_line_style(GRID.stroke_width(OVERSAMPLING))
        .light_line_style(TRANSPARENT)
        .axis_style(INK.mix(0.4).stroke_width(OVERSAMPLING))
        .set_all_tick_mark_size(px(5))
        // The backend places text a quarter of its height too high.
        .y_label_offset(px(18) / 4)
        .label_style(text(18))
        .axis_desc_style(text(20))
        .x_desc(x)
        .y_desc(y)
        .draw()?;
    Ok(())
}

/// The range of `values` with a margin: `relative` of its span, but at least `least`, so that equal values or a single
/// one also get an axis.
pub(super) fn range_of(values: impl Iterator<Item = f64>, relative: f64, least: f64) -> Range<f64> {
    let (low, high) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    // At least a thousandth of the values, so that ticks of a flat curve have few decimals.
    let margin = (relative * (high - low)).max(least).max(1e-3 * low.abs().max(high.abs()));
    low - margin..high + margin
}

/// A linear axis with ticks at round numbers, and no more decimals than they need.
pub(super) struct Axis {
    range: Range<f64>,
    pub(super) ticks: Vec<f64>,
    pub(super) decimals: usize,
}

impl Axis {
    /// At most `most` ticks, or one more, at multiples of a round step: 1, 2 or 5 times a power of ten, and at least
    /// `least_step`.
    pub(super) fn new(range: Range<f64>, most: f64, least_step: f64) -> Axis {
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
