//! The importance-weighted bound of K samples (Burda et al. 2015): E[log mean_k p(x, z_k) / q(z_k|x)].

use super::bound::{Job, Objective};
use crate::error::{Error, Result};
use crate::kernels::importance::weights;
use crate::kernels::objective::{self, batch_sum};
use crate::kernels::row_vector;
use crate::model::latent::KlTerm;
use crate::model::recipe::Recipe;
use crate::model::tape::Tape;

/// See the module.
pub(in crate::model) struct Importance;

/// See the module.
pub(in crate::model) static IMPORTANCE: Importance = Importance;

impl Objective for Importance {
    fn name(&self) -> &'static str {
        "importance"
    }

    fn is_elbo(&self, samples: usize) -> bool {
        samples == 1
    }

    fn validate(&self, recipe: &Recipe, _: usize, _: bool) -> Result<()> {
        if recipe.free_bits > 0.0 {
            let problem = " is a floor under the KL of the ELBO: use it with `model.kind` = vae";
            return Err(Error::setting("train.free_bits", problem));
        }
        Ok(())
    }

    /// The weights of the samples depend on the decoder's output, so the likelihood runs twice: forward, then backward.
    fn append(&self, tape: &mut Tape, job: &Job) {
        let Job { model, samples, x, head, terms, .. } = *job;
        let batch = tape.batch;
        let draw = model.draw(tape, head, samples, KlTerm::Sampled);
        let (Some(kl), Some(log_ratio)) = (draw.kl, draw.log_ratio) else {
            panic!("importance weights are of a distribution")
        };
        let out = model.decode(tape, draw.z);
        let log_p = model.log_p(tape, out, x);
        let weight = row_vector(&mut tape.plan, "weight", batch * samples);
        let bound = row_vector(&mut tape.plan, "bound", batch);
        let (kl, ratio) = (tape.peek(kl), tape.peek(log_ratio));
        weights(&mut tape.plan, batch, samples, (log_p, ratio), (weight, bound));
        model.log_p_gradient(tape, out, x, weight);
        tape.seed(log_ratio, weight);
        let trained = objective::Objective::Importance(bound);
        batch_sum(&mut tape.plan, batch, samples, (log_p, kl), trained, terms);
    }
}
