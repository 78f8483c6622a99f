//! The only home of wgpu: choice of the adapter, pipelines, execution of a plan, read-back.

pub mod adapter;
mod device;
mod durations;
mod limits;
mod pacer;
mod program;
pub mod shader;

pub use adapter::{AdapterReport, Selection};
pub use device::{Gpu, Options};
pub use durations::Durations;
pub use limits::Limits;
pub use program::{Clock, Program, Reading, Shared};
