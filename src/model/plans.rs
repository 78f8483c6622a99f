//! The plans of a model: one training step, one batch of evaluation, codes, reconstructions, samples.

use super::bounds::Bound;
use super::config::{Kind, ModelConfig};
use super::network::{GRADIENTS, Network, PARAMETERS};
use crate::kernels::condition::Labels;
use crate::kernels::gather::{Binarize, Packing, gather};
use crate::kernels::{adam, clip, importance, objective, prior, row_vector};
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
    /// Number of rows of the whole data set, each of which has a label in a conditional model.
    pub labels: usize,
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
        let (name, packing) = (name.to_owned(), Packing::Bytes);
        DeviceData { name, count, labels: count, binarize, packing, streamed: false }
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
    /// The class [1, N] of each row of the whole data set, in a conditional model.
    pub labels: Option<Tensor>,
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

/// A plan that shows what the model makes of a batch.
#[derive(Clone, Debug)]
pub struct EncodePlan {
    /// The plan and its batch.
    pub batch: BatchPlan,
    /// What the encoder reads [B, D].
    pub x: Tensor,
    /// mu and log_var [B, 2 P], or z [B, Z] of an autoencoder.
    pub head: Tensor,
    /// A draw z ~ q(z|x) [B, Z], where the plan makes one.
    pub z: Option<Tensor>,
    /// E[x|z = mu] [B, D], where the plan has the decoder.
    pub mean: Option<Tensor>,
}

/// A plan that makes pictures.
#[derive(Clone, Debug)]
pub struct PicturePlan {
    /// The plan.
    pub plan: Plan,
    /// All parameters [1, P].
    pub parameters: Tensor,
    /// What the encoder reads [B, D]; plans that begin with z have none.
    pub x: Option<Tensor>,
    /// What the decoder reads [B, Z].
    pub z: Tensor,
    /// The labels, in a conditional model.
    pub labels: Option<Labels>,
    /// E[x|z] [B, D].
    pub mean: Tensor,
}

/// A plan that judges rows of x that the host writes.
#[derive(Clone, Debug)]
pub struct JudgePlan {
    /// The plan.
    pub plan: Plan,
    /// All parameters [1, P].
    pub parameters: Tensor,
    /// What the encoder reads [B, D].
    pub x: Tensor,
    /// The labels, in a conditional model.
    pub labels: Option<Labels>,
    /// mu and log_var [B, 2 P], or z [B, Z] of an autoencoder.
    pub head: Tensor,
    /// log p(x|z) of one sample of z [1, B], and the KL [1, B]; plans that only encode have none.
    pub terms: Option<(Tensor, Tensor)>,
}

/// What of training a plan must know.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recipe {
    /// Nats below which a latent dimension's KL is not pressed; 0 without.
    pub free_bits: f32,
    /// The gradient's norm at most; 0 without a limit.
    pub clip_norm: f32,
    /// Adam's settings.
    pub adam: adam::Hyperparameters,
}

/// One step of training: batch, objective, all gradients, Adam. The history has `history` rows.
pub fn train(
    config: &ModelConfig,
    target: Target,
    batch: &Batch,
    recipe: &Recipe,
    history: usize,
) -> TrainPlan {
    let mut net = Network::new("train", config, target);
    let input = batch_input(&mut net, batch);
    let terms = terms(&mut net.plan, "history", history);
    let encoded = net.encode(input.x);
    let bound = Bound { batch, recipe, x: input.x, head: encoded.last(), terms };
    let d_head = bound.append(&mut net);
    net.encode_backward(&encoded, d_head);

    let [parameters, gradients, moment1, moment2] =
        [PARAMETERS, GRADIENTS, MOMENT1, MOMENT2].map(|name| net.arena(name));
    let scale = (recipe.clip_norm > 0.0).then(|| {
        let scale = net.plan.tensor("gradient scale", 1, 4);
        clip::clip(&mut net.plan, recipe.clip_norm, gradients, scale);
        scale
    });
    let arenas = adam::Arenas { gradients, parameters, moment1, moment2 };
    adam::adam(&mut net.plan, recipe.adam, arenas, scale);
    let batch = input.batch_plan(net, terms);
    TrainPlan { batch, gradients, moment1, moment2 }
}

