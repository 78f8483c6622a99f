//! What the columns of a table hold, so that values a model draws can be made such values again.

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::split::Element;
use super::summarise::summarise;
use crate::error::Result;

/// Steps of a byte that make 1.
const BYTE: u32 = 255;

/// For each column of a table what its training values are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Whether all are whole numbers of steps.
    pub whole: Vec<bool>,
    /// The smallest.
    pub min: Vec<f32>,
    /// The largest.
    pub max: Vec<f32>,
    /// So many steps make 1: 255 of bytes, of which v counts as v / 255.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub steps: u32,
}

fn one() -> u32 {
    1
}

fn is_one(steps: &u32) -> bool {
    *steps == 1
}

impl Schema {
    /// That of a table; none of pictures.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] if the values are in a file that can no longer be read.
    pub fn of(dataset: &Dataset) -> Result<Option<Schema>> {
        if !dataset.shape.is_table() {
            return Ok(None);
        }
        let floats = |values: &[f64]| values.iter().map(|v| *v as f32).collect();
        let bytes = dataset.raw.parts.first().is_some_and(|(_, rows)| rows.element() == Element::Bytes);
        let bits = dataset.bits == Some(true);
        let seen;
        let summary = match &dataset.summary {
            Some(summary) => summary,
            None => {
                seen = summarise(&dataset.train, "looking at the values", &|_| {})?;
                &seen
            }
        };
        let whole = if bytes { vec![true; summary.whole.len()] } else { summary.whole.clone() };
        let steps = if bytes && !bits { BYTE } else { 1 };
        Ok(Some(Schema { whole, min: floats(&summary.min), max: floats(&summary.max), steps }))
    }

    /// Whether it is one of `columns` columns.
    pub fn fits(&self, columns: usize) -> bool {
        [self.whole.len(), self.min.len(), self.max.len()] == [columns; 3]
    }

    /// Gives columns that had one value in training that value.
    pub fn keep_constants(&self, values: &mut [f32]) {
        for row in values.chunks_mut(self.whole.len().max(1)) {
            for (value, (min, max)) in row.iter_mut().zip(self.min.iter().zip(&self.max)) {
                if min == max {
                    *value = *min;
                }
            }
        }
    }

    /// Rounds values [N, D] of whole columns, and brings all into the range of their column.
    pub fn round(&self, values: &mut [f32]) {
        let steps = self.steps.max(1) as f32;
        for row in values.chunks_mut(self.whole.len().max(1)) {
            let columns = self.whole.iter().zip(self.min.iter().zip(&self.max));
            for (value, (whole, (min, max))) in row.iter_mut().zip(columns) {
                let near = if *whole { (*value * steps).round() / steps } else { *value };
                // Not the zero that has a sign.
                *value = near.max(*min).min(*max) + 0.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Shape, Split};
    use super::*;

    #[test]
    fn whole_columns_are_rounded_and_all_are_kept_in_range() {
        let schema = Schema { whole: vec![true, false], min: vec![0.0, -1.5], max: vec![9.0, 2.5], steps: 1 };
        let mut values = [3.4, 2.6, -0.7, -9.0, 9.6, 0.25];
        schema.round(&mut values);
        assert_eq!(values, [3.0, 2.5, 0.0, -1.5, 9.0, 0.25]);
        let mut values = [-0.2, -0.0];
        schema.round(&mut values);
        assert_eq!(values.map(f32::is_sign_negative), [false; 2]);
    }

    #[test]
    fn constants_stay_what_they_are() {
        let schema = Schema { whole: vec![false; 2], min: vec![0.5, 0.0], max: vec![0.5, 1.0], steps: 1 };
        let mut values = [0.7, 0.3, -3.0, 4.0];
        schema.keep_constants(&mut values);
        assert_eq!(values, [0.5, 0.3, 0.5, 4.0]);
    }

    #[test]
    fn bytes_and_bits_have_a_schema_too() {
        let of = |values: Vec<u8>, bits| {
            let rows = Split::new(values, 2, None);
            let dataset = Dataset::new("x", Shape::table(2), rows.clone(), rows);
            Schema::of(&Dataset { bits: Some(bits), ..dataset }).unwrap().unwrap()
        };
        let schema = of(vec![0, 51, 102, 51], false);
        assert_eq!((&schema.min[..], &schema.max[..]), (&[0.0, 0.2][..], &[0.4, 0.2][..]));
        let mut values = [0.301, 0.7];
        schema.round(&mut values);
        assert_eq!(values, [77.0 / 255.0, 0.2]);
        let mut values = [0.6, -0.1];
        of(vec![0, 255, 255, 0], true).round(&mut values);
        assert_eq!(values, [1.0, 0.0]);
        // What earlier versions wrote.
        let old: Schema = toml::from_str("whole = [true]\nmin = [0.0]\nmax = [1.0]").unwrap();
        assert_eq!(old.steps, 1);
    }
}
