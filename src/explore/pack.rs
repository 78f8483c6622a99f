//! Binary data as text: gzip in base64, which browsers unpack by themselves.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Bytes as base64.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes as base64 of gzip.
pub fn pack(bytes: &[u8]) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)
        .and_then(|()| gzip.finish())
        .map(|packed| base64(&packed))
        .expect("memory has no failing disk")
}

/// Floats, little endian.
pub fn floats(values: &[f32]) -> String {
    pack(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
}

/// Floats rounded to 16 bits. Those beyond the largest 16-bit float become that.
pub fn halves(values: &[f32]) -> String {
    let most = half::f16::MAX.to_f32();
    let half = |v: &f32| half::f16::from_f32(v.clamp(-most, most)).to_le_bytes();
    pack(&values.iter().flat_map(half).collect::<Vec<u8>>())
}

/// Integers, little endian.
pub fn words(values: &[u32]) -> String {
    pack(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_packed_can_be_unpacked() {
        let unpack = |text: String| {
            let mut bytes = Vec::new();
            flate2::read::GzDecoder::new(&STANDARD.decode(text).unwrap()[..])
                .read_to_end(&mut bytes)
                .unwrap();
            bytes
        };
        assert_eq!(unpack(floats(&[1.5, -0.0])), [1.5f32.to_le_bytes(), (-0.0f32).to_le_bytes()].concat());
        assert_eq!(unpack(words(&[7, 0x0102_0304])), [7, 0, 0, 0, 4, 3, 2, 1]);
        let half = |v: f32| u16::from_le_bytes(unpack(halves(&[v])).try_into().unwrap());
        assert_eq!([half(1.0), half(-2.0), half(1e9)], [0x3c00, 0xc000, 0x7bff]);
    }
}
