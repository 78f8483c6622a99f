//! What the kernels of pointwise and Gaussian likelihoods have in common: their parameters and their row sums.

use crate::kernels::params;
use crate::kernels::row_sum::RowSum;
use crate::plan::{Kernel, Needs, Reference, Slot, Trusted};

params! {
    /// R = B K rows, K per datum; D values per row, in so many vectors.
    pub(super) struct Params {
        rows: u32,
        samples: u32,
        dim: u32,
        vectors: u32,
    }
}

/// A kernel of a shader (name, text).
pub(super) const fn kernel(
    (name, source): (&'static str, &'static str),
    entry: &'static str,
    slots: &'static [Slot],
    reference: Reference,
) -> Kernel {
    Kernel {
        name,
        entry,
        source,
        params: Params::FIELDS,
        slots,
        step: false,
        needs: Needs::Nothing,
        trusted: Trusted,
        nodes: None,
        variants: RowSum::variants,
        reference,
    }
}
