//! A log-variance that the decoder predicts for each value of each row (`shaders/likelihood/gaussian_pixel.wgsl`).

use super::definition::Kernels;
use super::gaussian_terms;
use super::pair::{self, Pair};
use crate::kernels::shader;
use crate::plan::{Kernel, Nodes};

struct GaussianPixel;

impl Pair for GaussianPixel {
    fn log_p(mu: f64, s: f64, x: f64) -> f64 {
        gaussian_terms::log_p(mu, s, x)
    }

    fn slopes(mu: f64, s: f64, x: f64) -> [f64; 2] {
        gaussian_terms::slopes(mu, s, x)
    }

    fn mean(mu: f64, _: f64) -> f64 {
        mu
    }

    const NODES: Nodes = gaussian_terms::mean_nodes;
}

const SHADER: (&str, &str) = ("likelihood/gaussian_pixel", shader!("likelihood/gaussian_pixel"));
static FORWARD: Kernel = pair::forward::<GaussianPixel>(SHADER);
static FUSED: Kernel = pair::fused::<GaussianPixel>(SHADER);
static BACKWARD: Kernel = pair::backward::<GaussianPixel>(SHADER);
static MEAN: Kernel = pair::mean::<GaussianPixel>(SHADER);
static VALUES: Kernel = pair::values::<GaussianPixel>(SHADER);

pub(super) static KERNELS: Kernels =
    Kernels { forward: &FORWARD, fused: &FUSED, backward: &BACKWARD, mean: &MEAN, values: &VALUES };
