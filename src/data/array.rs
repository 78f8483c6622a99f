//! What an array of NumPy holds: rows of data, or their labels.

use std::path::Path;

use super::npy_header::Header;
use super::number::{FileKind, Number, spread};
use super::reader::MAX_ROWS;
use super::shape::{Shape, Size};
use super::split::Split;
use super::table::{self, Labels, NO_LABEL};
use crate::error::{Error, Result};

/// Most values per datum; a model takes far fewer.
const MAX_DIM: usize = 1 << 24;
/// Rows that are turned from Fortran order in one go, so that they stay in the cache.
const TURNED: usize = 64;

/// Text that Python makes of what is missing.
const MISSING: [&str; 4] = ["", "nan", "None", "<NA>"];
/// How it ends why an array is not labels, where one is missing.
pub(super) const NO_LABEL_IS: &str = ", no label";

/// What elements of type `O` are.
const OBJECTS: &str = "Python objects";

/// N and the shape of a datum, from an array's dimensions.
pub(super) fn rows(path: &Path, dims: &[usize], size: Option<Size>) -> Result<(usize, Shape)> {
    let fail = |problem: String, next: &str| Err(Error::file(path, problem, next));
    let (count, shape) = match *dims {
        [count, dim] => (count, Shape::table(dim)),
        [count, height, width] => (count, Shape { width, height, channels: 1 }),
        [count, height, width, channels @ (1 | 3)] => (count, Shape { width, height, channels }),
        // One channel lies the same, wherever its dimension stands.
        [count, 1, height, width] => (count, Shape { width, height, channels: 1 }),
        [] => {
            let next = "save an array with a row for each datum";
            return fail("a single number, but data is [N, D], [N, H, W] or [N, H, W, C]".to_owned(), next);
        }
        [_, 3, _, _] => {
            return fail(
                format!("an array of {dims:?}: the channels must come last"),
                "reorder it with x.transpose(0, 2, 3, 1)",
            );
        }
        [_, _, _, 4] => {
            return fail(
                format!("an array of {dims:?}: pictures have 1 or 3 channels"),
                "leave out the transparency with x[..., :3]",
            );
        }
        [_] => {
            return fail(
                format!(
                    "an array of {dims:?}, one number a row, but data is [N, D], [N, H, W] or [N, H, W, C]"
                ),
                "for rows of one number, save x.reshape(-1, 1); for a single row, x.reshape(1, -1)",
            );
        }
        _ => {
            return fail(
                format!(
                    "an array of {dims:?}, but data is [N, D], [N, H, W] or [N, H, W, C] of 1 or 3 channels"
                ),
                "reshape it with x.reshape(len(x), -1)",
            );
        }
    };
    if dims.contains(&0) {
        return fail(format!("an array of {dims:?}: there is nothing in it"), "write the data again");
    }
    if count > MAX_ROWS || shape.dim() > MAX_DIM {
        return fail(
            format!("an array of {dims:?}, more than {MAX_ROWS} rows of {MAX_DIM} values"),
            "split or shrink the data",
        );
    }
    match size {
        Some(size) if shape.is_table() => Ok((count, reshaped(path, shape.width, size)?)),
        _ => Ok((count, shape)),
    }
}

/// The shape that the setting `source.image_size` gives to rows of `dim` values.
fn reshaped(path: &Path, dim: usize, size: Size) -> Result<Shape> {
    let unfit = || format!("{} has rows of {dim} values, which do not make such a picture", path.display());
    size.of_rows(dim).ok_or_else(|| Error::value("source.image_size", size, unfit()))
}

impl Header {
    /// The element type, if data may have it.
    pub(super) fn kind(&self, path: &Path) -> Result<FileKind> {
        FileKind::named(&self.descr).ok_or_else(|| {
            let (what, next) = self.strange();
            Error::file(path, format!("it has {what}, but data are numbers"), next)
        })
    }

    /// What elements that are no numbers are, and what makes numbers of them.
    fn strange(&self) -> (String, &'static str) {
        let descr = self.descr.as_str();
        let code = descr.trim_start_matches(['<', '>', '|', '=']);
        let typed = || format!("elements of type {descr}");
        match code.chars().next() {
            Some('O') => {
                (OBJECTS.into(), "save it as numbers: np.save(.., np.array(x.tolist(), dtype=np.float32))")
            }
            Some('U' | 'S' | 'a') => (
                format!("text ({descr})"),
                "if the text is numbers, save x.astype(np.float32); otherwise leave out what is no number, or save \
                 it as labels, in an array y of a .npz file",
            ),
            Some('c') => (typed(), "save a part that is real, such as np.abs(x) or x.real"),
            Some('M' | 'm') => (typed(), "save it as numbers: x.astype(np.int64).astype(np.float64)"),
            Some('[') => (
                "named fields".into(),
                "save them as columns: np.column_stack([x[name] for name in x.dtype.names])",
            ),
            _ => (typed(), "save it as numbers: x.astype(np.float32)"),
        }
    }

