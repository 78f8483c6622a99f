//! Pictures that the program draws: one coloured shape each, whose factors are known.
//!
//! They show what a colour likelihood does without any file, and are ground truth for disentanglement.

use std::f64::consts::{PI, SQRT_2};
use std::thread;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::options::ReadOptions;
use super::reader::{Format, Parts};
use super::shape::{Shape, Size};
use super::split::Split;
use crate::error::{Error, Result};

/// Its name for the setting `data`.
pub(super) const NAME: &str = "shapes";

/// What the label of a picture is called.
pub const KINDS: [&str; 3] = ["square", "ellipse", "triangle"];
/// Pictures of the training part and of the test part.
const COUNTS: [usize; 2] = [10_000, 2_000];
/// Pixels per side, where nothing is said and at most.
const SIDES: [usize; 2] = [32, 64];
const CHANNELS: usize = 3;
/// The grey behind the shapes: neither black nor white, so that no value of a picture has to lie at an end.
const BACKGROUND: f64 = 0.2;
/// Points per side of a pixel at which the drawing is looked at, so that edges are smooth.
const POINTS: usize = 3;

pub(super) const FORMAT: Format = Format {
    name: NAME,
    describe: "drawn: 10,000 + 2,000 coloured squares, ellipses and triangles, 32x32 or 64x64",
    detect: is_named,
    open: |source, options, _| match source {
        NAME => open(options),
        _ => {
            let problem = format!(" = {NAME} is only for the pictures that are drawn: use `data` = {NAME}");
            Err(Error::setting("source.format", problem))
        }
    },
};

/// Whether a source is these pictures.
pub fn is_named(source: &str) -> bool {
    source == NAME
}

/// What a picture shows. Every factor is drawn by itself and evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// The number of the shape in [`KINDS`], which is the picture's label.
    pub shape: usize,
    /// The hue in degrees, from red (0) over green (120) and blue (240) to red (360).
    pub colour: f64,
    /// The radius of the circle around the shape, from 0.15 to 0.3 of the picture's side.
    pub size: f64,
    /// The centre from the left, from 0.3 to 0.7 of the picture's side.
    pub x: f64,
    /// The centre from the top, likewise.
    pub y: f64,
    /// Degrees clockwise, up to the angle at which the shape looks the same: 90, 180 and 120.
    pub angle: f64,
}

impl Factors {
    /// The factors of picture `number`: a function of the seed and the number alone.
    pub fn of(seed: u64, number: usize) -> Factors {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number as u64);
        let shape = rng.random_range(0..KINDS.len());
        let mut between = |least: f64, most: f64| least + (most - least) * rng.random::<f64>();
        Factors {
            shape,
            colour: between(0.0, 360.0),
            size: between(0.15, 0.3),
            x: between(0.3, 0.7),
            y: between(0.3, 0.7),
            angle: between(0.0, [90.0, 180.0, 120.0][shape]),
        }
    }

    /// Red, green and blue, 0 to 1: the hue, a little lighter than pure.
    fn rgb(&self) -> [f64; CHANNELS] {
        [0.0, 8.0, 4.0].map(|shift| {
            let k = (shift + self.colour / 30.0) % 12.0;
            0.55 - 0.4 * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)
        })
    }

    /// Whether a point of the picture, 0 to 1, lies on the shape.
    fn covers(&self, x: f64, y: f64) -> bool {
        let (sin, cos) = (self.angle * PI / 180.0).sin_cos();
        let (dx, dy) = ((x - self.x) / self.size, (y - self.y) / self.size);
        // Turned back, with a radius of 1.
        let (u, v) = (cos * dx + sin * dy, cos * dy - sin * dx);
        match self.shape {
            0 => u.abs().max(v.abs()) <= SQRT_2 / 2.0,
            1 => u * u + 4.0 * v * v <= 1.0,
            // The three sides of a triangle are half a radius from its centre.
            _ => [90.0f64, 210.0, 330.0].iter().all(|side| {
                let (sin, cos) = (side * PI / 180.0).sin_cos();
                u * cos + v * sin <= 0.5
            }),
        }
    }

    /// Draws the picture into side x side x 3 bytes.
    fn draw(&self, side: usize, picture: &mut [u8]) {
        let byte = |value: f64| (255.0 * value).round() as u8;
        picture.fill(byte(BACKGROUND));
        let rgb = self.rgb();
        let span = |centre: f64| {
            let pixel =
                |end: f64| ((centre + end) * side as f64).floor().clamp(0.0, side as f64 - 1.0) as usize;
            pixel(-self.size)..=pixel(self.size)
        };
        for row in span(self.y) {
            for column in span(self.x) {
                let at = |pixel: usize, point: usize| {
                    (pixel as f64 + (point as f64 + 0.5) / POINTS as f64) / side as f64
                };
                let points = (0..POINTS * POINTS)
                    .filter(|point| self.covers(at(column, point % POINTS), at(row, point / POINTS)));
                let share = points.count() as f64 / (POINTS * POINTS) as f64;
                let pixel = &mut picture[CHANNELS * (row * side + column)..][..CHANNELS];
                for (value, colour) in pixel.iter_mut().zip(rgb) {
                    *value = byte(BACKGROUND + share * (colour - BACKGROUND));
                }
            }
        }
    }
}

