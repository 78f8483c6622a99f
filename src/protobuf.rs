//! Protocol buffers, written only: the messages of ONNX and of TensorBoard, declared with the numbers of their fields.
//!
//! A field is a key (its number and its wire type) and a value. A number that is 0 and a text that is empty are left out;
//! what is an `Option` is written where it is there, and lists of numbers are packed.

/// A message that can be written.
pub trait Message {
    /// Bytes of its fields.
    fn length(&self) -> usize;

    /// Appends its fields.
    fn write(&self, out: &mut Vec<u8>);

    /// Its bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length());
        self.write(&mut out);
        out
    }
}

/// The type of a field.
pub trait Field {
    /// Bytes of the field, with its key.
    fn length(&self, number: u32) -> usize;

    /// Appends the field.
    fn write(&self, number: u32, out: &mut Vec<u8>);
}

/// Declares messages: `NUMBER => NAME: TYPE` is a field.
macro_rules! messages {
    ($($(#[$about:meta])* $seen:vis struct $name:ident { $($number:literal => $field:ident: $kind:ty,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $seen struct $name {
            $(pub $field: $kind,)*
        }

        impl $crate::protobuf::Message for $name {
            fn length(&self) -> usize {
                0 $(+ $crate::protobuf::Field::length(&self.$field, $number))*
            }

            fn write(&self, out: &mut Vec<u8>) {
                $($crate::protobuf::Field::write(&self.$field, $number, out);)*
            }
        }
    )*};
}
pub(crate) use messages;

// The wire types.
const VARINT: u32 = 0;
const EIGHT_BYTES: u32 = 1;
const COUNTED: u32 = 2;
const FOUR_BYTES: u32 = 5;

/// Seven bits a byte, the lowest first.
fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_length(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn key(number: u32, wire: u32, out: &mut Vec<u8>) {
    varint(u64::from(number << 3 | wire), out);
}

fn key_length(number: u32) -> usize {
    varint_length(u64::from(number << 3))
}

/// Bytes of a field whose value begins with its own number of bytes.
fn counted_length(number: u32, length: usize) -> usize {
    key_length(number) + varint_length(length as u64) + length
}

fn counted(number: u32, length: usize, out: &mut Vec<u8>) {
    key(number, COUNTED, out);
    varint(length as u64, out);
}

impl Field for i64 {
    fn length(&self, number: u32) -> usize {
        if *self == 0 { 0 } else { key_length(number) + varint_length(*self as u64) }
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if *self != 0 {
            key(number, VARINT, out);
            varint(*self as u64, out);
        }
    }
}

impl Field for f64 {
    fn length(&self, number: u32) -> usize {
        if *self == 0.0 { 0 } else { key_length(number) + size_of::<f64>() }
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if *self != 0.0 {
            key(number, EIGHT_BYTES, out);
            out.extend(self.to_le_bytes());
        }
    }
}

impl Field for Option<f32> {
    fn length(&self, number: u32) -> usize {
        if self.is_none() { 0 } else { key_length(number) + size_of::<f32>() }
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if let Some(value) = self {
            key(number, FOUR_BYTES, out);
            out.extend(value.to_le_bytes());
        }
    }
}

impl Field for Vec<u8> {
    fn length(&self, number: u32) -> usize {
        if self.is_empty() { 0 } else { counted_length(number, self.len()) }
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if !self.is_empty() {
            counted(number, self.len(), out);
            out.extend_from_slice(self);
        }
    }
}

impl Field for String {
    fn length(&self, number: u32) -> usize {
        if self.is_empty() { 0 } else { counted_length(number, self.len()) }
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if !self.is_empty() {
            counted(number, self.len(), out);
            out.extend_from_slice(self.as_bytes());
        }
    }
}

impl Field for Vec<String> {
    fn length(&self, number: u32) -> usize {
        self.iter().map(|text| counted_length(number, text.len())).sum()
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        for text in self {
            counted(number, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

impl Field for Vec<i64> {
    fn length(&self, number: u32) -> usize {
        let length = self.iter().map(|value| varint_length(*value as u64)).sum();
        if self.is_empty() { 0 } else { counted_length(number, length) }
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if !self.is_empty() {
            counted(number, self.iter().map(|value| varint_length(*value as u64)).sum(), out);
            self.iter().for_each(|value| varint(*value as u64, out));
        }
    }
}

impl Field for Vec<f64> {
    fn length(&self, number: u32) -> usize {
        if self.is_empty() { 0 } else { counted_length(number, size_of_val(&self[..])) }
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if !self.is_empty() {
            counted(number, size_of_val(&self[..]), out);
            self.iter().for_each(|value| out.extend(value.to_le_bytes()));
        }
    }
}

impl<M: Message> Field for Option<M> {
    fn length(&self, number: u32) -> usize {
        self.as_ref().map_or(0, |message| counted_length(number, message.length()))
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if let Some(message) = self {
            counted(number, message.length(), out);
            message.write(out);
        }
    }
}

impl<M: Message> Field for Vec<M> {
    fn length(&self, number: u32) -> usize {
        self.iter().map(|message| counted_length(number, message.length())).sum()
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        for message in self {
            counted(number, message.length(), out);
            message.write(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    messages! {
        struct Inner {
            1 => value: i64,
        }
        struct Outer {
            1 => whole: i64,
            2 => text: String,
            3 => inner: Option<Inner>,
            4 => list: Vec<i64>,
            5 => float: Option<f32>,
            6 => double: f64,
            16 => many: Vec<Inner>,
            17 => bytes: Vec<u8>,
            18 => texts: Vec<String>,
            19 => doubles: Vec<f64>,
        }
    }

    /// The examples of the encoding's description: 150, "testing", the packed list of 3, 270 and 86942.
    #[test]
    fn fields_are_written_as_the_description_says() {
        let inner = Some(Inner { value: 150 });
        let outer = Outer { whole: 150, text: "testing".into(), inner, ..Outer::default() };
        let expected = b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01";
        assert_eq!(outer.to_bytes(), expected);
        let outer = Outer { list: vec![3, 270, 86942], ..Outer::default() };
        assert_eq!(outer.to_bytes(), b"\x22\x06\x03\x8e\x02\x9e\xa7\x05");
        assert_eq!(Outer::default().to_bytes(), b"");
        // A message that is there, and a list's empty text, are written; so are numbers below zero, in ten bytes.
        let outer = Outer { inner: Some(Inner::default()), texts: vec![String::new()], ..Outer::default() };
        assert_eq!(outer.to_bytes(), b"\x1a\x00\x92\x01\x00");
        let outer = Outer { whole: -1, ..Outer::default() };
        assert_eq!(outer.to_bytes(), b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        let outer = Outer { float: Some(0.0), double: 1.0, ..Outer::default() };
        assert_eq!(outer.to_bytes(), b"\x2d\0\0\0\0\x31\0\0\0\0\0\0\xf0\x3f");
    }

    #[test]
    fn the_length_is_known_beforehand() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 1 << 34, i64::MAX, i64::MIN, -1] {
            let many = vec![Inner { value }, Inner::default()];
            let outer = Outer {
                whole: value,
                text: "x".repeat(200),
                inner: Some(Inner { value }),
                list: vec![value; 3],
                float: Some(value as f32),
                double: value as f64,
                many,
                bytes: vec![7; 130],
                texts: vec!["a".into(), String::new()],
                doubles: vec![0.0, 1.5],
            };
            assert_eq!(outer.to_bytes().len(), outer.length(), "{value}");
        }
    }
}
