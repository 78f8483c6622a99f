//! What data looked like when a run was trained on it, so that a change does not go unnoticed.

use std::borrow::Cow;
use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::classes::{canonical, class_name};
use super::dataset::Dataset;
use super::raw::ALL;
use super::split::{Element, Row, Split};
use crate::error::Result;

/// Bytes of rows that are looked at: of more, every so many rows are.
const MOST: u64 = 1 << 30;
/// Rows by which two parts are told apart before all are looked at.
const SOME: u64 = 64;

/// Rows as the source has them, before they are divided and scaled: their number, type and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The part of the source: `all`, or `train`, `valid` and `test` where it has parts.
    pub part: String,
    /// Number of rows.
    pub rows: u64,
    /// Values of a row.
    pub values: u64,
    /// Whether these are bytes; else they are floats.
    pub bytes: bool,
    /// Of this many rows one is in the hash: 1 unless the data is huge.
    pub every: u64,
    /// XXH3 of the values, in hexadecimal: bytes as they are, floats as 32 bits, little endian.
    pub hash: String,
    /// The same of the labels' names, where there are labels: of all spellings of a class, one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
}

/// How data differs from what a fingerprint was taken of, from the least change to the greatest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The rows are the same, but not their labels.
    Labels,
    /// So many rows were added at the end; the values before are the same.
    Longer(u64),
    /// Anything else, in words.
    Other(String),
}

impl Fingerprint {
    /// The fingerprint of each of the source's parts.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] if the values are in a file that can no longer be read.
    pub fn of(dataset: &Dataset) -> Result<Vec<Fingerprint>> {
        let raw = &dataset.raw;
        raw.parts.iter().map(|(name, rows)| Self::of_part(name, rows, &raw.classes)).collect()
    }

    fn of_part(name: &str, rows: &Split, classes: &[String]) -> Result<Fingerprint> {
        let bytes = rows.element() == Element::Bytes;
        let width = (rows.dim() * if bytes { 1 } else { 4 }) as u64;
        let every = (rows.count as u64 * width).div_ceil(MOST).max(1);
        Ok(Fingerprint {
            part: name.to_owned(),
            rows: rows.count as u64,
            values: rows.dim() as u64,
            bytes,
            every,
            hash: hash_of(rows, rows.count as u64, every)?,
            labels: labels_of(rows, rows.count as u64, classes, canonical),
        })
    }

    /// How this part of `dataset` differs from the rows that the fingerprint was taken of; none if it does not.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] if the values are in a file that can no longer be read.
    fn change(&self, rows: &Split, classes: &[String]) -> Result<Option<Change>> {
        let (now, before) = (rows.count as u64, self.rows);
        let other = |what: String| Ok(Some(Change::Other(what)));
        if rows.dim() as u64 != self.values {
            return other(format!("its rows have {} values instead of {}", rows.dim(), self.values));
        }
        let kind = |bytes: bool| if bytes { "bytes" } else { "floats" };
        let bytes = rows.element() == Element::Bytes;
        if bytes != self.bytes {
            return other(format!("its values are {} instead of {}", kind(bytes), kind(self.bytes)));
        }
        if now < before {
            return other(format!("it has {now} rows instead of {before}"));
        }
        if hash_of(rows, before, self.every)? != self.hash {
            return other(match now == before {
                true => format!("it still has {now} rows, but other values or another order"),
                false => {
                    format!("it has {now} rows instead of {before}, and the first {before} are not the same")
                }
            });
        }
        if now > before {
            return Ok(Some(Change::Longer(now - before)));
        }
        if let Some(labels) = &self.labels
            && rows.labels.is_some()
            && ![canonical as Spelling, as_is]
                .iter()
                .any(|of| labels_of(rows, before, classes, *of).as_ref() == Some(labels))
        {
            return Ok(Some(Change::Labels));
        }
        Ok(None)
    }

    /// How `dataset` differs from what `before` was taken of: the greatest change of a part; none if it does not, or if
    /// `before` is empty, as of runs that kept none.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] if the values are in a file that can no longer be read.
    pub fn compare(before: &[Fingerprint], dataset: &Dataset) -> Result<Option<Change>> {
        let raw = &dataset.raw;
        let mut changes: Option<Change> = None;
        for part in before {
            let Some((_, rows)) = raw.parts.iter().find(|(name, _)| *name == part.part) else {
                let parts: Vec<_> = raw.parts.iter().map(|(name, _)| *name).collect();
                let what = format!("it has the parts {} and none called {}", parts.join(", "), part.part);
                return Ok(Some(Change::Other(what)));
            };
            let Some(change) = part.change(rows, &raw.classes)? else { continue };
            // None is greater.
            if let Change::Other(what) = change {
                let of =
                    if part.part == ALL { String::new() } else { format!(" (in its {} part)", part.part) };
                return Ok(Some(Change::Other(what + &of)));
            }
            changes = Some(match (change, changes) {
                (Change::Longer(more), Some(Change::Longer(some))) => Change::Longer(some + more),
                (Change::Labels, Some(known)) => known,
                (change, _) => change,
            });
        }
        Ok(changes)
    }

