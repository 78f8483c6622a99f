//! What the encoder makes of data, and what the decoder makes of the codes.

use super::runner::{Fed, Runner, STREAM, seeded};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::kernels::gather::Binarize;
use crate::model::{ModelConfig, plans};
use crate::plan::Step;

/// Rows per batch through the encoder alone, on a software adapter.
const SOFTWARE_ROWS: usize = 1024;
/// The same on a real card, which runs more rows in parallel.
const CARD_ROWS: usize = 8192;

/// Runs data through the encoder and, on request, the mean code through the decoder.
pub struct Encoder {
    fed: Fed<plans::CodePorts>,
    model: ModelConfig,
}

/// One batch of B data, each field row by row.
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
    /// A draw z ~ q(z|x) [B, Z], the same as in the ELBO; empty unless requested.
    pub z: Vec<f32>,
    /// E[x|z = mu] [B, D]; empty without the decoder.
    pub mean: Vec<f32>,
}

impl Encoder {
    /// Uploads `split` and prepares the plan of encoder and decoder.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::Device`].
    pub fn new(runner: &mut Runner, split: (&Split, &str), binarize: Binarize) -> Result<Encoder> {
        let (batch, target) = (runner.batch_size(split.0.count), runner.gpu().target());
        let plan = |network: &_, batch: &_| plans::encode(network, target, batch);
        let fed = runner.feed(split, binarize, (batch, 1), plan, |ports| ports.source)?;
        Ok(Encoder { fed, model: runner.model().clone() })
    }

    /// Without the decoder; with `draw`, each datum also gets a z.
    ///
    /// # Errors
    /// [`Error::Usage`] if `draw` is set for an autoencoder, which has no distribution to draw from; [`Error::Device`].
    pub fn of_codes(
        runner: &mut Runner,
        split: (&Split, &str),
        binarize: Binarize,
        draw: bool,
    ) -> Result<Encoder> {
        if draw && !runner.model().has_kl() {
            return Err(Error::Usage("an autoencoder gives one z and no distribution to draw from".into()));
        }
        let target = runner.gpu().target();
        let rows = if target.software { SOFTWARE_ROWS } else { CARD_ROWS };
        let batch = rows.min(runner.rows_within()).min(split.0.count);
        let plan = |network: &_, batch: &_| plans::codes(network, target, batch, draw);
        let fed = runner.feed(split, binarize, (batch, 1), plan, |ports| ports.source)?;
        Ok(Encoder { fed, model: runner.model().clone() })
    }

    /// Passes every batch to `take`, in order. Data binarised at random uses the draws of `seed`, as in the ELBO.
    ///
    /// # Errors
    /// [`Error::Device`], and the errors of `take`.
    pub fn run(&mut self, seed: u64, take: &mut dyn FnMut(&Codes) -> Result<()>) -> Result<()> {
        let (count, batch) = (self.fed.count(), self.fed.batch);
        for first in (0..count).step_by(batch) {
            let rows = batch.min(count - first);
            self.fed.submit(&mut [Step {
                step: (first / batch) as u32,
                stream: STREAM,
                first_row: first as u32,
                valid_rows: rows as u32,
                ..seeded(seed)
            }])?;
            let prepared = &self.fed.prepared;
            let plans::CodePorts { x, head, z, mean, .. } = prepared.ports;
            let (dim, latent) = (self.model.input, self.model.latent);
            let head = prepared.read(Some(head))?;
            let (mu, log_var) = self.model.family().latent.split(latent, &head);
            let keep = |mut values: Vec<f32>, width: usize| {
                values.truncate(rows * width);
                values
            };
            take(&Codes {
                first,
                x: keep(prepared.read(mean.map(|_| x))?, dim),
                mu: keep(mu, latent),
                log_var: keep(log_var, latent),
                z: keep(prepared.read(z)?, latent),
                mean: keep(prepared.read(mean)?, dim),
            })?;
        }
        Ok(())
    }
}
