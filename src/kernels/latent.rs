//! The reparameterised sample and its KL term, forward and backward (`shaders/latent.wgsl`).

use super::{bytes, elementwise, params, philox, plain, shader};
use crate::plan::{
    Call, Cost, Dispatch, Kernel, Needs, PAD, Plan, Reference, Slot, Tensor, Trusted, linear_grid, read,
    round_up, write,
};

params! {
    /// See `shaders/latent.wgsl`.
    struct Params {
        batch: u32,
        samples: u32,
        latent: u32,
        vectors: u32,
    }
}

impl Params {
    /// Column of log_var j in the head.
    fn log_var(&self, j: usize) -> usize {
        4 * self.vectors as usize + j
    }

    /// Rows of a datum's samples.
    fn rows(&self, datum: usize) -> std::ops::Range<usize> {
        datum * self.samples as usize..(datum + 1) * self.samples as usize
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], step: bool, reference: Reference) -> Kernel {
    Kernel {
        name: "latent",
        entry,
        source: shader!("latent"),
        params: Params::FIELDS,
        slots,
        step,
        needs: Needs::Nothing,
        trusted: Trusted,
        variants: plain,
        reference,
    }
}

/// z = mu + sigma * eps, and the KL divergence from the prior.
pub static FORWARD: Kernel = kernel("forward", &[read(1, "head"), write(5, "z"), write(6, "kl")], true, draw);

/// The same, and the weights of the ELBO: 1 / (K valid_rows) a row, 1 / valid_rows times beta a datum.
pub static TRAINING: Kernel = kernel(
    "training",
    &[read(1, "head"), write(5, "z"), write(6, "kl"), write(9, "recon_weight"), write(10, "kl_weight")],
    true,
    |call: &mut dyn Call| {
        draw(call);
        let p: Params = crate::plan::params(call);
        let step = *call.step();
        for datum in 0..p.batch {
            let weight = if datum < step.valid_rows { 1.0 / f64::from(step.valid_rows) } else { 0.0 };
            for row in datum * p.samples..(datum + 1) * p.samples {
                call.put(3, 0, row as usize, weight / f64::from(p.samples));
            }
            call.put(4, 0, datum as usize, weight * f64::from(step.kl_weight));
        }
    },
);

fn draw(call: &mut dyn Call) {
    let p: Params = crate::plan::params(call);
    let (samples, latent) = (p.samples as usize, p.latent as usize);
    for datum in 0..p.batch as usize {
        let mut kl = 0.0;
        for j in 0..latent {
            let mu = call.get(0, datum, j);
            let log_var = call.get(0, datum, p.log_var(j));
            kl += 0.5 * (mu * mu + log_var.exp() - 1.0 - log_var);
            for row in datum * samples..(datum + 1) * samples {
                let eps = philox::normal(call, row, j, philox::STREAM_EPS);
                call.put(1, row, j, mu + (0.5 * log_var).exp() * eps);
            }
        }
        call.put(2, 0, datum, kl);
    }
}

/// The same, and each sample's log p(z) - log q(z|x).
pub static FORWARD_RATIO: Kernel = kernel(
    "forward_ratio",
    &[read(1, "head"), write(5, "z"), write(6, "kl"), write(8, "log_ratio")],
    true,
    |call: &mut dyn Call| {
        (FORWARD.reference)(call);
        let p: Params = crate::plan::params(call);
        for row in 0..(p.batch * p.samples) as usize {
            let ratio = (0..p.latent as usize).map(|j| {
                let log_var = call.get(0, row / p.samples as usize, p.log_var(j));
                let (z, eps) = (call.get(1, row, j), philox::normal(call, row, j, philox::STREAM_EPS));
                0.5 * (eps * eps + log_var - z * z)
            });
            let ratio = ratio.sum();
            call.put(3, 0, row, ratio);
        }
    },
);

/// The gradient by mu and log_var, from that by z and the weight of a datum's KL.
pub static BACKWARD: Kernel = kernel(
    "backward",
    &[read(1, "head"), read(2, "d_z"), read(3, "weight"), write(7, "d_head")],
    true,
    |call: &mut dyn Call| elbo_gradient(call, 3, |_, _| 1.0),
);

/// The same, with a factor for each dimension's KL.
pub static BACKWARD_FREE_BITS: Kernel = kernel(
    "backward_free_bits",
    &[read(1, "head"), read(2, "d_z"), read(3, "weight"), read(4, "kl_scale"), write(7, "d_head")],
    true,
    |call: &mut dyn Call| elbo_gradient(call, 4, |call, j| call.get(3, 0, j)),
);

