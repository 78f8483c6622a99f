//! The VAE: a mirrored multilayer perceptron, or mirrored convolutions, with a Bernoulli decoder.
//!
//! Dimensions: B batch rows, D data, Z latent.

use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
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
    fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::Relu => relu(x),
            Activation::Tanh => tanh(x),
        }
    }
}

/// The width of the linear layer between convolutions and codes.
const LINEAR: usize = 256;

#[derive(Module, Debug)]
pub struct Vae {
    /// Before the encoder's linear layers; none in a perceptron.
    convolutions: Vec<Conv2d>,
    encoder: Vec<Linear>,
    mu: Linear,
    log_var: Linear,
    decoder: Vec<Linear>,
    /// What makes logits: the last layer of a perceptron.
    out: Option<Linear>,
    /// What makes logits: one for each convolution, the last without an activation.
    transposed: Vec<ConvTranspose2d>,
    /// Channels and side of the smallest picture.
    smallest: [usize; 2],
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
            convolutions: Vec::new(),
            encoder: stack(&down),
            mu: linear(narrowest, latent),
            log_var: linear(narrowest, latent),
            decoder: stack(&up),
            out: Some(linear(widest, input)),
            transposed: Vec::new(),
            smallest: [0, 0],
        }
    }

    /// Square pictures of one channel through convolutions with these channels, 4 x 4 at every second position, and a linear
    /// layer of 256; the decoder mirrors them.
    pub fn convolutional(input: usize, channels: &[usize], latent: usize, device: &Device) -> Vae {
        // The default initialisers of convolutions are uniform in +-1/sqrt(fan_in) too.
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let (mut convolutions, mut transposed) = (Vec::new(), Vec::new());
        let (mut given, mut side) = (1, input.isqrt());
        for made in channels.iter().copied() {
            let down = Conv2dConfig::new([given, made], [4, 4]).with_stride([2, 2]);
            convolutions.push(down.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device));
            // Of an odd side a half is rounded down: the way back adds what is missing.
            let up =
                ConvTranspose2dConfig::new([made, given], [4, 4]).with_stride([2, 2]).with_padding([1, 1]);
            transposed.insert(0, up.with_padding_out([side % 2, side % 2]).init(device));
            (given, side) = (made, side / 2);
        }
        let numbers = given * side * side;
        Vae {
            convolutions,
            encoder: vec![linear(numbers, LINEAR)],
            mu: linear(LINEAR, latent),
            log_var: linear(LINEAR, latent),
            decoder: vec![linear(latent, LINEAR), linear(LINEAR, numbers)],
            out: None,
            transposed,
            smallest: [given, side],
        }
    }

    /// -ELBO of x [B, D] in nats, averaged over rows.
    pub fn loss(&self, x: Tensor<2>, activation: Activation) -> Tensor<1> {
        let rows = x.dims()[0] as f64;
        let through = |layers: &[Linear], x| layers.iter().fold(x, |x, l| activation.apply(l.forward(x)));

        let mut h = x.clone();
        if !self.convolutions.is_empty() {
            let side = x.dims()[1].isqrt();
            let picture = x.clone().reshape([x.dims()[0], 1, side, side]);
            h = self.convolutions.iter().fold(picture, |x, l| activation.apply(l.forward(x))).flatten(1, 3);
        }
        let h = through(&self.encoder, h);
        let (mu, log_var) = (self.mu.forward(h.clone()), self.log_var.forward(h));
        let eps = mu.random_like(Distribution::Normal(0.0, 1.0));
        let z = mu.clone() + (log_var.clone() * 0.5).exp() * eps;
        let h = through(&self.decoder, z);
        let logits = match &self.out {
            Some(out) => out.forward(h),
            None => {
                let [channels, side] = self.smallest;
                let mut picture = h.reshape([x.dims()[0], channels, side, side]);
                for (number, layer) in self.transposed.iter().enumerate() {
                    picture = layer.forward(picture);
                    if number + 1 < self.transposed.len() {
                        picture = activation.apply(picture);
                    }
                }
                picture.flatten(1, 3)
            }
        };

        // -log p(x|z) = softplus(l) - x l, with softplus in the form that cannot overflow.
        let softplus = relu(logits.clone()) + (-logits.clone().abs()).exp().log1p();
        let minus_recon = (softplus - x * logits).sum();
        let kl = (mu.square() + log_var.clone().exp() - 1.0 - log_var).sum() * 0.5;
        (minus_recon + kl) / rows
    }
}