    /// What was found, where the numbers are not read as they are.
    pub(super) fn note(&self, kind: FileKind) -> Option<String> {
        let mut words = format!("numbers of type {}", kind.number.shown());
        if kind.big_endian {
            words += ", big-endian";
        }
        if self.is_turned() {
            words += ", in Fortran order";
        }
        let plain = matches!(kind.number, Number::U8 | Number::F32) && !words.contains(',');
        let read = match kind.number {
            Number::Bool => "false and true count as 0 and 1",
            Number::U8 => "read as bytes",
            _ => "read as 32-bit floats",
        };
        (!plain).then(|| format!("{words}: {read}"))
    }

    /// What to say of an array that looks like one picture in colour, but is read as many grey ones.
    pub(super) fn single(&self) -> Option<String> {
        let [count, height, channels @ (3 | 4)] = self.shape[..] else { return None };
        let next = if channels == 4 { "x[None, ..., :3]" } else { "x[None]" };
        (count.min(height) > 2 * channels).then(|| {
            format!(
                "an array of {:?} is read as {count} pictures of {channels}x{height}; if it is one picture in colour, \
                 save {next}",
                self.shape
            )
        })
    }

    /// Whether rows do not lie together.
    pub(super) fn is_turned(&self) -> bool {
        self.fortran && self.shape.iter().filter(|size| **size > 1).count() > 1
    }

    /// Bytes of an element that may be data or a label; none for other types.
    pub(super) fn element_bytes(&self) -> Option<usize> {
        let text = |code: char, each: usize| {
            let letters = self.descr.trim_start_matches(['<', '>', '|', '=']).strip_prefix(code)?;
            letters.parse::<usize>().ok()?.checked_mul(each)
        };
        FileKind::named(&self.descr).map(FileKind::bytes).or_else(|| text('U', 4)).or_else(|| text('S', 1))
    }

    /// The elements as rows in memory.
    pub(super) fn split(&self, kind: FileKind, mut bytes: Vec<u8>, dim: usize) -> Split {
        if kind.is_bytes() {
            if kind.number == Number::Bool {
                spread(&mut bytes);
            }
            let bytes = if self.is_turned() { in_rows(&bytes, &self.shape) } else { bytes };
            return Split::new(bytes, dim, None);
        }
        let mut values = Vec::with_capacity(bytes.len() / kind.bytes());
        kind.floats(&bytes, &mut values);
        drop(bytes);
        let values = if self.is_turned() { in_rows(&values, &self.shape) } else { values };
        Split::from_floats(values, dim)
    }

