//! A model memorises one batch of MNIST: all parts of training together on the GPU.

mod common;

use std::f64::consts::LN_2;

use common::model::{Engine, Problem, Shape, step};
use vae_gpu::data;
use vae_gpu::kernels::gather::Binarize;
use vae_gpu::model::init::{Init, initial_weights};
use vae_gpu::model::{ModelConfig, Network};

/// B: the first images of the test data, the same in every step.
const IMAGES: usize = 16;
const STEPS: usize = 300;
/// Steps that the result is averaged over: z is noisy.
const LAST: usize = 20;

/// The ELBO to reach, in nats per datum. Measured: -19.9 to -21.0 over four seeds, on lavapipe and on SwiftShader.
/// Results of wrong gradients in the same steps, measured by breaking the kernel:
/// - no gradient from the decoder to the encoder's mean (`d_mu` without `d_z`): -159, and -167 with its sign flipped;
/// - the sign of the encoder's variance gradient flipped: -303; no gradient of the KL: -1005;
/// - a different eps in the backward pass than in the forward pass: -30 to -36, the closest of all.
///
/// Adam divides out a gradient's scale, so a wrong factor does not show here; `gradients.rs` and `golden.rs` catch it.
const GOAL: f64 = -24.0;

#[test]
fn one_batch_is_learned_by_heart() {
    let mnist = data::open("mnist").unwrap();
    let config =
        ModelConfig { input: mnist.shape.dim(), hidden: vec![128], latent: 8, ..ModelConfig::default() };
    let images = mnist.test.x(0..IMAGES).unwrap();
    let bytes = images.iter().map(|x| (255.0 * x).round() as u8).collect::<Vec<u8>>();
    let bytes = &bytes[..];
    let order: Vec<u32> = (0..IMAGES as u32).collect();
    let gpu = common::gpu();
    let shape = Shape::new(IMAGES, Binarize::Threshold);
    let weights = initial_weights(&Network::new(&config).unwrap().parameters, Init::Pytorch, 1);
    let problem = Problem::new(&config, gpu.target(), shape, STEPS, (bytes, &order), weights);
    let mut device = problem.device(&gpu);
    (1..=STEPS as u32).for_each(|t| device.run(&step(1, t, IMAGES, 2e-3)));

    // (recon, KL) of each step, in nats per datum.
    let terms = device.read(problem.train.ports.history);
    let terms: Vec<_> =
        terms.chunks_exact(4).map(|sums| [sums[0], sums[1]].map(|s| s / IMAGES as f64)).collect();
    let last = terms[STEPS - LAST..].iter().fold([0.0; 2], |sum, step| [sum[0] + step[0], sum[1] + step[1]]);
    let [recon, kl] = last.map(|sum| sum / LAST as f64);
    let (first, last) = (terms[0][0] - terms[0][1], recon - kl);
    let result = format!("ELBO {first:.1} at first, {last:.1} at last: recon {recon:.1}, KL {kl:.1}");
    println!("{result}");

    // At first, every pixel costs about one bit.
    let coin = -(config.input as f64) * LN_2;
    assert!((first - coin).abs() < 20.0, "{result}; the first should be near {coin:.1}");
    // Only the decoder's last bias: the same picture for every z.
    let blind = blind(bytes, config.input);
    assert!(blind < 5.0 * GOAL, "a goal of {GOAL} is no proof: without z, {blind:.1} can be reached");
    assert!(last > GOAL, "{result}; the last should be above {GOAL}");
    // Telling N images apart takes ln N nats: with fewer, z did not carry them.
    assert!(kl > (IMAGES as f64).ln(), "{result}; this KL cannot carry {IMAGES} images");
}

/// The mean log-likelihood of the best Bernoulli that ignores z: each pixel costs the entropy of its mean.
fn blind(bytes: &[u8], dim: usize) -> f64 {
    let entropy = |pixel: usize| {
        let ones = bytes.iter().skip(pixel).step_by(dim).filter(|v| **v > 127).count();
        let p = ones as f64 / IMAGES as f64;
        [p, 1.0 - p].into_iter().filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum::<f64>()
    };
    -(0..dim).map(entropy).sum::<f64>()
}
