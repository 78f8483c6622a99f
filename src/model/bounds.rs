//! What a step trains: from the encoder's output through the decoder and the objective back to the gradient by that
//! output.

use super::config::Kind;
use super::network::Network;
use super::plans::{Batch, Recipe};
use crate::kernels::likelihood::Pass;
use crate::kernels::objective::{Objective, batch_sum};
use crate::kernels::{free_bits, importance, latent, row_vector, row_weight};
use crate::plan::Tensor;

/// What the objectives have in common.
pub(super) struct Bound<'a> {
    pub batch: &'a Batch,
    pub recipe: &'a Recipe,
    /// x [B, D], what the likelihood is of.
    pub x: Tensor,
    /// The encoder's output.
    pub head: Tensor,
    /// The history [.., 4] of the terms.
    pub terms: Tensor,
}

impl Bound<'_> {
    /// Appends decoder, objective and their backward pass, with the gradients of the decoder's parameters; gives the
    /// gradient by the head.
    pub fn append(&self, net: &mut Network) -> Tensor {
        match net.config.kind {
            Kind::Vae => self.elbo(net),
            Kind::Iwae => self.importance(net),
            Kind::Ae => self.reconstruction(net),
        }
    }

    fn rows(&self) -> usize {
        self.batch.size * self.batch.samples
    }

    /// d_z [B K, Z] of an objective whose row weights [B K] are known beforehand.
    fn weighted(
        &self,
        net: &mut Network,
        (z, kl): (Tensor, Tensor),
        weight: Tensor,
        objective: Objective,
    ) -> Tensor {
        let (size, samples) = (self.batch.size, self.batch.samples);
        let decoded = net.decode(z, samples);
        let log_p = row_vector(&mut net.plan, "log_p", self.rows());
        let (out, bias, x) = (decoded.last(), net.out_biases(), self.x);
        let d_out = net.plan.tensor("d_decoder.out", self.rows(), bias.cols);
        net.likelihood(Pass::Fused { out, bias, x, weight, log_p, d_out });
        batch_sum(&mut net.plan, size, samples, (log_p, kl), objective, self.terms);
        net.decode_backward(&decoded, d_out)
    }

    /// The ELBO, its KL weighted and with a floor where the recipe says so.
    fn elbo(&self, net: &mut Network) -> Tensor {
        let (head, samples) = (self.head, self.batch.samples);
        let recon_weight = row_vector(&mut net.plan, "recon_weight", self.rows());
        let kl_weight = row_vector(&mut net.plan, "kl_weight", self.batch.size);
        let code = net.sample_for_training(head, samples, [recon_weight, kl_weight]);
        let free = (self.recipe.free_bits > 0.0).then(|| {
            let [floor_kl, kl_scale] =
                ["floor_kl", "kl_scale"].map(|name| net.plan.tensor(name, 1, net.config.latent));
            free_bits::free_bits(&mut net.plan, self.recipe.free_bits, head, floor_kl, kl_scale);
            (floor_kl, kl_scale)
        });
        let objective = free.map_or(Objective::Elbo, |(floor_kl, _)| Objective::FreeBits(floor_kl));
        let d_z = self.weighted(net, code, recon_weight, objective);
        let d_head = net.plan.tensor("d_head", head.rows, head.cols);
        match free {
            None => latent::backward(&mut net.plan, samples, head, d_z, kl_weight, d_head),
            Some((_, kl_scale)) => {
                latent::backward_free_bits(&mut net.plan, samples, head, d_z, kl_weight, kl_scale, d_head);
            }
        }
        d_head
    }

    /// log p(x|z) alone, with z = mu.
    fn reconstruction(&self, net: &mut Network) -> Tensor {
        // Never written: there is no KL.
        let kl = row_vector(&mut net.plan, "kl", self.batch.size);
        let weight = row_vector(&mut net.plan, "recon_weight", self.batch.size);
        row_weight::row_weight(&mut net.plan, self.batch.size, weight);
        self.weighted(net, (self.head, kl), weight, Objective::Elbo)
    }

    /// The importance-weighted bound of K samples: the weights are known after the decoder, so its likelihood is passed
    /// twice.
    fn importance(&self, net: &mut Network) -> Tensor {
        let (size, samples, head) = (self.batch.size, self.batch.samples, self.head);
        let (z, kl, log_ratio) = net.sample_with_ratio(head, samples);
        let decoded = net.decode(z, samples);
        let (out, bias, x) = (decoded.last(), net.out_biases(), self.x);
        let [log_p, weight] = ["log_p", "weight"].map(|name| row_vector(&mut net.plan, name, self.rows()));
        let bound = row_vector(&mut net.plan, "bound", size);
        net.likelihood(Pass::Forward { out, bias, x, log_p });
        importance::weights(&mut net.plan, size, samples, (log_p, log_ratio), (weight, bound));
        let d_out = net.plan.tensor("d_decoder.out", self.rows(), bias.cols);
        net.likelihood(Pass::Backward { out, bias, x, weight, d_out });
        batch_sum(&mut net.plan, size, samples, (log_p, kl), Objective::Importance(bound), self.terms);
        let d_z = net.decode_backward(&decoded, d_out);
        let d_head = net.plan.tensor("d_head", head.rows, head.cols);
        latent::backward_ratio(&mut net.plan, samples, head, d_z, weight, d_head);
        d_head
    }
}
