//! The plans of a model: a training step, and batches of evaluation, codes, reconstructions and samples.

use super::latent::KlTerm;
use super::network::Network;
use super::objective::{Job, Parts};
pub use super::ports::{CodePorts, Planned, RowPorts, Source, TermPorts, TrainPorts};
pub use super::recipe::Recipe;
use super::tape::{GRADIENTS, PARAMETERS, Tape, Value};
use crate::kernels::condition::Labels;
use crate::kernels::flip::flip;
use crate::kernels::gather::{Binarize, Packing, gather};
use crate::kernels::{adam, clip, importance as weights, objective, row_vector};
use crate::plan::{Element, Plan, Role, Target, Tensor};

/// The shared buffer of Adam's first moment.
const MOMENT1: &str = "moment1";
/// The shared buffer of Adam's second moment.
const MOMENT2: &str = "moment2";

/// A data set on the device: rows of whole words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceData {
    /// Name of its shared buffers, such as `train`.
    pub name: String,
    /// Number of rows on the device.
    pub count: usize,
    /// Rows of the whole data set; a conditional model has a label for each.
    pub labels: usize,
    /// How values become x.
    pub binarize: Binarize,
    /// How they are stored on the device.
    pub packing: Packing,
    /// Whether the device holds only the rows of the next steps, in their order, instead of the whole data set.
    pub streamed: bool,
}

impl DeviceData {
    /// Byte data that is resident on the device.
    pub fn resident(name: &str, count: usize, binarize: Binarize) -> DeviceData {
        let (name, packing) = (name.to_owned(), Packing::Bytes);
        DeviceData { name, count, labels: count, binarize, packing, streamed: false }
    }
}

/// The source and size of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The data.
    pub data: DeviceData,
    /// B: rows of a batch.
    pub size: usize,
    /// K: samples of z per row.
    pub samples: usize,
}

/// One step of training: batch, objective, all gradients, Adam. The history has `history` rows.
pub fn train(
    network: &Network,
    target: Target,
    batch: &Batch,
    recipe: &Recipe,
    history: usize,
) -> Planned<TrainPorts> {
    let (mut tape, source, terms) = backward("train", network, target, batch, recipe, history);
    append_update(&mut tape, target, recipe);
    tape.finish();
    let ports = train_ports(&mut tape, source, terms);
    Planned::new(tape.plan, ports)
}

/// [`train`] without its last part, [`update`]: the gradients of a part of a batch. It pauses for what other processes have, where batch
/// norm measures over all of them.
pub fn gradients(
    network: &Network,
    target: Target,
    batch: &Batch,
    recipe: &Recipe,
    history: usize,
) -> Planned<TrainPorts> {
    let (mut tape, source, terms) = backward("gradients", network, target, batch, recipe, history);
    tape.finish();
    let ports = train_ports(&mut tape, source, terms);
    Planned::new(tape.plan, ports)
}

/// The last part of [`train`]: from the gradients, which may be sums of several parts' ones, to the next parameters.
pub fn update(network: &Network, target: Target, recipe: &Recipe) -> Plan {
    let mut tape = Tape::new("update", &network.parameters, target, 1);
    append_update(&mut tape, target, recipe);
    tape.plan
}

/// A batch, its objective, and all gradients.
fn backward<'a>(
    name: &str,
    network: &'a Network,
    target: Target,
    batch: &Batch,
    recipe: &Recipe,
    history: usize,
) -> (Tape<'a>, Source, Tensor) {
    let mut tape = Tape::training(name, &network.parameters, target, batch.size);
    tape.norm_ranks = recipe.norm_ranks.unwrap_or(1);
    let (source, mut x) = batch_input(&mut tape, network, batch);
    if let Some(mirror) = recipe.flip {
        let mirrored = tape.plan.tensor("x mirrored", x.rows, x.cols);
        flip(&mut tape.plan, mirror, x, mirrored);
        x = mirrored;
    }
    let terms = terms(&mut tape.plan, "history", history);
    let input = tape.data("x", x);
    let head = network.encode(&mut tape, input);
    let job = Job { model: network, recipe, samples: batch.samples, x, head, terms };
    network.config.family().objective.append(&mut tape, &job);
    tape.backward();
    (tape, source, terms)
}

