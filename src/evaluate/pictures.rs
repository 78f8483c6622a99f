//! Images that a model makes: samples from the prior, and reconstructions.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::condition::Labels;
use crate::model::plans::{self, PicturePlan};
use crate::model::{Kind, ModelConfig};
use crate::plan::{Step, Tensor};

/// Images made at once.
const BATCH: usize = 64;

/// The two plans that make pictures, on a device.
pub struct Pictures {
    /// None for an autoencoder, which has no prior.
    sample: Option<(Program, PicturePlan)>,
    reconstruct: (Program, PicturePlan),
    model: ModelConfig,
}

impl Pictures {
    /// Prepares both plans; the parameters are those in `shared`.
    pub fn new(gpu: &Arc<Gpu>, shared: &mut Shared, model: &ModelConfig) -> Result<Pictures> {
        let target = gpu.target();
        let mut on_device = |handles: PicturePlan| -> Result<_> {
            Ok((Program::new(gpu, handles.plan.clone(), shared)?, handles))
        };
        let sample = match model.kind {
            Kind::Ae => None,
            Kind::Vae | Kind::Iwae => Some(on_device(plans::sample(model, target, BATCH, 1.0))?),
        };
        let reconstruct = on_device(plans::reconstruct(model, target, BATCH))?;
        Ok(Pictures { sample, reconstruct, model: model.clone() })
    }

    /// Writes the parameters, for every plan that shares them.
    pub fn write_parameters(&self, arena: &[f32]) {
        self.reconstruct.0.write_f32(self.reconstruct.1.parameters, arena);
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
        let Some((program, handles)) = &mut self.sample else {
            return Err(Error::Usage("an autoencoder has no prior to draw from: use `reconstruct`".into()));
        };
        let mut images = Vec::with_capacity(count * self.model.input);
        for number in 0..count.div_ceil(BATCH) {
            let first = number * BATCH;
            let labels: Vec<usize> = (first..first + BATCH).map(|i| label_of(i.min(count - 1))).collect();
            write_labels(program, handles.labels, &self.model, &labels)?;
            let step = Step { step: number as u32, valid_rows: BATCH as u32, ..super::seeded(seed) };
            program.submit(&[step])?;
            images.extend(program.read_f32(handles.mean)?);
        }
        images.truncate(count * self.model.input);
        Ok(images)
    }

    /// E[x|z] at z = mu(x) of each row of x [N, D] in [0, 1]; a conditional model is told their N labels.
    ///
    /// # Errors
    /// [`Error::Usage`] if the model has no such class; [`Error::Device`].
    pub fn reconstruct(&mut self, x: &[f32], labels: &[u8]) -> Result<Vec<f32>> {
        self.through(x, labels, |plan| plan.mean)
    }

    /// mu [N, Z] of each row of x, as for [`Pictures::reconstruct`].
    ///
    /// # Errors
    /// As [`Pictures::reconstruct`].
    pub fn codes(&mut self, x: &[f32], labels: &[u8]) -> Result<Vec<f32>> {
        self.through(x, labels, |plan| plan.z)
    }

    /// What the plan of reconstructions computes of each row of x.
    fn through(&mut self, x: &[f32], labels: &[u8], of: fn(&PicturePlan) -> Tensor) -> Result<Vec<f32>> {
        let (program, handles) = &mut self.reconstruct;
        let (input, wanted) = (self.model.input, of(handles));
        let mut found = Vec::with_capacity(x.len() / input * wanted.cols);
        for (number, rows) in x.chunks(BATCH * input).enumerate() {
            let mut batch = rows.to_vec();
            batch.resize(BATCH * input, 0.0);
            if let Some(tensor) = handles.x {
                program.write_f32(tensor, &batch);
            }
            let label_of =
                |row: usize| labels.get(number * BATCH + row).map_or(0, |label| usize::from(*label));
            write_labels(
                program,
                handles.labels,
                &self.model,
                &(0..BATCH).map(label_of).collect::<Vec<_>>(),
            )?;
            program.submit(&[Step { valid_rows: BATCH as u32, ..Step::default() }])?;
            found.extend_from_slice(&program.read_f32(wanted)?[..rows.len() / input * wanted.cols]);
        }
        Ok(found)
    }
}

/// Tells a conditional model the labels of a batch.
pub(super) fn write_labels(
    program: &Program,
    tensors: Option<Labels>,
    model: &ModelConfig,
    labels: &[usize],
) -> Result<()> {
    let Some(tensors) = tensors else { return Ok(()) };
    if let Some(label) = labels.iter().find(|label| **label >= model.classes) {
        let last = model.classes - 1;
        return Err(Error::Usage(format!("label {label}: the model knows the labels 0 to {last}")));
    }
    let words = |numbers: &mut dyn Iterator<Item = usize>| numbers.map(|n| n as u32).collect::<Vec<_>>();
    program.write_u32(tensors.labels, &words(&mut labels.iter().copied()));
    program.write_u32(tensors.order, &words(&mut (0..labels.len())));
    Ok(())
}
