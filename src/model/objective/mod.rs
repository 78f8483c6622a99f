//! The objectives that training maximises: one file each. [`FAMILIES`](super::FAMILIES)
//! combines them.

mod bound;
mod elbo;
mod importance;
mod reconstruction;

pub use bound::{Job, Objective, Parts};
pub(super) use elbo::ELBO;
pub(super) use importance::IMPORTANCE;
pub(super) use reconstruction::RECONSTRUCTION;
