//! One learned log-variance for all values (`shaders/likelihood/gaussian_shared.wgsl`).

use std::f64::consts::PI;

use super::by_row::kernels;
use super::definition::Kernels;
use super::kernel::{Params, kernel};
use super::with_own::{self, WithOwn};
use crate::kernels::shader;
use crate::plan::{Call, Kernel, Matrix, Shader, read, write};

/// The log-variance is clamped to plus or minus this; outside, its gradient is zero.
pub const SHARED_LOG_VAR_LIMIT: f64 = 12.0;

pub(super) struct GaussianShared;

impl WithOwn for GaussianShared {
    const SHADER: Shader = shader!("likelihood/gaussian_shared");

    /// log_p\[r\] = -(S e^-s + D (s + log(2 pi))) / 2.
    fn log_likelihood(call: &dyn Call, mu: Matrix, s: Matrix, x: Matrix, log_p: Matrix) {
        let p: Params = crate::plan::params(call);
        let s = clamped(s);
        for row in 0..p.rows as usize {
            let squares = sum_of_squares(&p, mu, x, row);
            log_p.set(row, -0.5 * (squares * (-s).exp() + f64::from(p.dim) * (s + (2.0 * PI).ln())));
        }
    }

    /// d_mu in place of mu, and d_s of each row.
    fn gradient(call: &dyn Call, s: Matrix, x: Matrix, weight: Matrix, mu: Matrix, d_s: Matrix) {
        let p: Params = crate::plan::params(call);
        let precision = (-clamped(s)).exp();
        let moves = if s.at(0).abs() < SHARED_LOG_VAR_LIMIT { 1.0 } else { 0.0 };
        for row in 0..p.rows as usize {
            let (datum, weight) = (row / p.samples as usize, weight.at(row));
            let by_s = 0.5 * (sum_of_squares(&p, mu, x, row) * precision - f64::from(p.dim));
            for (column, value) in [-weight * moves * by_s, 0.0, 0.0, 0.0].into_iter().enumerate() {
                d_s.put(row, column, value);
            }
            for d in 0..4 * p.vectors as usize {
                let inside = d < p.dim as usize;
                let distance = if inside { x.get(datum, d) - mu.get(row, d) } else { 0.0 };
                mu.put(row, d, -weight * distance * precision);
            }
        }
    }

    fn log_p(mu: f64, s: Matrix, _: usize, x: f64) -> f64 {
        let (s, distance) = (clamped(s), x - mu);
        -0.5 * (distance * distance * (-s).exp() + s + (2.0 * PI).ln())
    }
}

kernels!(with_own, GaussianShared);

/// S\[r\] = sum_d (x - mu)^2.
pub(super) static SQUARES: Kernel = kernel(
    GaussianShared::SHADER,
    "sum_squares",
    &[read(1, "decoded"), read(3, "x"), write(9, "squares")],
    |call| {
        let [mu, x, squares] = call.slots();
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            squares.set(row, sum_of_squares(&p, mu, x, row));
        }
    },
);

fn clamped(s: Matrix) -> f64 {
    s.at(0).clamp(-SHARED_LOG_VAR_LIMIT, SHARED_LOG_VAR_LIMIT)
}

fn sum_of_squares(p: &Params, mu: Matrix, x: Matrix, row: usize) -> f64 {
    let distance = |d: usize| x.get(row / p.samples as usize, d) - mu.get(row, d);
    (0..p.dim as usize).map(|d| distance(d) * distance(d)).sum()
}
