//! A plan in pieces: where it pauses for what other processes have, and from where on words of a buffer are final, so that the host
//! may read them while the rest runs.

use std::ops::Range;

use super::exchange::Exchange;
use super::slot::Access;
use super::tensor::Tensor;
use super::{PAD, Plan};

/// Words that no dispatch writes any more once some of them have run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The words of the buffer.
    pub words: Range<usize>,
    /// Dispatches of the plan that come before they are final.
    pub after: usize,
}

impl Plan {
    /// Its pauses, in order. A plan that has any is submitted in pieces.
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Appends a pause for `from` [r, c] of so many processes, which all of them read from `to` [processes r, c] afterwards.
    pub(crate) fn exchange(&mut self, from: Tensor, to: Tensor, processes: usize) {
        let name = &self.buffers[to.buffer.0].name;
        assert_eq!((to.rows, to.cols), (processes * from.rows, from.cols), "{name}: shape of what all have");
        assert_eq!((to.stride, to.stride % PAD), (from.stride, 0), "{name}: rows");
        self.exchanges.push(Exchange { after: self.dispatches.len(), from, to });
    }

    /// Cuts the words of `of` into buckets of `most` words or fewer, in the order in which they become final. A backward pass goes
    /// from the last parameters to the first, so the buckets are formed from the end; borders lie where something that a dispatch
    /// writes begins, unless that is larger than a bucket.
    ///
    /// # Panics
    /// If `most` is zero.
    pub fn buckets(&self, of: Tensor, most: usize) -> Vec<Bucket> {
        assert!(most > 0, "buckets without words");
        let written = self.dispatches.iter().enumerate().flat_map(|(number, dispatch)| {
            let slots = dispatch.kernel.slots.iter().zip(&dispatch.tensors);
            let writes =
                slots.filter(|(slot, tensor)| slot.access == Access::Write && tensor.buffer == of.buffer);
            writes.map(move |(_, tensor)| (tensor.offset..tensor.offset + tensor.words(), number + 1))
        });
        let written: Vec<(Range<usize>, usize)> = written.collect();
        let (begin, mut end) = (of.offset, of.offset + of.words());
        let mut buckets = Vec::new();
        while end > begin {
            let reach = end.saturating_sub(most).max(begin);
            let borders = written.iter().map(|(words, _)| words.start);
            let border = borders.filter(|border| (reach..end).contains(border)).min();
            let start = if reach == begin { begin } else { border.unwrap_or(reach) };
            let overlaps = |words: &Range<usize>| words.start < end && start < words.end;
            let last = written.iter().filter(|(words, _)| overlaps(words)).map(|(_, after)| *after).max();
            buckets.push(Bucket { words: start..end, after: last.unwrap_or(0) });
            end = start;
        }
        // Those that become final together keep their order.
        buckets.sort_by_key(|bucket| bucket.after);
        buckets
    }
}

#[cfg(test)]
mod tests;
