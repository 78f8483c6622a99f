//! The Bernoulli likelihood from logits (`shaders/likelihood/bernoulli.wgsl`).

use super::{Likelihood, Pass};
use crate::kernels::activation::{sigmoid, softplus};
use crate::kernels::{elementwise, params, row_lanes, shader};
use crate::plan::{Call, Dispatch, Kernel, Plan, Reference, Slot, Target, Tensor, read, write};

params! {
    /// See `shaders/likelihood/bernoulli.wgsl`.
    struct Params {
        rows: u32,
        samples: u32,
        dim: u32,
        vectors: u32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel {
        name: "likelihood/bernoulli",
        entry,
        source: shader!("likelihood/bernoulli"),
        params: Params::FIELDS,
        slots,
        step: false,
        subgroups: false,
        variants: || [1, 32].map(|lanes| vec![("ROW_LANES", lanes)]).to_vec(),
        reference,
    }
}

static FORWARD: Kernel =
    kernel("forward", &[read(1, "logits"), read(2, "x"), write(4, "log_p")], |call: &mut dyn Call| {
        log_likelihood(call, 2);
    });

static FUSED: Kernel = kernel(
    "fused",
    &[read(1, "logits"), read(2, "x"), read(3, "weight"), write(4, "log_p"), write(5, "d_logits")],
    |call: &mut dyn Call| {
        log_likelihood(call, 3);
        gradient(call, 4);
    },
);

static BACKWARD: Kernel = kernel(
    "backward",
    &[read(1, "logits"), read(2, "x"), read(3, "weight"), write(5, "d_logits")],
    |call: &mut dyn Call| gradient(call, 3),
);

static MEAN: Kernel = kernel("mean", &[read(1, "logits"), write(6, "mean_x")], |call: &mut dyn Call| {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        for d in 0..p.dim as usize {
            let mean = sigmoid(call.get(0, row, d));
            call.put(1, row, d, mean);
        }
    }
});

/// log_p[r] = sum_d x l - softplus(l).
fn log_likelihood(call: &mut dyn Call, log_p: usize) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let datum = row / p.samples as usize;
        let sum = (0..p.dim as usize)
            .map(|d| {
                let (l, x) = (call.get(0, row, d), call.get(1, datum, d));
                x * l - softplus(l)
            })
            .sum();
        call.put(log_p, 0, row, sum);
    }
}

/// d_logits = weight (sigmoid(l) - x).
fn gradient(call: &mut dyn Call, d_logits: usize) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        let weight = call.get(2, 0, row);
        for d in 0..p.dim as usize {
            let (l, x) = (call.get(0, row, d), call.get(1, row / p.samples as usize, d));
            call.put(d_logits, row, d, weight * (sigmoid(l) - x));
        }
    }
}

/// Binary data, or grey values read as probabilities.
pub static BERNOULLI: Likelihood = Likelihood {
    name: "bernoulli",
    about: "binary data: log p = x l - log(1 + e^l) from logits l",
    forward: &FORWARD,
    fused: &FUSED,
    backward: &BACKWARD,
    mean: &MEAN,
    append,
};

fn append(plan: &mut Plan, target: &Target, pass: Pass) {
    let (kernel, flops, x, tensors): (&'static Kernel, u64, Option<Tensor>, Vec<Tensor>) = match pass {
        Pass::Forward { out, x, log_p } => (&FORWARD, 8, Some(x), vec![out, x, log_p]),
        Pass::Fused { out, x, weight, log_p, d_out } => {
            (&FUSED, 14, Some(x), vec![out, x, weight, log_p, d_out])
        }
        Pass::Backward { out, x, weight, d_out } => (&BACKWARD, 6, Some(x), vec![out, x, weight, d_out]),
        Pass::Mean { out, mean } => (&MEAN, 4, None, vec![out, mean]),
    };
    let out = tensors[0];
    let samples = x.map_or(1, |x| {
        assert_eq!((x.cols, out.rows % x.rows), (out.cols, 0), "shape of x and the decoder's output");
        out.rows / x.rows
    });
    let params = Params {
        rows: out.rows as u32,
        samples: samples as u32,
        dim: out.cols as u32,
        vectors: out.vectors(),
    };
    let lanes = row_lanes(target);
    let groups = (out.rows * lanes as usize).div_ceil(crate::kernels::WORKGROUP as usize);
    let mut cost = elementwise(0, &tensors);
    cost.flops = flops * (out.rows * out.cols) as u64;
    plan.push(Dispatch {
        kernel,
        label: "log p(x|z)".into(),
        consts: vec![("ROW_LANES", lanes)],
        params: params.to_bytes(),
        tensors,
        workgroups: [groups as u32, 1, 1],
        cost,
    });
}
