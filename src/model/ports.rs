//! A plan with its typed ports: the tensors that the host writes and reads.

use crate::kernels::condition::Labels;
use crate::plan::{Plan, Tensor};

/// A plan and its ports.
#[derive(Clone, Debug)]
pub struct Planned<P> {
    /// The plan.
    pub plan: Plan,
    /// What the host writes and reads.
    pub ports: P,
}

/// Ports: the tensors that keep their memory to themselves.
pub trait Ports {
    /// All of them.
    fn tensors(&self) -> Vec<Tensor>;
}

impl<P: Ports> Planned<P> {
    /// A finished plan, whose private buffers then share memory where their lives do not overlap.
    pub(super) fn new(mut plan: Plan, ports: P) -> Planned<P> {
        let keep: Vec<_> = ports.tensors().iter().map(|tensor| tensor.buffer).collect();
        plan.share_memory(&keep);
        Planned { plan, ports }
    }
}

/// Where batches come from on the device.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The data: bytes [N, D / 4] or floats [N, D], each row padded to four values.
    pub data: Tensor,
    /// The order [1, N] in which rows are visited.
    pub order: Tensor,
    /// The class [1, N] of each row of the whole data set, in a conditional model.
    pub labels: Option<Tensor>,
}

/// The ports of a training step.
#[derive(Clone, Copy, Debug)]
pub struct TrainPorts {
    /// The data.
    pub source: Source,
    /// The terms of the objective [history, 4], summed over a batch.
    pub history: Tensor,
    /// All parameters [1, P].
    pub parameters: Tensor,
    /// All gradients [1, P].
    pub gradients: Tensor,
    /// Adam's first moment [1, P].
    pub moment1: Tensor,
    /// Adam's second moment [1, P].
    pub moment2: Tensor,
}

impl Ports for TrainPorts {
    fn tensors(&self) -> Vec<Tensor> {
        vec![self.history]
    }
}

/// The ports of a plan that says something about every datum.
#[derive(Clone, Copy, Debug)]
pub struct TermPorts {
    /// The data.
    pub source: Source,
    /// A row [N, 4] for each datum.
    pub rows: Tensor,
}

impl Ports for TermPorts {
    fn tensors(&self) -> Vec<Tensor> {
        vec![self.rows]
    }
}

/// The ports of a plan that shows what the model makes of a batch.
#[derive(Clone, Copy, Debug)]
pub struct CodePorts {
    /// The data.
    pub source: Source,
    /// What the encoder reads [B, D].
    pub x: Tensor,
    /// The latent's parts [B, heads]: mu and log_var, or z of an autoencoder.
    pub head: Tensor,
    /// A draw z ~ q(z|x) [B, Z], where the plan makes one.
    pub z: Option<Tensor>,
    /// E[x|z] [B, D] at the mean of q(z|x), where the plan has the decoder.
    pub mean: Option<Tensor>,
}

impl Ports for CodePorts {
    fn tensors(&self) -> Vec<Tensor> {
        [Some(self.x), Some(self.head), self.z, self.mean].into_iter().flatten().collect()
    }
}

/// The ports of a plan that begins with rows of the host's: x, z, or nothing where z is drawn.
#[derive(Clone, Copy, Debug)]
pub struct RowPorts {
    /// What the encoder reads [B, D], where the plan has it.
    pub x: Option<Tensor>,
    /// The labels, in a conditional model.
    pub labels: Option<Labels>,
    /// The latent's parts [B, heads], where the plan has the encoder.
    pub head: Option<Tensor>,
    /// What the decoder reads [B, Z], where the plan has it.
    pub z: Option<Tensor>,
    /// The decoder's output [B, heads], where it is asked for.
    pub out: Option<Tensor>,
    /// E[x|z] [B, D], where the plan makes it.
    pub mean: Option<Tensor>,
    /// log p(x|z) of one sample of z [1, B], and the KL [1, B], where the plan has them.
    pub terms: Option<(Tensor, Tensor)>,
}

impl Ports for RowPorts {
    fn tensors(&self) -> Vec<Tensor> {
        let (labels, order) = self.labels.map(|of| (of.labels, of.order)).unzip();
        let (log_p, kl) = self.terms.unzip();
        [self.x, labels, order, self.head, self.z, self.out, self.mean, log_p, kl]
            .into_iter()
            .flatten()
            .collect()
    }
}
