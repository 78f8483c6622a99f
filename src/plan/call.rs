//! What a kernel's CPU reference sees of its dispatch.

use super::{Step, Tensor};

/// A kernel's CPU reference.
pub type Reference = fn(&dyn Call);

/// A dispatch as its reference sees it: Params, Step, constants, and the elements of its tensors in f64. The elements are
/// cells: a reference reads some tensors and writes others by [`Matrix`] views of the one call.
pub trait Call {
    /// The bytes of Params.
    fn params(&self) -> &[u8];
    /// The value of a constant of the shader; panics where the dispatch does not set it.
    fn constant(&self, name: &str) -> u32;
    /// The step's scalars.
    fn step(&self) -> &Step;
    /// The number of slots of the kernel.
    fn slot_count(&self) -> usize;
    /// The shape of the tensor in a slot.
    fn tensor(&self, slot: usize) -> Tensor;
    /// A float of the tensor in a slot. Rows and columns may reach into the padding.
    fn get(&self, slot: usize, row: usize, col: usize) -> f64;
    /// An integer of the tensor in a slot.
    fn get_u32(&self, slot: usize, row: usize, col: usize) -> u32;
    /// Stores a float.
    fn put(&self, slot: usize, row: usize, col: usize, value: f64);
    /// Stores an integer.
    fn put_u32(&self, slot: usize, row: usize, col: usize, value: u32);
}

/// Reads a Params struct from a [`Call`].
pub fn params<P: bytemuck::AnyBitPattern>(call: &dyn Call) -> P {
    pod(call.params())
}

/// Reads a Params struct from its bytes.
pub fn pod<P: bytemuck::AnyBitPattern>(bytes: &[u8]) -> P {
    bytemuck::pod_read_unaligned(&bytes[..size_of::<P>()])
}

impl dyn Call + '_ {
    /// The tensors in the order of the kernel's slots, to be given names: `let [a, b, c] = call.slots();`. Panics if the
    /// kernel has more or fewer slots.
    pub fn slots<const N: usize>(&self) -> [Matrix<'_>; N] {
        assert_eq!(N, self.slot_count(), "names for the slots of a kernel");
        std::array::from_fn(|slot| Matrix { call: self, slot })
    }
}

/// A view of the tensor in one slot. `get` and `put` take a row and a column; `at` and `set` take an index into the first
/// row, for vectors and for matrices that a kernel sees as flat.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    call: &'a dyn Call,
    slot: usize,
}

impl Matrix<'_> {
    /// The tensor's shape.
    pub fn shape(self) -> Tensor {
        self.call.tensor(self.slot)
    }

    /// Element (row, col), which may lie in the padding.
    pub fn get(self, row: usize, col: usize) -> f64 {
        self.call.get(self.slot, row, col)
    }

    /// Stores element (row, col).
    pub fn put(self, row: usize, col: usize, value: f64) {
        self.call.put(self.slot, row, col, value);
    }

    /// Element i of a vector.
    pub fn at(self, i: usize) -> f64 {
        self.get(0, i)
    }

    /// Stores element i of a vector.
    pub fn set(self, i: usize, value: f64) {
        self.put(0, i, value);
    }

    /// Integer (row, col).
    pub fn get_u32(self, row: usize, col: usize) -> u32 {
        self.call.get_u32(self.slot, row, col)
    }

    /// Stores integer (row, col).
    pub fn put_u32(self, row: usize, col: usize, value: u32) {
        self.call.put_u32(self.slot, row, col, value);
    }

    /// Integer i of a vector.
    pub fn at_u32(self, i: usize) -> u32 {
        self.get_u32(0, i)
    }
}
