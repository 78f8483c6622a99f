//! The types of Parquet's columns, and the numbers in their cells.

use half::f16;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::schema::types::ColumnDescriptor;

use super::super::table;

const SECONDS: f64 = 86_400.0;
/// Most digits of a decimal number that is read whole, and most bytes.
const DIGITS: usize = 39;
const WIDE: usize = 16;
/// Most bytes of one that is only read as a float.
const WIDEST: usize = 32;

/// How the cells of a column become numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reading {
    /// Integers, floats and truth values as they are.
    Plain,
    Unsigned,
    /// Half-precision floats.
    Half,
    /// Whole numbers of 1 / 10^scale.
    Decimal(i32),
    /// Dates and moments, as days since 1970; so many units are a day.
    Days(f64),
    /// Times of the day, in seconds; so many units are a second.
    Seconds(f64),
    /// What is no number: text, or bytes.
    Text,
}

impl Reading {
    /// How to read a column of this type.
    pub(super) fn of(described: &ColumnDescriptor) -> Reading {
        let physical = described.physical_type();
        let per_second = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => 1e3,
            TimeUnit::MICROS => 1e6,
            TimeUnit::NANOS => 1e9,
        };
        let logical = match described.logical_type_ref() {
            Some(LogicalType::Integer(kind)) if !kind.is_signed => Some(Reading::Unsigned),
            Some(LogicalType::Integer(_)) => Some(Reading::Plain),
            Some(LogicalType::Decimal(kind)) => Some(Reading::Decimal(kind.scale)),
            Some(LogicalType::Date) => Some(Reading::Days(1.0)),
            Some(LogicalType::Timestamp(kind)) => Some(Reading::Days(SECONDS * per_second(&kind.unit))),
            Some(LogicalType::Time(kind)) => Some(Reading::Seconds(per_second(&kind.unit))),
            Some(LogicalType::Float16) => Some(Reading::Half),
            None => None,
            Some(_) => Some(Reading::Text),
        };
        let converted = match described.converted_type() {
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64 => Reading::Unsigned,
            ConvertedType::DECIMAL => Reading::Decimal(described.type_scale()),
            ConvertedType::DATE => Reading::Days(1.0),
            ConvertedType::TIMESTAMP_MILLIS => Reading::Days(SECONDS * 1e3),
            ConvertedType::TIMESTAMP_MICROS => Reading::Days(SECONDS * 1e6),
            ConvertedType::TIME_MILLIS => Reading::Seconds(1e3),
            ConvertedType::TIME_MICROS => Reading::Seconds(1e6),
            _ => match physical {
                // The moments of old writers.
                Type::INT96 => Reading::Days(SECONDS * 1e3),
                Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY => Reading::Text,
                _ => Reading::Plain,
            },
        };
        logical.unwrap_or(converted)
    }
}

