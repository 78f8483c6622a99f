//! Text whose encoding is not said.

use std::borrow::Cow;

/// Text in UTF-8 or, where it is none, in Latin-1 (Windows-1252).
pub(in super::super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        #[cfg(feature = "formats")]
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
        // All but a few signs: dashes, quotes and the euro.
        #[cfg(not(feature = "formats"))]
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_utf_8_is_latin_1() {
        assert_eq!((text("é".as_bytes()), text(b"\xe9")), ("é".into(), "é".into()));
    }
}
