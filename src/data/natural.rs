//! The order that people expect of numbered names: 1, 2, 10.

use std::cmp::Ordering;

/// Compares names piece by piece: runs of digits by value, everything else by character. Names that differ only in
/// leading zeros come in the order of their characters, so no two names are equal.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (one, other) = (digits(left), digits(right));
        if !one.is_empty() && !other.is_empty() {
            let (x, y) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
            // Of any length: more digits are a larger number.
            let order = x.len().cmp(&y.len()).then(x.cmp(y));
            if order.is_ne() {
                return order;
            }
            (left, right) = (&left[one.len()..], &right[other.len()..]);
            continue;
        }
        let (mut these, mut those) = (left.chars(), right.chars());
        match (these.next(), those.next()) {
            (Some(x), Some(y)) if x == y => (left, right) = (these.as_str(), those.as_str()),
            (None, None) => return a.cmp(b),
            (x, y) => return x.cmp(&y),
        }
    }
}

/// The digits at the start.
fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let sorted = [
            "",
            "0",
            "1",
            "2",
            "10",
            "99999999999999999999",
            "100000000000000000000",
            "a",
            "a1b9",
            "a1b10",
            "a2",
            "b007",
            "b07",
            "b7",
            "b8",
            "img1.png",
            "img2.png",
            "img10.png",
            "é1",
            "é2",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a:?} and {b:?}");
            }
        }
    }
}