/// The factors of every picture of the training and the test part, in the order of the parts. Options that they do not
/// depend on are left unread.
pub fn factors(options: &ReadOptions) -> [Vec<Factors>; 2] {
    let of =
        |range: std::ops::Range<usize>| range.map(|number| Factors::of(options.split_seed, number)).collect();
    [of(0..COUNTS[0]), of(COUNTS[0]..COUNTS[0] + COUNTS[1])]
}

fn open(options: &ReadOptions) -> Result<Parts> {
    let size = options.image_size.unwrap_or(Size { width: SIDES[0], height: SIDES[0] });
    let side = size.width;
    if size.height != side || !SIDES.contains(&side) {
        let next = format_args!("{NAME} are drawn at 32x32 or 64x64");
        return Err(Error::value("source.image_size", size, next));
    }
    let shape = Shape { width: side, height: side, channels: CHANNELS };
    let [train, test] = factors(options).map(|factors| part(&factors, side));
    let classes = KINDS.map(str::to_owned).to_vec();
    Ok(Parts { classes, test: Some(test), ..Parts::new(NAME.into(), shape, train) })
}

/// Draws the pictures, on all cores.
fn part(factors: &[Factors], side: usize) -> Split {
    let dim = side * side * CHANNELS;
    let mut values = vec![0; factors.len() * dim];
    let share = factors.len().div_ceil(thread::available_parallelism().map_or(1, |n| n.get())).max(1);
    thread::scope(|scope| {
        for (factors, pictures) in factors.chunks(share).zip(values.chunks_mut(share * dim)) {
            scope.spawn(move || {
                factors.iter().zip(pictures.chunks_mut(dim)).for_each(|(of, picture)| of.draw(side, picture));
            });
        }
    });
    let labels = factors.iter().map(|factors| factors.shape as u8).collect();
    Split::new(values, dim, Some(labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(factors: &Factors, side: usize) -> Vec<u8> {
        let mut picture = vec![0; side * side * CHANNELS];
        factors.draw(side, &mut picture);
        picture
    }

    /// Pixels by how much they differ from the background, as (share of the shape, column, row).
    fn inked(factors: &Factors, side: usize) -> Vec<(f64, f64, f64)> {
        let picture = drawn(factors, side);
        let background = (255.0 * BACKGROUND).round();
        let reach = |pixel: &[u8]| {
            let distance = |(value, colour): (&u8, f64)| {
                (f64::from(*value) - background) / (255.0 * (colour - BACKGROUND))
            };
            let of = pixel.iter().zip(factors.rgb()).filter(|(_, colour)| (colour - BACKGROUND).abs() > 0.2);
            of.map(distance).fold(0.0, f64::max)
        };
        let pixels = picture.chunks(CHANNELS).enumerate();
        pixels.map(|(i, pixel)| (reach(pixel), (i % side) as f64 + 0.5, (i / side) as f64 + 0.5)).collect()
    }

    #[test]
    fn area_and_centre_are_those_of_the_factors() {
        for number in 0..60 {
            let factors = Factors::of(3, number);
            for side in SIDES {
                let pixels = inked(&factors, side);
                let area: f64 = pixels.iter().map(|(share, ..)| share).sum();
                // Of a circle of radius 1: a square of side sqrt(2), an ellipse with half the width, a triangle.
                let whole = [2.0, PI / 2.0, 27f64.sqrt() / 4.0][factors.shape];
                let expected = whole * (factors.size * side as f64).powi(2);
                assert!((area / expected - 1.0).abs() < 0.05, "{number}: {area}, not {expected}");
                let centre = |of: &dyn Fn(&(f64, f64, f64)) -> f64| {
                    pixels.iter().map(|pixel| pixel.0 * of(pixel)).sum::<f64>() / area / side as f64
                };
                let found = (centre(&|pixel| pixel.1), centre(&|pixel| pixel.2));
                let wrong = (found.0 - factors.x).abs().max((found.1 - factors.y).abs());
                assert!(wrong < 0.01, "{number}: {found:?}, not {factors:?}");
            }
        }
    }

    #[test]
    fn a_turn_by_the_period_changes_nothing_and_half_of_it_does() {
        for number in 0..30 {
            let factors = Factors { size: 0.3, ..Factors::of(5, number) };
            let turned = |by: f64| {
                let period = [90.0, 180.0, 120.0][factors.shape];
                drawn(&Factors { angle: factors.angle + by * period, ..factors }, 32)
            };
            let changed =
                |by: f64| turned(0.0).iter().zip(turned(by)).filter(|(a, b)| a.abs_diff(*b) > 30).count();
            assert!(changed(1.0) < 10, "{number}: {}", changed(1.0));
            assert!(changed(0.5) > 60, "{number}: {}", changed(0.5));
        }
    }

    #[test]
    fn hues_are_the_colours_of_their_names() {
        let rgb = |colour| Factors { colour, ..Factors::of(0, 0) }.rgb().map(|value| (value * 100.0).round());
        assert_eq!(rgb(0.0), [95.0, 15.0, 15.0]);
        assert_eq!(rgb(60.0), [95.0, 95.0, 15.0]);
        assert_eq!(rgb(120.0), [15.0, 95.0, 15.0]);
        assert_eq!(rgb(240.0), [15.0, 15.0, 95.0]);
        assert_eq!(rgb(360.0), rgb(0.0));
    }

    #[test]
    fn a_picture_depends_on_the_seed_and_its_number_alone() {
        let options = |split_seed| ReadOptions { split_seed, ..ReadOptions::default() };
        let open = |split_seed| crate::data::open_with(NAME, &options(split_seed), &|_| {}).unwrap();
        let (first, again, other) = (open(7), open(7), open(8));
        assert_eq!((first.train.count, first.test.count), (COUNTS[0], COUNTS[1]));
        assert_eq!(first.classes, KINDS);
        let x = |data: &crate::data::Dataset| data.test.x([0, 1999]).unwrap();
        assert_eq!(x(&first), x(&again));
        assert_ne!(x(&first), x(&other));
        // The factors are those of the pictures.
        let factors = &factors(&options(7))[1];
        let picture: Vec<f32> = drawn(&factors[1999], 32).iter().map(|v| f32::from(*v) / 255.0).collect();
        assert_eq!(picture, first.test.x([1999]).unwrap());
        assert_eq!(first.test.labels.unwrap()[1999] as usize, factors[1999].shape);
    }

    #[test]
    fn only_two_sizes_are_drawn() {
        let open = |width, height| {
            open(&ReadOptions { image_size: Some(Size { width, height }), ..ReadOptions::default() })
        };
        assert_eq!(open(64, 64).unwrap().shape.dim(), 64 * 64 * 3);
        for (width, height) in [(28, 28), (32, 64)] {
            let message = open(width, height).unwrap_err().to_string();
            assert!(message.contains("32x32 or 64x64"), "{message}");
        }
    }
}
