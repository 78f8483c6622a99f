//! What bytes mean: shades of 0 to 255, or 0 and 1 alone.

use super::options::ReadOptions;
use super::reader::Parts;
use super::split::{Row, Split, WHITE};
use super::summary::Summary;
use crate::error::{Error, Result};

/// Share of the range of a value that the values should use: data that use less are close to black.
const DARK: u8 = 10;

/// Bytes of an array that are all 0 or 1 are binary data: 1 counts as 1, and not as 1 / 255.
pub(super) fn bits(parts: Parts, source: &str, options: &ReadOptions) -> Result<Parts> {
    // Booleans need no look.
    if parts.bits.is_some() {
        return Ok(parts);
    }
    if options.bits == Some(false) {
        return Ok(Parts { bits: Some(false), ..parts });
    }
    // Where the model knows bits, how far others are from them.
    let enough = if options.bits == Some(true) { u8::MAX } else { 1 };
    let mut peak = None;
    for split in [&parts.train].into_iter().chain(&parts.valid).chain(&parts.test) {
        peak = peak.max(split.peak(enough)?);
    }
    if options.bits == Some(true)
        && let Some(peak) = peak.filter(|peak| *peak > 1)
    {
        return beyond_bits(parts, source, peak);
    }
    if peak != Some(1) {
        return Ok(Parts { bits: peak.map(|_| false), ..parts });
    }
    let Parts { train, valid, test, mut notes, .. } = parts;
    notes.push("all bytes are 0 or 1: binary data, and not shades of 0 to 255".to_owned());
    let (train, valid, test) = (train.into_bits(), valid.map(Split::into_bits), test.map(Split::into_bits));
    Ok(Parts { train, valid, test, notes, bits: Some(true), ..parts })
}

/// Bytes of a table are numbers as any other: a 7 is 7, and not a shade of 255. To models of earlier versions they were shades.
pub(super) fn numbers(parts: Parts, options: &ReadOptions) -> Parts {
    let are_shades = options.whole && (options.shares || options.bits == Some(false));
    if !parts.shape.is_table() || parts.bits != Some(false) || are_shades {
        return parts;
    }
    let plain = |split: Split| split.in_unit(1.0);
    let Parts { train, valid, test, .. } = parts;
    Parts { train: plain(train), valid: valid.map(plain), test: test.map(plain), bits: None, ..parts }
}

/// Bytes that go further than the 0 and 1 that the model knows: shades of 0 to 255, or a stray value.
fn beyond_bits(mut parts: Parts, source: &str, peak: u8) -> Result<Parts> {
    if peak >= u8::MAX / DARK {
        parts.warnings.push(format!(
            "{source}: bytes up to {peak} count as v / 255, where the training data are 0 and 1 alone"
        ));
        return Ok(Parts { bits: Some(false), ..parts });
    }
    for split in [&parts.train].into_iter().chain(&parts.valid).chain(&parts.test) {
        let (mut row, mut found) = (0, None);
        split.each(0..split.count, &mut |values| {
            if let Row::Bytes(values) = values {
                found = found.or_else(|| values.iter().find(|v| **v > 1).map(|v| (row, *v)));
            }
            row += 1;
        })?;
        if let Some((row, value)) = found {
            let problem =
                format!("{} holds a {value}, but the training data are 0 and 1 alone", split.origin(row));
            let next =
                "bring its values to 0 and 1, such as with (x > 0).astype(np.uint8), or leave that row out";
            return Err(Error::file(source, problem, next));
        }
    }
    Ok(parts)
}

/// A warning for shades that are nearly all black, as 0/1 masks and 12-bit pictures in 16-bit files are.
/// `known`: to a model that is trained already.
pub(super) fn dark(train: &Split, summary: Option<&Summary>, known: bool) -> Result<Option<String>> {
    let Some((peak, whole)) = darkness(train, summary)? else { return Ok(None) };
    Ok(Some(match peak > 0.0 {
        _ if known && peak == 0.0 => return Ok(None),
        true if known => format!(
            "the values go no further than {peak} of {whole}, which is nearly black; if those that the model was trained \
             on go further, {BRIGHTER}"
        ),
        true => format!(
            "the values go no further than {peak} of {whole}, so the model sees nearly 0 throughout, which is black; \
             `source.scale` = minmax spreads them"
        ),
        false => "every value is 0: there is nothing to learn".to_owned(),
    }))
}

/// The same for a test part of its own, `source`, where the training part is brighter.
pub(super) fn dark_test(source: &str, test: &Split, summary: Option<&Summary>) -> Result<Option<String>> {
    let said = |(peak, whole)| {
        format!(
            "{source}: the values go no further than {peak} of {whole}, which is nearly black, and those of the training \
             part go further; {BRIGHTER}"
        )
    };
    Ok(darkness(test, summary)?.map(said))
}

/// What helps where only some of the data are dark.
const BRIGHTER: &str = "bring these to the same range, such as 12-bit values in 16 bits with x * 16";

/// The greatest shade, and white, of shades that are nearly all black.
fn darkness(split: &Split, summary: Option<&Summary>) -> Result<Option<(f32, f32)>> {
    let (peak, whole) = match (split.peak(u8::MAX / DARK)?, summary.map(Summary::range)) {
        (Some(peak), _) => (f32::from(peak), WHITE),
        // As short as a float is written.
        (None, Some((min, peak))) if min >= 0.0 && peak <= 1.0 => (peak as f32, 1.0),
        _ => return Ok(None),
    };
    Ok((peak < whole / f32::from(DARK)).then_some((peak, whole)))
}
