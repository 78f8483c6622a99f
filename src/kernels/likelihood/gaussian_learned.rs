//! The Gaussian likelihood with a learned variance: one per value (`shaders/likelihood/gaussian_global.wgsl`), or
//! predicted for every value of every row (`shaders/likelihood/gaussian_pixel.wgsl`).

use std::f64::consts::PI;

use super::{Data, Kernels, Likelihood, Output, Pass, Settings, Variance, moments};
use crate::kernels::row_sum::RowSum;
use crate::kernels::{elementwise, params, shader};
use crate::plan::{
    Call, Dispatch, Kernel, Needs, PAD, Plan, Reference, Slot, Target, Tensor, Trusted, read, round_up, write,
};

/// The log-variance is clamped to plus or minus this; outside, its gradient is zero. A pixel that never changes would
/// otherwise drive its variance to zero and log p to infinity.
pub const LOG_VAR_LIMIT: f64 = 7.0;

params! {
    /// See `shaders/shared/gaussian.wgsl`.
    struct Params {
        rows: u32,
        samples: u32,
        dim: u32,
        vectors: u32,
    }
}

const fn kernel(
    (name, source): (&'static str, &'static str),
    entry: &'static str,
    slots: &'static [Slot],
    reference: Reference,
) -> Kernel {
    Kernel {
        name,
        entry,
        source,
        params: Params::FIELDS,
        slots,
        step: false,
        needs: Needs::Nothing,
        trusted: Trusted,
        variants: RowSum::variants,
        reference,
    }
}

mod global {
    use super::*;

    const SHADER: (&str, &str) = ("likelihood/gaussian_global", shader!("likelihood/gaussian_global"));
    const DECODED: Slot = read(1, "decoded");
    const LOG_VAR: Slot = read(2, "log_var");
    const X: Slot = read(3, "x");
    const WEIGHT: Slot = read(4, "weight");
    const LOG_P: Slot = write(5, "log_p");
    const D_DECODED: Slot = write(6, "d_decoded").updated();
    const D_LOG_VAR: Slot = write(7, "d_log_var");

    static FORWARD: Kernel = kernel(SHADER, "forward", &[DECODED, LOG_VAR, X, LOG_P], |call| {
        let [mu, s, x, log_p] = [0, 1, 2, 3];
        log_likelihood(call, &[x, log_p], |call, row, d| [call.get(mu, row, d), call.get(s, 0, d)]);
    });

    static FUSED: Kernel =
        kernel(SHADER, "fused", &[LOG_VAR, X, WEIGHT, LOG_P, D_DECODED, D_LOG_VAR], |call| {
            let [s, x, weight, log_p, mu, d_s] = [0, 1, 2, 3, 4, 5];
            log_likelihood(call, &[x, log_p], |call, row, d| [call.get(mu, row, d), call.get(s, 0, d)]);
            gradient(call, s, x, weight, mu, d_s);
        });

    static BACKWARD: Kernel =
        kernel(SHADER, "backward", &[LOG_VAR, X, WEIGHT, D_DECODED, D_LOG_VAR], |call| {
            let [s, x, weight, mu, d_s] = [0, 1, 2, 3, 4];
            gradient(call, s, x, weight, mu, d_s);
        });

    static MEAN: Kernel = kernel(SHADER, "mean", &[DECODED, write(8, "mean_x")], mean);

    pub(super) static KERNELS: Kernels =
        Kernels { forward: &FORWARD, fused: &FUSED, backward: &BACKWARD, mean: &MEAN };

    /// d_mu in place of mu, and d_s.
    fn gradient(call: &mut dyn Call, s: usize, x: usize, weight: usize, mu: usize, d_s: usize) {
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            for d in 0..4 * p.vectors as usize {
                let here = [call.get(mu, row, d), call.get(s, 0, d)];
                let [by_mu, by_s] = slopes(call, &p, here, [x, weight], row, d);
                call.put(mu, row, d, by_mu);
                call.put(d_s, row, d, by_s);
            }
        }
    }
}

