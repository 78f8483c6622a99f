//! Images that a model makes: samples from the prior, and reconstructions.

use std::sync::Arc;

use super::batches::Batches;
use super::rows_within;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Shared};
use crate::model::plans;
use crate::model::{Kind, ModelConfig};

/// Images made at once at most.
const BATCH: usize = 64;

/// The two plans that make pictures, on a device.
pub struct Pictures {
    /// None for an autoencoder, which has no prior.
    sample: Option<Batches>,
    reconstruct: Batches,
}

impl Pictures {
    /// Prepares both plans; the parameters are those in `shared`.
    pub fn new(gpu: &Arc<Gpu>, shared: &mut Shared, model: &ModelConfig) -> Result<Pictures> {
        Pictures::with_temperature(gpu, shared, model, 1.0)
    }

    /// The same with samples of z ~ N(0, `temperature`^2 I).
    pub fn with_temperature(
        gpu: &Arc<Gpu>,
        shared: &mut Shared,
        model: &ModelConfig,
        temperature: f32,
    ) -> Result<Pictures> {
        let (target, batch) = (gpu.target(), BATCH.min(rows_within(gpu, model)));
        let sample = match model.kind {
            Kind::Ae => None,
            Kind::Vae | Kind::Iwae => {
                let plan = plans::sample(model, target, batch, temperature);
                Some(Batches::new(gpu, shared, model, plan)?)
            }
        };
        let reconstruct = Batches::new(gpu, shared, model, plans::reconstruct(model, target, batch))?;
        Ok(Pictures { sample, reconstruct })
    }

    /// Writes the parameters, for every plan that shares them.
    pub fn write_parameters(&self, arena: &[f32]) {
        self.reconstruct.write_parameters(arena);
    }

    /// Whether there is a prior to draw from.
    pub fn can_sample(&self) -> bool {
        self.sample.is_some()
    }

    /// E[x|z] of `count` draws z from the prior: [count, D]. Image i is the same whatever the count. A conditional model
    /// makes image i of class `label_of(i)`.
    ///
    /// # Errors
    /// [`Error::Usage`] if the model is an autoencoder or has no such class; [`Error::Device`].
    pub fn sample(&mut self, count: usize, seed: u64, label_of: impl Fn(usize) -> usize) -> Result<Vec<f32>> {
        let Some(sample) = &mut self.sample else {
            return Err(Error::Usage("an autoencoder has no prior to draw from: use `reconstruct`".into()));
        };
        sample.run(count, seed, None, &label_of)
    }

    /// E[x|z] at z = mu(x) of each row of x [N, D]; a conditional model is told their N labels.
    ///
    /// # Errors
    /// [`Error::Usage`] if the model has no such class; [`Error::Device`].
    pub fn reconstruct(&mut self, x: &[f32], labels: &[u32]) -> Result<Vec<f32>> {
        let tensor = self.reconstruct.handles.x.expect("the plan begins with x");
        let label_of = |row: usize| labels.get(row).map_or(0, |label| *label as usize);
        self.reconstruct.run(x.len() / tensor.cols, 0, Some((tensor, x)), &label_of)
    }

    /// mu [N, Z] of each row of x, as for [`Pictures::reconstruct`].
    ///
    /// # Errors
    /// As [`Pictures::reconstruct`].
    pub fn codes(&mut self, x: &[f32], labels: &[u32]) -> Result<Vec<f32>> {
        let tensor = self.reconstruct.handles.x.expect("the plan begins with x");
        let label_of = |row: usize| labels.get(row).map_or(0, |label| *label as usize);
        let z = self.reconstruct.handles.z;
        self.reconstruct.read(x.len() / tensor.cols, 0, Some((tensor, x)), &label_of, z)
    }
}