/// The gradient of the importance-weighted bound, from that by z and the weight of each sample.
pub static BACKWARD_RATIO: Kernel = kernel(
    "backward_ratio",
    &[read(1, "head"), read(2, "d_z"), read(3, "weight"), write(7, "d_head")],
    true,
    |call: &mut dyn Call| {
        let p: Params = crate::plan::params(call);
        let kl_weight = f64::from(call.step().kl_weight);
        gradient(
            call,
            3,
            |call, p, datum, j| {
                let (mu, log_var) = (call.get(0, datum, j), call.get(0, datum, p.log_var(j)));
                let sigma = (0.5 * log_var).exp();
                let (mut d_mu, mut d_log_var) = (0.0, 0.0);
                for row in p.rows(datum) {
                    let v = kl_weight * call.get(2, 0, row);
                    let eps = philox::normal(call, row, j, philox::STREAM_EPS);
                    let d = call.get(1, row, j) + v * (mu + sigma * eps);
                    d_mu += d;
                    d_log_var += 0.5 * (d * eps * sigma - v);
                }
                (d_mu, d_log_var)
            },
            &p,
        );
    },
);

/// d_head in slot `to`, where each dimension's KL counts `scale`.
fn elbo_gradient(call: &mut dyn Call, to: usize, scale: impl Fn(&dyn Call, usize) -> f64) {
    let p: Params = crate::plan::params(call);
    gradient(
        call,
        to,
        |call, p, datum, j| {
            let (mu, log_var) = (call.get(0, datum, j), call.get(0, datum, p.log_var(j)));
            let weight = call.get(2, 0, datum) * scale(call, j);
            let (mut d_mu, mut d_log_var) = (weight * mu, weight * 0.5 * (log_var.exp() - 1.0));
            for row in p.rows(datum) {
                let d_z = call.get(1, row, j);
                d_mu += d_z;
                let eps = philox::normal(call, row, j, philox::STREAM_EPS);
                d_log_var += d_z * eps * 0.5 * (0.5 * log_var).exp();
            }
            (d_mu, d_log_var)
        },
        &p,
    );
}

/// d_head in slot `to` from (d_mu, d_log_var) of each datum and dimension; its padding is zero.
fn gradient(
    call: &mut dyn Call,
    to: usize,
    of: impl Fn(&dyn Call, &Params, usize, usize) -> (f64, f64),
    p: &Params,
) {
    for datum in 0..p.batch as usize {
        for j in 0..4 * p.vectors as usize {
            let (d_mu, d_log_var) = if j < p.latent as usize { of(call, p, datum, j) } else { (0.0, 0.0) };
            call.put(to, datum, j, d_mu);
            call.put(to, datum, p.log_var(j), d_log_var);
        }
    }
}

/// z = mu.
pub static MEAN: Kernel = kernel("mean", &[read(1, "head"), write(5, "z")], false, |call: &mut dyn Call| {
    let p: Params = crate::plan::params(call);
    for datum in 0..p.batch as usize {
        for j in 0..p.latent as usize {
            let mu = call.get(0, datum, j);
            call.put(1, datum, j, mu);
        }
    }
});

/// Columns of the head for `latent` dimensions: mu and log_var, each padded.
pub fn head_columns(latent: usize) -> usize {
    2 * round_up(latent, PAD)
}

fn shape(head: Tensor, z: Tensor, samples: usize) -> Params {
    assert_eq!(head.stride, 2 * z.stride, "head holds mu and log_var");
    assert_eq!(Some(z.rows), head.rows.checked_mul(samples), "rows of z");
    Params { batch: head.rows as u32, samples: samples as u32, latent: z.cols as u32, vectors: z.vectors() }
}

/// Appends z [B K, Z] and kl \[B\], from head [B, 2 P].
pub(crate) fn forward(plan: &mut Plan, samples: usize, head: Tensor, z: Tensor, kl: Tensor) {
    push_forward(plan, &FORWARD, samples, vec![head, z, kl]);
}

/// Appends z [B K, Z] and kl \[B\], from head [B, 2 P], and the weights of the ELBO, [B K] and \[B\].
pub(crate) fn training(
    plan: &mut Plan,
    samples: usize,
    head: Tensor,
    (z, kl): (Tensor, Tensor),
    weights: [Tensor; 2],
) {
    assert!(weights[0].cols >= z.rows && weights[1].cols >= head.rows, "room for the weights");
    push_forward(plan, &TRAINING, samples, vec![head, z, kl, weights[0], weights[1]]);
}

