//! The plans of a model: one training step, one batch of evaluation, reconstructions, samples.

use super::config::ModelConfig;
use super::network::{GRADIENTS, Network, PARAMETERS};
use crate::kernels::gather::{Binarize, Packing, gather};
use crate::kernels::likelihood::{Likelihood, Pass};
use crate::kernels::{adam, latent, objective, prior, row_vector, row_weight};
use crate::plan::{Element, Plan, Role, Target, Tensor};

/// Name of the shared buffer of Adam's first moment.
pub const MOMENT1: &str = "moment1";
/// Name of the shared buffer of Adam's second moment.
pub const MOMENT2: &str = "moment2";

/// A data set on the device: rows of whole words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceData {
    /// Name of its shared buffers, such as `train`.
    pub name: String,
    /// Number of rows on the device.
    pub count: usize,
    /// How values become x.
    pub binarize: Binarize,
    /// How they lie on the device.
    pub packing: Packing,
    /// Whether the rows are those of the next steps only, in their order, instead of the whole data set.
    pub streamed: bool,
}

impl DeviceData {
    /// A data set of bytes that lies on the device as a whole.
    pub fn resident(name: &str, count: usize, binarize: Binarize) -> DeviceData {
        DeviceData { name: name.to_owned(), count, binarize, packing: Packing::Bytes, streamed: false }
    }
}

/// Where a batch comes from, and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The data.
    pub data: DeviceData,
    /// B: rows of a batch.
    pub size: usize,
    /// K: samples of z a row.
    pub samples: usize,
}

/// A plan that reads batches, with the tensors that the host writes and reads.
#[derive(Clone, Debug)]
pub struct BatchPlan {
    /// The plan.
    pub plan: Plan,
    /// All parameters [1, P].
    pub parameters: Tensor,
    /// The data: bytes [N, D / 4] or floats [N, D], each row padded to four values.
    pub data: Tensor,
    /// The order [1, N] in which rows are visited.
    pub order: Tensor,
    /// The terms of the ELBO: sums of a batch [history, 4] in training, every datum's [N, 4] in evaluation.
    pub terms: Tensor,
}

/// The plan of a training step, with what a checkpoint holds.
#[derive(Clone, Debug)]
pub struct TrainPlan {
    /// The plan and its batch.
    pub batch: BatchPlan,
    /// All gradients [1, P].
    pub gradients: Tensor,
    /// Adam's first moment [1, P].
    pub moment1: Tensor,
    /// Adam's second moment [1, P].
    pub moment2: Tensor,
}

/// A plan that makes pictures.
#[derive(Clone, Debug)]
pub struct PicturePlan {
    /// The plan.
    pub plan: Plan,
    /// All parameters [1, P].
    pub parameters: Tensor,
    /// What the encoder reads [B, D]; the plan of samples has none.
    pub x: Option<Tensor>,
    /// E[x|z] [B, D].
    pub mean: Tensor,
}

/// One step of training: batch, ELBO, all gradients, Adam. The history has `history` rows.
pub fn train(config: &ModelConfig, target: Target, batch: &Batch, history: usize) -> TrainPlan {
    let mut net = Network::new("train", config, target);
    let (data, order, x) = batch_input(&mut net, batch);
    let terms = terms(&mut net.plan, "history", history);
    let rows = batch.size * batch.samples;
    let recon_weight = row_vector(&mut net.plan, "recon_weight", rows);
    let kl_weight = row_vector(&mut net.plan, "kl_weight", batch.size);
    row_weight::row_weight(&mut net.plan, batch.size, batch.samples, recon_weight, kl_weight);

    let encoded = net.encode(x);
    let (z, kl) = sample_latent(&mut net, encoded.last(), batch.samples);
    let decoded = net.decode(z);
    let log_p = row_vector(&mut net.plan, "log_p", rows);
    let (out, bias) = (decoded.last(), net.out_biases());
    let d_out = net.plan.tensor("d_decoder.out", rows, bias.cols);
    let pass = Pass::Fused { out, bias, x, weight: recon_weight, log_p, d_out };
    (likelihood(config).append)(&mut net.plan, &target, &config.settings, pass);
    objective::batch_sum(&mut net.plan, batch.size, batch.samples, log_p, kl, terms);

    let d_z = net.decode_backward(&decoded, d_out);
    let d_head = net.plan.tensor("d_head", batch.size, encoded.last().cols);
    latent::backward(&mut net.plan, batch.samples, encoded.last(), d_z, kl_weight, d_head);
    net.encode_backward(&encoded, d_head);

    let [parameters, gradients, moment1, moment2] =
        [PARAMETERS, GRADIENTS, MOMENT1, MOMENT2].map(|name| net.arena(name));
    adam::adam(&mut net.plan, gradients, parameters, moment1, moment2);
    let batch = BatchPlan { plan: net.plan, parameters, data, order, terms };
    TrainPlan { batch, gradients, moment1, moment2 }
}

