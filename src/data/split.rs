//! Rows of values, in memory or in a file, and views of them.

use std::sync::Arc;

use super::file_rows::FileRows;
use super::number::{FileKind, Number, peak, spread};
use super::origin::{Origin, Origins};
use super::scaling::Scaling;
use crate::error::Result;

/// Bytes read from a file in one go.
const BLOCK: usize = 8 << 20;

/// What white is in bytes.
pub(super) const WHITE: f32 = 255.0;

/// The type of a row's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Bytes v, with x = v / 255.
    Bytes,
    /// Floats, which already are x.
    Floats,
}

/// The values of one row, as the model sees them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Row<'a> {
    /// D bytes.
    Bytes(&'a [u8]),
    /// D floats.
    Floats(&'a [f32]),
}

impl Row<'_> {
    /// Appends its x.
    pub(super) fn extend(self, x: &mut Vec<f32>) {
        match self {
            Row::Bytes(values) => x.extend(values.iter().map(|v| f32::from(*v) / WHITE)),
            Row::Floats(values) => x.extend_from_slice(values),
        }
    }
}

/// One part of a data set: N data of D values each. A view: clones and selections share the values.
#[derive(Clone, Debug)]
pub struct Split {
    /// N.
    pub count: usize,
    /// N class numbers, if the source has labels. Training does not use them unless the model is conditional.
    pub labels: Option<Arc<[u32]>>,
    dim: usize,
    values: Arc<Values>,
    /// The rows of `values` in this view; None means the first `count`.
    rows: Option<Arc<[u32]>>,
    scaling: Option<Arc<Scaling>>,
    /// What the stored values are divided by before they are scaled: bytes by [`WHITE`], as long as they are shades.
    unit: f32,
    /// By the reader's rows; None means all of them, in order.
    origins: Option<Arc<Origins>>,
}

/// Where the values are, row major.
#[derive(Debug)]
enum Values {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
    File(FileRows),
}

impl Values {
    fn is_bytes(&self) -> bool {
        match self {
            Values::Bytes(_) => true,
            Values::Floats(_) => false,
            Values::File(file) => file.kind.is_bytes(),
        }
    }
}

impl Split {
    /// A split of `values`, N x `dim`, in memory.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows, or there are not N labels: readers check their files first.
    pub fn new(values: Vec<u8>, dim: usize, labels: Option<Vec<u8>>) -> Split {
        let len = values.len();
        let labels = labels.map(|labels| labels.into_iter().map(u32::from).collect());
        Split::of(Values::Bytes(values), len, dim).with_labels(labels)
    }

