//! The VAE: a mirrored multilayer perceptron with a Bernoulli decoder.
//!
//! Dimensions: B batch rows, D data, Z latent.

use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::Distribution;
use burn::tensor::activation::{relu, tanh};
use clap::ValueEnum;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Activation {
    Relu,
    Tanh,
}

impl Activation {
    fn apply(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Activation::Relu => relu(x),
            Activation::Tanh => tanh(x),
        }
    }
}

#[derive(Module, Debug)]
pub struct Vae {
    encoder: Vec<Linear>,
    mu: Linear,
    log_var: Linear,
    decoder: Vec<Linear>,
    out: Linear,
}

impl Vae {
    /// `hidden` are the widths of the encoder's hidden layers; the decoder mirrors them.
    pub fn new(input: usize, hidden: &[usize], latent: usize, device: &Device) -> Vae {
        // LinearConfig's default initialiser is uniform in +-1/sqrt(fan_in), as everywhere in this comparison.
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let stack = |widths: &[usize]| widths.windows(2).map(|w| linear(w[0], w[1])).collect::<Vec<_>>();
        let down: Vec<usize> = std::iter::once(input).chain(hidden.iter().copied()).collect();
        let up: Vec<usize> = std::iter::once(latent).chain(hidden.iter().rev().copied()).collect();
        let (narrowest, widest) = (down[hidden.len()], up[hidden.len()]);
        Vae {
            encoder: stack(&down),
            mu: linear(narrowest, latent),
            log_var: linear(narrowest, latent),
            decoder: stack(&up),
            out: linear(widest, input),
        }
    }

    /// -ELBO of x [B, D] in nats, averaged over rows.
    pub fn loss(&self, x: Tensor<2>, activation: Activation) -> Tensor<1> {
        let rows = x.dims()[0] as f64;
        let through = |layers: &[Linear], x| layers.iter().fold(x, |x, l| activation.apply(l.forward(x)));

        let h = through(&self.encoder, x.clone());
        let (mu, log_var) = (self.mu.forward(h.clone()), self.log_var.forward(h));
        let eps = mu.random_like(Distribution::Normal(0.0, 1.0));
        let z = mu.clone() + (log_var.clone() * 0.5).exp() * eps;
        let logits = self.out.forward(through(&self.decoder, z));

        // -log p(x|z) = softplus(l) - x l, with softplus in the form that cannot overflow.
        let softplus = relu(logits.clone()) + (-logits.clone().abs()).exp().log1p();
        let minus_recon = (softplus - x * logits).sum();
        let kl = (mu.square() + log_var.clone().exp() - 1.0 - log_var).sum() * 0.5;
        (minus_recon + kl) / rows
    }
}
