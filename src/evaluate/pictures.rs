//! Images that a model makes: samples from the prior, and reconstructions.

use std::sync::Arc;

use crate::error::Result;
use crate::gpu::{Gpu, Program, Shared};
use crate::model::ModelConfig;
use crate::model::plans::{self, PicturePlan};
use crate::plan::Step;

/// Images made at once.
const BATCH: usize = 64;

/// The two plans that make pictures, on a device.
pub struct Pictures {
    sample: (Program, PicturePlan),
    reconstruct: (Program, PicturePlan),
    input: usize,
}

impl Pictures {
    /// Prepares both plans; the parameters are those in `shared`.
    pub fn new(gpu: &Arc<Gpu>, shared: &mut Shared, model: &ModelConfig) -> Result<Pictures> {
        let target = gpu.target();
        let sample = plans::sample(model, target, BATCH, 1.0);
        let reconstruct = plans::reconstruct(model, target, BATCH);
        Ok(Pictures {
            sample: (Program::new(gpu, sample.plan.clone(), shared)?, sample),
            reconstruct: (Program::new(gpu, reconstruct.plan.clone(), shared)?, reconstruct),
            input: model.input,
        })
    }

    /// Writes the parameters, for every plan that shares them.
    pub fn write_parameters(&self, arena: &[f32]) {
        self.sample.0.write_f32(self.sample.1.parameters, arena);
    }

    /// E[x|z] of `count` draws z from the prior: [count, D]. Image i is the same whatever the count.
    pub fn sample(&mut self, count: usize, seed: u64) -> Result<Vec<f32>> {
        let (program, handles) = &mut self.sample;
        let mut images = Vec::with_capacity(count * self.input);
        for first_row in (0..count).step_by(BATCH) {
            let step = Step {
                seed_lo: seed as u32,
                seed_hi: (seed >> 32) as u32,
                first_row: first_row as u32,
                ..Step::default()
            };
            program.submit(&[step])?;
            images.extend(program.read_f32(handles.mean)?);
        }
        images.truncate(count * self.input);
        Ok(images)
    }

    /// E[x|z] at z = mu(x) of each row of x [N, D] in [0, 1].
    pub fn reconstruct(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        let (program, handles) = &mut self.reconstruct;
        let mut images = Vec::with_capacity(x.len());
        for rows in x.chunks(BATCH * self.input) {
            let mut batch = rows.to_vec();
            batch.resize(BATCH * self.input, 0.0);
            if let Some(tensor) = handles.x {
                program.write_f32(tensor, &batch);
            }
            program.submit(&[Step::default()])?;
            images.extend_from_slice(&program.read_f32(handles.mean)?[..rows.len()]);
        }
        Ok(images)
    }
}
