//! What the columns of a table hold, so that values a model draws can be made such values again.

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;

/// For each column of a table what its training values are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Whether all are whole numbers.
    pub whole: Vec<bool>,
    /// The smallest.
    pub min: Vec<f32>,
    /// The largest.
    pub max: Vec<f32>,
}

impl Schema {
    /// That of a table whose values were looked at.
    pub fn of(dataset: &Dataset) -> Option<Schema> {
        let summary = dataset.summary.as_ref().filter(|_| dataset.shape.is_table())?;
        let floats = |values: &[f64]| values.iter().map(|v| *v as f32).collect();
        Some(Schema { whole: summary.whole.clone(), min: floats(&summary.min), max: floats(&summary.max) })
    }

    /// Whether it is one of `columns` columns.
    pub fn fits(&self, columns: usize) -> bool {
        [self.whole.len(), self.min.len(), self.max.len()] == [columns; 3]
    }

    /// Rounds values [N, D] of whole columns, and brings all into the range of their column.
    pub fn round(&self, values: &mut [f32]) {
        for row in values.chunks_mut(self.whole.len().max(1)) {
            let columns = self.whole.iter().zip(self.min.iter().zip(&self.max));
            for (value, (whole, (min, max))) in row.iter_mut().zip(columns) {
                let near = if *whole { value.round() } else { *value };
                *value = near.max(*min).min(*max);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_columns_are_rounded_and_all_are_kept_in_range() {
        let schema = Schema { whole: vec![true, false], min: vec![0.0, -1.5], max: vec![9.0, 2.5] };
        let mut values = [3.4, 2.6, -0.7, -9.0, 9.6, 0.25];
        schema.round(&mut values);
        assert_eq!(values, [3.0, 2.5, 0.0, -1.5, 9.0, 0.25]);
    }
}
