//! The unit of values: whether other data are in that of what is learnt from.

use std::ops::RangeInclusive;

use super::options::ReadOptions;
use super::progress::Watch;
use super::shades;
use super::split::{Element, Split, WHITE};
use super::summarise::summarise;
use super::summary::Summary;
use crate::error::Result;

/// Values x beyond this are of another kind than those that a scaling was learnt from.
pub(super) const FAR: f32 = 30.0;
/// How far from 0..1 shares of white may lie, as rounding and resizing bring them.
const SLACK: f64 = 0.25;
/// Pictures of which the greatest value is so many times smaller than another's are dark beside them.
const DIM: f64 = 10.0;
/// Where values of -1 to 1 start, standardised or not.
const SIGNED: RangeInclusive<f64> = -1.25..=-0.5;
/// Bytes up to this are no shades, next to values of 0 and 1.
const SHADES: f64 = 25.0;

/// What is known of the values that a model learns from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    /// Bytes v as v / 255, or shares of white in 0..1.
    Shares,
    /// 0 and 1 alone.
    Bits,
    /// Numbers from about the first to about the second.
    Numbers(f64, f64),
}

impl Known {
    /// Of a trained model; none where that leaves no trace.
    pub(super) fn of_run(options: &ReadOptions) -> Option<Known> {
        match (&options.scaling, options.bits) {
            (None, Some(true)) => options.shares.then_some(Known::Bits),
            (None, _) => options.shares.then_some(Known::Shares),
            (Some(_), Some(_)) => Some(Known::Shares),
            (Some(scaling), None) => {
                let shift = scaling.shift.iter().copied().fold(f32::INFINITY, f32::min);
                let ends = scaling.shift.iter().zip(&scaling.scale).map(|(shift, scale)| shift + scale);
                Some(Known::Numbers(shift.into(), ends.fold(f32::NEG_INFINITY, f32::max).into()))
            }
        }
    }

    /// Of a training part.
    pub(super) fn of_part(
        train: &Split,
        bits: Option<bool>,
        is_table: bool,
        progress: Watch,
    ) -> Result<Known> {
        Ok(match (train.element(), bits) {
            (Element::Bytes, Some(true)) => Known::Bits,
            (Element::Bytes, _) => Known::Shares,
            (Element::Floats, _) => {
                let (min, max) = summarise(train, "looking at the values", progress)?.range();
                match !is_table && min >= 0.0 && max <= 1.0 {
                    true => Known::Shares,
                    false => Known::Numbers(min, max),
                }
            }
        })
    }

    /// Other rows in this unit, and what should be said of them.
    pub(super) fn fit(
        self,
        source: &str,
        other: Split,
        bits: Option<bool>,
        is_table: bool,
        progress: Watch,
    ) -> Result<(Split, Option<String>)> {
        if other.element() == Element::Bytes {
            return Ok(self.fit_bytes(source, other, bits, is_table));
        }
        if matches!(self, Known::Numbers(..)) && is_table {
            return Ok((other, None));
        }
        let summary = summarise(&other, "looking at the values", progress)?;
        let (min, max) = summary.range();
        if let Known::Numbers(start, end) = self {
            return Ok((other, far(source, &summary, (start, end))));
        }
        let whole = summary.whole.iter().all(|whole| *whole);
        if self == Known::Bits
            && summary.bad.is_none()
            && (min < 0.0 || max > 1.0)
            && (is_table || whole && max < SHADES)
        {
            return Err(shades::stray(source, &other)?);
        }
        let least = if self == Known::Bits { SHADES } else { 1.0 };
        if whole && min >= 0.0 && max > least && max <= f64::from(WHITE) {
            let warning = format!(
                "{source}: whole numbers of 0 to 255, where the training data are bytes as v / 255, or in 0..1: they \
                 are divided by 255 too"
            );
            return Ok((other.in_unit(WHITE), Some(warning)));
        }
        let outside = summary.bad.is_none() && (max > 1.0 + SLACK || min < -SLACK);
        let warning = outside.then(|| {
            format!(
                "{source}: values from {} to {}, where the training data are bytes as v / 255, or in 0..1: {}",
                min as f32,
                max as f32,
                advice(&summary, whole)
            )
        });
        Ok((other, warning))
    }

