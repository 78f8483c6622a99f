//! E_q[log p(x|z)] - beta KL(q(z|x) || p(z)), with a floor under each dimension's KL if bits are free.

use super::bound::{Job, Objective};
use crate::error::Result;
use crate::kernels::objective::{self, batch_sum};
use crate::kernels::row_vector;
use crate::kernels::row_weight::row_weight;
use crate::model::latent::KlTerm;
use crate::model::recipe::Recipe;
use crate::model::tape::Tape;

/// See the module.
pub(in crate::model) struct Elbo;

/// See the module.
pub(in crate::model) static ELBO: Elbo = Elbo;

impl Objective for Elbo {
    fn name(&self) -> &'static str {
        "elbo"
    }

    fn is_elbo(&self, _: usize) -> bool {
        true
    }

    fn validate(&self, _: &Recipe, _: usize, _: bool) -> Result<()> {
        Ok(())
    }

    fn append(&self, tape: &mut Tape, job: &Job) {
        let Job { model, recipe, samples, x, head, terms } = *job;
        let batch = tape.batch;
        let term = if recipe.free_bits > 0.0 { KlTerm::FreeBits(recipe.free_bits) } else { KlTerm::Closed };
        let draw = model.draw(tape, head, samples, term);
        let kl = draw.kl.expect("the ELBO has a KL term");
        let out = model.decode(tape, draw.z);
        let recon_weight = row_vector(&mut tape.plan, "recon_weight", batch * samples);
        let kl_weight = row_vector(&mut tape.plan, "kl_weight", batch);
        row_weight(&mut tape.plan, batch, samples, recon_weight, kl_weight);
        let log_p = model.log_p_and_gradient(tape, out, x, recon_weight);
        tape.seed(kl, kl_weight);
        let trained = draw.floor_kl.map_or(objective::Objective::Elbo, objective::Objective::FreeBits);
        let kl = tape.peek(kl);
        batch_sum(&mut tape.plan, batch, samples, (log_p, kl), trained, terms);
    }
}
