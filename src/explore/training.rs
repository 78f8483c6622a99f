//! What a page needs to train: data, initial weights, the order of each epoch and the settings from which a run of the program
//! has its scalars. The script follows the same contract, so the draws are the same bits.

use serde::Serialize;

use super::pack;
use super::plans::{Plans, TRAIN};
use super::serial::{Library, train_ports};
use crate::data::{Split, epoch_order};
use crate::error::{Error, Result};
use crate::evaluate::{Upload, packed, packing};
use crate::gpu::Limits;
use crate::kernels::adam::{BETA1, BETA2};
use crate::kernels::gather::Packing;
use crate::model::Network;
use crate::model::plans::{self, Batch};
use crate::train::{Config, Schedule, TrainSection};

/// Rows of the ring of losses on the device: more steps than are ever between two readings.
const HISTORY: usize = 256;
/// Numbers of the orders that a page holds, at most: 100 epochs of 10,000 rows. Later epochs go round again.
const MOST_ORDERS: usize = 1 << 20;
/// Data of the map of a model in training, at most.
pub const MOST_MAPPED: usize = 1024;

/// The training of a page.
#[derive(Debug, Serialize)]
pub struct Training {
    /// N, and B of a step.
    rows: usize,
    batch: usize,
    epochs: u32,
    /// Epochs that the page holds the order of.
    orders: u32,
    /// Whether a row holds bytes, and not floats; padded to four values either way.
    bytes: bool,
    seed: [u32; 2],
    lr: f64,
    beta: f64,
    /// Adam's decays of the moments.
    adam: [f64; 2],
    history: usize,
    schedule: ScheduleText,
    /// Epochs over which learning rate and beta rise from zero.
    lr_warmup: f64,
    kl_warmup: f64,
}

/// How the learning rate changes.
#[derive(Debug, Serialize)]
struct ScheduleText {
    kind: &'static str,
    /// Of steps: the epochs, and what the rate is multiplied by after each.
    at: Vec<f64>,
    factor: f64,
}

impl ScheduleText {
    fn of(schedule: &Schedule) -> ScheduleText {
        let plain = |kind| ScheduleText { kind, at: Vec::new(), factor: 1.0 };
        match schedule {
            Schedule::Constant => plain("constant"),
            Schedule::Cosine => plain("cosine"),
            Schedule::Burda => plain("burda"),
            Schedule::Steps { at, factor } => ScheduleText { kind: "steps", at: at.clone(), factor: *factor },
        }
    }
}

/// The elements of text of a page that trains: name and content.
pub type Blobs = Vec<(&'static str, String)>;

impl Training {
    /// The training on `data`; `config` has adopted the data set. Adds its plans.
    ///
    /// # Errors
    /// As [`TrainSection::check_batch`]; [`Error::Usage`] if the data does not fit a browser, [`Error::Limit`] if a step does
    /// not; those of reading the data.
    pub fn new(
        config: &Config,
        network: &Network,
        data: &Split,
        plans: &mut Plans,
        library: &mut Library,
    ) -> Result<(Training, Blobs)> {
        let (train, count) = (&config.train, data.count);
        let TrainSection { batch_size: batch, epochs, seed, lr, beta, lr_warmup, kl_warmup, .. } = *train;
        train.check_batch(network, count)?;
        let binarize = train.binarize(&network.config);
        let rows = Upload::plan_within(Limits::EVERYWHERE, data, "train", binarize, batch, false);
        if rows.streamed {
            let mib = Limits::EVERYWHERE.storage() >> 20;
            return Err(Error::Usage(format!(
                "the training data is more than the {mib} MiB that every browser can bind: give a smaller `limit`"
            )));
        }
        let shape = config.image_shape().expect("the configuration has adopted its data");
        let recipe = config.recipe(shape);
        let of_step = Batch { data: rows, size: batch, samples: train.samples };
        let plan = |target| plans::train(network, target, &of_step, &recipe, HISTORY);
        plans.add(library, TRAIN, plan, train_ports)?;
        plans.add_map(network, library)?;
        let orders = epochs.min((MOST_ORDERS / count).max(1) as u32);
        let order = (1..=orders).flat_map(|epoch| epoch_order(count, seed, epoch)).collect::<Vec<_>>();
        let mut blobs = vec![("data", pack::words(&packed(data)?)), ("orders", pack::words(&order))];
        blobs.push(("weights", pack::floats(&train.first_weights(network, data)?)));
        if let (Some(labels), true) = (&data.labels, network.config.classes > 0) {
            blobs.push(("data-labels", pack::words(labels)));
        }
        let training = Training {
            rows: count,
            batch,
            epochs,
            orders,
            bytes: packing(data) == Packing::Bytes,
            seed: [seed as u32, (seed >> 32) as u32],
            lr: f64::from(lr),
            beta,
            adam: [BETA1, BETA2].map(f64::from),
            history: HISTORY,
            schedule: ScheduleText::of(&train.lr_schedule),
            lr_warmup,
            kl_warmup,
        };
        Ok((training, blobs))
    }

    /// Epochs whose orders the page holds, where the training has more.
    pub fn repeats_after(&self) -> Option<u32> {
        (self.orders < self.epochs).then_some(self.orders)
    }
}