    /// A split of floats, N x `dim`, in memory.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub fn from_floats(values: Vec<f32>, dim: usize) -> Split {
        let len = values.len();
        Split::of(Values::Floats(values), len, dim)
    }

    /// `count` rows that stay in their file.
    pub(super) fn in_file(rows: FileRows, count: usize, dim: usize) -> Split {
        Split::of(Values::File(rows), count * dim, dim)
    }

    fn of(values: Values, len: usize, dim: usize) -> Split {
        assert!(dim > 0 && len.is_multiple_of(dim), "{len} values in rows of {dim}");
        let (labels, rows, scaling, origins) = (None, None, None, None);
        let unit = if values.is_bytes() { WHITE } else { 1.0 };
        Split { count: len / dim, labels, dim, values: values.into(), rows, scaling, unit, origins }
    }

    /// The same rows with labels.
    ///
    /// # Panics
    /// If the number of labels is not N.
    pub fn with_labels(self, labels: Option<Vec<u32>>) -> Split {
        assert!(labels.as_ref().is_none_or(|labels| labels.len() == self.count), "one label per row");
        Split { labels: labels.map(Arc::from), ..self }
    }

    /// The same rows with what the source calls them, one for each of the reader's rows.
    pub(super) fn with_origins(self, origins: Origins) -> Split {
        let values = self.rows.is_none().then_some(self.count);
        assert!(values.is_none_or(|count| origins.len() == count), "one origin per row");
        Split { origins: Some(origins.into()), ..self }
    }

    /// What the source calls this row.
    ///
    /// # Panics
    /// If there is no such row.
    #[doc(hidden)]
    pub fn origin(&self, row: usize) -> Origin<'_> {
        assert!(row < self.count, "row {row} of {}", self.count);
        let place = self.place(row);
        self.origins.as_ref().map_or(Origin::Row(place as u64), |origins| origins.get(place))
    }

    /// The same rows with x = (v - shift) / scale.
    pub(super) fn scaled(self, scaling: Option<Arc<Scaling>>) -> Split {
        Split { scaling, ..self }
    }

    /// The same rows with their stored values, 0 to 255 for bytes, divided by `unit` before they are scaled.
    pub(super) fn in_unit(self, unit: f32) -> Split {
        Split { unit, ..self }
    }

    /// D, the number of values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The type of the rows that [`Split::each`] visits.
    pub fn element(&self) -> Element {
        match self.values.is_bytes() && self.unit == WHITE && self.scaling.is_none() {
            true => Element::Bytes,
            false => Element::Floats,
        }
    }

    /// Whether the values stay in a file instead of memory.
    #[doc(hidden)]
    pub fn is_in_file(&self) -> bool {
        matches!(*self.values, Values::File(_))
    }

    /// The largest byte of the reader's rows, or the first beyond `enough`; none where values are no bytes.
    pub(super) fn peak(&self, enough: u8) -> Result<Option<u8>> {
        match &*self.values {
            Values::Bytes(values) => Ok(Some(peak(values, enough))),
            Values::File(file) if file.kind == FileKind::U8 => {
                file.peak((self.count * self.dim) as u64, enough).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The same rows, with bytes other than 0 as 255, which counts as 1.
    pub(super) fn into_bits(self) -> Split {
        let values = match Arc::try_unwrap(self.values) {
            Ok(Values::Bytes(mut values)) => {
                spread(&mut values);
                Arc::new(Values::Bytes(values))
            }
            Ok(Values::File(file)) if file.kind.is_bytes() => {
                let kind = FileKind { number: Number::Bool, ..file.kind };
                Arc::new(Values::File(FileRows { kind, ..file }))
            }
            Ok(other) => Arc::new(other),
            // Shared with another part: readers that do so have no bits.
            Err(shared) => shared,
        };
        Split { values, ..self }
    }

    /// The index of row `row` among the reader's rows.
    pub(super) fn place(&self, row: usize) -> usize {
        self.rows.as_ref().map_or(row, |places| places[row] as usize)
    }

    /// The rows with these indices, in that order, without copying values.
    ///
    /// # Panics
    /// If an index is not below `count`.
    pub fn select(&self, rows: &[u32]) -> Split {
        let labels =
            self.labels.as_ref().map(|labels| rows.iter().map(|row| labels[*row as usize]).collect());
        let place = |row: &u32| self.place(*row as usize) as u32;
        assert!(rows.iter().all(|row| (*row as usize) < self.count), "rows of a split of {}", self.count);
        Split { count: rows.len(), labels, rows: Some(rows.iter().map(place).collect()), ..self.clone() }
    }

    /// At most `most` of the rows, evenly spaced: of sorted data, as folders of classes are, the first are all alike.
    #[doc(hidden)]
    pub fn spaced(&self, most: usize) -> Split {
        if self.count <= most {
            return self.clone();
        }
        let row = |i: usize| (i as u64 * self.count as u64 / most as u64) as u32;
        self.select(&(0..most).map(row).collect::<Vec<_>>())
    }

    /// Whether this and another split are all rows of the same values.
    #[doc(hidden)]
    pub fn is_same(&self, other: &Split) -> bool {
        let rows = |split: &Split| split.rows.as_ref().map(Arc::as_ptr);
        Arc::ptr_eq(&self.values, &other.values) && rows(self) == rows(other)
    }

    /// Whether this and another split are rows of the same values.
    pub(super) fn is_beside(&self, other: &Split) -> bool {
        Arc::ptr_eq(&self.values, &other.values)
    }

    /// Visits the rows with these indices, in that order.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] if the values are in a file that can no longer be read.
    ///
    /// # Panics
    /// If an index is not below `count`.
    pub fn each(&self, rows: impl IntoIterator<Item = usize>, visit: &mut dyn FnMut(Row<'_>)) -> Result<()> {
        let (count, dim, unit, scaling) = (self.count, self.dim, self.unit, self.scaling.as_deref());
        let is_shown = self.element() == Element::Bytes;
        let is_plain = unit == 1.0 && scaling.is_none();
        let mut numbers = Vec::new();
        let finish = |values: &mut [f32]| {
            if unit != 1.0 {
                values.iter_mut().for_each(|v| *v /= unit);
            }
            if let Some(scaling) = scaling {
                scaling.apply(values);
            }
        };
        let mut show_bytes = |row: &[u8], visit: &mut dyn FnMut(Row<'_>)| {
            if is_shown {
                visit(Row::Bytes(row));
                return;
            }
            numbers.clear();
            numbers.extend(row.iter().copied().map(f32::from));
            finish(&mut numbers);
            visit(Row::Floats(&numbers));
        };
        let mut places = rows.into_iter().map(|row| {
            assert!(row < count, "row {row} of {count}");
            self.place(row)
        });
        let mut scaled = Vec::new();
        match &*self.values {
            Values::Bytes(values) => {
                for place in places {
                    let row = &values[place * dim..(place + 1) * dim];
                    show_bytes(row, visit);
                }
            }
            Values::Floats(values) => {
                for place in places {
                    let row = &values[place * dim..(place + 1) * dim];
                    if is_plain {
                        visit(Row::Floats(row));
                        continue;
                    }
                    scaled.clear();
                    scaled.extend_from_slice(row);
                    finish(&mut scaled);
                    visit(Row::Floats(&scaled));
                }
            }
            Values::File(file) => {
                let width = dim * file.kind.bytes();
                let (mut block, mut bytes) = (Vec::new(), Vec::new());
                loop {
                    block.clear();
                    block.extend(places.by_ref().take((BLOCK / width).max(1)));
                    if block.is_empty() {
                        break;
                    }
                    bytes.resize(block.len() * width, 0);
                    file.read(&block, width, &mut bytes)?;
                    for row in bytes.chunks_exact(width) {
                        if file.kind.is_bytes() {
                            show_bytes(row, visit);
                            continue;
                        }
                        scaled.clear();
                        file.kind.floats(row, &mut scaled);
                        finish(&mut scaled);
                        visit(Row::Floats(&scaled));
                    }
                }
            }
        }
        Ok(())
    }

    /// The rows with values outside 0..1.
    ///
    /// # Errors
    /// As [`Split::each`].
    #[doc(hidden)]
    pub fn outside_unit(&self) -> Result<Vec<usize>> {
        let (mut row, mut found) = (0, Vec::new());
        if self.element() == Element::Bytes {
            return Ok(found);
        }
        self.each(0..self.count, &mut |values| {
            if let Row::Floats(values) = values
                && !values.iter().all(|x| (0.0..=1.0).contains(x))
            {
                found.push(row);
            }
            row += 1;
        })?;
        Ok(found)
    }

    /// x [rows, D] of the rows with these indices, in that order.
    ///
    /// # Errors
    /// As [`Split::each`].
    ///
    /// # Panics
    /// As [`Split::each`].
    pub fn x(&self, rows: impl IntoIterator<Item = usize>) -> Result<Vec<f32>> {
        let mut x = Vec::new();
        self.each(rows, &mut |row| row.extend(&mut x))?;
        Ok(x)
    }
}

impl Split {
    /// The distribution of each of the D values over the data: distinct values x with their counts. Floats are reduced
    /// to two values with the same mean and variance.
    ///
    /// # Errors
    /// As [`Split::each`].
    #[doc(hidden)]
    pub fn marginals(&self) -> Result<Vec<Vec<(f64, u64)>>> {
        const LEVELS: usize = 256;
        let dim = self.dim;
        if self.element() == Element::Bytes {
            let mut counts = vec![0u32; dim * LEVELS];
            self.each(0..self.count, &mut |row| {
                if let Row::Bytes(values) = row {
                    values.iter().enumerate().for_each(|(d, v)| counts[d * LEVELS + usize::from(*v)] += 1);
                }
            })?;
            let of = |counts: &[u32]| {
                let found = counts.iter().enumerate().filter(|(_, n)| **n > 0);
                found.map(|(v, n)| (v as f64 / 255.0, u64::from(*n))).collect()
            };
            return Ok(counts.chunks_exact(LEVELS).map(of).collect());
        }
        let (mut sums, mut squares) = (vec![0.0; dim], vec![0.0; dim]);
        self.each(0..self.count, &mut |row| {
            if let Row::Floats(values) = row {
                for (d, value) in values.iter().map(|v| f64::from(*v)).enumerate() {
                    sums[d] += value;
                    squares[d] += value * value;
                }
            }
        })?;
        let n = self.count.max(1) as f64;
        let pair = |(sum, square): (&f64, &f64)| {
            let (mean, square) = (sum / n, square / n);
            let deviation = (square - mean * mean).max(0.0).sqrt();
            vec![(mean - deviation, 1), (mean + deviation, 1)]
        };
        Ok(sums.iter().zip(&squares).map(pair).collect())
    }
}

#[cfg(test)]
mod tests;