    /// The same for bytes.
    fn fit_bytes(
        self,
        source: &str,
        other: Split,
        bits: Option<bool>,
        is_table: bool,
    ) -> (Split, Option<String>) {
        let Known::Numbers(start, end) = self else { return (other, None) };
        if bits == Some(true) {
            let warning = (!is_table && end >= 10.0).then(|| {
                format!("{source}: 0 and 1 alone, where the training data go to {}: save x * {0}", end as f32)
            });
            return (other, warning);
        }
        let range = format!("the training data are numbers from about {} to {}", start as f32, end as f32);
        let of_bytes = start >= 0.0 && end <= 320.0;
        if end > 1.0 + SLACK && (of_bytes || is_table) {
            let warning =
                format!("{source}: bytes, where {range}: they count as 0 to 255, and not as v / 255");
            return (other.in_unit(1.0), Some(warning));
        }
        let strange = !(is_table || of_bytes && end <= 1.0 + SLACK);
        let warning = strange.then(|| {
            format!(
                "{source}: bytes, which count as v / 255, where {range}: save them as numbers of that range"
            )
        });
        (other, warning)
    }
}

/// What should be said of pictures, where those that are learnt from are numbers from about `start` to about `end`.
fn far(source: &str, other: &Summary, (start, end): (f64, f64)) -> Option<String> {
    let (min, max) = other.range();
    let steps = |v: f64| (v - start).abs() / (end - start);
    let [low, high, first, last] = [min, max, start, end].map(|v| v as f32);
    if min >= 0.0 && start >= 0.0 && max * DIM < end {
        let like_bytes = (128.0..=320.0).contains(&end);
        let next = match max <= 1.0 && like_bytes {
            true => "save x * 255, if 1 is white",
            false => "bring them to that range",
        };
        return Some(format!(
            "{source}: values go no further than {high}, where the training data go to {last}: {next}"
        ));
    }
    let next = match min >= 0.0 && max <= 1.0 && SIGNED.contains(&start) && end <= 1.0 + SLACK {
        true => "save 2 * x - 1, if 0 is black and 1 white",
        false if steps(min).max(steps(max)) > f64::from(FAR) => "bring them to that range",
        false => return None,
    };
    Some(format!(
        "{source}: values from {low} to {high}, where the training data are numbers from about {first} to {last}: {next}"
    ))
}

