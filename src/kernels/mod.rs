//! The kernels: each file is the host's half of `shaders/NAME.wgsl`, with its Params, its bindings, its grid
//! and its CPU reference. A function named like the kernel appends a dispatch to a [`Plan`].

pub mod activation;
pub mod adam;
pub mod bias_grad;
pub mod clip;
pub mod condition;
pub mod free_bits;
pub mod gather;
pub mod importance;
pub mod latent;
pub mod likelihood;
pub mod matmul;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only benchmarks dispatch them"))]
pub mod micro;
pub mod objective;
pub mod philox;
pub mod prior;
pub mod reference;
pub mod row_weight;
pub mod tuning;

use crate::plan::{Const, Cost, Kernel, PAD, Plan, Target, Tensor, round_up};

/// Every kernel of the crate: what `vae-gpu check` and the tests walk.
pub fn all() -> Vec<&'static Kernel> {
    let mut kernels: Vec<&'static Kernel> = vec![
        &philox::WORDS,
        &philox::UNIFORMS,
        &philox::NORMALS,
        &gather::GATHER,
        &activation::ACTIVATION,
        &latent::FORWARD,
        &latent::FORWARD_RATIO,
        &latent::TRAINING,
        &latent::BACKWARD,
        &latent::BACKWARD_FREE_BITS,
        &latent::BACKWARD_RATIO,
        &latent::MEAN,
        &condition::CONDITION,
        &free_bits::FREE_BITS,
        &prior::PRIOR,
        &row_weight::ROW_WEIGHT,
        &importance::WEIGHTS,
        &importance::ACCUMULATE,
        &objective::BATCH_SUM,
        &objective::COLLECT,
        &bias_grad::BIAS_GRAD,
        &clip::SQUARES,
        &clip::FACTOR,
        &adam::ADAM,
        &adam::CLIPPED,
        &micro::MULTIPLY_ADD,
        &micro::COPY,
        &micro::LATENCY,
    ];
    kernels.extend(matmul::KERNELS);
    for likelihood in likelihood::TABLE {
        kernels.extend([likelihood.forward, likelihood.fused, likelihood.backward, likelihood.mean]);
    }
    kernels
}

/// Invocations of a workgroup of the element-wise kernels.
pub(crate) const WORKGROUP: u32 = 64;

/// How kernels that sum rows divide them: invocations of a workgroup, and how many neighbours share a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    pub workgroup: u32,
    pub lanes: u32,
}

impl Rows {
    /// One invocation a row where barriers are dear, and then small workgroups, so that a few rows are enough for all
    /// cores.
    const SOFTWARE: Rows = Rows { workgroup: 8, lanes: 1 };
    const CARD: Rows = Rows { workgroup: WORKGROUP, lanes: 32 };

    /// The division for a device.
    pub fn of(target: &Target) -> Rows {
        if target.software { Rows::SOFTWARE } else { Rows::CARD }
    }

    /// Every set of constants that a plan may ask for.
    pub fn variants() -> Vec<Vec<Const>> {
        [Rows::SOFTWARE, Rows::CARD].map(|rows| rows.consts()).to_vec()
    }

    /// The constants of the shader.
    pub fn consts(self) -> Vec<Const> {
        vec![("WORKGROUP", self.workgroup), ("ROW_LANES", self.lanes)]
    }

    /// Workgroups for `rows` rows.
    pub fn grid(self, rows: usize) -> [u32; 3] {
        [(rows * self.lanes as usize).div_ceil(self.workgroup as usize) as u32, 1, 1]
    }
}

/// The one specialisation of a kernel without constants to set.
pub(crate) fn plain() -> Vec<Vec<Const>> {
    vec![Vec::new()]
}

/// Bytes of these tensors, each moved once.
pub(crate) fn bytes(tensors: &[Tensor]) -> u64 {
    tensors.iter().map(|t| 4 * t.words() as u64).sum()
}

/// The work of an element-wise kernel: `flops` an element of its last tensor.
pub(crate) fn elementwise(flops: u64, tensors: &[Tensor]) -> Cost {
    let elements = tensors.last().map_or(0, |t| (t.rows * t.cols) as u64);
    Cost { flops: flops * elements, bytes: bytes(tensors) }
}

/// A row of `len` floats that holds one number for each row of a batch, rounded up to whole vectors.
pub(crate) fn row_vector(plan: &mut Plan, name: &str, len: usize) -> Tensor {
    plan.tensor(name, 1, round_up(len, PAD))
}

/// Declares a Params struct of 32-bit fields with the list of fields that a test compares with the shader's.
macro_rules! params {
    ($(#[$meta:meta])* struct $name:ident { $($field:ident: $ty:ident,)+ }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
        struct $name { $($field: $ty,)+ }

        impl $name {
            const FIELDS: &'static [$crate::plan::Field] = &[$(
                $crate::plan::Field {
                    name: stringify!($field),
                    offset: std::mem::offset_of!($name, $field),
                    ty: stringify!($ty),
                },
            )+];

            /// The bytes as a uniform buffer holds them: a multiple of 16.
            fn to_bytes(self) -> Vec<u8> {
                let mut bytes = bytemuck::bytes_of(&self).to_vec();
                bytes.resize($crate::plan::round_up(bytes.len(), 16), 0);
                bytes
            }
        }
    };
}
pub(crate) use params;

/// The text of a shader, by its stem.
macro_rules! shader {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl"))
    };
}
pub(crate) use shader;
