//! Shared by the benchmarks.

use std::sync::Arc;

use vae_gpu::gpu::{DeviceOptions, Gpu};

/// The adapter that `VAE_GPU_DEVICE` names, or the best, opened as the command opens it.
pub fn gpu() -> Arc<Gpu> {
    let Ok(selection) = std::env::var("VAE_GPU_DEVICE").unwrap_or_default().parse();
    Gpu::open(&DeviceOptions { selection, spread_workers: true, ..DeviceOptions::default() })
        .unwrap_or_else(|e| panic!("{e}"))
}
