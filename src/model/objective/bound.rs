//! What an objective is.

use crate::error::Result;
use crate::model::latent::{Draw, KlTerm};
use crate::model::recipe::Recipe;
use crate::model::tape::{Tape, Value};
use crate::plan::Tensor;

/// The parts of a model that an objective calls.
pub trait Parts {
    /// A draw of K samples per datum from q(z|x), from the encoder's output [B, heads].
    fn draw(&self, tape: &mut Tape, head: Value, samples: usize, term: KlTerm) -> Draw;
    /// The decoder: z [B K, Z] to the likelihood's parts [B K, heads].
    fn decode(&self, tape: &mut Tape, z: Value) -> Value;
    /// log p(x|z) [B K] from the decoder's output, for x [B, D].
    fn log_p(&self, tape: &mut Tape, out: Value, x: Tensor) -> Tensor;
    /// log p(x|z) and its gradient, where `weight` [B K] weighs each row's nats.
    fn log_p_and_gradient(&self, tape: &mut Tape, out: Value, x: Tensor, weight: Tensor) -> Tensor;
    /// The gradient alone.
    fn log_p_gradient(&self, tape: &mut Tape, out: Value, x: Tensor, weight: Tensor);
}

/// The inputs of an objective: a batch that has passed the encoder.
pub struct Job<'a> {
    /// The model's configuration.
    pub model: &'a dyn Parts,
    /// The training settings that the plan depends on.
    pub recipe: &'a Recipe,
    /// K: samples per datum.
    pub samples: usize,
    /// x [B, D], the data of the likelihood.
    pub x: Tensor,
    /// The encoder's output [B, heads].
    pub head: Value,
    /// The history [.., 4], which takes the terms.
    pub terms: Tensor,
}

/// A bound, or a plain reconstruction: from the encoder's output to the seeds of the backward pass.
pub trait Objective: Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Whether it is the ELBO itself for this many samples, if beta is 1 and no nats are free.
    fn is_elbo(&self, samples: usize) -> bool;
    /// Checks that a recipe goes with it.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`].
    fn validate(&self, recipe: &Recipe, samples: usize, beta_is_one: bool) -> Result<()>;
    /// Appends the latent, the decoder, the likelihood and a row of the history, and seeds the gradients.
    fn append(&self, tape: &mut Tape, job: &Job);
}