    /// The elements as labels, one a row, with the names of the classes where they are not simply numbered; or why they
    /// are none.
    /// With `gaps`, a label may be missing: NaN, or text that says so.
    pub(super) fn labels(&self, bytes: &[u8], gaps: bool) -> Result<(Vec<u32>, Vec<String>), String> {
        let count = self.shape.first().copied().unwrap_or(0);
        let each = self.shape.iter().skip(1).product::<usize>();
        let named = |names: &mut dyn Iterator<Item = String>| {
            let mut labels = Labels::default();
            for (row, name) in names.enumerate() {
                match MISSING.iter().any(|word| word.eq_ignore_ascii_case(&name)) {
                    true if gaps => labels.push_none(),
                    true if name.is_empty() => return Err(format!("row {} is empty{NO_LABEL_IS}", row + 1)),
                    true => return Err(format!("row {} is {name}{NO_LABEL_IS}", row + 1)),
                    false => labels.push(&name),
                }
            }
            Ok(labels.finish())
        };
        let Some(kind) = FileKind::named(&self.descr) else {
            let Some(size) = self.element_bytes().filter(|_| each == 1) else {
                let (what, _) = self.strange();
                let next = if what == OBJECTS { "; save y.astype(str)" } else { "" };
                return Err(format!("it has {what}{next}"));
            };
            let text = |bytes: &[u8]| text(bytes, &self.descr);
            return match size {
                0 => named(&mut (0..count).map(|_| String::new())),
                size => named(&mut bytes.chunks_exact(size).map(text)),
            };
        };
        if each == 0 {
            return Err("it is empty".to_owned());
        }
        // Numbers past 2^53 keep all their digits.
        if let (1, Some(values)) = (each, kind.integers(bytes)) {
            let numbers: Option<Vec<u32>> = values.iter().map(|v| number(*v)).collect();
            return match numbers {
                Some(numbers) => Ok((numbers, Vec::new())),
                None => named(&mut values.iter().map(i128::to_string)),
            };
        }
        let values = kind.doubles(bytes);
        if each > 1 {
            let values = if self.is_turned() { in_rows(&values, &self.shape) } else { values };
            return one_hot(&values, each).map(|labels| (labels, Vec::new()));
        }
        let is_gap = |v: &f64| gaps && v.is_nan();
        if let Some(row) = values.iter().position(|v| v.fract() != 0.0 && !is_gap(v)) {
            let value = values[row];
            if value.is_nan() {
                return Err(format!("row {} is NaN{NO_LABEL_IS}", row + 1));
            }
            return Err(format!("row {} is {value}, and labels are whole numbers or text", row + 1));
        }
        // A number beyond 2^127 is none of a class.
        let numbers = values.iter().map(|v| if is_gap(v) { Some(NO_LABEL) } else { number(*v as i128) });
        match numbers.collect() {
            Some(numbers) => Ok((numbers, Vec::new())),
            None => {
                let mut labels = Labels::default();
                values.iter().for_each(|v| match is_gap(v) {
                    true => labels.push_none(),
                    false => labels.push(&format!("{v:.0}")),
                });
                Ok(labels.finish())
            }
        }
    }
}

/// The number as that of a class. Larger ones are names: nobody has as many classes.
fn number(value: i128) -> Option<u32> {
    u16::try_from(value).ok().map(u32::from)
}

/// The place of the one in each row of zeros.
fn one_hot(values: &[f64], each: usize) -> Result<Vec<u32>, String> {
    let place = |(row, values): (usize, &[f64])| {
        let ones = values.iter().filter(|v| **v == 1.0).count();
        match values.iter().position(|v| *v == 1.0) {
            Some(place) if ones == 1 && values.iter().all(|v| *v == 0.0 || *v == 1.0) => Ok(place as u32),
            _ => Err(format!("it has {each} numbers a row, and row {} is not a 1 among zeros", row + 1)),
        }
    };
    values.chunks_exact(each).enumerate().map(place).collect()
}

/// The text of an element, which zeros fill up.
fn text(bytes: &[u8], descr: &str) -> String {
    if !descr.contains('U') {
        let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        return table::text(&bytes[..end]).trim().to_owned();
    }
    let letters = bytes.as_chunks().0.iter().map(|chunk| match descr.starts_with('>') {
        true => u32::from_be_bytes(*chunk),
        false => u32::from_le_bytes(*chunk),
    });
    // What is no character stays apart from others that are none.
    let mut text = String::new();
    for letter in letters {
        match char::from_u32(letter) {
            Some(letter) => text.push(letter),
            None => text += &format!("\\u{letter:x}"),
        }
    }
    text.trim_end_matches('\0').trim().to_owned()
}

