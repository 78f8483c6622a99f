//! How a long sum is divided: into parts, which are added up in order afterwards.

use crate::plan::round_up;

/// The parts of a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// How many parts there are.
    pub count: usize,
    /// Terms of each but the last, which may have fewer.
    pub length: usize,
}

impl Parts {
    /// A sum of so many terms, in no more than `wanted` parts. The length of all but the last is a multiple of `align`.
    pub fn of(terms: usize, wanted: usize, align: usize) -> Parts {
        let length = round_up(terms.div_ceil(wanted), align);
        Parts { count: terms.div_ceil(length), length }
    }

    /// An undivided sum.
    pub const fn whole(terms: usize) -> Parts {
        Parts { count: 1, length: terms }
    }

    /// Whether they hold so many terms, and none is empty.
    pub fn hold(self, terms: usize) -> bool {
        let before_last = self.count.checked_sub(1).map(|whole| whole * self.length);
        before_last.is_some_and(|before| before < terms && terms <= before + self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_all_terms_and_none_is_empty() {
        for terms in 1..100 {
            for (wanted, align) in (1..20).flat_map(|wanted| [1, 4, 16].map(|align| (wanted, align))) {
                let parts = Parts::of(terms, wanted, align);
                assert!(parts.hold(terms) && parts.count <= wanted, "{terms} {wanted} {align}: {parts:?}");
                assert!(parts.length.is_multiple_of(align), "{terms} {wanted} {align}: {parts:?}");
            }
            assert!(Parts::whole(terms).hold(terms));
        }
        for (count, length) in [(0, 16), (1, 16), (3, 16), (1, 0)] {
            assert!(!Parts { count, length }.hold(32), "{count} {length}");
        }
        assert!(Parts { count: 2, length: 16 }.hold(32));
    }
}