/// One batch of evaluation: every datum's terms of the ELBO, of `rows` data in all.
pub fn evaluate(config: &ModelConfig, target: Target, batch: &Batch, rows: usize) -> BatchPlan {
    let mut net = Network::new("evaluate", config, target);
    let input = batch_input(&mut net, batch);
    let terms = terms(&mut net.plan, "rows", rows);
    let head = net.encode(input.x).last();
    let (z, kl) = code(&mut net, head, batch.samples);
    let log_p = net.log_likelihood(input.x, z, batch.samples);
    objective::collect(&mut net.plan, batch.size, batch.samples, log_p, kl, terms);
    input.batch_plan(net, terms)
}

/// One round of K samples towards each datum's importance-sampled log p(x), of `rows` data and `total` samples in all.
pub fn importance(
    config: &ModelConfig,
    target: Target,
    batch: &Batch,
    rows: usize,
    total: usize,
) -> BatchPlan {
    let mut net = Network::new("importance", config, target);
    let input = batch_input(&mut net, batch);
    let terms = terms(&mut net.plan, "rows", rows);
    let head = net.encode(input.x).last();
    let (z, _, log_ratio) = net.sample_with_ratio(head, batch.samples);
    let log_p = net.log_likelihood(input.x, z, batch.samples);
    let log_w = (log_p, log_ratio);
    importance::accumulate(&mut net.plan, batch.size, batch.samples, total, log_w, terms);
    input.batch_plan(net, terms)
}

/// What the encoder makes of a batch, and the decoder of its mean.
pub fn encode(config: &ModelConfig, target: Target, batch: &Batch) -> EncodePlan {
    let mut net = Network::new("encode", config, target);
    let input = batch_input(&mut net, batch);
    let head = net.encode(input.x).last();
    let z = net.mean(head);
    let mean = net.decoded_mean(z);
    let x = input.x;
    EncodePlan { batch: input.batch_plan(net, head), x, head, z: None, mean: Some(mean) }
}

/// The encoder alone; with `draw`, a draw from each q(z|x) too.
pub fn codes(config: &ModelConfig, target: Target, batch: &Batch, draw: bool) -> EncodePlan {
    let mut net = Network::new("codes", config, target);
    let input = batch_input(&mut net, batch);
    let head = net.encode(input.x).last();
    let z = draw.then(|| net.sample(head, batch.samples).0);
    let x = input.x;
    EncodePlan { batch: input.batch_plan(net, head), x, head, z, mean: None }
}

/// Reconstructions of x [B, D] through the mean of q(z|x).
pub fn reconstruct(config: &ModelConfig, target: Target, batch: usize) -> PicturePlan {
    let mut net = Network::new("reconstruct", config, target);
    let labels = picture_labels(&mut net, batch);
    let x = net.plan.tensor("x", batch, config.input);
    let head = net.encode(x).last();
    let z = net.mean(head);
    picture(net, Some(x), z, labels)
}

/// Samples of the model: z from the prior, then E[x|z].
pub fn sample(config: &ModelConfig, target: Target, batch: usize, temperature: f32) -> PicturePlan {
    let mut net = Network::new("sample", config, target);
    let labels = picture_labels(&mut net, batch);
    let z = net.plan.tensor("z", batch, config.latent);
    prior::prior(&mut net.plan, temperature, z);
    picture(net, None, z, labels)
}

/// E[x|z] of z [B, Z] that the host writes.
pub fn decode(config: &ModelConfig, target: Target, batch: usize) -> PicturePlan {
    let mut net = Network::new("decode", config, target);
    let labels = picture_labels(&mut net, batch);
    let z = net.plan.tensor("z", batch, config.latent);
    picture(net, None, z, labels)
}