/// The name of a column's type, for people.
pub(super) fn type_name(described: &ColumnDescriptor) -> String {
    match described.logical_type_ref() {
        // The type of a column without any value.
        Some(LogicalType::Unknown) => "null".to_owned(),
        Some(logical) => format!("{logical:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
        None if described.converted_type() != ConvertedType::NONE => described.converted_type().to_string(),
        None => described.physical_type().to_string(),
    }
}

/// A value of any type.
pub(super) trait Cell {
    /// The number; none for text.
    fn number(&self, reading: Reading) -> Option<f64>;
    /// The value as text, to be a label.
    fn text(&self, reading: Reading) -> String {
        self.number(reading).map(|number| number.to_string()).unwrap_or_default()
    }
    /// Bits that differ where values do.
    fn bits(&self) -> u64;
    /// The bytes, if it has such.
    fn bytes(&self) -> Option<&[u8]> {
        None
    }
}

/// What a whole number stands for.
fn whole(value: i128, reading: Reading) -> f64 {
    match reading {
        Reading::Decimal(scale) => value as f64 / 10f64.powi(scale),
        Reading::Days(units) | Reading::Seconds(units) => value as f64 / units,
        _ => value as f64,
    }
}

/// A decimal number with all its digits: those past 2^53 are lost on a float.
fn decimal(value: i128, scale: i32) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    let places = scale.unsigned_abs() as usize;
    // No number of 16 bytes has more.
    if places > DIGITS {
        return whole(value, Reading::Decimal(scale)).to_string();
    }
    if scale <= 0 {
        return if value == 0 { digits } else { format!("{sign}{digits}{}", "0".repeat(places)) };
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

/// A whole number of several bytes, big-endian.
fn big(bytes: &[u8]) -> i128 {
    let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |value, byte| value << 8 | i128::from(*byte))
}

impl Cell for bool {
    fn number(&self, _: Reading) -> Option<f64> {
        Some(f64::from(*self))
    }
    fn text(&self, _: Reading) -> String {
        self.to_string()
    }
    fn bits(&self) -> u64 {
        u64::from(*self)
    }
}

macro_rules! integer {
    ($signed:ty, $unsigned:ty) => {
        impl Cell for $signed {
            fn number(&self, reading: Reading) -> Option<f64> {
                Some(match reading {
                    Reading::Unsigned => *self as $unsigned as f64,
                    reading => whole(i128::from(*self), reading),
                })
            }
            fn text(&self, reading: Reading) -> String {
                match reading {
                    Reading::Plain => self.to_string(),
                    Reading::Unsigned => (*self as $unsigned).to_string(),
                    Reading::Decimal(scale) => decimal(i128::from(*self), scale),
                    reading => whole(i128::from(*self), reading).to_string(),
                }
            }
            fn bits(&self) -> u64 {
                *self as u64
            }
        }
    };
}
integer!(i32, u32);
integer!(i64, u64);

impl Cell for f32 {
    fn number(&self, _: Reading) -> Option<f64> {
        Some(f64::from(*self))
    }
    fn text(&self, _: Reading) -> String {
        self.to_string()
    }
    fn bits(&self) -> u64 {
        u64::from((self + 0.0).to_bits())
    }
}

impl Cell for f64 {
    fn number(&self, _: Reading) -> Option<f64> {
        Some(*self)
    }
    fn bits(&self) -> u64 {
        (self + 0.0).to_bits()
    }
}

impl Cell for Int96 {
    fn number(&self, reading: Reading) -> Option<f64> {
        Some(whole(i128::from(self.to_millis()), reading))
    }
    fn bits(&self) -> u64 {
        self.to_nanos() as u64
    }
}

/// A number in bytes, if they are one.
fn packed(bytes: &[u8], reading: Reading) -> Option<f64> {
    match (reading, bytes) {
        (Reading::Half, [low, high]) => Some(f16::from_le_bytes([*low, *high]).to_f64()),
        (Reading::Decimal(_), bytes) if bytes.len() <= WIDE => Some(whole(big(bytes), reading)),
        (Reading::Decimal(scale), bytes) if bytes.len() <= WIDEST => {
            let sign = if bytes[0] & 0x80 == 0 { 0.0 } else { -1.0 };
            let value = bytes.iter().fold(sign, |value, byte| value * 256.0 + f64::from(*byte));
            Some(value / 10f64.powi(scale))
        }
        _ => None,
    }
}

macro_rules! bytes {
    ($type:ty) => {
        impl Cell for $type {
            fn number(&self, reading: Reading) -> Option<f64> {
                packed(self.data(), reading)
            }
            fn text(&self, reading: Reading) -> String {
                match reading {
                    Reading::Decimal(scale) if self.data().len() <= WIDE => decimal(big(self.data()), scale),
                    _ => self
                        .number(reading)
                        .map_or_else(|| table::text(self.data()).into_owned(), |number| number.to_string()),
                }
            }
            fn bits(&self) -> u64 {
                self.data().iter().fold(0, |bits, byte| bits.wrapping_mul(31).wrapping_add(u64::from(*byte)))
            }
            fn bytes(&self) -> Option<&[u8]> {
                Some(self.data())
            }
        }
    };
}
bytes!(ByteArray);
bytes!(FixedLenByteArray);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_stand_for_decimals_and_moments() {
        assert_eq!(1234i32.number(Reading::Decimal(2)), Some(12.34));
        assert_eq!(ByteArray::from(vec![0xff, 0xfe]).number(Reading::Decimal(1)), Some(-0.2));
        assert_eq!(ByteArray::from(vec![0x01, 0x00]).number(Reading::Decimal(0)), Some(256.0));
        // Of 256 bits.
        let wide = |start: u8, last: u8| ByteArray::from([vec![start; 31], vec![last]].concat());
        assert_eq!(wide(0, 125).number(Reading::Decimal(1)), Some(12.5));
        assert_eq!(wide(0xff, 0xfe).number(Reading::Decimal(0)), Some(-2.0));
        assert_eq!(129_600_000i64.number(Reading::Days(SECONDS * 1e3)), Some(1.5));
        assert_eq!((-1i32).number(Reading::Unsigned), Some(f64::from(u32::MAX)));
        assert_eq!(
            FixedLenByteArray::from(ByteArray::from(vec![0x00, 0x3c])).number(Reading::Half),
            Some(1.0)
        );
        assert_eq!(ByteArray::from("cat").number(Reading::Text), None);
        for (value, scale, text) in [
            (9007199254740993, 0, "9007199254740993"),
            (-5, 2, "-0.05"),
            (1200, 2, "12"),
            (0, 3, "0"),
            (7, -2, "700"),
            (0, -2, "0"),
        ] {
            assert_eq!(decimal(value, scale), text);
            assert_eq!(i64::try_from(value).unwrap().text(Reading::Decimal(scale)), text);
        }
        let wide = ByteArray::from(vec![0x7f; 16]).text(Reading::Decimal(0));
        assert_eq!(wide, 0x7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7fi128.to_string());
        // Bytes that are no text are told apart.
        let text = |bytes: &[u8]| ByteArray::from(bytes.to_vec()).text(Reading::Text);
        assert_ne!(text(b"\xe9"), text(b"\xe8"));
        assert_eq!(
            (1234i32.text(Reading::Decimal(2)), 7i64.text(Reading::Plain)),
            ("12.34".into(), "7".into())
        );
    }
}