    /// The part of `before`, by name, that the whole of `dataset` is, unless a row has changed.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] if the values are in a file that can no longer be read.
    pub fn recognise<'a>(before: &'a [Fingerprint], dataset: &Dataset) -> Result<Option<&'a Fingerprint>> {
        let [(_, rows)] = &dataset.raw.parts[..] else { return Ok(None) };
        for part in before {
            if !matches!(part.change(rows, &dataset.raw.classes)?, Some(Change::Other(_))) {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }
}

fn hash_of(rows: &Split, count: u64, every: u64) -> Result<String> {
    let mut hash = XxHash3_64::with_seed(0);
    let seen = (0..count as usize).step_by(every.max(1) as usize);
    rows.each(seen, &mut |row| match row {
        Row::Bytes(values) => hash.write(values),
        Row::Floats(values) if cfg!(target_endian = "little") => hash.write(bytemuck::cast_slice(values)),
        Row::Floats(values) => values.iter().for_each(|value| hash.write(&value.to_le_bytes())),
    })?;
    Ok(format!("{:016x}", hash.finish()))
}

/// How the name of a class is spelled for a fingerprint.
type Spelling = for<'a> fn(&'a str) -> Cow<'a, str>;

/// The name as the data spells it, which earlier versions looked at.
fn as_is(name: &str) -> Cow<'_, str> {
    name.into()
}

/// Whether two parts have the same rows in the same order.
pub(super) fn same_rows(a: &Split, b: &Split) -> Result<bool> {
    if (a.count, a.dim(), a.element()) != (b.count, b.dim(), b.element()) {
        return Ok(false);
    }
    let width = (a.dim() * size_of::<f32>()) as u64;
    let every = (a.count as u64 * width).div_ceil(MOST).max(1);
    let most = a.count as u64;
    // Mostly, the first rows tell.
    let first = most.min(SOME);
    Ok(hash_of(a, first, 1)? == hash_of(b, first, 1)? && hash_of(a, most, every)? == hash_of(b, most, every)?)
}

fn labels_of(rows: &Split, count: u64, classes: &[String], of: Spelling) -> Option<String> {
    let labels = rows.labels.as_deref()?;
    let mut hash = XxHash3_64::with_seed(0);
    for label in &labels[..count as usize] {
        hash.write(of(&class_name(classes, *label)).as_bytes());
        // Names cannot run into each other.
        hash.write(&[0xFF]);
    }
    Some(format!("{:016x}", hash.finish()))
}

#[cfg(test)]
mod tests {
    use super::super::raw::Raw;
    use super::*;
    use crate::data::Shape;

    fn dataset(values: Vec<u8>, labels: Option<Vec<u8>>) -> Dataset {
        let rows = Split::new(values, 2, labels);
        let mut dataset = Dataset::new("test", Shape::table(2), rows.clone(), rows.clone());
        dataset.raw = Raw { parts: vec![(ALL, rows)], classes: Vec::new(), cut: false };
        dataset
    }

    fn change(values: Vec<u8>, labels: Option<Vec<u8>>) -> Option<Change> {
        let before = Fingerprint::of(&dataset((0..20).collect(), Some((0..10).collect()))).unwrap();
        Fingerprint::compare(&before, &dataset(values, labels)).unwrap()
    }

    #[test]
    fn the_same_rows_are_recognised_and_every_change_is_named() {
        let same: Vec<u8> = (0..20).collect();
        let labels: Vec<u8> = (0..10).collect();
        assert_eq!(change(same.clone(), Some(labels.clone())), None);
        // Labels that are left out are no change of the rows.
        assert_eq!(change(same.clone(), None), None);
        assert_eq!(change((0..26).collect(), Some((0..13).collect())), Some(Change::Longer(3)));
        let mut other = labels.clone();
        other.swap(2, 3);
        assert_eq!(change(same.clone(), Some(other)), Some(Change::Labels));
        for (values, what) in [
            ((0..18).collect(), "it has 9 rows instead of 10"),
            ((1..21).collect(), "it still has 10 rows, but other values or another order"),
            ((1..25).collect(), "it has 12 rows instead of 10, and the first 10 are not the same"),
        ] {
            assert_eq!(change(values, None), Some(Change::Other(what.into())));
        }
        // Two rows that change places.
        let mut swapped = same;
        swapped[..4].rotate_left(2);
        assert!(matches!(change(swapped, None), Some(Change::Other(_))));
    }

