//! A model as one HTML file that runs the project's own kernels in a browser, through WebGPU.
//!
//! A [`Plan`](crate::plan::Plan) is plain data and a shader is plain WGSL, so the page holds both as they are, the weights, and
//! some data with their codes. `page/engine.js` replays the plans as `gpu::Program` does. The page loads nothing and runs
//! nothing but its own script, which its policy names by hash.

mod content;
mod html;
pub mod pack;
mod plans;
mod serial;
mod thumbs;
mod training;

pub use content::{Content, Points};
pub use html::{Figure, Page};
pub use plans::Plans;
pub use serial::Library;
pub use thumbs::Thumbs;
pub use training::{Blobs, MOST_MAPPED, Training};
