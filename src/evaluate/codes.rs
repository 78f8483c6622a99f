//! What the encoder makes of data, and the decoder of that.

use std::sync::Arc;

use super::{Feed, STREAM, batch_size, seeded};
use crate::data::Split;
use crate::error::Result;
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::gather::Binarize;
use crate::model::plans::{self, Batch, EncodePlan};
use crate::model::{Kind, ModelConfig};
use crate::plan::{PAD, Step, round_up};

/// Runs data through the encoder and its mean code through the decoder.
pub struct Encoder {
    program: Program,
    handles: EncodePlan,
    feed: Feed,
    model: ModelConfig,
    count: usize,
    batch: usize,
}

/// One batch of B data, each part row by row.
#[derive(Clone, Debug, Default)]
pub struct Codes {
    /// Number of the first datum.
    pub first: usize,
    /// x [B, D], as the encoder read it.
    pub x: Vec<f32>,
    /// mu [B, Z]; z itself in an autoencoder.
    pub mu: Vec<f32>,
    /// log sigma^2 [B, Z]; empty in an autoencoder.
    pub log_var: Vec<f32>,
    /// E[x|z = mu] [B, D].
    pub mean: Vec<f32>,
}

impl Encoder {
    /// Uploads `split` and prepares the plan; the parameters are those in `shared`.
    pub fn new(
        gpu: &Arc<Gpu>,
        shared: &mut Shared,
        model: &ModelConfig,
        (split, name): (&Split, &str),
        binarize: Binarize,
    ) -> Result<Encoder> {
        let batch = batch_size(model, split.count);
        let data = Feed::plan(gpu, split, name, binarize.kept(), batch, false);
        let batch_of = Batch { data: data.clone(), size: batch, samples: 1 };
        let handles = plans::encode(model, gpu.target(), &batch_of);
        let program = Program::new(gpu, handles.batch.plan.clone(), shared)?;
        let feed = Feed::new(&program, &handles.batch, &data, split, batch)?;
        feed.write_order(&program, &handles.batch, &(0..split.count as u32).collect::<Vec<_>>());
        Ok(Encoder { program, handles, feed, model: model.clone(), count: split.count, batch })
    }

    /// Writes the parameters.
    pub fn write_parameters(&self, arena: &[f32]) {
        self.program.write_f32(self.handles.batch.parameters, arena);
    }

    /// Hands every batch to `take`, in order. Data that is binarised at random has the draws of `seed`, the same as in
    /// the ELBO.
    pub fn run(&mut self, seed: u64, take: &mut dyn FnMut(&Codes) -> Result<()>) -> Result<()> {
        let order: Vec<u32> = (0..self.count as u32).collect();
        for first in (0..self.count).step_by(self.batch) {
            let rows = self.batch.min(self.count - first);
            let mut steps = [Step {
                step: (first / self.batch) as u32,
                stream: STREAM,
                first_row: first as u32,
                valid_rows: rows as u32,
                ..seeded(seed)
            }];
            self.feed.submit(&mut self.program, &self.handles.batch, &mut steps, &order)?;
            let EncodePlan { x, head, mean, .. } = self.handles;
            let head = self.program.read_f32(head)?;
            let (mu, log_var) = split_head(&self.model, &head);
            let keep = |mut values: Vec<f32>, width: usize| {
                values.truncate(rows * width);
                values
            };
            let (dim, latent) = (self.model.input, self.model.latent);
            take(&Codes {
                first,
                x: keep(self.program.read_f32(x)?, dim),
                mu: keep(mu, latent),
                log_var: keep(log_var, latent),
                mean: keep(self.program.read_f32(mean)?, dim),
            })?;
        }
        Ok(())
    }
}

/// mu and log_var [B, Z] out of the rows of the head; log_var is empty in an autoencoder.
pub(super) fn split_head(model: &ModelConfig, head: &[f32]) -> (Vec<f32>, Vec<f32>) {
    if model.kind == Kind::Ae {
        return (head.to_vec(), Vec::new());
    }
    let (latent, padded) = (model.latent, round_up(model.latent, PAD));
    let part = |from: usize| {
        let rows = head.chunks_exact(2 * padded).flat_map(|row| &row[from..from + latent]);
        rows.copied().collect()
    };
    (part(0), part(padded))
}