/// The values [N, ..] row by row, from an array whose first dimension lies together.
fn in_rows<T: Copy + Default>(values: &[T], dims: &[usize]) -> Vec<T> {
    let (count, dim) = (dims[0], dims[1..].iter().product::<usize>());
    // Where each value of a row lies, in steps of N: the second dimension is the next to lie together.
    let places: Vec<usize> = (0..dim)
        .map(|mut at| {
            let mut place = 0;
            let mut step = dim;
            for size in dims[1..].iter().rev() {
                step /= size;
                place += at % size * step;
                at /= size;
            }
            place
        })
        .collect();
    let mut rows = vec![T::default(); values.len()];
    for (block, rows) in rows.chunks_mut(TURNED * dim).enumerate() {
        for (column, place) in places.iter().enumerate() {
            let from = place * count + block * TURNED;
            for (row, value) in values[from..].iter().take(rows.len() / dim).enumerate() {
                rows[row * dim + column] = *value;
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(descr: &str, shape: &[usize]) -> Header {
        Header { descr: descr.into(), fortran: false, shape: shape.to_vec(), length: 0 }
    }

    fn labels(descr: &str, shape: &[usize], bytes: &[u8]) -> Result<(Vec<u32>, Vec<String>), String> {
        header(descr, shape).labels(bytes, false)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn whole_numbers_of_any_type_are_labels() {
        assert_eq!(labels("|u1", &[3], &[0, 7, 2]), Ok((vec![0, 7, 2], vec![])));
        assert_eq!(labels("<f4", &[2, 1], &floats(&[3.0, 0.0])), Ok((vec![3, 0], vec![])));
        assert_eq!(labels("|b1", &[2], &[1, 0]), Ok((vec![1, 0], vec![])));
        // What is no class number is a name.
        assert_eq!(labels("|i1", &[3], &[255, 1, 255]), Ok((vec![0, 1, 0], names(&["-1", "1"]))));
        assert_eq!(labels(">i8", &[1], &[0, 0, 1, 0, 0, 0, 0, 0]), Ok((vec![0], names(&["1099511627776"]))));
        // Numbers that floats do not tell apart, and the number that means that there is no label.
        let wide = [1u64 << 53, (1 << 53) + 1, u64::MAX].map(u64::to_le_bytes).concat();
        let expected = names(&["9007199254740992", "9007199254740993", "18446744073709551615"]);
        assert_eq!(labels("<u8", &[3], &wide), Ok((vec![0, 1, 2], expected)));
        let none = names(&["4294967295"]);
        assert_eq!(labels("<u4", &[1], &[255; 4]), Ok((vec![0], none.clone())));
        assert_eq!(labels("<f8", &[1], &4294967295f64.to_le_bytes()), Ok((vec![0], none.clone())));
        assert_eq!(labels("<i8", &[1], &4294967295i64.to_le_bytes()), Ok((vec![0], none)));
    }

    #[test]
    fn text_is_labels() {
        let text: Vec<u8> = "dogcatdog".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(labels("<U3", &[3], &text), Ok((vec![1, 0, 1], names(&["cat", "dog"]))));
        assert_eq!(labels("|S4", &[2, 1], b"b\0\0\0a\0\0\0"), Ok((vec![1, 0], names(&["a", "b"]))));
        // Without a label in a row there are none, or the row has none.
        assert_eq!(labels("|S0", &[2], b""), Err("row 1 is empty, no label".into()));
        assert_eq!(labels("|S4", &[2], b"catsNone"), Err("row 2 is None, no label".into()));
        let gaps = header("|S4", &[2]).labels(b"catsNone", true);
        assert_eq!(gaps, Ok((vec![0, NO_LABEL], names(&["cats"]))));
        // Bytes that are no UTF-8, and letters that are none, are told apart.
        assert_eq!(labels("|S1", &[2], b"\xe9\xe8"), Ok((vec![1, 0], names(&["\u{e8}", "\u{e9}"]))));
        let halves = [0xd800u32, 0xd801].map(u32::to_le_bytes).concat();
        assert_eq!(labels("<U1", &[2], &halves).unwrap().0, [0, 1]);
    }

    #[test]
    fn a_one_among_zeros_is_a_label() {
        assert_eq!(labels("|u1", &[2, 3], &[0, 0, 1, 1, 0, 0]), Ok((vec![2, 0], vec![])));
        let turned = Header { fortran: true, ..header("|u1", &[2, 3]) };
        assert_eq!(turned.labels(&[0, 1, 0, 0, 1, 0], false), Ok((vec![2, 0], vec![])));
        assert!(labels("|u1", &[2, 2], &[0, 1, 1, 1]).unwrap_err().contains("row 2 is not a 1 among zeros"));
    }

    #[test]
    fn other_numbers_are_no_labels() {
        let why = labels("<f4", &[2], &floats(&[1.0, 0.5])).unwrap_err();
        assert_eq!(why, "row 2 is 0.5, and labels are whole numbers or text");
        assert!(labels("<f4", &[1], &floats(&[f32::NAN])).unwrap_err().contains("row 1 is NaN"));
        assert!(labels("|u1", &[2, 0], &[]).unwrap_err().contains("it is empty"));
        assert_eq!(labels("|O", &[2], &[]).unwrap_err(), "it has Python objects; save y.astype(str)");
        let gap = header("<f4", &[3]).labels(&floats(&[1.0, f32::NAN, 0.0]), true);
        assert_eq!(gap, Ok((vec![1, NO_LABEL, 0], vec![])));
        assert!(labels("<U1", &[1, 2], &[0; 8]).unwrap_err().contains("text (<U1)"));
    }
}
