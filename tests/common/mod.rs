//! Shared by the tests.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod model;

use std::sync::Arc;

use vae_gpu::gpu::{DeviceOptions, Gpu, Limits};

/// The adapter that `VAE_GPU_DEVICE` names, or the best. Panics if there is none.
pub fn gpu() -> Arc<Gpu> {
    gpu_within(Limits::default())
}

/// The same adapter, as if these were its limits.
pub fn gpu_within(limits: Limits) -> Arc<Gpu> {
    let name = std::env::var("VAE_GPU_DEVICE").unwrap_or_else(|_| "auto".into());
    let Ok(selection) = name.parse();
    Gpu::open(&DeviceOptions { selection, limits, ..DeviceOptions::default() })
        .unwrap_or_else(|e| panic!("VAE_GPU_DEVICE={name}: {e}"))
}
