//! A log-variance that the decoder predicts for each value of each row (`shaders/likelihood/gaussian_pixel.wgsl`).

use super::by_row::{self, kernels};
use super::definition::Kernels;
use super::gaussian_terms;
use super::pair::{ByPair, Pair};
use crate::kernels::shader;
use crate::plan::{Kernel, Nodes, Shader};

struct GaussianPixel;

impl Pair for GaussianPixel {
    const SHADER: Shader = shader!("likelihood/gaussian_pixel");

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

kernels!(by_row, ByPair<GaussianPixel>);
