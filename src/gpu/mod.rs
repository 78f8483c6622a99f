//! The only home of wgpu: choice of the adapter, pipelines, execution of a plan, read-back.

pub mod adapter;
mod allocate;
mod clock;
mod device;
mod durations;
mod images;
mod limits;
mod open;
mod pacer;
mod program;
mod read_back;
pub mod shader;

pub use adapter::{AdapterReport, Selection};
pub use clock::Clock;
pub use device::Gpu;
pub use durations::Durations;
pub use limits::Limits;
pub use open::DeviceOptions;
pub use program::{Program, Shared};
pub use read_back::Reading;