    #[test]
    fn a_class_may_be_spelled_in_another_way() {
        let of = |classes: &[&str]| {
            let mut dataset = dataset((0..8).collect(), Some(vec![0, 1, 1, 0]));
            dataset.raw.classes = classes.iter().map(|name| (*name).to_owned()).collect();
            dataset
        };
        let change =
            |a: &[&str], b: &[&str]| Fingerprint::compare(&Fingerprint::of(&of(a)).unwrap(), &of(b)).unwrap();
        for (a, b) in [(["10", "20"], ["10.0", "2e1"]), (["False", "True"], ["false", "1"])] {
            assert_eq!((change(&a, &b), change(&b, &a)), (None, None));
        }
        assert_eq!(change(&["10", "20"], &["10", "30"]), Some(Change::Labels));
        // As earlier versions wrote it.
        let mut before = Fingerprint::of(&of(&["1.0", "True"])).unwrap();
        let rows = of(&[]).train;
        before[0].labels = labels_of(&rows, 4, &["1.0".into(), "True".into()], as_is);
        assert_eq!(Fingerprint::compare(&before, &of(&["1.0", "True"])).unwrap(), None);
        assert_eq!(Fingerprint::compare(&before, &of(&["1.0", "red"])).unwrap(), Some(Change::Labels));
    }

    #[test]
    fn floats_are_told_from_bytes_and_rows_by_their_length() {
        let before = Fingerprint::of(&dataset((0..20).collect(), None)).unwrap();
        let floats = Split::from_floats((0..20).map(|v| v as f32).collect(), 2);
        let of = |rows: Split| {
            let mut other = Dataset::new("test", Shape::table(rows.dim()), rows.clone(), rows.clone());
            other.raw = Raw { parts: vec![(ALL, rows)], classes: Vec::new(), cut: false };
            Fingerprint::compare(&before, &other).unwrap()
        };
        assert_eq!(of(floats), Some(Change::Other("its values are floats instead of bytes".into())));
        let wide = Split::new((0..20).collect(), 4, None);
        assert_eq!(of(wide), Some(Change::Other("its rows have 4 values instead of 2".into())));
    }

    #[test]
    fn a_part_that_stands_alone_is_recognised() {
        let (train, test) = (Split::new((0..20).collect(), 2, None), Split::new((40..60).collect(), 2, None));
        let mut both = Dataset::new("test", Shape::table(2), train, test);
        let before = Fingerprint::of(&both).unwrap();
        assert_eq!(before.iter().map(|part| part.part.as_str()).collect::<Vec<_>>(), ["train", "test"]);
        let name = |values: Vec<u8>| {
            let alone = dataset(values, None);
            Fingerprint::recognise(&before, &alone).unwrap().map(|part| part.part.clone())
        };
        assert_eq!(name((40..60).collect()).as_deref(), Some("test"));
        assert_eq!(name((40..62).collect()).as_deref(), Some("test"));
        assert_eq!(name((41..61).collect()), None);
        // The greatest change of the parts counts, whichever part comes first.
        let changed = |train: Vec<u8>, test: Vec<u8>| {
            let [train, test] = [train, test].map(|values| Split::new(values, 2, None));
            let mut other = Dataset::new("test", Shape::table(2), train.clone(), test.clone());
            other.raw.parts = vec![("train", train), ("test", test)];
            Fingerprint::compare(&before, &other).unwrap()
        };
        let other = Some(Change::Other(
            "it still has 10 rows, but other values or another order (in its test part)".into(),
        ));
        assert_eq!(changed((0..22).collect(), (41..61).collect()), other);
        assert_eq!(changed((0..22).collect(), (40..64).collect()), Some(Change::Longer(3)));
        let labelled = |labels: Vec<u8>, rows: u8| dataset((0..2 * rows).collect(), Some(labels));
        let before = Fingerprint::of(&labelled((0..10).collect(), 10)).unwrap();
        let longer = labelled((1..12).collect(), 11);
        assert_eq!(Fingerprint::compare(&before, &longer).unwrap(), Some(Change::Longer(1)));
        // Of two parts, one longer and one with other labels, too.
        let parts = |train: Dataset, test: Dataset| {
            let mut both = Dataset::new("test", Shape::table(2), train.train.clone(), test.train.clone());
            both.raw.parts = vec![("train", train.train), ("test", test.train)];
            both
        };
        let before =
            Fingerprint::of(&parts(labelled((0..10).collect(), 10), labelled((0..10).collect(), 10)))
                .unwrap();
        let (longer, relabelled) = (labelled((0..11).collect(), 11), labelled((1..11).collect(), 10));
        for now in [parts(longer.clone(), relabelled.clone()), parts(relabelled.clone(), longer)] {
            assert_eq!(Fingerprint::compare(&before, &now).unwrap(), Some(Change::Longer(1)));
        }
        let now = parts(labelled((0..10).collect(), 10), relabelled);
        assert_eq!(Fingerprint::compare(&before, &now).unwrap(), Some(Change::Labels));
        let before = Fingerprint::of(&both).unwrap();
        both.raw.parts.swap(0, 1);
        assert_eq!(Fingerprint::compare(&before, &both).unwrap(), None);
        both.raw.parts.truncate(1);
        assert!(Fingerprint::compare(&before, &both).unwrap().is_some());
    }
}
