//! The reparameterised sample and its KL term, forward and backward (`shaders/latent.wgsl`).

use super::{bytes, elementwise, params, philox, plain, shader};
use crate::plan::{
    Call, Cost, Dispatch, Kernel, PAD, Plan, Reference, Slot, Tensor, linear_grid, read, round_up, write,
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
}

const fn kernel(entry: &'static str, slots: &'static [Slot], step: bool, reference: Reference) -> Kernel {
    Kernel {
        name: "latent",
        entry,
        source: shader!("latent"),
        params: Params::FIELDS,
        slots,
        step,
        subgroups: false,
        variants: plain,
        reference,
    }
}

/// z = mu + sigma * eps, and the KL divergence from the prior.
pub static FORWARD: Kernel = kernel("forward", &[read(1, "head"), write(4, "z"), write(5, "kl")], true, draw);

/// The same, and the weights of the ELBO: 1 / (K valid_rows) a row, 1 / valid_rows times beta a datum.
pub static TRAINING: Kernel = kernel(
    "training",
    &[read(1, "head"), write(4, "z"), write(5, "kl"), write(7, "recon_weight"), write(8, "kl_weight")],
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

/// The gradient by mu and log_var, from that by z and the weight of a datum's KL.
pub static BACKWARD: Kernel = kernel(
    "backward",
    &[read(1, "head"), read(2, "d_z"), read(3, "weight"), write(6, "d_head")],
    true,
    |call: &mut dyn Call| {
        let p: Params = crate::plan::params(call);
        let (samples, latent) = (p.samples as usize, p.latent as usize);
        for datum in 0..p.batch as usize {
            let weight = call.get(2, 0, datum);
            for j in latent..4 * p.vectors as usize {
                call.put(3, datum, j, 0.0);
                call.put(3, datum, p.log_var(j), 0.0);
            }
            for j in 0..latent {
                let mu = call.get(0, datum, j);
                let log_var = call.get(0, datum, p.log_var(j));
                let mut d_mu = weight * mu;
                let mut d_log_var = weight * 0.5 * (log_var.exp() - 1.0);
                for row in datum * samples..(datum + 1) * samples {
                    let d_z = call.get(1, row, j);
                    let eps = philox::normal(call, row, j, philox::STREAM_EPS);
                    d_mu += d_z;
                    d_log_var += d_z * eps * 0.5 * (0.5 * log_var).exp();
                }
                call.put(3, datum, j, d_mu);
                call.put(3, datum, p.log_var(j), d_log_var);
            }
        }
    },
);

/// z = mu.
pub static MEAN: Kernel = kernel("mean", &[read(1, "head"), write(4, "z")], false, |call: &mut dyn Call| {
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
    assert_eq!(z.rows, head.rows * samples, "rows of z");
    Params { batch: head.rows as u32, samples: samples as u32, latent: z.cols as u32, vectors: z.vectors() }
}

/// Appends z [B K, Z] and kl [B], from head [B, 2 P].
pub fn forward(plan: &mut Plan, samples: usize, head: Tensor, z: Tensor, kl: Tensor) {
    push_forward(plan, &FORWARD, samples, vec![head, z, kl]);
}

/// Appends z [B K, Z] and kl [B], from head [B, 2 P], and the weights of the ELBO, [B K] and [B].
pub fn training(
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
    let (head, z) = (tensors[0], tensors[1]);
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

/// Appends d_head [B, 2 P], from head, d_z [B K, Z] and the weight [B] of each datum's KL.
pub fn backward(plan: &mut Plan, samples: usize, head: Tensor, d_z: Tensor, weight: Tensor, d_head: Tensor) {
    plan.push(Dispatch {
        kernel: &BACKWARD,
        label: "d_head".into(),
        consts: vec![],
        params: shape(head, d_z, samples).to_bytes(),
        tensors: vec![head, d_z, weight, d_head],
        workgroups: linear_grid(head.rows * d_z.stride / 4, super::WORKGROUP),
        cost: elementwise(40, &[head, weight, d_z, d_head]),
    });
}

/// Appends z = mu.
pub fn mean(plan: &mut Plan, head: Tensor, z: Tensor) {
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
