//! One learned log-variance for each value (`shaders/likelihood/gaussian_global.wgsl`).

use super::by_row::kernels;
use super::definition::Kernels;
use super::gaussian_terms::{log_p, slopes};
use super::kernel::Params;
use super::with_own::{self, WithOwn};
use crate::kernels::shader;
use crate::plan::{Call, Kernel, Matrix, Shader};

pub(super) struct GaussianGlobal;

impl WithOwn for GaussianGlobal {
    const SHADER: Shader = shader!("likelihood/gaussian_global");

    /// log_p\[r\] = sum_d log p(x | mu, s).
    fn log_likelihood(call: &dyn Call, mu: Matrix, s: Matrix, x: Matrix, to: Matrix) {
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            let datum = row / p.samples as usize;
            to.set(row, (0..p.dim as usize).map(|d| log_p(mu.get(row, d), s.at(d), x.get(datum, d))).sum());
        }
    }

    /// d_mu in place of mu, and d_s.
    fn gradient(call: &dyn Call, s: Matrix, x: Matrix, weight: Matrix, mu: Matrix, d_s: Matrix) {
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            for d in 0..4 * p.vectors as usize {
                let inside = d < p.dim as usize;
                let here = || slopes(mu.get(row, d), s.at(d), x.get(row / p.samples as usize, d));
                let [by_mu, by_s] = if inside { here() } else { [0.0, 0.0] };
                mu.put(row, d, -weight.at(row) * by_mu);
                d_s.put(row, d, -weight.at(row) * by_s);
            }
        }
    }

    fn log_p(mu: f64, s: Matrix, d: usize, x: f64) -> f64 {
        log_p(mu, s.at(d), x)
    }
}

kernels!(with_own, GaussianGlobal);
