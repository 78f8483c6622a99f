//! MNIST's training images, on the device.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use brotli_decompressor::Decompressor;
use burn::prelude::*;
use burn::tensor::{DType, Distribution, FloatDType};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// Draws batches in a new random order each epoch; drops a short last batch.
pub struct Batches {
    device: Device,
    /// Grey values [N, D] from 0 to 255: exact in half precision, in which they fit the 128 MiB binding limit of many
    /// adapters.
    images: Tensor<2>,
    order: Tensor<1, Int>,
    rng: StdRng,
    count: usize,
    next: usize,
    size: usize,
}

impl Batches {
    pub fn open(path: &Path, size: usize, seed: u64, device: &Device) -> io::Result<Batches> {
        let (bytes, count, dim) = read_idx(path)?;
        if !(1..=count).contains(&size) {
            return Err(io::Error::other(format!("--batch {size}: there are {count} images")));
        }
        let values: Vec<f32> = bytes.into_iter().map(f32::from).collect();
        let images = Tensor::from_data(TensorData::new(values, [count, dim]), (device, DType::F16));
        let order = Tensor::zeros([count], device);
        let rng = StdRng::seed_from_u64(seed);
        Ok(Batches { device: device.clone(), images, order, rng, count, next: count, size })
    }

    /// x [B, D]: each pixel 1 with its grey value as the probability.
    pub fn draw(&mut self) -> Tensor<2> {
        if self.next + self.size > self.count {
            let mut order: Vec<i32> = (0..self.count as i32).collect();
            order.shuffle(&mut self.rng);
            self.order = Tensor::from_data(TensorData::new(order, [self.count]), &self.device);
            self.next = 0;
        }
        let rows = self.order.clone().slice([self.next..self.next + self.size]);
        self.next += self.size;
        let p = self.images.clone().select(0, rows).cast(FloatDType::F32) / 255.0;
        p.random_like(Distribution::Default).lower(p).float()
    }

    /// D: pixels per image.
    pub fn dim(&self) -> usize {
        self.images.dims()[1]
    }
}

/// The bytes of an IDX file of images, packed with Brotli, their number, and the pixels of one.
fn read_idx(path: &Path) -> io::Result<(Vec<u8>, usize, usize)> {
    let mut bytes = Vec::new();
    Decompressor::new(File::open(path)?, 1 << 16).read_to_end(&mut bytes)?;
    let wrong = || io::Error::other(format!("{} is not an IDX file of images", path.display()));
    let word = |i: usize| bytes.get(4 * i..4 * i + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let (Some(0x0803), Some(count), Some(height), Some(width)) = (word(0), word(1), word(2), word(3)) else {
        return Err(wrong());
    };
    let (count, dim) = (count as usize, height as usize * width as usize);
    let pixels = bytes.split_off(16);
    if pixels.len() != count * dim {
        return Err(wrong());
    }
    Ok((pixels, count, dim))
}
