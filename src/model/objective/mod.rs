//! The objectives that training maximises: one file and one line in [`OBJECTIVES`] each.

mod bound;
mod elbo;
mod importance;
mod reconstruction;

pub use bound::{Job, Objective, Parts};
pub(super) use elbo::ELBO;
pub(super) use importance::IMPORTANCE;
pub(super) use reconstruction::RECONSTRUCTION;

/// Every objective.
pub static OBJECTIVES: &[&dyn Objective] =
    &[&elbo::ELBO, &importance::IMPORTANCE, &reconstruction::RECONSTRUCTION];
