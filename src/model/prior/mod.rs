//! The prior p(z): one file each, and one line in [`PRIORS`].

mod density;
mod standard;

pub use density::Prior;
pub(super) use standard::STANDARD;

/// Every prior.
pub static PRIORS: &[&dyn Prior] = &[&standard::STANDARD];