mod pixel {
    use super::*;

    const SHADER: (&str, &str) = ("likelihood/gaussian_pixel", shader!("likelihood/gaussian_pixel"));
    const DECODED: Slot = read(1, "decoded");
    const X: Slot = read(2, "x");
    const WEIGHT: Slot = read(3, "weight");
    const LOG_P: Slot = write(4, "log_p");
    const D_DECODED: Slot = write(5, "d_decoded").updated();

    static FORWARD: Kernel = kernel(SHADER, "forward", &[DECODED, X, LOG_P], |call| {
        let [decoded, x, log_p] = [0, 1, 2];
        log_likelihood(call, &[x, log_p], |call, row, d| parts(call, decoded, row, d));
    });

    static FUSED: Kernel = kernel(SHADER, "fused", &[X, WEIGHT, LOG_P, D_DECODED], |call| {
        let [x, weight, log_p, decoded] = [0, 1, 2, 3];
        log_likelihood(call, &[x, log_p], |call, row, d| parts(call, decoded, row, d));
        gradient(call, x, weight, decoded);
    });

    static BACKWARD: Kernel = kernel(SHADER, "backward", &[X, WEIGHT, D_DECODED], |call| {
        let [x, weight, decoded] = [0, 1, 2];
        gradient(call, x, weight, decoded);
    });

    static MEAN: Kernel = kernel(SHADER, "mean", &[DECODED, write(6, "mean_x")], mean);

    pub(super) static KERNELS: Kernels =
        Kernels { forward: &FORWARD, fused: &FUSED, backward: &BACKWARD, mean: &MEAN };

    /// mu and s of a value: s lies P columns after mu.
    fn parts(call: &dyn Call, decoded: usize, row: usize, d: usize) -> [f64; 2] {
        let p: Params = crate::plan::params(call);
        [call.get(decoded, row, d), call.get(decoded, row, 4 * p.vectors as usize + d)]
    }

    /// d_mu and d_s in place of mu and s.
    fn gradient(call: &mut dyn Call, x: usize, weight: usize, decoded: usize) {
        let p: Params = crate::plan::params(call);
        let columns = 4 * p.vectors as usize;
        for row in 0..p.rows as usize {
            for d in 0..columns {
                let here = parts(call, decoded, row, d);
                let [by_mu, by_s] = slopes(call, &p, here, [x, weight], row, d);
                call.put(decoded, row, d, by_mu);
                call.put(decoded, row, columns + d, by_s);
            }
        }
    }
}

/// log_p[r] = -1/2 sum_d (x - mu)^2 e^-s + s + log(2 pi).
fn log_likelihood(
    call: &mut dyn Call,
    &[x, log_p]: &[usize; 2],
    of: impl Fn(&dyn Call, usize, usize) -> [f64; 2],
) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let mut sum = 0.0;
        for d in 0..p.dim as usize {
            let [mu, free] = of(call, row, d);
            let distance = call.get(x, row / p.samples as usize, d) - mu;
            let s = free.clamp(-LOG_VAR_LIMIT, LOG_VAR_LIMIT);
            sum -= 0.5 * (distance * distance * (-s).exp() + s + (2.0 * PI).ln());
        }
        call.put(log_p, 0, row, sum);
    }
}

/// d_mu = -weight (x - mu) e^-s and d_s = -weight ((x - mu)^2 e^-s - 1) / 2 of a value; zero in the padding.
fn slopes(
    call: &dyn Call,
    p: &Params,
    [mu, free]: [f64; 2],
    [x, weight]: [usize; 2],
    row: usize,
    d: usize,
) -> [f64; 2] {
    if d >= p.dim as usize {
        return [0.0, 0.0];
    }
    let (distance, weight) = (call.get(x, row / p.samples as usize, d) - mu, call.get(weight, 0, row));
    let precision = (-free.clamp(-LOG_VAR_LIMIT, LOG_VAR_LIMIT)).exp();
    let moves = if free.abs() < LOG_VAR_LIMIT { 1.0 } else { 0.0 };
    [-weight * distance * precision, -weight * moves * 0.5 * (distance * distance * precision - 1.0)]
}

