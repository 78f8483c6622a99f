//! The only home of wgpu: choice of the adapter, pipelines, execution of a plan, read-back.

mod adapter;
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
#[doc(hidden)]
pub mod shader;
mod workers;

#[doc(hidden)]
pub use adapter::select;
pub use adapter::{AdapterReport, Selection, adapters};
#[doc(hidden)]
pub use clock::Clock;
pub use device::Gpu;
#[doc(hidden)]
pub use durations::Durations;
#[doc(hidden)]
pub use limits::Limits;
pub use open::DeviceOptions;
#[doc(hidden)]
pub use program::{Program, Shared};
#[doc(hidden)]
pub use read_back::Reading;
