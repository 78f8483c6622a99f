//! The Gaussian likelihood with a learned variance (`shaders/likelihood/gaussian_learned.wgsl`).

use std::f64::consts::PI;

use super::{Data, Likelihood, Output, Pass, Settings, Variance, moments};
use crate::kernels::{Rows, elementwise, params, shader};
use crate::plan::{
    Call, Dispatch, Kernel, Needs, PAD, Plan, Reference, Slot, Target, Tensor, Trusted, read, round_up, write,
};

/// The log-variance is clamped to plus or minus this; its gradient is zero outside. A pixel that never changes would
/// otherwise drive its variance to zero and log p to infinity.
pub const LOG_VAR_LIMIT: f64 = 7.0;

params! {
    /// See `shaders/likelihood/gaussian_learned.wgsl`.
    struct Params {
        rows: u32,
        samples: u32,
        dim: u32,
        vectors: u32,
        decoded_stride: u32,
        log_var_stride: u32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel {
        name: "likelihood/gaussian_learned",
        entry,
        source: shader!("likelihood/gaussian_learned"),
        params: Params::FIELDS,
        slots,
        step: false,
        needs: Needs::Nothing,
        trusted: Trusted,
        variants: Rows::variants,
        reference,
    }
}

const DECODED: Slot = read(1, "decoded");
const LOG_VAR: Slot = read(2, "log_var");
const X: Slot = read(3, "x");
const WEIGHT: Slot = read(4, "weight");
const LOG_P: Slot = write(5, "log_p");
const D_DECODED: Slot = write(6, "d_decoded");

static FORWARD: Kernel = kernel("forward", &[DECODED, LOG_VAR, X, LOG_P], |call| log_likelihood(call, 3));

static FUSED: Kernel = kernel("fused", &[DECODED, LOG_VAR, X, WEIGHT, LOG_P, D_DECODED], |call| {
    log_likelihood(call, 4);
    gradient(call, 5);
});

static BACKWARD: Kernel =
    kernel("backward", &[DECODED, LOG_VAR, X, WEIGHT, D_DECODED], |call| gradient(call, 4));

static MEAN: Kernel = kernel("mean", &[DECODED, write(7, "mean_x")], |call| {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        for d in 0..p.dim as usize {
            let mu = call.get(0, row, d);
            call.put(1, row, d, mu);
        }
    }
});

/// x - mu and the log-variance as the decoder gave it.
fn terms(call: &dyn Call, p: &Params, row: usize, d: usize) -> (f64, f64) {
    let (mu, x) = (call.get(0, row, d), call.get(2, row / p.samples as usize, d));
    let log_var_row = if p.log_var_stride == 0 { 0 } else { row };
    (x - mu, call.get(1, log_var_row, 4 * p.vectors as usize + d))
}

/// log_p[r] = -1/2 sum_d (x - mu)^2 e^-s + s + log(2 pi).
fn log_likelihood(call: &mut dyn Call, log_p: usize) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let mut sum = 0.0;
        for d in 0..p.dim as usize {
            let (distance, free) = terms(call, &p, row, d);
            let s = free.clamp(-LOG_VAR_LIMIT, LOG_VAR_LIMIT);
            sum -= 0.5 * (distance * distance * (-s).exp() + s + (2.0 * PI).ln());
        }
        call.put(log_p, 0, row, sum);
    }
}

/// d_mu = -weight (x - mu) e^-s and d_s = -weight ((x - mu)^2 e^-s - 1) / 2.
fn gradient(call: &mut dyn Call, d_decoded: usize) {
    let p: Params = crate::plan::params(call);
    let columns = 4 * p.vectors as usize;
    for row in 0..p.rows as usize {
        let weight = call.get(3, 0, row);
        for d in p.dim as usize..columns {
            call.put(d_decoded, row, d, 0.0);
            call.put(d_decoded, row, columns + d, 0.0);
        }
        for d in 0..p.dim as usize {
            let (distance, free) = terms(call, &p, row, d);
            let precision = (-free.clamp(-LOG_VAR_LIMIT, LOG_VAR_LIMIT)).exp();
            let moves = if free.abs() < LOG_VAR_LIMIT { 1.0 } else { 0.0 };
            call.put(d_decoded, row, d, -weight * distance * precision);
            let by_s = 0.5 * (distance * distance * precision - 1.0);
            call.put(d_decoded, row, columns + d, -weight * moves * by_s);
        }
    }
}

/// Real data with noise whose variance is learned.
pub static GAUSSIAN_LEARNED: Likelihood = Likelihood {
    name: "gaussian-learned",
    about: "real data, log-variance s learned (variance): log p = -((x - mu)^2 e^-s + s + log(2 pi)) / 2",
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
        Variance::Global => Output::new(&[("decoder.out", dim)]).with_constant("decoder.log_var", dim),
        Variance::Pixel => Output::new(&[("decoder.mu", dim), ("decoder.log_var", dim)]),
    },
    fit: |values, _| {
        let (mean, variance) = moments(values);
        vec![mean, variance.ln().clamp(-LOG_VAR_LIMIT, LOG_VAR_LIMIT)]
    },
    forward: &FORWARD,
    fused: &FUSED,
    backward: &BACKWARD,
    mean: &MEAN,
    expectation: |_, heads, _, _| heads[0],
    append,
};

fn append(plan: &mut Plan, target: &Target, settings: &Settings, pass: Pass) {
    let log_var_of = |out, bias| if settings.variance == Variance::Pixel { out } else { bias };
    let (kernel, flops, tensors): (&'static Kernel, u64, Vec<Tensor>) = match pass {
        Pass::Forward { out, bias, x, log_p } => (&FORWARD, 8, vec![out, log_var_of(out, bias), x, log_p]),
        Pass::Fused { out, bias, x, weight, log_p, d_out } => {
            (&FUSED, 13, vec![out, log_var_of(out, bias), x, weight, log_p, d_out])
        }
        Pass::Backward { out, bias, x, weight, d_out } => {
            (&BACKWARD, 10, vec![out, log_var_of(out, bias), x, weight, d_out])
        }
        Pass::Mean { out, mean } => (&MEAN, 0, vec![out, mean]),
    };
    let out = tensors[0];
    let (image, samples) = pass.image();
    let (dim, columns) = (image.cols, image.stride);
    assert_eq!(columns, round_up(dim, PAD), "padding of the data");
    let (mut decoded_stride, mut log_var_stride) = (columns, 0);
    if settings.variance == Variance::Pixel {
        (decoded_stride, log_var_stride) = (2 * columns, 2 * columns);
    }
    assert_eq!(out.stride, decoded_stride, "columns of the decoder's output");
    for (tensor, slot) in tensors.iter().zip(kernel.slots) {
        let holds_both = [LOG_VAR.name, D_DECODED.name].contains(&slot.name);
        assert!(!holds_both || tensor.stride == 2 * columns, "{} holds two parts", slot.name);
    }
    let params = Params {
        rows: out.rows as u32,
        samples: samples as u32,
        dim: dim as u32,
        vectors: (columns / 4) as u32,
        decoded_stride: (decoded_stride / 4) as u32,
        log_var_stride: (log_var_stride / 4) as u32,
    };
    let rows = Rows::of(target);
    let mut cost = elementwise(0, &tensors);
    cost.flops = flops * (out.rows * dim) as u64;
    plan.push(Dispatch {
        kernel,
        label: "log p(x|z)".into(),
        consts: rows.consts(),
        params: params.to_bytes(),
        tensors,
        workgroups: rows.grid(out.rows),
        cost,
    });
}
