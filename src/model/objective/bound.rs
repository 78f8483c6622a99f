//! What an objective is.

use crate::error::Result;
use crate::model::latent::{Draw, KlTerm};
use crate::model::recipe::Recipe;
use crate::model::tape::{Tape, Value};
use crate::plan::Tensor;

/// What an objective needs of the model.
pub trait Parts {
    /// A draw of K samples per datum from q(z|x), from the encoder's output [B, heads].
    fn draw(&self, tape: &mut Tape, head: Value, samples: usize, term: KlTerm) -> Draw;
    /// The decoder: z [B K, Z] to the likelihood's parts [B K, heads].
    fn decode(&self, tape: &mut Tape, z: Value) -> Value;
    /// log p(x|z) [B K] of what the decoder gave, for x [B, D].
    fn log_p(&self, tape: &mut Tape, out: Value, x: Tensor) -> Tensor;
    /// The same and the gradient of the loss, where `weight` [B K] is what a nat of each row is worth.
    fn log_p_and_gradient(&self, tape: &mut Tape, out: Value, x: Tensor, weight: Tensor) -> Tensor;
    /// The gradient alone.
    fn log_p_gradient(&self, tape: &mut Tape, out: Value, x: Tensor, weight: Tensor);
}

/// What an objective is made of: a batch, half way through the model.
pub struct Job<'a> {
    /// The model.
    pub model: &'a dyn Parts,
    /// What of training the plan must know.
    pub recipe: &'a Recipe,
    /// K: samples per datum.
    pub samples: usize,
    /// x [B, D], which the likelihood is of.
    pub x: Tensor,
    /// The encoder's output [B, heads].
    pub head: Value,
    /// The history [.., 4] of the terms.
    pub terms: Tensor,
}

/// A bound, or a plain reconstruction: from the encoder's output to the seeds of the backward pass.
pub trait Objective: Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Whether it is the ELBO itself for so many samples, where beta is 1 and nothing is free.
    fn is_elbo(&self, samples: usize) -> bool;
    /// Checks that a recipe goes with it.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`].
    fn validate(&self, recipe: &Recipe, samples: usize, beta_is_one: bool) -> Result<()>;
    /// Appends the latent, the decoder, the likelihood and the terms of the history, and seeds the gradients.
    fn append(&self, tape: &mut Tape, job: &Job);
}
