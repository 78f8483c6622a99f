//! log p(x|z) alone: an autoencoder.

use super::bound::{Job, Objective};
use crate::error::{Error, Result};
use crate::kernels::objective::{self, batch_sum};
use crate::kernels::row_vector;
use crate::kernels::row_weight::row_weight;
use crate::model::latent::KlTerm;
use crate::model::recipe::Recipe;
use crate::model::tape::Tape;

/// See the module.
pub(in crate::model) struct Reconstruction;

/// See the module.
pub(in crate::model) static RECONSTRUCTION: Reconstruction = Reconstruction;

impl Objective for Reconstruction {
    fn name(&self) -> &'static str {
        "reconstruction"
    }

    fn is_elbo(&self, _: usize) -> bool {
        false
    }

    fn validate(&self, recipe: &Recipe, samples: usize, beta_is_one: bool) -> Result<()> {
        if samples > 1 || !beta_is_one || recipe.free_bits > 0.0 {
            let problem = " = ae has no samples and no KL: leave out `train.samples`, `train.beta`, `train.kl_warmup` and \
                           `train.free_bits`";
            return Err(Error::setting("model.kind", problem));
        }
        Ok(())
    }

    fn append(&self, tape: &mut Tape, job: &Job) {
        let Job { model, samples, x, head, terms, .. } = *job;
        let batch = tape.batch;
        let draw = model.draw(tape, head, samples, KlTerm::Closed);
        let out = model.decode(tape, draw.z);
        // Never written, so it stays zero: there is no KL to weigh.
        let kl = row_vector(&mut tape.plan, "kl", batch);
        let [recon_weight, kl_weight] =
            ["recon_weight", "kl_weight"].map(|name| row_vector(&mut tape.plan, name, batch));
        row_weight(&mut tape.plan, batch, samples, recon_weight, kl_weight);
        let log_p = model.log_p_and_gradient(tape, out, x, recon_weight);
        batch_sum(&mut tape.plan, batch, samples, (log_p, kl), objective::Objective::Elbo, terms);
    }
}