/// Parameters, gradients and both moments.
const ARENAS: [&str; 4] = [PARAMETERS, GRADIENTS, MOMENT1, MOMENT2];

/// Clipping, if there is any, and Adam.
fn append_update(tape: &mut Tape, target: Target, recipe: &Recipe) {
    let [parameters, gradients, moment1, moment2] = ARENAS.map(|name| tape.trained(name));
    let scale = (recipe.clip_norm > 0.0).then(|| {
        let scale = tape.plan.tensor("gradient scale", 1, 4);
        clip::clip(&mut tape.plan, recipe.clip_norm, gradients, scale);
        scale
    });
    let moved = adam::Arenas { gradients, parameters, moment1, moment2 };
    adam::adam(&mut tape.plan, &target, recipe.adam, moved, scale);
}

fn train_ports(tape: &mut Tape, source: Source, history: Tensor) -> TrainPorts {
    let [parameters, gradients, moment1, moment2] = ARENAS.map(|name| tape.arena(name));
    TrainPorts { source, history, parameters, gradients, moment1, moment2 }
}

/// One batch of evaluation: every datum's terms of the ELBO, for `rows` data in total.
pub fn evaluate(network: &Network, target: Target, batch: &Batch, rows: usize) -> Planned<TermPorts> {
    let mut tape = Tape::new("evaluate", &network.parameters, target, batch.size);
    let (source, x) = batch_input(&mut tape, network, batch);
    let rows = terms(&mut tape.plan, "rows", rows);
    let input = tape.data("x", x);
    let head = network.encode(&mut tape, input);
    let (log_p, kl) = elbo_terms(&mut tape, network, head, x, batch.samples);
    objective::collect(&mut tape.plan, batch.size, batch.samples, log_p, kl, rows);
    Planned::new(tape.plan, TermPorts { source, rows })
}

/// One round of K samples for the importance-sampled log p(x) of each datum, for `rows` data and `total` samples each.
pub fn importance(
    network: &Network,
    target: Target,
    batch: &Batch,
    rows: usize,
    total: usize,
) -> Planned<TermPorts> {
    let mut tape = Tape::new("importance", &network.parameters, target, batch.size);
    let (source, x) = batch_input(&mut tape, network, batch);
    let rows = terms(&mut tape.plan, "rows", rows);
    let input = tape.data("x", x);
    let head = network.encode(&mut tape, input);
    let draw = network.draw(&mut tape, head, batch.samples, KlTerm::Sampled);
    let log_ratio = tape.peek(draw.log_ratio.expect("importance weights are of a distribution"));
    let out = network.decode(&mut tape, draw.z);
    let log_w = (network.log_p(&mut tape, out, x), log_ratio);
    weights::accumulate(&mut tape.plan, batch.size, batch.samples, total, log_w, rows);
    Planned::new(tape.plan, TermPorts { source, rows })
}

/// Encodes a batch, and decodes its mean codes.
pub fn encode(network: &Network, target: Target, batch: &Batch) -> Planned<CodePorts> {
    let mut tape = Tape::new("encode", &network.parameters, target, batch.size);
    let (source, x) = batch_input(&mut tape, network, batch);
    let input = tape.data("x", x);
    let head = network.encode(&mut tape, input);
    let z = network.point(&mut tape, head);
    let out = network.decode(&mut tape, z);
    let mean = network.mean(&mut tape, out);
    let ports = CodePorts { source, x, head: tape.peek(head), z: None, mean: Some(mean) };
    Planned::new(tape.plan, ports)
}

