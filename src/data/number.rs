//! The types that numbers have in files, by their names in NumPy.

use half::f16;

/// A type of numbers in a file, and the order of their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileKind {
    pub number: Number,
    pub big_endian: bool,
}

macro_rules! numbers {
    ($($name:ident: $type:ty = $code:literal, $bytes:literal, $plural:literal, $convert:expr;)*) => {
        /// A type of numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Number {
            $($name),*
        }

        impl Number {
            const ALL: &[Number] = &[$(Number::$name),*];

            /// Its name, such as `f4`.
            fn code(self) -> &'static str {
                match self {
                    $(Number::$name => $code,)*
                }
            }

            /// Bytes of a number.
            pub(super) fn bytes(self) -> usize {
                match self {
                    $(Number::$name => $bytes,)*
                }
            }

            /// As people say it: `int64`.
            pub(super) fn shown(self) -> &'static str {
                match self {
                    $(Number::$name => $plural,)*
                }
            }
        }

        impl FileKind {
            /// Appends the numbers in `bytes` as floats.
            pub(super) fn floats(self, bytes: &[u8], out: &mut Vec<f32>) {
                match self.number {
                    $(Number::$name => {
                        let convert: fn($type) -> (f32, f64) = $convert;
                        let value = |b: &[u8; $bytes]| <$type>::from_le_bytes(self.ordered(*b));
                        out.extend(bytes.as_chunks().0.iter().map(|bytes| convert(value(bytes)).0));
                    })*
                }
            }

            /// The numbers in `bytes`, with more digits.
            pub(super) fn doubles(self, bytes: &[u8]) -> Vec<f64> {
                match self.number {
                    $(Number::$name => {
                        let convert: fn($type) -> (f32, f64) = $convert;
                        let value = |b: &[u8; $bytes]| <$type>::from_le_bytes(self.ordered(*b));
                        bytes.as_chunks().0.iter().map(|bytes| convert(value(bytes)).1).collect()
                    })*
                }
            }
        }
    };
}

numbers! {
    Bool: u8 = "b1", 1, "bool", |v| (f32::from(u8::from(v != 0)), f64::from(u8::from(v != 0)));
    U8: u8 = "u1", 1, "uint8", |v| (v.into(), v.into());
    I8: i8 = "i1", 1, "int8", |v| (v.into(), v.into());
    U16: u16 = "u2", 2, "uint16", |v| (v.into(), v.into());
    I16: i16 = "i2", 2, "int16", |v| (v.into(), v.into());
    U32: u32 = "u4", 4, "uint32", |v| (v as f32, v.into());
    I32: i32 = "i4", 4, "int32", |v| (v as f32, v.into());
    U64: u64 = "u8", 8, "uint64", |v| (v as f32, v as f64);
    I64: i64 = "i8", 8, "int64", |v| (v as f32, v as f64);
    F16: f16 = "f2", 2, "float16", |v| (v.to_f32(), v.to_f64());
    F32: f32 = "f4", 4, "float32", |v| (v, v.into());
    F64: f64 = "f8", 8, "float64", |v| (v as f32, v);
}

impl FileKind {
    /// The whole numbers in `bytes` with all their digits, if their type has more than [`FileKind::doubles`] keep.
    pub(super) fn integers(self, bytes: &[u8]) -> Option<Vec<i128>> {
        let words = bytes.as_chunks().0.iter().map(|bytes| self.ordered(*bytes));
        match self.number {
            Number::U64 => Some(words.map(|bytes| u64::from_le_bytes(bytes).into()).collect()),
            Number::I64 => Some(words.map(|bytes| i64::from_le_bytes(bytes).into()).collect()),
            _ => None,
        }
    }

    pub(super) const U8: FileKind = FileKind { number: Number::U8, big_endian: false };