fn push_forward(plan: &mut Plan, kernel: &'static Kernel, samples: usize, tensors: Vec<Tensor>) {
    let (head, z, kl) = (tensors[0], tensors[1], tensors[2]);
    assert!(kl.cols >= head.rows, "a KL for each datum");
    plan.push(Dispatch {
        kernel,
        label: "z, kl".into(),
        consts: vec![],
        params: shape(head, z, samples).to_bytes(),
        workgroups: linear_grid(z.rows, super::WORKGROUP),
        cost: Cost { flops: 60 * (z.rows * z.cols) as u64, bytes: bytes(&tensors) },
        tensors,
    });
}

/// Appends z [B K, Z], kl \[B\] and log_ratio [B K], from head [B, 2 P].
pub(crate) fn forward_ratio(
    plan: &mut Plan,
    samples: usize,
    head: Tensor,
    z: Tensor,
    kl: Tensor,
    log_ratio: Tensor,
) {
    assert!(kl.cols >= head.rows && log_ratio.cols >= z.rows, "a KL for each datum, a ratio for each row");
    plan.push(Dispatch {
        kernel: &FORWARD_RATIO,
        label: "z, kl, log p(z)/q(z|x)".into(),
        consts: vec![],
        params: shape(head, z, samples).to_bytes(),
        tensors: vec![head, z, kl, log_ratio],
        workgroups: linear_grid(z.rows, super::WORKGROUP),
        cost: elementwise(65, &[head, kl, log_ratio, z]),
    });
}

/// Appends d_head [B, 2 P], from head, d_z [B K, Z] and the weight \[B\] of each datum's KL.
pub(crate) fn backward(
    plan: &mut Plan,
    samples: usize,
    head: Tensor,
    d_z: Tensor,
    weight: Tensor,
    d_head: Tensor,
) {
    assert!(weight.cols >= head.rows, "a weight for each datum");
    push_backward(plan, &BACKWARD, samples, vec![head, d_z, weight, d_head]);
}

/// Appends d_head as [`backward`] does, where each dimension's KL counts kl_scale [1, Z] times.
pub(crate) fn backward_free_bits(
    plan: &mut Plan,
    samples: usize,
    head: Tensor,
    d_z: Tensor,
    weight: Tensor,
    kl_scale: Tensor,
    d_head: Tensor,
) {
    assert!(weight.cols >= head.rows, "a weight for each datum");
    assert_eq!(kl_scale.stride, d_z.stride, "a factor for each dimension");
    push_backward(plan, &BACKWARD_FREE_BITS, samples, vec![head, d_z, weight, kl_scale, d_head]);
}

/// Appends d_head [B, 2 P], from head, d_z [B K, Z] and the importance weight [B K] of each sample.
pub(crate) fn backward_ratio(
    plan: &mut Plan,
    samples: usize,
    head: Tensor,
    d_z: Tensor,
    weight: Tensor,
    d_head: Tensor,
) {
    assert!(weight.cols >= d_z.rows, "a weight for each row");
    push_backward(plan, &BACKWARD_RATIO, samples, vec![head, d_z, weight, d_head]);
}

fn push_backward(plan: &mut Plan, kernel: &'static Kernel, samples: usize, tensors: Vec<Tensor>) {
    let (head, d_z, d_head) = (tensors[0], tensors[1], tensors[tensors.len() - 1]);
    assert_eq!((d_head.rows, d_head.stride), (head.rows, head.stride), "shape of d_head");
    plan.push(Dispatch {
        kernel,
        label: "d_head".into(),
        consts: vec![],
        params: shape(head, d_z, samples).to_bytes(),
        cost: elementwise(40, &tensors),
        tensors,
        workgroups: linear_grid(head.rows * d_z.stride / 4, super::WORKGROUP),
    });
}

/// Appends z = mu.
pub(crate) fn mean(plan: &mut Plan, head: Tensor, z: Tensor) {
    plan.push(Dispatch {
        kernel: &MEAN,
        label: "z = mu".into(),
        consts: vec![],
        params: shape(head, z, 1).to_bytes(),
        tensors: vec![head, z],
        workgroups: linear_grid(z.words() / 4, super::WORKGROUP),
        cost: elementwise(0, &[head, z]),
    });
}
