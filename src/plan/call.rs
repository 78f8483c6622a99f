//! What a kernel's CPU reference sees of its dispatch.

use super::{Step, Tensor};

/// A kernel's CPU reference.
pub type Reference = fn(&mut dyn Call);

/// What a reference sees of its dispatch: Params, Step, and the elements of its tensors in f64.
pub trait Call {
    /// The bytes of Params.
    fn params(&self) -> &[u8];
    /// The value of a constant of the shader; panics where the dispatch does not set it.
    fn constant(&self, name: &str) -> u32;
    /// The step's scalars.
    fn step(&self) -> &Step;
    /// The shape of the tensor in a slot.
    fn tensor(&self, slot: usize) -> Tensor;
    /// A float of the tensor in a slot. Rows and columns may reach into the padding.
    fn get(&self, slot: usize, row: usize, col: usize) -> f64;
    /// An integer of the tensor in a slot.
    fn get_u32(&self, slot: usize, row: usize, col: usize) -> u32;
    /// Stores a float.
    fn put(&mut self, slot: usize, row: usize, col: usize, value: f64);
    /// Stores an integer.
    fn put_u32(&mut self, slot: usize, row: usize, col: usize, value: u32);
}

/// Reads a Params struct from a [`Call`].
pub fn params<P: bytemuck::AnyBitPattern>(call: &dyn Call) -> P {
    bytemuck::pod_read_unaligned(&call.params()[..size_of::<P>()])
}
