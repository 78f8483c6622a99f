//! What bytes mean: shades of 0 to 255, or 0 and 1 alone.

use super::options::ReadOptions;
use super::reader::Parts;
use super::split::Split;
use super::summary::Summary;
use crate::error::Result;

/// Share of the range of a value that the values should use: data that use less are close to black.
const DARK: u8 = 10;

/// Bytes of an array that are all 0 or 1 are binary data: 1 counts as 1, and not as 1 / 255.
pub(super) fn bits(parts: Parts, options: &ReadOptions) -> Result<Parts> {
    // Booleans need no look.
    if parts.bits.is_some() {
        return Ok(parts);
    }
    if options.bits == Some(false) {
        return Ok(Parts { bits: Some(false), ..parts });
    }
    let mut peak = None;
    for split in [&parts.train].into_iter().chain(&parts.valid).chain(&parts.test) {
        peak = peak.max(split.peak(1)?);
    }
    if peak != Some(1) {
        return Ok(Parts { bits: peak.map(|_| false), ..parts });
    }
    let Parts { train, valid, test, mut notes, .. } = parts;
    notes.push("all bytes are 0 or 1: binary data, and not shades of 0 to 255".to_owned());
    let (train, valid, test) = (train.into_bits(), valid.map(Split::into_bits), test.map(Split::into_bits));
    Ok(Parts { train, valid, test, notes, bits: Some(true), ..parts })
}

/// A warning for shades that are nearly all black, as 0/1 masks and 12-bit pictures in 16-bit files are.
pub(super) fn dark(train: &Split, summary: Option<&Summary>) -> Result<Option<String>> {
    let (peak, whole) = match (train.peak(u8::MAX / DARK)?, summary.map(Summary::range)) {
        (Some(peak), _) => (f64::from(peak), 255.0),
        (None, Some((min, peak))) if min >= 0.0 && peak <= 1.0 => (peak, 1.0),
        _ => return Ok(None),
    };
    if peak >= whole / f64::from(DARK) {
        return Ok(None);
    }
    // As short as a float is written.
    let peak = peak as f32;
    Ok(Some(match peak > 0.0 {
        true => format!(
            "the values go no further than {peak} of {whole}, so the model sees nearly 0 throughout, which is black; \
             `source.scale` = minmax spreads them"
        ),
        false => "every value is 0: there is nothing to learn".to_owned(),
    }))
}
