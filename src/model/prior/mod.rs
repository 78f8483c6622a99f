//! The priors p(z): one file each. [`FAMILIES`](super::FAMILIES) combines them.

mod density;
mod standard;

pub use density::Prior;
pub(super) use standard::STANDARD;