/// One batch of evaluation: every datum's terms of the ELBO, of `rows` data in all.
pub fn evaluate(config: &ModelConfig, target: Target, batch: &Batch, rows: usize) -> BatchPlan {
    let mut net = Network::new("evaluate", config, target);
    let (data, order, x) = batch_input(&mut net, batch);
    let terms = terms(&mut net.plan, "rows", rows);
    let encoded = net.encode(x);
    let (z, kl) = sample_latent(&mut net, encoded.last(), batch.samples);
    let decoded = net.decode(z);
    let log_p = row_vector(&mut net.plan, "log_p", z.rows);
    let pass = Pass::Forward { out: decoded.last(), bias: net.out_biases(), x, log_p };
    (likelihood(config).append)(&mut net.plan, &target, &config.settings, pass);
    objective::collect(&mut net.plan, batch.size, batch.samples, log_p, kl, terms);
    let parameters = net.arena(PARAMETERS);
    BatchPlan { plan: net.plan, parameters, data, order, terms }
}

/// Reconstructions of x [B, D] through the mean of q(z|x).
pub fn reconstruct(config: &ModelConfig, target: Target, batch: usize) -> PicturePlan {
    let mut net = Network::new("reconstruct", config, target);
    let x = net.plan.tensor("x", batch, config.input);
    let head = net.encode(x).last();
    let z = net.plan.tensor("z", batch, config.latent);
    latent::mean(&mut net.plan, head, z);
    picture(net, Some(x), z)
}

/// Samples of the model: z from the prior, then E[x|z].
pub fn sample(config: &ModelConfig, target: Target, batch: usize, temperature: f32) -> PicturePlan {
    let mut net = Network::new("sample", config, target);
    let z = net.plan.tensor("z", batch, config.latent);
    prior::prior(&mut net.plan, temperature, z);
    picture(net, None, z)
}

fn picture(mut net: Network, x: Option<Tensor>, z: Tensor) -> PicturePlan {
    let out = net.decode(z).last();
    let mean = net.plan.tensor("mean", out.rows, net.config.input);
    let pass = Pass::Mean { out, mean };
    (likelihood(net.config).append)(&mut net.plan, &net.target, &net.config.settings, pass);
    let parameters = net.arena(PARAMETERS);
    PicturePlan { plan: net.plan, parameters, x, mean }
}

fn likelihood(config: &ModelConfig) -> &'static Likelihood {
    config.likelihood().expect("the configuration was validated")
}

/// data and order in shared buffers, and x [B, D] gathered from them.
fn batch_input(net: &mut Network, batch: &Batch) -> (Tensor, Tensor, Tensor) {
    let DeviceData { name, count, binarize, packing, streamed } = &batch.data;
    let words = packing.words(net.config.input);
    let plan = &mut net.plan;
    let buffer = plan.buffer(format!("data.{name}"), count * words, Element::U32, Role::Shared);
    let data = Tensor { buffer, offset: 0, rows: *count, cols: words, stride: words };
    let order = plan.matrix(format!("order.{name}"), 1, *count, Element::U32, Role::Shared);
    let x = plan.tensor("x", batch.size, net.config.input);
    gather(plan, *binarize, *streamed, *packing, data, order, x);
    (data, order, x)
}

/// A private buffer of `rows` rows of terms.
fn terms(plan: &mut Plan, name: &str, rows: usize) -> Tensor {
    let buffer = plan.buffer(name, rows * objective::TERMS, Element::F32, Role::Private);
    Tensor { buffer, offset: 0, rows, cols: objective::TERMS, stride: objective::TERMS }
}

/// z [B K, Z] and kl [B] from the head.
fn sample_latent(net: &mut Network, head: Tensor, samples: usize) -> (Tensor, Tensor) {
    let z = net.plan.tensor("z", head.rows * samples, net.config.latent);
    let kl = row_vector(&mut net.plan, "kl", head.rows);
    latent::forward(&mut net.plan, samples, head, z, kl);
    (z, kl)
}
