//! What travels between ranks in a step, and in which pieces: gradients in buckets, the last layers' first, while the device goes on
//! with the layers before them.

use std::ops::Range;

use crate::kernels::objective::TERMS;
use crate::model::plans::TrainPorts;
use crate::plan::{Bucket, Exchange, Plan, Step, Tensor};
use crate::ranks::Tree;

/// Words of a bucket: 25 MiB, as PyTorch has it.
pub(super) const BUCKET: usize = (25 << 20) / 4;

/// A part of the gradients, and what is added to it. The last one also has what the shards measured, and the row of terms.
pub(super) struct Load {
    /// Words of the arena.
    pub gradients: Range<usize>,
    /// Whether it is the last.
    pub is_last: bool,
    /// The sum over this rank's shards.
    pub tree: Tree,
}

/// A piece of the plan: the dispatches since the piece before, and what the host takes then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its dispatches.
    pub dispatches: Range<usize>,
    /// What the host takes.
    pub taken: Taken,
}

/// What the host takes from the device when a piece is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// These exchanges of the plan.
    Exchanges(Range<usize>),
    /// The load of this number.
    Load(usize),
}

/// Cuts a plan, whose gradients travel in buckets of `most` words.
pub(super) fn cut(plan: &Plan, gradients: Tensor, most: usize) -> (Vec<Piece>, Vec<Load>) {
    let buckets = plan.buckets(gradients, most);
    let pieces = pieces(plan.exchanges(), &buckets, plan.dispatches().len());
    let count = buckets.len();
    let load = |(number, Bucket { words, .. })| Load {
        gradients: words,
        is_last: number + 1 == count,
        tree: Tree::default(),
    };
    (pieces, buckets.into_iter().enumerate().map(load).collect())
}

/// The pieces of a plan of so many dispatches. Exchanges of one place go together, and come before a bucket of that place, since the
/// device waits for them; the last piece has all that is left of the plan.
fn pieces(exchanges: &[Exchange], buckets: &[Bucket], dispatches: usize) -> Vec<Piece> {
    let mut taken: Vec<(usize, Taken)> = Vec::new();
    let mut first = 0;
    for together in exchanges.chunk_by(|a, b| a.after == b.after) {
        let numbers = first..first + together.len();
        first = numbers.end;
        taken.push((together[0].after, Taken::Exchanges(numbers)));
    }
    for (number, bucket) in buckets.iter().enumerate() {
        let is_last = number + 1 == buckets.len();
        taken.push((if is_last { dispatches } else { bucket.after }, Taken::Load(number)));
    }
    // Stable: exchanges stay before buckets.
    taken.sort_by_key(|(after, _)| *after);
    let mut begin = 0;
    let piece = |(after, taken)| {
        let dispatches = begin..after;
        begin = after;
        Piece { dispatches, taken }
    };
    taken.into_iter().map(piece).collect()
}

/// Where the words of a step lie on the device.
#[derive(Clone, Copy)]
pub(super) struct Places {
    gradients: Tensor,
    /// What the shards measure; none where they measure nothing.
    pub measured: Option<Tensor>,
    /// The row of terms.
    pub terms: Tensor,
}

impl Places {
    /// Those of a step, where gradients move the first `trained` words of the arenas.
    pub fn of(ports: &TrainPorts, trained: usize, step: &Step) -> Places {
        let arena = ports.parameters.words();
        let measured = (arena > trained).then(|| part(ports.parameters, trained..arena));
        let terms = ports.history.slice_rows(step.history_row as usize, 1);
        Places { gradients: ports.gradients, measured, terms }
    }

    /// Those of a load, in the order in which its words travel.
    pub fn of_load(&self, load: &Load) -> Vec<Tensor> {
        let rest = self.measured.into_iter().chain([self.terms]).filter(|_| load.is_last);
        [part(self.gradients, load.gradients.clone())].into_iter().chain(rest).collect()
    }

    /// Words of a load.
    pub fn words(&self, load: &Load) -> usize {
        load.gradients.len() + if load.is_last { self.measured_words() + TERMS } else { 0 }
    }

    /// Words that a step measures.
    pub fn measured_words(&self) -> usize {
        self.measured.map_or(0, |measured| measured.words())
    }
}

/// Words of an arena.
fn part(arena: Tensor, words: Range<usize>) -> Tensor {
    Tensor { offset: arena.offset + words.start, cols: words.len(), stride: words.len(), ..arena }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::BufferId;

    #[test]
    fn a_plan_is_cut_where_the_host_takes_something() {
        let tensor = Tensor { buffer: BufferId(0), offset: 0, rows: 1, cols: 4, stride: 4 };
        let exchange = |after| Exchange { after, from: tensor, to: tensor };
        let bucket = |words: Range<usize>, after| Bucket { words, after };
        let found = |exchanges: &[usize], buckets: &[Bucket]| {
            let exchanges: Vec<_> = exchanges.iter().map(|after| exchange(*after)).collect();
            let pieces = pieces(&exchanges, buckets, 9);
            pieces.into_iter().map(|piece| (piece.dispatches, piece.taken)).collect::<Vec<_>>()
        };
        let all = [bucket(0..4, 7)];
        assert_eq!(found(&[], &all), [(0..9, Taken::Load(0))]);
        assert_eq!(
            found(&[2, 5, 5], &[bucket(2..4, 5), bucket(1..2, 5), bucket(0..1, 7)]),
            [
                (0..2, Taken::Exchanges(0..1)),
                (2..5, Taken::Exchanges(1..3)),
                (5..5, Taken::Load(0)),
                (5..5, Taken::Load(1)),
                (5..9, Taken::Load(2)),
            ]
        );
    }
}
