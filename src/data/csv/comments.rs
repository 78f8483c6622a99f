//! Comments above a table.

use super::super::options::Delimiter;

/// What a line that is a comment begins with. Where a semicolon separates cells, such a line begins with an empty one.
const MARKS: [&[u8]; 5] = [HASH, b"%", b"!", b"//", b";"];
/// The mark of lines that are comments among the rows too.
const HASH: &[u8] = b"#";

/// What is in a comment; none if the line is none.
pub(super) fn body(line: &[u8], delimiter: Delimiter) -> Option<&[u8]> {
    marked(line, delimiter).map(|(_, body)| body)
}

/// The mark of a comment, and what follows it.
fn marked(line: &[u8], delimiter: Delimiter) -> Option<(&'static [u8], &[u8])> {
    let line = line.trim_ascii();
    let marks = MARKS.into_iter().filter(|mark| *mark != [delimiter.byte()]);
    marks.filter_map(|mark| Some((mark, line.strip_prefix(mark)?))).next()
}

/// The bytes of the lines above the table that are comments, if one has another mark than #: those with that alone may be
/// anywhere.
pub(super) fn above(text: &[u8], delimiter: Delimiter) -> usize {
    let (mut at, mut end, mut before) = (0, 0, 0);
    let (mut last, mut other): (&[u8], bool) = (b"", false);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let begin = at;
        at += line.len();
        if line.trim_ascii().is_empty() {
            continue;
        }
        match marked(line, delimiter) {
            Some((mark, _)) => {
                (before, end, last) = (end, at, line);
                other |= mark != HASH;
            }
            None if !other => return 0,
            None if is_names(last, line, delimiter) => return before,
            None => return end.min(begin),
        }
    }
    // Nothing but such lines: they are the table.
    0
}

/// Whether a line with a mark has names, of which the first begins so, as in `%fat,%water`.
fn is_names(line: &[u8], below: &[u8], delimiter: Delimiter) -> bool {
    let Some((mark, body)) = marked(line, delimiter).filter(|(mark, _)| *mark != HASH) else { return false };
    let cells = |line: &[u8]| match delimiter {
        Delimiter::Blanks => line.split(u8::is_ascii_whitespace).filter(|cell| !cell.is_empty()).count(),
        one => line.trim_ascii().split(|byte| *byte == one.byte()).count(),
    };
    let joined =
        delimiter != Delimiter::Blanks && body.first().is_some_and(|byte| !byte.is_ascii_whitespace());
    let mut rest = body.split(|byte| *byte == delimiter.byte()).skip(1);
    let again = rest.any(|cell| cell.trim_ascii().starts_with(mark));
    (joined || again) && cells(line) > 1 && cells(line) == cells(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_mark_are_comments_above_a_table() {
        for (text, delimiter, expected) in [
            ("% by hand\n1,2\n", Delimiter::Comma, "% by hand\n"),
            ("! a\n\n// b\n# c\nx\ty\n", Delimiter::Tab, "! a\n\n// b\n# c\n"),
            ("; a comment\na,b\n", Delimiter::Comma, "; a comment\n"),
            // Cells, and names that begin so.
            (";a;b\n0;1;2\n", Delimiter::Semicolon, ""),
            ("%fat,water\n1,2\n", Delimiter::Comma, ""),
            ("% fat,% water\n1,2\n", Delimiter::Comma, ""),
            ("% made by hand\n%fat,water\n1,2\n", Delimiter::Comma, "% made by hand\n"),
            ("!,5\n!,6\n", Delimiter::Comma, ""),
            // These may be anywhere.
            ("# a\n1,2\n", Delimiter::Comma, ""),
        ] {
            assert_eq!(&text[..above(text.as_bytes(), delimiter)], expected, "{text}");
        }
    }
}
