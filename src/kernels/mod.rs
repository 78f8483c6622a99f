//! The kernels: each file is the host's half of `shaders/NAME.wgsl`, with its Params, its bindings, its grid and its CPU
//! reference. The function with the kernel's name appends a dispatch to a [`Plan`].

pub mod activation;
pub mod adam;
pub mod add;
mod all;
pub mod batch_norm;
pub mod bias_grad;
pub mod clip;
pub mod condition;
pub mod conv;
pub(crate) mod division;
pub mod extent;
pub mod flip;
pub mod free_bits;
pub mod gather;
pub mod importance;
pub mod latent;
pub mod likelihood;
pub mod matmul;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only benchmarks dispatch them"))]
pub mod micro;
#[cfg(test)]
mod nodes;
pub mod norm;
pub mod objective;
pub mod philox;
pub mod picture;
pub mod prior;
pub mod random;
pub mod reference;
pub mod resize;
pub(crate) mod row_sum;
pub mod row_weight;
pub mod tuning;

pub use all::all;

use crate::plan::{Const, Cost, PAD, Plan, Tensor, round_up};

/// Invocations of a workgroup of the element-wise kernels.
pub(crate) const WORKGROUP: u32 = 64;

/// Most rounds of all loops of an invocation: llvmpipe leaves them after 65,535 together, without a word. With room to spare.
pub(crate) const ROUNDS: usize = 50_000;

/// The one specialisation of a kernel that has no constants to set.
pub(crate) fn plain() -> Vec<Vec<Const>> {
    vec![Vec::new()]
}

/// Bytes of these tensors, each moved once.
pub(crate) fn bytes(tensors: &[Tensor]) -> u64 {
    tensors.iter().map(|t| 4 * t.words() as u64).sum()
}

/// The work of an element-wise kernel: `flops` per element of its last tensor.
pub(crate) fn elementwise(flops: u64, tensors: &[Tensor]) -> Cost {
    let elements = tensors.last().map_or(0, |t| (t.rows * t.cols) as u64);
    Cost { flops: flops * elements, bytes: bytes(tensors) }
}

/// A vector with one float per row of a batch, `len` of them, rounded up to whole vec4.
pub(crate) fn row_vector(plan: &mut Plan, name: &str, len: usize) -> Tensor {
    plan.tensor(name, 1, round_up(len, PAD))
}

/// Declares a Params struct of 32-bit fields, with the list of them that a test compares with the shader's.
macro_rules! params {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:ident: $ty:ident,)+ }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
        $vis struct $name { $($vis $field: $ty,)+ }

        impl $name {
            $vis const FIELDS: &'static [$crate::plan::Field] = &[$(
                $crate::plan::Field {
                    name: stringify!($field),
                    offset: std::mem::offset_of!($name, $field),
                    ty: stringify!($ty),
                },
            )+];

            /// The bytes for a uniform buffer, padded to a multiple of 16.
            $vis fn to_bytes(self) -> Vec<u8> {
                let mut bytes = bytemuck::bytes_of(&self).to_vec();
                bytes.resize($crate::plan::round_up(bytes.len(), 16), 0);
                bytes
            }
        }
    };
}
pub(crate) use params;

/// The shader with this stem.
macro_rules! shader {
    ($name:literal) => {
        ($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl")))
    };
}
pub(crate) use shader;