/// What brings values into 0..1.
fn advice(summary: &Summary, whole: bool) -> &'static str {
    match summary.range() {
        (min, max) if (-1.0..0.0).contains(&min) && max <= 1.0 => "save (x + 1) / 2",
        (min, _) if min < 0.0 => "bring them there",
        (_, max) if max <= 255.0 => "save x / 255, if 255 is white",
        (_, max) if whole && max <= 1023.0 => "save x / 1023, if 1023 is white",
        (_, max) if whole && max <= 4095.0 => "save x / 4095, if 4095 is white",
        (_, max) if whole && max <= 65535.0 => "save x / 65535, if 65535 is white",
        _ => "divide them by what white is",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: bool = false;

    fn fit(known: Known, other: Split, is_table: bool) -> (Vec<f32>, String) {
        let (split, warning) = known.fit("new", other, None, is_table, &|_| {}).unwrap();
        (split.scaled(None).x(0..1).unwrap(), warning.unwrap_or_default())
    }

    fn floats(values: [f32; 2]) -> Split {
        Split::from_floats(values.into(), 2)
    }

    fn bytes(values: [u8; 2]) -> Split {
        Split::new(values.into(), 2, None)
    }

    #[test]
    fn whole_numbers_and_bytes_come_into_the_unit_that_was_learnt() {
        let (x, said) = fit(Known::Shares, floats([51.0, 255.0]), PICTURE);
        assert_eq!(x, [0.2, 1.0]);
        assert!(said.contains("divided by 255 too"), "{said}");
        for is_table in [PICTURE, true] {
            let (x, said) = fit(Known::Numbers(0.0, 255.0), bytes([51, 255]), is_table);
            assert!((x[0] - 51.0).abs() < 1e-4 && (x[1] - 255.0).abs() < 1e-4, "{x:?}");
            assert!(said.contains("count as 0 to 255"), "{said}");
        }
        // The unit is the same already.
        for (known, same) in [
            (Known::Shares, floats([0.0, 1.0])),
            (Known::Shares, bytes([3, 200])),
            (Known::Numbers(0.0, 255.0), floats([3.0, 300.0])),
            (Known::Numbers(0.0, 1.0), bytes([3, 200])),
            (Known::Bits, floats([0.0, 1.0])),
        ] {
            assert_eq!(fit(known, same, PICTURE).1, "", "{known:?}");
        }
    }

    #[test]
    fn what_no_rule_decides_is_said_with_what_cures_it() {
        for (known, other, cure) in [
            (Known::Shares, floats([0.0, 4000.0]), "save x / 4095,"),
            (Known::Shares, floats([0.0, 60000.0]), "save x / 65535,"),
            (Known::Shares, floats([0.5, 254.5]), "save x / 255,"),
            (Known::Shares, floats([-1.0, 0.5]), "save (x + 1) / 2"),
            (Known::Bits, floats([0.0, 2.5]), "save x / 255"),
            (Known::Numbers(0.0, 255.0), floats([0.1, 1.0]), "save x * 255"),
            (Known::Numbers(0.0, 65535.0), floats([0.0, 255.0]), "bring them to that range"),
            (Known::Numbers(-1.0, 1.0), floats([0.0, 1.0]), "save 2 * x - 1"),
            (Known::Numbers(0.0, 255.0), floats([0.0, 65535.0]), "values from 0 to 65535"),
            (Known::Numbers(0.1, 0.4), floats([0.0, 255.0]), "numbers from about 0.1 to 0.4"),
            (Known::Numbers(0.0, 4095.0), bytes([0, 255]), "numbers of that range"),
            (Known::Numbers(-1.0, 1.0), bytes([0, 255]), "numbers of that range"),
        ] {
            let before = other.x(0..1).unwrap();
            let (x, said) = fit(known, other, PICTURE);
            assert!(x == before && said.contains(cure), "{said}");
        }
    }

    #[test]
    fn a_model_of_zeros_and_ones_refuses_other_whole_numbers() {
        for (other, is_table) in [([0.0, 2.0], false), ([1.0, 200.0], true), ([-1.0, 1.0], true)] {
            let error =
                Known::Bits.fit("new", floats(other), None, is_table, &|_| {}).unwrap_err().to_string();
            assert!(error.contains("row 1 holds a") && error.contains("0 and 1 alone"), "{error}");
        }
        assert_eq!(fit(Known::Bits, floats([0.0, 255.0]), PICTURE).0, [0.0, 1.0]);
    }

    #[test]
    fn a_run_knows_its_unit_by_its_scaling() {
        use super::super::scaling::Scaling;
        let scaling =
            |shift: f32, scale: f32| Some(Scaling { shift: vec![shift], scale: vec![scale], fill: vec![] });
        let run = |scaling, bits, shares| {
            Known::of_run(&ReadOptions { scaling, bits, shares, ..ReadOptions::default() })
        };
        assert_eq!(run(None, None, true), Some(Known::Shares));
        assert_eq!(run(None, Some(true), true), Some(Known::Bits));
        assert_eq!(run(None, None, false), None);
        assert_eq!(run(scaling(0.5, 0.25), Some(false), false), Some(Known::Shares));
        assert_eq!(run(scaling(0.0, 255.0), None, false), Some(Known::Numbers(0.0, 255.0)));
    }
}
