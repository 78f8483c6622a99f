//! What the decoder makes of codes.

use std::sync::Arc;

use super::batches::Batches;
use crate::error::Result;
use crate::gpu::{Gpu, Shared};
use crate::model::{ModelConfig, plans};

/// Runs codes of the host's choice through the decoder.
pub struct Decoder {
    batches: Batches,
    classes: usize,
}

impl Decoder {
    /// Prepares the plan, for about `count` codes at a time; the parameters are those in `shared`.
    pub fn new(gpu: &Arc<Gpu>, shared: &mut Shared, model: &ModelConfig, count: usize) -> Result<Decoder> {
        let batch = super::batch_size(gpu, model, count.max(1));
        let batches = Batches::new(gpu, shared, model, plans::decode(model, gpu.target(), batch))?;
        Ok(Decoder { batches, classes: model.classes })
    }

    /// Writes the parameters.
    pub fn write_parameters(&self, arena: &[f32]) {
        self.batches.write_parameters(arena);
    }

    /// E[x|z] [N, D] of each row of z [N, Z]. A conditional model is told their N labels, others none.
    ///
    /// # Errors
    /// [`crate::error::Error::Usage`] if the model has no such class; [`crate::error::Error::Device`].
    ///
    /// # Panics
    /// If z is no whole number of rows, or a conditional model has not a label for each.
    pub fn decode(&mut self, z: &[f32], labels: &[u32]) -> Result<Vec<f32>> {
        let tensor = self.batches.handles.z;
        let count = z.len() / tensor.cols;
        assert_eq!(count * tensor.cols, z.len(), "rows of {} numbers", tensor.cols);
        assert!(self.classes == 0 || labels.len() == count, "{} labels of {count} codes", labels.len());
        let label_of = |row: usize| labels.get(row).map_or(0, |label| *label as usize);
        self.batches.run(count, 0, Some((tensor, z)), &label_of)
    }
}
