//! Where training stands.

use super::history::Sums;

/// Where training stands: what a checkpoint keeps beside the weights and moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// Sums of the epoch that is under way.
    pub sums: Sums,
    /// Seconds of training in the epoch that is under way.
    pub seconds: f64,
    /// The best ELBO so far, in nats per datum: of the validation data or, where there are none, of the test data.
    pub best_elbo: f64,
    /// The epoch, counted from 1, after which it was reached; 0 before any.
    pub best_epoch: u32,
    /// Rows of the training data: with another number the steps would mean something else.
    pub train_count: u64,
}

impl Default for State {
    fn default() -> Self {
        State {
            step: 0,
            sums: Sums::default(),
            seconds: 0.0,
            best_elbo: f64::NEG_INFINITY,
            best_epoch: 0,
            train_count: 0,
        }
    }
}

/// The weights and Adam's moments: three arenas in the model's layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Arenas {
    /// Parameters.
    pub parameters: Vec<f32>,
    /// First moment.
    pub moment1: Vec<f32>,
    /// Second moment.
    pub moment2: Vec<f32>,
}
