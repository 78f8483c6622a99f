//! What a page needs to train: data, initial weights, the order of each epoch and, step by step, the scalars of a run of the
//! program with the same settings. The script follows the same contract, so the draws are the same bits.

use serde::Serialize;

use super::pack;
use super::plans::{MAPPED, Plans};
use super::serial::{Library, train_ports};
use crate::data::{Row, Split, epoch_order};
use crate::error::{Error, Result};
use crate::evaluate::{Upload, packing};
use crate::gpu::Limits;
use crate::kernels::adam::{BETA1, BETA2};
use crate::kernels::gather::Packing;
use crate::model::Network;
use crate::model::init::{fit_output_bias, initial_weights};
use crate::model::plans::{self, Batch};
use crate::train::schedule::ramp;
use crate::train::{Config, Schedule};

/// Rows of the ring of losses on the device: more steps than are ever between two readings.
const HISTORY: usize = 256;
/// Epochs whose orders a page holds at most; later ones go round again.
const MOST_ORDERS: u32 = 32;
/// Data of the map: whole batches of the encoder.
const MAP: usize = 4 * MAPPED;

/// The training of a page.
#[derive(Debug, Serialize)]
pub struct Training {
    /// N, and B of a step.
    rows: usize,
    batch: usize,
    /// Epochs that the page holds the order of.
    orders: u32,
    epochs: u32,
    /// Whether a row holds bytes, and not floats; padded to four values either way.
    bytes: bool,
    seed: [u32; 2],
    lr: f64,
    beta: f64,
    /// Adam's decays of the moments.
    adam: [f64; 2],
    history: usize,
    /// Factors of learning rate and beta step by step, where they change; the last holds for all later ones.
    factors: Vec<[f64; 2]>,
}

/// The elements of text of a page that trains: name and content.
pub type Blobs = Vec<(&'static str, String)>;

impl Training {
    /// The training on `data`; `config` has adopted the data set. Adds its plan.
    ///
    /// # Errors
    /// [`Error::Usage`] if the data has fewer rows than a batch, or does not fit a browser; those of reading it.
    pub fn new(
        config: &Config,
        network: &Network,
        data: &Split,
        plans: &mut Plans,
        library: &mut Library,
    ) -> Result<(Training, Blobs)> {
        let (train, count) = (&config.train, data.count);
        let size = train.batch_size;
        if size == 0 || size > count {
            let next = format_args!("the training data has only {count} rows");
            return Err(Error::value("train.batch_size", size, next));
        }
        let binarize = train.binarize(&network.config);
        let rows = Upload::plan_within(Limits::EVERYWHERE, data, "train", binarize, size, false);
        if rows.streamed {
            let mib = Limits::EVERYWHERE.storage() >> 20;
            return Err(Error::Usage(format!(
                "the training data is more than the {mib} MiB that every browser can bind: give a smaller `limit`"
            )));
        }
        let shape = config.image_shape().expect("the configuration has adopted its data");
        let recipe = config.recipe(shape);
        let batch = Batch { data: rows, size, samples: train.samples };
        let plan = |target| plans::train(network, target, &batch, &recipe, HISTORY);
        plans.add_each(library, "train", plan, train_ports)?;
        let steps = count.div_ceil(size);
        let orders = train.epochs.min(MOST_ORDERS);
        let order = (1..=orders).flat_map(|epoch| epoch_order(count, train.seed, epoch)).collect::<Vec<_>>();
        let mut blobs = vec![("data", pack::pack(&bytes(data)?)), ("orders", pack::words(&order))];
        blobs.push(("weights", pack::floats(&weights(config, network, data)?)));
        if let Some(labels) = &data.labels {
            blobs.push(("data-labels", pack::words(labels)));
        }
        let training = Training {
            rows: count,
            batch: size,
            orders,
            epochs: train.epochs,
            bytes: packing(data) == Packing::Bytes,
            seed: [train.seed as u32, (train.seed >> 32) as u32],
            lr: f64::from(train.lr),
            beta: train.beta,
            adam: [BETA1, BETA2].map(f64::from),
            history: HISTORY,
            factors: factors(config, steps),
        };
        Ok((training, blobs))
    }

    /// The data of the map of such a training, of `count` rows.
    pub fn mapped(count: usize) -> usize {
        count.min(MAP)
    }
}

/// The initial weights, as the trainer makes them.
fn weights(config: &Config, network: &Network, data: &Split) -> Result<Vec<f32>> {
    let (train, parameters) = (&config.train, &network.parameters);
    let mut weights = initial_weights(parameters, train.init, train.seed);
    if train.output_bias {
        fit_output_bias(&network.config, parameters, &mut weights, &data.marginals()?);
    }
    Ok(weights)
}

/// The rows as they lie on the device.
fn bytes(data: &Split) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let words = 4 * packing(data).words(data.dim());
    let mut end = 0;
    data.each(0..data.count, &mut |row| {
        match row {
            Row::Bytes(values) => bytes.extend_from_slice(values),
            Row::Floats(values) => bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())),
        }
        end += words;
        bytes.resize(end, 0);
    })?;
    Ok(bytes)
}

/// Factors of the learning rate and of beta, as the stepper has them.
fn factors(config: &Config, steps: usize) -> Vec<[f64; 2]> {
    let train = &config.train;
    if train.lr_schedule == Schedule::Constant && train.lr_warmup == 0.0 && train.kl_warmup == 0.0 {
        return Vec::new();
    }
    let epochs = |done: usize| done as f64 / steps as f64;
    let of_step = |t: usize| {
        let rate = train.lr_schedule.factor(epochs(t - 1), train.epochs) * ramp(epochs(t), train.lr_warmup);
        [rate, ramp(epochs(t), train.kl_warmup)]
    };
    (1..=steps * train.epochs as usize).map(of_step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_as_on_the_device() {
        let data = Split::new(vec![1, 2, 3, 4, 5, 6], 3, None);
        assert_eq!(bytes(&data).unwrap(), [1, 2, 3, 0, 4, 5, 6, 0]);
        let data = Split::from_floats(vec![1.0; 5], 5);
        assert_eq!(bytes(&data).unwrap().len(), 32);
    }

    #[test]
    fn factors_are_there_where_something_changes() {
        let mut config = Config::default();
        assert!(factors(&config, 4).is_empty());
        config.train.kl_warmup = 1.0;
        config.train.epochs = 2;
        let found = factors(&config, 4);
        assert_eq!((found.len(), found[0], found[3], found[7]), (8, [1.0, 0.25], [1.0, 1.0], [1.0, 1.0]));
    }
}
