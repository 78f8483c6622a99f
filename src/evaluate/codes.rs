//! What the encoder makes of data, and the decoder of that.

use std::sync::Arc;

use super::{Feed, STREAM, batch_size, rows_within, seeded};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Program, Shared};
use crate::kernels::gather::Binarize;
use crate::model::plans::{self, Batch, EncodePlan};
use crate::model::{Kind, ModelConfig};
use crate::plan::{PAD, Step, Tensor, round_up};

/// Rows of a batch that passes through the encoder alone, on a software adapter.
const SOFTWARE_ROWS: usize = 1024;
/// The same on a real card, which has more to do at once.
const CARD_ROWS: usize = 8192;

/// Runs data through the encoder and, where that is asked for, its mean code through the decoder.
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
    /// x [B, D], as the encoder read it; empty without the decoder.
    pub x: Vec<f32>,
    /// mu [B, Z]; z itself in an autoencoder.
    pub mu: Vec<f32>,
    /// log sigma^2 [B, Z]; empty in an autoencoder.
    pub log_var: Vec<f32>,
    /// A draw z ~ q(z|x) [B, Z], the same as in the ELBO; empty where none was asked for.
    pub z: Vec<f32>,
    /// E[x|z = mu] [B, D]; empty without the decoder.
    pub mean: Vec<f32>,
}

impl Encoder {
    /// Uploads `split` and prepares the plan of encoder and decoder; the parameters are those in `shared`.
    pub fn new(
        gpu: &Arc<Gpu>,
        shared: &mut Shared,
        model: &ModelConfig,
        split: (&Split, &str),
        binarize: Binarize,
    ) -> Result<Encoder> {
        let batch = batch_size(gpu, model, split.0.count);
        let plan = |batch: &Batch| plans::encode(model, gpu.target(), batch);
        Encoder::with_plan(gpu, shared, model, split, binarize, (batch, &plan))
    }

    /// The same without the decoder; with `draw`, each datum has a z too.
    ///
    /// # Errors
    /// [`Error::Usage`] if an autoencoder, which has nothing to draw from, is asked to; [`Error::Device`].
    pub fn of_codes(
        gpu: &Arc<Gpu>,
        shared: &mut Shared,
        model: &ModelConfig,
        split: (&Split, &str),
        binarize: Binarize,
        draw: bool,
    ) -> Result<Encoder> {
        if draw && model.kind == Kind::Ae {
            return Err(Error::Usage("an autoencoder gives one z and no distribution to draw from".into()));
        }
        let rows = if gpu.target().software { SOFTWARE_ROWS } else { CARD_ROWS };
        let batch = rows.min(rows_within(gpu, model)).min(split.0.count);
        let plan = |batch: &Batch| plans::codes(model, gpu.target(), batch, draw);
        Encoder::with_plan(gpu, shared, model, split, binarize, (batch, &plan))
    }

    fn with_plan(
        gpu: &Arc<Gpu>,
        shared: &mut Shared,
        model: &ModelConfig,
        (split, name): (&Split, &str),
        binarize: Binarize,
        (batch, plan): (usize, &dyn Fn(&Batch) -> EncodePlan),
    ) -> Result<Encoder> {
        let data = Feed::plan(gpu, split, name, binarize.kept(), batch, false);
        let handles = plan(&Batch { data: data.clone(), size: batch, samples: 1 });
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
            let EncodePlan { x, head, z, mean, .. } = self.handles;
            let head = self.program.read_f32(head)?;
            let (mu, log_var) = split_head(&self.model, &head);
            let keep = |mut values: Vec<f32>, width: usize| {
                values.truncate(rows * width);
                values
            };
            let (dim, latent) = (self.model.input, self.model.latent);
            take(&Codes {
                first,
                x: keep(self.read(mean.map(|_| x))?, dim),
                mu: keep(mu, latent),
                log_var: keep(log_var, latent),
                z: keep(self.read(z)?, latent),
                mean: keep(self.read(mean)?, dim),
            })?;
        }
        Ok(())
    }

    /// A tensor's values; none of no tensor.
    fn read(&self, tensor: Option<Tensor>) -> Result<Vec<f32>> {
        tensor.map_or_else(|| Ok(Vec::new()), |tensor| self.program.read_f32(tensor))
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
