//! What bytes mean: shades of 0 to 255, or 0 and 1 alone.

use super::options::ReadOptions;
use super::reader::Parts;
use super::split::{Row, Split, WHITE};
use super::summary::Summary;
use crate::error::{Error, Result};

/// Share of the range of a value that the values should use: data that use less are close to black.
const DARK: u8 = 10;

/// Bytes of an array that are all 0 or 1 are binary data: 1 counts as 1, and not as 1 / 255. So are those of its other parts,
/// and of data that a model of bits is shown.
pub(super) fn bits(parts: Parts, source: &str, options: &ReadOptions) -> Result<Parts> {
    let of_bools = parts.bits == Some(true);
    if parts.bits == Some(false) {
        return Ok(parts);
    }
    if !of_bools && options.bits == Some(false) {
        return Ok(Parts { bits: Some(false), ..parts });
    }
    let is_table = parts.shape.is_table() && !options.pictured;
    let known = of_bools || options.bits == Some(true);
    let is_of_ones = !of_bools && parts.train.peak(1)? == Some(1);
    if !known && !is_of_ones {
        let mut peak = None;
        for split in parts.splits() {
            peak = peak.max(split.peak(1)?);
        }
        // Of a training part of zeros alone, another part tells.
        if peak != Some(1) {
            return Ok(Parts { bits: peak.map(|_| false), ..parts });
        }
    }
    // Masks of 0 and 255 are bits as they stand, and so are booleans, which are spread to them.
    let mut odd = Vec::new();
    for split in parts.splits() {
        let peak = split.peak(u8::MAX)?.filter(|peak| *peak > 1);
        let is_odd = peak.is_some() && (is_table && !of_bools || !is_mask(split)?);
        odd.push(peak.filter(|_| is_odd));
    }
    if let Some(peak) = odd.iter().flatten().max().copied() {
        if !known {
            return Ok(Parts { bits: Some(false), ..parts });
        }
        let at = odd.iter().position(Option::is_some).unwrap_or_default();
        if is_table || peak < u8::MAX / DARK {
            return Err(stray(source, parts.splits().nth(at).unwrap_or(&parts.train))?);
        }
        let warning = format!(
            "{source}: bytes up to {peak} count as v / 255, where the training data are 0 and 1 alone"
        );
        let mut parts = if of_bools { into_bits(parts, &odd) } else { Parts { bits: Some(false), ..parts } };
        parts.warnings.push(warning);
        return Ok(parts);
    }
    let mut parts = into_bits(parts, &odd);
    if is_of_ones {
        parts.notes.push("all bytes are 0 or 1: binary data, and not shades of 0 to 255".to_owned());
    }
    Ok(parts)
}

/// Whether all bytes are 0 or 255.
fn is_mask(split: &Split) -> Result<bool> {
    let mut is_mask = true;
    split.each(0..split.count, &mut |row| {
        is_mask = is_mask && matches!(row, Row::Bytes(row) if row.iter().all(|v| matches!(*v, 0 | u8::MAX)));
    })?;
    Ok(is_mask)
}

/// All parts but the odd ones with 1 for 1.
fn into_bits(parts: Parts, odd: &[Option<u8>]) -> Parts {
    let mut odd = odd.iter();
    let mut bits = |split: Split| match odd.next() {
        Some(Some(_)) => split,
        _ => split.into_bits(),
    };
    let (train, valid, test) = (bits(parts.train), parts.valid.map(&mut bits), parts.test.map(&mut bits));
    Parts { train, valid, test, bits: Some(true), ..parts }
}

/// The refusal of rows with another value than the 0 and 1 that a model knows.
pub(super) fn stray(source: &str, split: &Split) -> Result<Error> {
    let (mut row, mut found) = (0, None);
    split.each(0..split.count, &mut |values| {
        let value = match values {
            Row::Bytes(values) => values.iter().find(|v| **v > 1).map(|v| f32::from(*v)),
            Row::Floats(values) => values.iter().find(|v| **v != 0.0 && **v != 1.0).copied(),
        };
        found = found.or(value.map(|value| (row, value)));
        row += 1;
    })?;
    let what = match found {
        Some((row, value)) => format!("{} holds a {value}", split.origin(row)),
        None => "it holds other values".into(),
    };
    let next = "bring its values to 0 and 1, such as with (x > 0).astype(np.uint8), or leave that row out";
    Ok(Error::file(source, format!("{what}, but the training data are 0 and 1 alone"), next))
}

/// Bytes of a table are numbers as any other: a 7 is 7, and not a shade of 255. To models of earlier versions they were shades.
pub(super) fn numbers(parts: Parts, options: &ReadOptions) -> Parts {
    let are_shades = options.whole && (options.shares || options.bits == Some(false));
    if !parts.shape.is_table() || options.pictured || parts.bits != Some(false) || are_shades {
        return parts;
    }
    let plain = |split: Split| split.in_unit(1.0);
    let Parts { train, valid, test, .. } = parts;
    Parts { train: plain(train), valid: valid.map(plain), test: test.map(plain), bits: None, ..parts }
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
