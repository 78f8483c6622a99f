//! Scales values to x, and back.

use serde::{Deserialize, Serialize};

use super::shape::Shape;
use super::summary::Summary;
use crate::error::{Error, Result};
use crate::settings::named;

named! {
    /// How values become x.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Scale {
        /// x = (v - mean) / standard deviation, of each column of a table, of all pixels of pictures
        Standard => "standard",
        /// x = (v - min) / (max - min), of each column of a table, of all pixels of pictures
        Minmax => "minmax",
        /// x = v; a byte v of a picture counts as v / 255
        None => "none",
    }
}

/// x = (v - shift) / scale, by column, or with one pair for all values. Learnt from the training part alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// Subtracted first: D numbers, or one.
    pub shift: Vec<f32>,
    /// Divided by next, never zero: D numbers, or one.
    pub scale: Vec<f32>,
    /// What stands in for a missing value before: D means of the training part, or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fill: Vec<f32>,
}

/// The part of a constant by which other values are measured, and the least: what a float can be divided by.
const SLIGHT: f32 = 1e-6;
const LEAST: f32 = 1e-20;

/// The scale of a column whose values are all this one.
fn of_constant(value: f32) -> f32 {
    let size = if value == 0.0 { 1.0 } else { value.abs() };
    (SLIGHT * size).max(LEAST)
}

impl Scaling {
    /// Learns the scaling from the summarised values; None for [`Scale::None`]. Of a table's column whose values are all
    /// equal, the scale is a small part of that value, so that any other one is far away; of equal pixels, it is 1.
    pub fn learn(scale: Scale, summary: &Summary, shape: Shape) -> Option<Scaling> {
        let pooled;
        let summary = if shape.is_table() {
            summary
        } else {
            pooled = summary.pooled();
            &pooled
        };
        let (shift, scale): (&[f64], Vec<f64>) = match scale {
            Scale::None => return None,
            Scale::Standard => (&summary.mean, summary.std.clone()),
            Scale::Minmax => {
                (&summary.min, summary.max.iter().zip(&summary.min).map(|(max, min)| max - min).collect())
            }
        };
        // A spread that a float rounds to zero or infinity cannot be divided by.
        let usable = |(scale, shift): (f64, &f64)| match scale as f32 {
            scale if !scale.is_normal() && scale < 1.0 && shape.is_table() => of_constant(*shift as f32),
            scale if scale.is_normal() => scale,
            _ => 1.0,
        };
        Some(Scaling {
            shift: shift.iter().map(|v| *v as f32).collect(),
            scale: scale.into_iter().zip(shift).map(usable).collect(),
            fill: Vec::new(),
        })
    }

    /// The one value that a table's column had in training, if it was so and the scaling knows: those of earlier versions
    /// do not.
    pub(super) fn constant(&self, column: usize) -> Option<f32> {
        let (shift, scale) = (*self.shift.get(column)?, *self.scale.get(column)?);
        (scale == of_constant(shift)).then_some(shift)
    }

    /// Values as they are, but for missing ones.
    pub(super) fn filling(fill: Vec<f32>) -> Scaling {
        Scaling { shift: vec![0.0], scale: vec![1.0], fill }
    }

    /// Checks numbers from a file.
    ///
    /// # Errors
    /// [`Error::Usage`] if they are not for rows of `dim` values, or cannot be divided by.
    pub fn validate(&self, dim: usize) -> Result<()> {
        let Scaling { shift, scale, fill } = self;
        let fits = |numbers: usize| numbers == 1 || numbers == dim;
        let sound = shift.iter().all(|v| v.is_finite()) && scale.iter().all(|v| v.is_normal() && *v > 0.0);
        let filled = fill.is_empty() || fill.len() == dim && fill.iter().all(|v| v.is_finite());
        if shift.len() == scale.len() && fits(shift.len()) && sound && filled {
            return Ok(());
        }
        let numbers = shift.len().max(scale.len()).max(fill.len());
        let problem = match fits(numbers) {
            true => "the numbers by which the model's data was scaled make no sense".to_owned(),
            false => format!(
                "each row has {dim} values, but the model's data was scaled differently, by {numbers} columns"
            ),
        };
        Err(Error::Usage(format!("{problem}\n  use data with the columns that the model was trained on")))
    }

    /// Turns values [N, D] into x. A number that would exceed a float becomes the largest one; what is none stays so.
    pub fn apply(&self, values: &mut [f32]) {
        if !self.fill.is_empty() {
            for row in values.chunks_mut(self.fill.len()) {
                let missing = row.iter_mut().zip(&self.fill).filter(|(v, _)| v.is_nan());
                missing.for_each(|(v, fill)| *v = *fill);
            }
        }
        self.each(values, |v, shift, scale| {
            let x = (v - shift) / scale;
            if v.is_finite() { x.clamp(f32::MIN, f32::MAX) } else { x }
        });
    }

    /// Turns x [N, D] into values.
    pub fn undo(&self, x: &mut [f32]) {
        self.each(x, |x, shift, scale| x * scale + shift);
    }

