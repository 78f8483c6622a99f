//! Rows in which a value is missing, which readers give as NaN, or the label.

use super::split::{Row, Split};
use super::table::NO_LABEL;
use crate::error::Result;

/// The rows that have all their values and their label.
pub(super) fn drop(split: Split) -> Result<Split> {
    let mut whole = Vec::with_capacity(split.count);
    let labelled = |row: usize| split.labels.as_ref().is_none_or(|labels| labels[row] != NO_LABEL);
    let mut row = 0;
    split.each(0..split.count, &mut |values| {
        let there = match values {
            Row::Bytes(_) => true,
            Row::Floats(values) => !values.iter().any(|value| value.is_nan()),
        };
        if there && labelled(row) {
            whole.push(row as u32);
        }
        row += 1;
    })?;
    Ok(if whole.len() == split.count { split } else { split.select(&whole) })
}

/// How many values are missing.
pub(super) fn count(split: &Split) -> Result<u64> {
    let mut missing = 0;
    split.each(0..split.count, &mut |row| {
        if let Row::Floats(values) = row {
            missing += values.iter().filter(|value| value.is_nan()).count() as u64;
        }
    })?;
    Ok(missing)
}

/// What stands in for missing values.
#[derive(Debug)]
pub(super) struct Means {
    /// The mean of each column's values that are not missing; NaN where all are.
    pub values: Vec<f32>,
    /// Whether the values of each column that are not missing are whole numbers, as far as they were looked at.
    pub whole: Option<Vec<bool>>,
    /// How many are missing, as far as they were counted.
    pub missing: u64,
}

/// The means of the columns. Infinities have no part in them: they are refused later.
pub(super) fn means(split: &Split) -> Result<Means> {
    let mut sums = vec![(0.0f64, 0u64); split.dim()];
    let mut whole = vec![true; split.dim()];
    let mut missing = 0;
    split.each(0..split.count, &mut |row| {
        if let Row::Floats(values) = row {
            missing += values.iter().filter(|value| value.is_nan()).count() as u64;
            let columns = sums.iter_mut().zip(&mut whole);
            for (value, ((sum, count), whole)) in values.iter().zip(columns).filter(|(v, _)| v.is_finite()) {
                *sum += f64::from(*value);
                *count += 1;
                *whole &= value.fract() == 0.0;
            }
        }
    })?;
    let values = sums.into_iter().map(|(sum, count)| (sum / count as f64) as f32).collect();
    Ok(Means { values, whole: Some(whole), missing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_value_or_label_are_left_out() {
        let values = vec![1.0, 2.0, f32::NAN, 4.0, 5.0, 6.0];
        let split = Split::from_floats(values, 2).with_labels(Some(vec![1, 0, NO_LABEL]));
        let kept = drop(split.clone()).unwrap();
        assert_eq!(
            (kept.x(0..kept.count).unwrap(), kept.labels.as_deref()),
            (vec![1.0, 2.0], Some(&[1][..]))
        );
        assert_eq!(means(&split).unwrap().values, [3.0, 4.0]);
        assert!(means(&Split::from_floats(vec![f32::NAN], 1)).unwrap().values[0].is_nan());
        let whole = means(&Split::from_floats(vec![1.0, 0.5, 2.0, f32::NAN], 2)).unwrap().whole;
        assert_eq!(whole, Some(vec![true, false]));
    }
}
