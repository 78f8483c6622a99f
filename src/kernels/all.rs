//! The list of kernels.

use super::{
    activation, adam, bias_grad, clip, condition, free_bits, gather, importance, latent, likelihood, matmul,
    micro, objective, prior, random, row_weight,
};
use crate::plan::Kernel;

/// Every kernel of the crate: what `vae-gpu check` and the tests walk.
pub fn all() -> Vec<&'static Kernel> {
    let mut kernels: Vec<&'static Kernel> = vec![
        &random::WORDS,
        &random::UNIFORMS,
        &random::NORMALS,
        &gather::GATHER,
        &activation::ACTIVATION,
        &latent::FORWARD,
        &latent::FORWARD_RATIO,
        &latent::TRAINING,
        &latent::BACKWARD,
        &latent::BACKWARD_FREE_BITS,
        &latent::BACKWARD_RATIO,
        &latent::MEAN,
        &condition::CONDITION,
        &free_bits::FREE_BITS,
        &prior::PRIOR,
        &row_weight::ROW_WEIGHT,
        &importance::WEIGHTS,
        &importance::ACCUMULATE,
        &objective::BATCH_SUM,
        &objective::COLLECT,
        &bias_grad::BIAS_GRAD,
        &clip::SQUARES,
        &clip::FACTOR,
        &adam::ADAM,
        &adam::CLIPPED,
        &micro::MULTIPLY_ADD,
        &micro::COPY,
        &micro::LATENCY,
    ];
    kernels.extend(matmul::KERNELS);
    for likelihood in likelihood::TABLE {
        kernels.extend([likelihood.forward, likelihood.fused, likelihood.backward, likelihood.mean]);
    }
    kernels
}