    fn each(&self, rows: &mut [f32], map: impl Fn(f32, f32, f32) -> f32) {
        if let ([shift], [scale]) = (&self.shift[..], &self.scale[..]) {
            rows.iter_mut().for_each(|v| *v = map(*v, *shift, *scale));
            return;
        }
        for row in rows.chunks_mut(self.shift.len()) {
            for ((v, shift), scale) in row.iter_mut().zip(&self.shift).zip(&self.scale) {
                *v = map(*v, *shift, *scale);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn summary(rows: &[[f32; 2]]) -> Summary {
        let mut summary = Summary::new(2);
        rows.iter().for_each(|row| summary.add(row));
        summary.finish()
    }

    #[test]
    fn columns_are_brought_to_mean_zero_and_deviation_one() {
        let scaling = Scaling::learn(
            Scale::Standard,
            &summary(&[[1.0, 10.0], [3.0, 10.0], [5.0, 40.0]]),
            Shape::table(2),
        );
        let mut x = [1.0, 10.0, 3.0, 10.0, 5.0, 40.0];
        scaling.unwrap().apply(&mut x);
        for column in 0..2 {
            let values: Vec<f32> = x.iter().skip(column).step_by(2).copied().collect();
            assert!(values.iter().sum::<f32>().abs() < 1e-6);
            assert!((values.iter().map(|v| v * v).sum::<f32>() / 3.0 - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn minmax_reaches_exactly_zero_and_one_and_constants_stay_finite() {
        let summary = summary(&[[0.1, 7.0], [0.7, 7.0]]);
        let scaling = Scaling::learn(Scale::Minmax, &summary, Shape::table(2)).unwrap();
        let mut x = [0.1, 7.0, 0.7, 7.0];
        scaling.apply(&mut x);
        assert_eq!(x, [0.0, 0.0, 1.0, 0.0]);
        assert_eq!((scaling.constant(0), scaling.constant(1)), (None, Some(7.0)));
        // Any other value is far away.
        let mut x = [0.1, 7.001];
        scaling.apply(&mut x);
        assert!(x[1] > 100.0, "{x:?}");
        assert_eq!(Scaling::learn(Scale::None, &summary, Shape::table(2)), None);
    }

    #[test]
    fn all_pixels_of_pictures_share_one_scale() {
        let shape = Shape { width: 1, height: 2, channels: 1 };
        let scaling = Scaling::learn(Scale::Minmax, &summary(&[[0.0, 10.0], [5.0, 20.0]]), shape).unwrap();
        assert_eq!((&scaling.shift[..], &scaling.scale[..]), (&[0.0][..], &[20.0][..]));
    }

    #[test]
    fn missing_values_are_filled_in_before_they_are_scaled() {
        let scaling = Scaling { shift: vec![1.0, 2.0], scale: vec![2.0, 4.0], fill: vec![3.0, 10.0] };
        let mut x = [f32::NAN, 6.0, 5.0, f32::NAN];
        scaling.apply(&mut x);
        assert_eq!(x, [1.0, 1.0, 2.0, 2.0]);
        let mut x = [7.0, f32::NAN];
        Scaling::filling(vec![3.0, 10.0]).apply(&mut x);
        assert_eq!(x, [7.0, 10.0]);
        // An infinity is not one of the numbers that are made to fit.
        let mut x = [f32::INFINITY, f32::MAX];
        Scaling { shift: vec![f32::MIN], scale: vec![0.5], fill: vec![] }.apply(&mut x);
        assert_eq!(x, [f32::INFINITY, f32::MAX]);
        assert!(scaling.validate(2).is_ok() && Scaling::filling(vec![1.0]).validate(2).is_err());
        assert!(Scaling::filling(vec![f32::NAN; 2]).validate(2).is_err());
        let wider = Scaling::filling(vec![1.0; 3]).validate(2).unwrap_err();
        assert!(wider.to_string().contains("by 3 columns"), "{wider}");
    }

    #[test]
    fn what_does_not_fit_the_data_is_refused() {
        let scaling = |shift: &[f32], scale: &[f32]| Scaling {
            shift: shift.into(),
            scale: scale.into(),
            fill: Vec::new(),
        };
        assert!(scaling(&[1.0], &[2.0]).validate(7).is_ok());
        assert!(scaling(&[1.0; 7], &[2.0; 7]).validate(7).is_ok());
        for bad in [
            scaling(&[1.0; 6], &[2.0; 6]),
            scaling(&[1.0; 7], &[2.0; 6]),
            scaling(&[], &[]),
            scaling(&[1.0], &[0.0]),
            scaling(&[f32::NAN], &[1.0]),
            scaling(&[0.0], &[f32::INFINITY]),
            scaling(&[0.0], &[-1.0]),
        ] {
            assert!(bad.validate(7).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn undo_is_the_inverse(rows in prop::collection::vec([-1e3f32..1e3, -1e-3f32..1e-3], 2..20)) {
            for scale in [Scale::Standard, Scale::Minmax] {
                let scaling = Scaling::learn(scale, &summary(&rows), Shape::table(2)).unwrap();
                let mut values = rows.concat();
                scaling.apply(&mut values);
                prop_assert!(values.iter().all(|v| v.is_finite()));
                scaling.undo(&mut values);
                for (row, want) in values.chunks(2).zip(&rows) {
                    // The range of a column, times a few roundings.
                    prop_assert!((row[0] - want[0]).abs() <= 1e-6 * 2e3, "{row:?} {want:?}");
                    prop_assert!((row[1] - want[1]).abs() <= 1e-6 * 2e-3, "{row:?} {want:?}");
                }
            }
        }
    }
}
