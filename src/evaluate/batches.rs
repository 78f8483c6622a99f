//! A plan that makes pictures, run a batch at a time.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::condition::Labels;
use crate::model::ModelConfig;
use crate::model::plans::PicturePlan;
use crate::plan::{Step, Tensor};

/// The plan on a device.
pub struct Batches {
    program: Program,
    pub handles: PicturePlan,
    model: ModelConfig,
}

impl Batches {
    /// Prepares the plan; the parameters are those in `shared`.
    pub fn new(
        gpu: &Arc<Gpu>,
        shared: &mut Shared,
        model: &ModelConfig,
        handles: PicturePlan,
    ) -> Result<Batches> {
        let program = Program::new(gpu, handles.plan.clone(), shared)?;
        Ok(Batches { program, handles, model: model.clone() })
    }

    /// Writes the parameters, for every plan that shares them.
    pub fn write_parameters(&self, arena: &[f32]) {
        self.program.write_f32(self.handles.parameters, arena);
    }

    /// E[x|z] of `count` images [count, D], the draws with those of `seed`. A plan that begins with rows of the host's
    /// is given the tensor for them and all of them; a conditional model makes image i of class `label_of(i)`.
    ///
    /// # Errors
    /// [`Error::Usage`] if the model has no such class; [`Error::Device`].
    pub fn run(
        &mut self,
        count: usize,
        seed: u64,
        rows: Option<(Tensor, &[f32])>,
        label_of: &dyn Fn(usize) -> usize,
    ) -> Result<Vec<f32>> {
        self.read(count, seed, rows, label_of, self.handles.mean)
    }

    /// The same of another tensor of the plan.
    ///
    /// # Errors
    /// As [`Batches::run`].
    pub fn read(
        &mut self,
        count: usize,
        seed: u64,
        rows: Option<(Tensor, &[f32])>,
        label_of: &dyn Fn(usize) -> usize,
        wanted: Tensor,
    ) -> Result<Vec<f32>> {
        let batch = wanted.rows;
        let mut images = Vec::with_capacity(count * wanted.cols);
        for (number, first) in (0..count).step_by(batch).enumerate() {
            if let Some((tensor, rows)) = rows {
                let end = count.min(first + batch);
                let mut rows = rows[first * tensor.cols..end * tensor.cols].to_vec();
                rows.resize(batch * tensor.cols, 0.0);
                self.program.write_f32(tensor, &rows);
            }
            let labels: Vec<usize> = (first..first + batch).map(|i| label_of(i.min(count - 1))).collect();
            write_labels(&self.program, self.handles.labels, &self.model, &labels)?;
            let step = Step { step: number as u32, valid_rows: batch as u32, ..super::seeded(seed) };
            self.program.submit(&[step])?;
            images.extend(self.program.read_f32(wanted)?);
        }
        images.truncate(count * wanted.cols);
        Ok(images)
    }
}

/// Tells a conditional model the labels of a batch.
pub fn write_labels(
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
