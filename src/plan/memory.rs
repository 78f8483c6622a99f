//! Private buffers whose lives do not overlap share memory.
//!
//! A buffer lives from the first dispatch that touches it to the last. Two may share memory when they never live in the
//! same dispatch and neither leaves words where the other relies on zeros. A plan is replayed step after step, so this
//! holds in both directions: the one that comes first in a step comes after the other in the next. The padding of a matrix
//! is such zeros; so matrices share memory with others of exactly their shape, or, where they have no padding, with any
//! others that have none.
//!
//! Buffers keep their ids, names and sizes. Only [`Buffer::home`] says in whose memory one lies, so whoever executes
//! a plan makes memory for the buffers without a home.

use super::images::IMAGE_WORDS;
use super::slot::{Access, Form};
use super::tensor::{Buffer, BufferId, Element, PAD, Role, Tensor, round_up};
use super::{Dispatch, Plan};

/// The dispatches in which a buffer's words matter: the first and the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    first: usize,
    last: usize,
}

impl Life {
    fn overlaps(self, other: Life) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Where a buffer has zeros that are relied on: those of one kind may share memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zeros {
    /// Nowhere: a matrix without padding.
    Nowhere,
    /// In the padding of a matrix of so many rows and columns, in a buffer of so many words.
    Padding { rows: usize, cols: usize, words: usize },
}

/// A buffer that may share memory.
struct Tenant {
    buffer: usize,
    words: usize,
    life: Life,
    zeros: Zeros,
}

/// Memory that buffers of one kind live in, one after the other. The first is the largest, and its home.
struct Home {
    zeros: Zeros,
    tenants: Vec<Tenant>,
}

impl Home {
    fn has_room(&self, tenant: &Tenant) -> bool {
        self.zeros == tenant.zeros && !self.tenants.iter().any(|other| other.life.overlaps(tenant.life))
    }
}

impl Plan {
    /// Lets private buffers share memory where their lives do not overlap, and returns the words that this saves.
    /// Buffers in `keep` stay alone: the host writes them before the plan runs, or reads them afterwards.
    ///
    /// To be called once, on a finished plan.
    pub(crate) fn share_memory(&mut self, keep: &[BufferId]) -> usize {
        assert!(self.saved_words() == 0, "plan {}: memory was shared before", self.name);
        let mut tenants: Vec<Tenant> = (0..self.buffers.len())
            .filter(|id| !keep.contains(&BufferId(*id)))
            .filter_map(|id| self.tenant(id))
            .collect();
        // The largest first, so that memory is never too small for those that come later. Equal ones stay in order.
        tenants.sort_by_key(|tenant| std::cmp::Reverse(tenant.words));
        let mut homes: Vec<Home> = Vec::new();
        for tenant in tenants {
            // The last home with room is the smallest.
            match homes.iter_mut().rev().find(|home| home.has_room(&tenant)) {
                Some(home) => {
                    self.buffers[tenant.buffer].home = Some(BufferId(home.tenants[0].buffer));
                    home.tenants.push(tenant);
                }
                None => homes.push(Home { zeros: tenant.zeros, tenants: vec![tenant] }),
            }
        }
        self.saved_words()
    }

    /// Words of the buffers that lie in the memory of others.
    pub fn saved_words(&self) -> usize {
        self.buffers.iter().filter(|buffer| buffer.home.is_some()).map(|buffer| buffer.words).sum()
    }

    /// The buffer whose memory this one lies in: perhaps itself.
    pub fn home(&self, buffer: BufferId) -> BufferId {
        self.buffers[buffer.0].home.unwrap_or(buffer)
    }

    /// The buffer as one that may share memory, if it may.
    fn tenant(&self, id: usize) -> Option<Tenant> {
        let buffer = &self.buffers[id];
        let [rows, cols] = buffer.shape?;
        // A vector holds a number for each row of a batch, rounded up: its zeros cannot be told from its data. It is small.
        // Kernels that read images were chosen because their operands' own buffers fit one: none may move to a larger buffer.
        let has_images =
            || self.dispatches.iter().flat_map(|d| d.kernel.slots).any(|s| s.form == Form::Image);
        let fits = buffer.words <= IMAGE_WORDS || !has_images();
        let shares = buffer.role == Role::Private && buffer.element == Element::F32 && rows > 1 && fits;
        let touches = |dispatch: &Dispatch| dispatch.tensors.iter().any(|tensor| tensor.buffer.0 == id);
        let first = self.dispatches.iter().position(touches)?;
        // What the host reads for other processes matters until then.
        let read = self.exchanges.iter().rev().find(|exchange| exchange.from.buffer.0 == id);
        let read = read.map_or(0, |exchange| exchange.after.saturating_sub(1));
        let last = self.dispatches.iter().rposition(touches)?.max(read);
        if !shares || !overwrites(&self.dispatches[first], id, buffer) {
            return None;
        }
        let words = buffer.words;
        let zeros = if words > rows * cols { Zeros::Padding { rows, cols, words } } else { Zeros::Nowhere };
        Some(Tenant { buffer: id, words, life: Life { first, last }, zeros })
    }
}

/// Whether the dispatch writes the whole matrix of the buffer, whatever was there before.
fn overwrites(dispatch: &Dispatch, id: usize, buffer: &Buffer) -> bool {
    let of_buffer = |tensor: &Tensor| tensor.buffer.0 == id;
    let mut slots = dispatch.kernel.slots.iter().zip(&dispatch.tensors).filter(|(_, t)| of_buffer(t));
    slots.all(|(slot, tensor)| {
        slot.access == Access::Write && !slot.keeps(&dispatch.consts) && covers(tensor, buffer)
    })
}

/// Whether the tensor is the whole matrix that the buffer was made for, in rows or flat.
fn covers(tensor: &Tensor, buffer: &Buffer) -> bool {
    let Some([rows, cols]) = buffer.shape else { return false };
    let stride = round_up(cols, PAD);
    let whole = (tensor.rows, tensor.cols, tensor.stride) == (rows, cols, stride);
    let flat = tensor.cols == tensor.stride && tensor.words() >= rows * stride;
    tensor.offset == 0 && (whole || flat)
}

#[cfg(test)]
mod tests;