/// The encoder alone; with `draw`, also a draw from each q(z|x).
pub fn codes(network: &Network, target: Target, batch: &Batch, draw: bool) -> Planned<CodePorts> {
    let mut tape = Tape::new("codes", &network.parameters, target, batch.size);
    let (source, x) = batch_input(&mut tape, network, batch);
    let input = tape.data("x", x);
    let head = network.encode(&mut tape, input);
    let z = draw.then(|| network.draw(&mut tape, head, batch.samples, KlTerm::Closed).z);
    let z = z.map(|z| tape.peek(z));
    let ports = CodePorts { source, x, head: tape.peek(head), z, mean: None };
    Planned::new(tape.plan, ports)
}

/// Reconstructions of x [B, D] through the mean of q(z|x).
pub fn reconstruct(network: &Network, target: Target, batch: usize) -> Planned<RowPorts> {
    let mut tape = Tape::new("reconstruct", &network.parameters, target, batch);
    let (x, head) = row_input(&mut tape, network);
    let z = network.point(&mut tape, head);
    let out = network.decode(&mut tape, z);
    let mean = network.mean(&mut tape, out);
    let (head, z) = (Some(tape.peek(head)), Some(tape.peek(z)));
    let mean = Some(mean);
    let ports = RowPorts { x: Some(x), labels: tape.labels, head, z, mean, ..RowPorts::default() };
    Planned::new(tape.plan, ports)
}

/// [`reconstruct`] with log p(x|z) of each value, at the mean of q(z|x).
pub fn strangeness(network: &Network, target: Target, batch: usize) -> Planned<RowPorts> {
    let mut tape = Tape::new("strangeness", &network.parameters, target, batch);
    let (x, head) = row_input(&mut tape, network);
    let z = network.point(&mut tape, head);
    let out = network.decode(&mut tape, z);
    let (mean, values) = (network.mean(&mut tape, out), network.values(&mut tape, out, x));
    let ports = RowPorts {
        x: Some(x),
        labels: tape.labels,
        mean: Some(mean),
        values: Some(values),
        ..RowPorts::default()
    };
    Planned::new(tape.plan, ports)
}

/// Samples of the model: z from the prior, then E[x|z].
///
/// # Panics
/// If the model has no prior.
pub fn sample(network: &Network, target: Target, batch: usize, temperature: f32) -> Planned<RowPorts> {
    let prior = network.config.family().prior.expect("samples begin with a prior");
    decoder(network, target, batch, "sample", |tape| prior.sample(tape, network.config.latent, temperature))
}

/// E[x|z] of z [B, Z] written by the host.
pub fn decode(network: &Network, target: Target, batch: usize) -> Planned<RowPorts> {
    decoder(network, target, batch, "decode", |tape| written(tape, network))
}

/// For programs that read exported models: the encoder with one draw from q(z|x) of each row that the host writes.
pub fn export_encoder(network: &Network, target: Target) -> Planned<RowPorts> {
    let mut tape = Tape::new("encoder", &network.parameters, target, 1);
    let (x, head) = row_input(&mut tape, network);
    let z = network.draw(&mut tape, head, 1, KlTerm::Closed).z;
    let (head, z) = (Some(tape.peek(head)), Some(tape.peek(z)));
    let ports = RowPorts { x: Some(x), labels: tape.labels, head, z, ..RowPorts::default() };
    Planned::new(tape.plan, ports)
}

/// For programs that read exported models: [`decode`] with what the decoder's last layer gives.
pub fn export_decoder(network: &Network, target: Target) -> Planned<RowPorts> {
    let mut tape = Tape::new("decoder", &network.parameters, target, 1);
    row_labels(&mut tape, network);
    let z = written(&mut tape, network);
    let out = network.decode(&mut tape, z);
    let mean = Some(network.mean(&mut tape, out));
    let (z, out, own) = (Some(tape.peek(z)), Some(tape.peek(out)), network.own(&tape));
    let ports = RowPorts { labels: tape.labels, z, out, own, mean, ..RowPorts::default() };
    Planned::new(tape.plan, ports)
}

/// z [B, Z] that the host writes.
fn written(tape: &mut Tape, network: &Network) -> Value {
    let z = tape.plan.tensor("z", tape.batch, network.config.latent);
    tape.data("z", z)
}

