//! Buffers that kernels read as images.
//!
//! On software adapters a load from a storage buffer takes the lanes one by one, and a load from an image takes the four
//! floats of a texel at once. So some variants of kernels read a copy of a buffer in an image, [`IMAGE_WIDTH`] texels
//! wide: texel i, floats 4 i to 4 i + 3 of the buffer, lies at column i % IMAGE_WIDTH of row i / IMAGE_WIDTH. A plan names
//! buffers only. Which images exist, and when they are copied anew, follows from the slots of its dispatches.

use super::slot::{Access, Form};
use super::tensor::{BufferId, Tensor};
use super::{Dispatch, Plan};

/// Texels in a row of an image: its bytes are a multiple of the 256 that WebGPU wants of a row that is copied.
pub const IMAGE_WIDTH: usize = 1024;

/// The most rows of an image: what adapters with images must allow.
pub const IMAGE_HEIGHT: usize = 16_384;

/// The most words of a buffer that has an image: 256 MiB.
pub const IMAGE_WORDS: usize = 4 * IMAGE_WIDTH * IMAGE_HEIGHT;

impl Plan {
    /// Whether the buffer of this tensor is small enough for an image.
    pub fn fits_image(&self, tensor: &Tensor) -> bool {
        self.buffers[self.home(tensor.buffer).0].words <= IMAGE_WORDS
    }

    /// For each dispatch, the buffers that must be copied to their images before it: those that it reads as images and that
    /// were written since they were last copied in this step. Whatever was copied in an earlier step counts as stale, for
    /// other plans and the host write buffers too.
    pub fn copies(&self) -> Vec<Vec<BufferId>> {
        let mut fresh = vec![false; self.buffers.len()];
        let copies_before = |(number, dispatch): (usize, &Dispatch)| {
            let mut copies = Vec::new();
            // What others have is written by the host.
            for exchange in self.exchanges.iter().filter(|exchange| exchange.after == number) {
                fresh[self.home(exchange.to.buffer).0] = false;
            }
            for (slot, tensor) in dispatch.kernel.slots.iter().zip(&dispatch.tensors) {
                let home = self.home(tensor.buffer);
                if slot.form == Form::Image && !fresh[home.0] {
                    fresh[home.0] = true;
                    copies.push(home);
                }
            }
            for (slot, tensor) in dispatch.kernel.slots.iter().zip(&dispatch.tensors) {
                if slot.access == Access::Write {
                    fresh[self.home(tensor.buffer).0] = false;
                }
            }
            copies
        };
        self.dispatches.iter().enumerate().map(copies_before).collect()
    }
}

#[cfg(test)]
mod tests;
