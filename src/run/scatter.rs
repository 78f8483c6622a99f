//! A scatter plot of data, coloured by class.

use plotters::prelude::*;

use super::chart::{self, Area, Axis, Drawn, Grid, px, range_of, text};
use crate::error::Result;

/// Width and height of the picture.
const SIZE: (u32, u32) = (980, 840);
/// Width of the legend beside the plot.
const LEGEND: u32 = 180;
/// Largest height of a legend line.
const LINE: u32 = 30;
/// Characters of a class name that fit the legend.
const NAME: usize = 14;
/// With more dots than this, each is drawn smaller.
const MANY: usize = 2_000;

/// Ten colours that differ under every kind of colour blindness (Petroff 2021, arXiv 2107.02270).
const COLOURS: [RGBColor; 10] = [
    RGBColor(0x3f, 0x90, 0xda),
    RGBColor(0xff, 0xa9, 0x0e),
    RGBColor(0xbd, 0x1f, 0x01),
    RGBColor(0x94, 0xa4, 0xa2),
    RGBColor(0x83, 0x2d, 0xb6),
    RGBColor(0xa9, 0x6b, 0x59),
    RGBColor(0xe7, 0x63, 0x00),
    RGBColor(0xb9, 0xac, 0x70),
    RGBColor(0x71, 0x75, 0x81),
    RGBColor(0x92, 0xda, 0xdd),
];
/// Shapes of dots: a repeated colour gets another shape.
const MARKS: usize = 3;

/// Classes with distinct marks.
pub const MOST_CLASSES: usize = COLOURS.len() * MARKS;

/// The data of a scatter plot.
#[derive(Clone, Debug, Default)]
pub struct Scatter {
    /// The position of each datum.
    pub points: Vec<(f64, f64)>,
    /// The class of each datum; empty if there are none.
    pub labels: Vec<u32>,
    /// The names of the classes; those without one are shown by number.
    pub names: Vec<String>,
    /// The titles of the x and y axes.
    pub axes: [String; 2],
}

impl Scatter {
    /// The plot as a PNG file in memory. Positions that are not finite are left out; with more than [`MOST_CLASSES`]
    /// classes, colours are too.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] if the picture cannot be drawn, which would be a bug of this crate.
    pub fn png(&self) -> Result<Vec<u8>> {
        let mut classes = self.labels.clone();
        classes.sort_unstable();
        classes.dedup();
        if classes.len() > MOST_CLASSES {
            classes.clear();
        }
        chart::render("the scatter", SIZE, |root| self.paint(root, &classes))
    }

    fn paint(&self, root: &Area, classes: &[u32]) -> Drawn {
        let width = px(SIZE.0 - if classes.is_empty() { 0 } else { LEGEND });
        let (plot, legend) = root.split_horizontally(width);
        self.paint_plot(&plot, classes)?;
        self.paint_legend(&legend, classes)
    }

    fn paint_plot(&self, area: &Area, classes: &[u32]) -> Drawn {
        let finite: Vec<usize> = (0..self.points.len())
            .filter(|i| self.points[*i].0.is_finite() && self.points[*i].1.is_finite())
            .collect();
        let [x, y] = [|p: &(f64, f64)| p.0, |p: &(f64, f64)| p.1]
            .map(|part| range_of(finite.iter().map(|i| part(&self.points[*i])), 0.04, 0.01));
        let mut chart = ChartBuilder::on(area)
            .margin(px(16))
            .x_label_area_size(px(56))
            .y_label_area_size(px(76))
            .build_cartesian_2d(Axis::new(x, 10.0, 0.0), Axis::new(y, 10.0, 0.0))?;
        chart::mesh(&mut chart, Grid::Both, &self.axes[0], &self.axes[1])?;
        let size = px(if finite.len() > MANY { 2 } else { 4 });
        let class =
            |i: usize| self.labels.get(i).and_then(|label| classes.binary_search(label).ok()).unwrap_or(0);
        // In the order of the data, so that no class covers another entirely.
        for i in finite {
            chart.plotting_area().draw(&mark(self.points[i], size, class(i)))?;
        }
        Ok(())
    }

