//! Allocation of device memory, with errors that name the buffer.

use super::device::Gpu;
use crate::error::{Error, Result};

/// A buffer of the program itself, besides those of its plan.
pub(super) fn create(gpu: &Gpu, name: &str, bytes: usize, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
    allocate(
        gpu,
        name,
        bytes,
        usage,
        "close other programs that use the GPU, or use another adapter (`run.device`)",
    )
}

/// A buffer, or an error that names it if memory runs out.
pub(super) fn allocate(
    gpu: &Gpu,
    name: &str,
    bytes: usize,
    usage: wgpu::BufferUsages,
    next: &str,
) -> Result<wgpu::Buffer> {
    let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(name),
        size: bytes as u64,
        usage: usage | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    match pollster::block_on(scope.pop()) {
        None => Ok(buffer),
        Some(error) => Err(Error::Device {
            doing: format!("allocating {} MiB for {name}", (bytes as u64).div_ceil(1 << 20)),
            problem: error.to_string(),
            next: next.to_owned(),
        }),
    }
}