fn decoder(
    network: &Network,
    target: Target,
    batch: usize,
    name: &str,
    z: impl FnOnce(&mut Tape) -> Value,
) -> Planned<RowPorts> {
    let mut tape = Tape::new(name, &network.parameters, target, batch);
    row_labels(&mut tape, network);
    let z = z(&mut tape);
    let out = network.decode(&mut tape, z);
    let mean = Some(network.mean(&mut tape, out));
    let (z, out, own) = (Some(tape.peek(z)), Some(tape.peek(out)), network.own(&tape));
    let ports = RowPorts { labels: tape.labels, z, out, own, mean, ..RowPorts::default() };
    Planned::new(tape.plan, ports)
}

/// Encodes x [B, D] written by the host and, with `terms`, computes each row's terms of the ELBO.
pub fn judge(network: &Network, target: Target, batch: usize, terms: bool) -> Planned<RowPorts> {
    let mut tape = Tape::new("judge", &network.parameters, target, batch);
    let (x, head) = row_input(&mut tape, network);
    let terms = terms.then(|| elbo_terms(&mut tape, network, head, x, 1));
    let head = Some(tape.peek(head));
    let ports = RowPorts { x: Some(x), labels: tape.labels, head, terms, ..RowPorts::default() };
    Planned::new(tape.plan, ports)
}

/// log p(x|z) [B K] and the KL [B]; zeros if z is a point.
fn elbo_terms(
    tape: &mut Tape,
    network: &Network,
    head: Value,
    x: Tensor,
    samples: usize,
) -> (Tensor, Tensor) {
    let draw = network.draw(tape, head, samples, KlTerm::Closed);
    let kl = match draw.kl {
        Some(kl) => tape.peek(kl),
        None => row_vector(&mut tape.plan, "kl", x.rows),
    };
    let out = network.decode(tape, draw.z);
    (network.log_p(tape, out, x), kl)
}

/// x [B, D] written by the host, with labels in a conditional model, and its encoding.
fn row_input(tape: &mut Tape, network: &Network) -> (Tensor, Value) {
    row_labels(tape, network);
    let x = tape.plan.tensor("x", tape.batch, network.config.input);
    let input = tape.data("x", x);
    (x, network.encode(tape, input))
}

/// In a conditional model: labels [1, B] and their order [1, B], written by the host.
fn row_labels(tape: &mut Tape, network: &Network) {
    if network.config.classes > 0 {
        let [labels, order] = ["labels", "order"]
            .map(|name| tape.plan.matrix(name, 1, tape.batch, Element::U32, Role::Private));
        tape.labels = Some(Labels { labels, order });
    }
}

/// data, order and, in a conditional model, labels in shared buffers, and x [B, D] gathered from them.
fn batch_input(tape: &mut Tape, network: &Network, batch: &Batch) -> (Source, Tensor) {
    let DeviceData { name, count, labels, binarize, packing, streamed } = &batch.data;
    let words = packing.words(network.config.input);
    let plan = &mut tape.plan;
    let buffer = plan.buffer(format!("data.{name}"), count * words, Element::U32, Role::Shared);
    let data = Tensor { buffer, offset: 0, rows: *count, cols: words, stride: words };
    let order = plan.matrix(format!("order.{name}"), 1, *count, Element::U32, Role::Shared);
    let x = plan.tensor("x", batch.size, network.config.input);
    gather(plan, *binarize, *streamed, *packing, data, order, x);
    let labels = (network.config.classes > 0)
        .then(|| plan.matrix(format!("labels.{name}"), 1, *labels, Element::U32, Role::Shared));
    tape.labels = labels.map(|labels| Labels { labels, order });
    (Source { data, order, labels }, x)
}

/// A private buffer of `rows` rows of terms.
fn terms(plan: &mut Plan, name: &str, rows: usize) -> Tensor {
    let buffer = plan.buffer(name, rows * objective::TERMS, Element::F32, Role::Private);
    Tensor { buffer, offset: 0, rows, cols: objective::TERMS, stride: objective::TERMS }
}