    fn paint_legend(&self, area: &Area, classes: &[u32]) -> Drawn {
        let top = 40;
        let line = LINE.min((SIZE.1 - 2 * top) / classes.len().max(1) as u32);
        for (number, class) in classes.iter().enumerate() {
            let y = px(top + line * number as u32) as i32;
            area.draw(&mark((px(14) as i32, y), px(7), number))?;
            let name: String = match self.names.get(*class as usize) {
                Some(name) if name.chars().count() > NAME => {
                    name.chars().take(NAME - 1).chain(['…']).collect()
                }
                Some(name) => name.clone(),
                None => class.to_string(),
            };
            area.draw(&Text::new(name, (px(32) as i32, y - px(5) as i32), text(20)))?;
        }
        Ok(())
    }
}

/// The mark of class `number`: a disc, then a square, then a diamond.
fn mark<'a, DB: DrawingBackend + 'a, C: Copy + 'a>(at: C, size: u32, number: usize) -> DynElement<'a, DB, C> {
    let style = COLOURS[number % COLOURS.len()].filled();
    let size = size as i32;
    let dot = EmptyElement::at(at);
    match number / COLOURS.len() % MARKS {
        0 => (dot + Circle::new((0, 0), size, style)).into_dyn(),
        1 => (dot + Rectangle::new([(-size, -size), (size, size)], style)).into_dyn(),
        _ => {
            let corners = vec![(0, -size), (size, 0), (0, size), (-size, 0)];
            (dot + Polygon::new(corners, style)).into_dyn()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::picture::tests::decode;

    fn scatter(labels: Vec<u32>) -> Scatter {
        let points = (0..labels.len().max(4)).map(|i| (i as f64, (i % 2) as f64)).collect();
        Scatter { points, labels, names: vec!["zero".into()], axes: ["x".into(), "y".into()] }
    }

    /// Pixels in each of the colours.
    fn pixels(scatter: &Scatter) -> [usize; 10] {
        let image = decode(&scatter.png().unwrap()).into_rgb8();
        assert_eq!(image.dimensions(), SIZE);
        COLOURS.map(|RGBColor(r, g, b)| image.pixels().filter(|pixel| pixel.0 == [r, g, b]).count())
    }

    #[test]
    fn each_class_has_its_colour_in_plot_and_legend() {
        let found = pixels(&scatter((0..10).collect()));
        // A disc of radius 4 has 50 pixels and one of radius 7 has 150, less those at their edges.
        assert!(found.iter().all(|n| (120..200).contains(n)), "{found:?}");
    }

    #[test]
    fn without_labels_there_is_one_colour_and_no_legend() {
        let found = pixels(&scatter(vec![]));
        assert!((4 * 25..4 * 50).contains(&found[0]) && found[1..].iter().all(|n| *n == 0), "{found:?}");
        let many = pixels(&scatter((0..1 + MOST_CLASSES as u32).collect()));
        assert!(many[0] > 700 && many[1..].iter().all(|n| *n == 0), "{many:?}");
    }

    #[test]
    fn the_eleventh_class_is_not_a_disc() {
        let discs = pixels(&scatter((0..10).collect()))[0];
        let with_square = pixels(&scatter((0..11).collect()))[0];
        // Squares of 9 and 15 pixels a side.
        assert!(with_square > discs + 200, "{discs} and {with_square}");
    }

    #[test]
    fn positions_that_are_not_finite_are_left_out() {
        let mut scatter = scatter(vec![]);
        scatter.points.extend([(f64::NAN, 0.0), (0.0, f64::INFINITY)]);
        assert!(pixels(&scatter)[0] > 100);
        scatter.points.clear();
        assert_eq!(pixels(&scatter), [0; 10]);
    }
}