    /// That of NumPy's name, such as `<f4`, `>i8` or `|u1`; none for what is no number.
    pub(super) fn named(descr: &str) -> Option<FileKind> {
        let big_endian = descr.starts_with('>');
        // `=` is the order of the machine that wrote the file; `np.save` never writes it.
        let code = descr.strip_prefix(['<', '>', '|', '=']).unwrap_or(descr);
        let number = Number::ALL.iter().find(|number| number.code() == code)?;
        Some(FileKind { number: *number, big_endian })
    }

    /// Bytes of a number.
    pub(super) fn bytes(self) -> usize {
        self.number.bytes()
    }

    /// Whether rows of them are shown as bytes, of which each is v / 255.
    pub(super) fn is_bytes(self) -> bool {
        matches!(self.number, Number::Bool | Number::U8)
    }

    /// Bytes of one number, the least significant first.
    fn ordered<const N: usize>(self, mut bytes: [u8; N]) -> [u8; N] {
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }
}

#[cfg(test)]
impl FileKind {
    pub(super) const F32: FileKind = FileKind { number: Number::F32, big_endian: false };
    pub(super) const F64: FileKind = FileKind { number: Number::F64, big_endian: false };
}

/// 0 stays, everything else becomes 255: bytes count as v / 255, and true as 1.
pub(super) fn spread(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|v| *v = if *v == 0 { 0 } else { 255 });
}

/// The largest byte, or the first beyond `enough`.
pub(super) fn peak(values: &[u8], enough: u8) -> u8 {
    let mut peak = 0;
    for some in values.chunks(1 << 12) {
        peak = some.iter().copied().max().unwrap_or(0).max(peak);
        if peak > enough {
            break;
        }
    }
    peak
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1, -2 or the largest, in each type: `np.array([1, -2], dtype).tobytes()`, with the bytes of other types cut short.
    #[test]
    fn each_type_is_read_in_either_order_of_its_bytes() {
        for (code, one, other, value) in [
            ("b1", &[1][..], &[7][..], 1.0),
            ("u1", &[1], &[254], 254.0),
            ("i1", &[1], &[254], -2.0),
            ("u2", &[1, 0], &[254, 255], 65534.0),
            ("i2", &[1, 0], &[254, 255], -2.0),
            ("u4", &[1, 0, 0, 0], &[0, 0, 0, 128], 2_147_483_648.0),
            ("i4", &[1, 0, 0, 0], &[254, 255, 255, 255], -2.0),
            ("u8", &[1, 0, 0, 0, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 0, 0, 128], 9_223_372_036_854_775_808.0),
            ("i8", &[1, 0, 0, 0, 0, 0, 0, 0], &[254, 255, 255, 255, 255, 255, 255, 255], -2.0),
            ("f2", &[0, 60], &[0, 192], -2.0),
            ("f4", &[0, 0, 128, 63], &[0, 0, 0, 192], -2.0),
            ("f8", &[0, 0, 0, 0, 0, 0, 240, 63], &[0, 0, 0, 0, 0, 0, 0, 192], -2.0),
        ] {
            for order in ["<", ">", "|", ""] {
                let kind = FileKind::named(&format!("{order}{code}")).unwrap();
                let mut bytes = [one, other].map(<[u8]>::to_vec);
                if order == ">" {
                    bytes.iter_mut().for_each(|bytes| bytes.reverse());
                }
                let bytes = bytes.concat();
                let mut floats = Vec::new();
                kind.floats(&bytes, &mut floats);
                assert_eq!(floats, [1.0, value as f32], "{order}{code}");
                assert_eq!(kind.doubles(&bytes), [1.0, value], "{order}{code}");
                assert_eq!(kind.bytes() * 2, bytes.len());
            }
        }
    }

    #[test]
    fn what_is_no_number_has_no_kind() {
        for descr in ["|O", "<U5", "|S3", "<c8", "<M8[ns]", "<f16", "u3", "", "<", "i", "f8x"] {
            assert_eq!(FileKind::named(descr), None, "{descr}");
        }
    }
}