/// mu and log_var of x [B, D] that the host writes and, with `terms`, each row's terms of the ELBO.
pub fn judge(config: &ModelConfig, target: Target, batch: usize, terms: bool) -> JudgePlan {
    let mut net = Network::new("judge", config, target);
    let labels = picture_labels(&mut net, batch);
    let x = net.plan.tensor("x", batch, config.input);
    let head = net.encode(x).last();
    let terms = terms.then(|| {
        let (z, kl) = code(&mut net, head, 1);
        (net.log_likelihood(x, z, 1), kl)
    });
    let parameters = net.arena(PARAMETERS);
    JudgePlan { plan: net.plan, parameters, x, labels, head, terms }
}

/// z [B K, Z] of q(z|x), and kl [1, B].
fn code(net: &mut Network, head: Tensor, samples: usize) -> (Tensor, Tensor) {
    match net.config.kind {
        // An autoencoder's z is what its encoder gives, and its KL a row of zeros.
        Kind::Ae => (head, row_vector(&mut net.plan, "kl", head.rows)),
        Kind::Vae | Kind::Iwae => net.sample(head, samples),
    }
}

fn picture(mut net: Network, x: Option<Tensor>, z: Tensor, labels: Option<Labels>) -> PicturePlan {
    let mean = net.decoded_mean(z);
    let parameters = net.arena(PARAMETERS);
    PicturePlan { plan: net.plan, parameters, x, z, labels, mean }
}

/// Labels [1, B] and their order [1, B] that the host writes, in a conditional model.
fn picture_labels(net: &mut Network, batch: usize) -> Option<Labels> {
    if net.config.classes == 0 {
        return None;
    }
    let [labels, order] =
        ["labels", "order"].map(|name| net.plan.matrix(name, 1, batch, Element::U32, Role::Private));
    net.labels = Some(Labels { labels, order });
    net.labels
}

/// Where a batch comes from on the device.
struct Input {
    data: Tensor,
    order: Tensor,
    labels: Option<Tensor>,
    x: Tensor,
}

impl Input {
    fn batch_plan(self, mut net: Network, terms: Tensor) -> BatchPlan {
        let Input { data, order, labels, .. } = self;
        let parameters = net.arena(PARAMETERS);
        BatchPlan { plan: net.plan, parameters, data, order, labels, terms }
    }
}

/// data, order and, in a conditional model, labels in shared buffers, and x [B, D] gathered from them.
fn batch_input(net: &mut Network, batch: &Batch) -> Input {
    let DeviceData { name, count, labels, binarize, packing, streamed } = &batch.data;
    let words = packing.words(net.config.input);
    let plan = &mut net.plan;
    let buffer = plan.buffer(format!("data.{name}"), count * words, Element::U32, Role::Shared);
    let data = Tensor { buffer, offset: 0, rows: *count, cols: words, stride: words };
    let order = plan.matrix(format!("order.{name}"), 1, *count, Element::U32, Role::Shared);
    let x = plan.tensor("x", batch.size, net.config.input);
    gather(plan, *binarize, *streamed, *packing, data, order, x);
    if net.config.classes > 0 {
        let labels = plan.matrix(format!("labels.{name}"), 1, *labels, Element::U32, Role::Shared);
        net.labels = Some(Labels { labels, order });
    }
    Input { data, order, labels: net.labels.map(|labels| labels.labels), x }
}

/// A private buffer of `rows` rows of terms.
fn terms(plan: &mut Plan, name: &str, rows: usize) -> Tensor {
    let buffer = plan.buffer(name, rows * objective::TERMS, Element::F32, Role::Private);
    Tensor { buffer, offset: 0, rows, cols: objective::TERMS, stride: objective::TERMS }
}
