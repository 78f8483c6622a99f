//! The list of kernels.

use super::{
    activation, adam, add, batch_norm, bias_grad, clip, condition, conv, flip, free_bits, gather, importance,
    latent, likelihood, matmul, micro, norm, objective, picture, prior, random, resize, row_weight,
};
use crate::plan::Kernel;

/// Every kernel of the crate: what `vae-gpu check` and the tests walk.
pub fn all() -> Vec<&'static Kernel> {
    let mut kernels: Vec<&'static Kernel> = vec![
        &random::WORDS,
        &random::UNIFORMS,
        &random::NORMALS,
        &gather::GATHER,
        &activation::FORWARD,
        &activation::BACKWARD,
        &add::SUM,
        &add::COPY,
        &add::ACCUMULATE,
        &latent::DRAW,
        &latent::RATIO,
        &latent::BACKWARD,
        &condition::CONDITION,
        &flip::FLIP,
        &norm::FORWARD,
        &norm::BACKWARD,
        &resize::GROW,
        &resize::SHRINK,
        &picture::SPREAD,
        &picture::COLLECT,
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
        &adam::ADAM_IMAGES,
        &adam::CLIPPED_IMAGES,
        &matmul::JOIN,
        &micro::MULTIPLY_ADD,
        &micro::COPY,
        &micro::LATENCY,
    ];
    kernels.extend(batch_norm::KERNELS);
    kernels.extend(matmul::KERNELS);
    kernels.extend(conv::DATA_KERNELS);
    kernels.extend(conv::WEIGHT_KERNELS);
    for likelihood in likelihood::TABLE {
        for set in likelihood.kernels {
            kernels.extend(set.all());
        }
        kernels.extend(likelihood.extra_kernels);
    }
    kernels
}
