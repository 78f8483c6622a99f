//! Images of buffers, for kernels that read them so: see [`crate::plan::Plan::copies`].

use super::device::{Gpu, IMAGE_FORMAT};
use super::limits::bytes_of;
use crate::error::{Error, Result};
use crate::plan::{Buffer, IMAGE_WIDTH};

/// Bytes of a texel: four floats.
const TEXEL: u64 = 16;
/// Bytes of a row of texels.
const ROW: u64 = TEXEL * IMAGE_WIDTH as u64;

/// The image of a buffer.
pub(super) struct Image {
    buffer: wgpu::Buffer,
    texture: wgpu::Texture,
    /// What kernels bind.
    pub view: wgpu::TextureView,
    /// Texels of the buffer.
    texels: u64,
}

impl Image {
    /// An image of `buffer`, as which `memory` was made.
    pub fn new(gpu: &Gpu, buffer: &Buffer, memory: &wgpu::Buffer, next: &str) -> Result<Image> {
        let texels = bytes_of(buffer) / TEXEL;
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some(&buffer.name),
            size: wgpu::Extent3d {
                width: IMAGE_WIDTH as u32,
                height: texels.div_ceil(IMAGE_WIDTH as u64) as u32,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: IMAGE_FORMAT,
            usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(Error::Device {
                doing: format!(
                    "allocating {} MiB for the image of {}",
                    (TEXEL * texels).div_ceil(1 << 20),
                    buffer.name
                ),
                problem: error.to_string(),
                next: next.to_owned(),
            });
        }
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        Ok(Image { buffer: memory.clone(), texture, view, texels })
    }

    /// Copies the buffer: its whole rows of texels, then the rest.
    pub fn copy(&self, encoder: &mut wgpu::CommandEncoder) {
        let (rows, rest) = (self.texels / IMAGE_WIDTH as u64, self.texels % IMAGE_WIDTH as u64);
        self.copy_rows(encoder, 0, rows as u32, IMAGE_WIDTH as u32);
        self.copy_rows(encoder, rows, 1, rest as u32);
    }

    fn copy_rows(&self, encoder: &mut wgpu::CommandEncoder, first: u64, rows: u32, width: u32) {
        if rows == 0 || width == 0 {
            return;
        }
        encoder.copy_buffer_to_texture(
            wgpu::TexelCopyBufferInfo {
                buffer: &self.buffer,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: first * ROW,
                    bytes_per_row: Some(ROW as u32),
                    rows_per_image: None,
                },
            },
            wgpu::TexelCopyTextureInfo {
                texture: &self.texture,
                mip_level: 0,
                origin: wgpu::Origin3d { x: 0, y: first as u32, z: 0 },
                aspect: wgpu::TextureAspect::All,
            },
            wgpu::Extent3d { width, height: rows, depth_or_array_layers: 1 },
        );
    }
}