/// E[x|z] = mu.
fn mean(call: &mut dyn Call) {
    let [decoded, mean_x] = [0, 1];
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        for d in 0..4 * p.vectors as usize {
            let mu = if d < p.dim as usize { call.get(decoded, row, d) } else { 0.0 };
            call.put(mean_x, row, d, mu);
        }
    }
}

/// Real data with noise whose variance is learned.
pub static GAUSSIAN_LEARNED: Likelihood = Likelihood {
    name: "gaussian-learned",
    about: "real data, log-variance s learned (--variance): log p = -((x - mu)^2 e^-s + s + log(2 pi)) / 2",
    data: Data::Grey,
    bounded: false,
    settings: &[
        Settings { variance: Variance::Global, ..Settings::DEFAULT },
        Settings { variance: Variance::Pixel, ..Settings::DEFAULT },
    ],
    validate: |_| Ok(()),
    title: |settings| match settings.variance {
        Variance::Global => "gaussian-learned (global variance)".into(),
        Variance::Pixel => "gaussian-learned (pixel variance)".into(),
    },
    output: |dim, settings| match settings.variance {
        Variance::Global => Output::new(&[("decoder.out", dim)]).with_own("decoder.log_var", dim),
        Variance::Pixel => Output::new(&[("decoder.mu", dim), ("decoder.log_var", dim)]),
    },
    fit: |values, _| {
        let (mean, variance) = moments(values);
        vec![mean, variance.ln().clamp(-LOG_VAR_LIMIT, LOG_VAR_LIMIT)]
    },
    kernels: &[&global::KERNELS, &pixel::KERNELS],
    expectation: |_, heads, _, _| heads[0],
    append,
};

fn append(plan: &mut Plan, target: &Target, settings: &Settings, pass: Pass) {
    let global = settings.variance == Variance::Global;
    let kernels = if global { &global::KERNELS } else { &pixel::KERNELS };
    let (kernel, flops, mut tensors): (&'static Kernel, u64, Vec<Tensor>) = match pass {
        Pass::Forward { out, x, log_p, .. } => (kernels.forward, 8, vec![out, x, log_p]),
        Pass::Fused { out, x, weight, log_p, .. } => (kernels.fused, 13, vec![x, weight, log_p, out]),
        Pass::Backward { out, x, weight, .. } => (kernels.backward, 10, vec![x, weight, out]),
        Pass::Mean { out, mean } => (kernels.mean, 0, vec![out, mean]),
    };
    let out = pass.out();
    let (image, samples) = pass.image();
    let (dim, columns) = (image.cols, image.stride);
    assert_eq!(columns, round_up(dim, PAD), "padding of the data");
    assert_eq!(out.stride, if global { columns } else { 2 * columns }, "columns of the decoder's output");
    if global {
        // The log-variance is bound after the decoder's output where that is read, and first where that is replaced.
        let at = usize::from(matches!(pass, Pass::Forward { .. }));
        if let Some((log_var, d_log_var)) = pass.own() {
            assert_eq!((log_var.rows, log_var.stride), (1, columns), "shape of the log-variance");
            tensors.insert(at, log_var);
            tensors.extend(d_log_var);
        }
    }
    let params = Params {
        rows: out.rows as u32,
        samples: samples as u32,
        dim: dim as u32,
        vectors: (columns / 4) as u32,
    };
    let rows = RowSum::of(target);
    let mut cost = elementwise(0, &tensors);
    cost.flops = flops * (out.rows * dim) as u64;
    plan.push(Dispatch {
        kernel,
        label: pass.label().into(),
        consts: rows.consts(),
        params: params.to_bytes(),
        tensors,
        workgroups: rows.grid(out.rows),
        cost,
    });
}
