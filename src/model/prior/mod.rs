//! The priors p(z): one file and one line in [`PRIORS`] each.

mod density;
mod standard;

pub use density::Prior;
pub(super) use standard::STANDARD;

/// Every prior.
pub static PRIORS: &[&dyn Prior] = &[&standard::STANDARD];
