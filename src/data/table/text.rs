//! Text whose encoding is not said.

use std::borrow::Cow;

/// Text in UTF-8 or, where it is none, in Latin-1 (Windows-1252).
pub(in super::super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().map(|byte| latin_1(*byte)).collect::<String>().into(),
    }
}

/// A character of Windows-1252: Latin-1 but for 32 bytes, which are control characters there.
fn latin_1(byte: u8) -> char {
    const OTHERS: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', //
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..0xa0 => OTHERS[usize::from(byte - 0x80)],
        _ => byte.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_utf_8_is_latin_1() {
        assert_eq!((text("é".as_bytes()), text(b"\xe9")), ("é".into(), "é".into()));
        assert_eq!(text(b"\x80 \x85 \x93q\x94 \x99 \x9f \xa0\xff"), "€ … “q” ™ Ÿ \u{a0}ÿ");
    }
}
