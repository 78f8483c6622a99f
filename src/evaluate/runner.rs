//! A model with its weights on a device; it runs every inference plan.

use std::ops::Range;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::upload::Upload;
use crate::data::Split;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Limits, Program, Shared};
use crate::kernels::condition::Labels;
use crate::kernels::gather::Binarize;
use crate::kernels::objective::TERMS;
use crate::model::plans::{Batch, DeviceData, Planned, Source};
use crate::model::{ModelConfig, Network, PARAMETERS};
use crate::plan::{PAD, Step, Tensor};
use crate::ranks::{Ranks, agree, share};

/// Most numbers per layer and batch: 64 MiB of them fit the largest binding of every real adapter.
const OUTPUTS: usize = 16 << 20;

/// Rows per batch of evaluation.
const BATCH: usize = 500;

/// Added to every stream of the generator, so that evaluation and training never share a draw.
pub(crate) const STREAM: u32 = 16;

/// A step with the draws of `seed`.
pub(super) fn seeded(seed: u64) -> Step {
    Step { seed_lo: seed as u32, seed_hi: (seed >> 32) as u32, ..Step::default() }
}

/// A model on a device. Its plans share its weights.
pub struct Runner {
    gpu: Arc<Gpu>,
    shared: Shared,
    network: Network,
    /// The weights, until the first plan takes them to the device; None if another program writes them.
    weights: Option<Vec<f32>>,
}

impl Runner {
    /// The model with these weights.
    ///
    /// # Errors
    /// [`Error::Usage`] if the model's configuration is not valid.
    pub fn new(gpu: &Arc<Gpu>, model: &ModelConfig, weights: Vec<f32>) -> Result<Runner> {
        let (gpu, shared, network) = (gpu.clone(), Shared::default(), Network::new(model)?);
        Ok(Runner { gpu, shared, network, weights: Some(weights) })
    }

    /// The model whose weights lie in `shared`, written by the trainer.
    pub(crate) fn of(gpu: &Arc<Gpu>, network: Network, shared: Shared) -> Runner {
        Runner { gpu: gpu.clone(), shared, network, weights: None }
    }

    /// The device.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// The layers of the model.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The model's configuration.
    pub fn model(&self) -> &ModelConfig {
        &self.network.config
    }

    /// Prepares a plan of this model.
    pub(crate) fn prepare<P>(&mut self, planned: Planned<P>) -> Result<Prepared<P>> {
        let Planned { plan, ports } = planned;
        let parameters = plan.find(PARAMETERS);
        let program = Program::new(&self.gpu, plan, &mut self.shared)?;
        if let (Some(weights), Some(buffer)) = (self.weights.take(), parameters) {
            let cols = weights.len();
            program.write_f32(Tensor { buffer, offset: 0, rows: 1, cols, stride: cols }, &weights);
        }
        Ok(Prepared { program, ports, classes: self.model().classes })
    }

    /// Prepares a plan that reads batches of a data set.
    pub(super) fn feed<P: Copy>(
        &mut self,
        (split, name): (&Split, &str),
        binarize: Binarize,
        (batch, samples): (usize, usize),
        plan: impl FnOnce(&Network, &Batch) -> Planned<P>,
        source: impl FnOnce(&P) -> Source,
    ) -> Result<Fed<P>> {
        let data: DeviceData = Upload::plan(&self.gpu, split, name, binarize.kept(), batch, false);
        let planned = plan(&self.network, &Batch { data: data.clone(), size: batch, samples });
        let source = source(&planned.ports);
        let prepared = self.prepare(planned)?;
        let feed = Upload::new(&prepared.program, source, &data, split, batch)?;
        let order: Vec<u32> = (0..split.count as u32).collect();
        feed.write_order(&prepared.program, &order);
        Ok(Fed { prepared, feed, order, batch })
    }

    /// Rows per batch for an evaluation of `count` data.
    pub(super) fn batch_size(&self, count: usize) -> usize {
        BATCH.min(self.rows_within()).min(count)
    }

    /// Rows whose terms the device holds together: all, or as many whole batches as fit.
    pub(super) fn window(&self, batch: usize, count: usize) -> usize {
        let most = (self.gpu.limits().storage() / (4 * TERMS as u64)) as usize;
        if count <= most { count } else { (most / batch).max(1) * batch }
    }

    /// [`rows_within`] the adapter's limits.
    pub(super) fn rows_within(&self) -> usize {
        rows_within(&self.network, self.gpu.limits())
    }
}

/// Rows per batch that keep the widest layer within [`OUTPUTS`] and a device's limits.
pub(crate) fn rows_within(network: &Network, limits: Limits) -> usize {
    let widest = network.widest().next_multiple_of(PAD);
    let rows = (limits.storage() / 4).min(OUTPUTS as u64) as usize / widest;
    // A tensor's rows are padded to a multiple of PAD.
    if rows > PAD { rows / PAD * PAD } else { rows.max(1) }
}

/// One of a model's plans on a device.
pub(crate) struct Prepared<P> {
    pub program: Program,
    pub ports: P,
    classes: usize,
}

impl<P> Prepared<P> {
    /// Writes the first rows of a tensor, and zeros after them.
    pub fn write_rows(&self, to: Tensor, rows: &[f32]) {
        let mut values = rows.to_vec();
        values.resize(to.rows * to.cols, 0.0);
        self.program.write_f32(to, &values);
    }

    /// Writes the labels of a batch, for a conditional model.
    ///
    /// # Errors
    /// [`Error::Usage`] if the model lacks such a class.
    pub fn write_labels(&self, tensors: Option<Labels>, labels: &[usize]) -> Result<()> {
        let Some(tensors) = tensors else { return Ok(()) };
        if let Some(label) = labels.iter().find(|label| **label >= self.classes) {
            let last = self.classes - 1;
            return Err(Error::Usage(format!("label {label}: the model knows the labels 0 to {last}")));
        }
        let words = |numbers: &mut dyn Iterator<Item = usize>| numbers.map(|n| n as u32).collect::<Vec<_>>();
        self.program.write_u32(tensors.labels, &words(&mut labels.iter().copied()));
        self.program.write_u32(tensors.order, &words(&mut (0..labels.len())));
        Ok(())
    }

    /// A tensor's values; empty without a tensor.
    pub fn read(&self, tensor: Option<Tensor>) -> Result<Vec<f32>> {
        tensor.map_or_else(|| Ok(Vec::new()), |tensor| self.program.read_f32(tensor))
    }
}

/// A plan that reads batches of a data set.
pub(super) struct Fed<P> {
    pub prepared: Prepared<P>,
    feed: Upload,
    order: Vec<u32>,
    /// B.
    pub batch: usize,
}

impl<P> Fed<P> {
    /// Rows of the data.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// The batches of this rank, which are passed through so many times.
    ///
    /// # Errors
    /// [`crate::error::Error::Ranks`], on all ranks, where they do not divide the same work.
    pub fn share(&self, ranks: &dyn Ranks, rounds: usize) -> Result<Range<usize>> {
        let sizes = [self.count(), self.batch, rounds].map(|size| size as u64);
        let digest = XxHash3_64::oneshot(bytemuck::cast_slice(&sizes));
        agree(
            ranks,
            digest,
            "the rows and batches",
            "give all of them the same data, and devices of one kind",
        )?;
        Ok(share(self.batches().len(), ranks))
    }

    /// All batches.
    pub fn batches(&self) -> Range<usize> {
        0..self.count().div_ceil(self.batch)
    }

    /// The rows of these batches.
    pub fn rows_of(&self, batches: &Range<usize>) -> Range<usize> {
        let begin = (batches.start * self.batch).min(self.count());
        begin..(batches.end * self.batch).clamp(begin, self.count())
    }

    /// Most steps in the next submission.
    pub fn steps_at_once(&self) -> usize {
        self.prepared.program.steps_at_once().min(self.feed.max_steps())
    }

    /// Submits steps that visit the rows in order.
    pub fn submit(&mut self, steps: &mut [Step]) -> Result<()> {
        self.feed.load(&self.prepared.program, steps, &self.order)?;
        self.prepared.program.submit(steps)
    }
}
