//! Adam over all parameters at once (`shaders/adam.wgsl`).

use super::{elementwise, params, shader};
use crate::plan::{Call, Dispatch, Kernel, Plan, Step, Tensor, linear_grid, read, write};

/// Decay of the first moment, as in the paper and in PyTorch.
pub const BETA1: f32 = 0.9;
/// Decay of the second moment.
pub const BETA2: f32 = 0.999;
/// Added to the root of the second moment.
pub const EPSILON: f32 = 1e-8;

params! {
    /// See `shaders/adam.wgsl`.
    struct Params {
        vectors: u32,
        beta1: f32,
        beta2: f32,
        epsilon: f32,
    }
}

/// One step of Kingma & Ba's algorithm 1.
pub static ADAM: Kernel = Kernel {
    name: "adam",
    entry: "main",
    source: shader!("adam"),
    params: Params::FIELDS,
    slots: &[read(1, "gradients"), write(2, "parameters"), write(3, "moment1"), write(4, "moment2")],
    step: true,
    subgroups: false,
    variants: || [0, 1].map(|ragged| vec![("WORKGROUP", WORKGROUP), ("RAGGED", ragged)]).to_vec(),
    reference: |call: &mut dyn Call| {
        let p: Params = crate::plan::params(call);
        let Step { learning_rate, correction1, correction2, .. } = *call.step();
        let (beta1, beta2) = (f64::from(p.beta1), f64::from(p.beta2));
        for i in 0..4 * p.vectors as usize {
            let g = call.get(0, 0, i);
            let m = beta1 * call.get(2, 0, i) + (1.0 - beta1) * g;
            let v = beta2 * call.get(3, 0, i) + (1.0 - beta2) * g * g;
            let step = f64::from(learning_rate) * (m * f64::from(correction1))
                / ((v * f64::from(correction2)).sqrt() + f64::from(p.epsilon));
            let parameter = call.get(1, 0, i) - step;
            call.put(1, 0, i, parameter);
            call.put(2, 0, i, m);
            call.put(3, 0, i, v);
        }
    },
};

/// Invocations of a workgroup: many, as each has little to do.
const WORKGROUP: u32 = 256;

/// Arrays whose length is a multiple of this fill all workgroups, which is fastest.
pub const WORDS: usize = 4 * WORKGROUP as usize;

/// The bias corrections 1 / (1 - beta1^t) and 1 / (1 - beta2^t) of step `t`, counted from 1.
pub fn corrections(t: u64) -> (f32, f32) {
    let correction = |beta: f32| (1.0 / (1.0 - f64::from(beta).powf(t as f64))) as f32;
    (correction(BETA1), correction(BETA2))
}

/// Appends the update of `parameters` [1, P] and both moments from `gradients`.
pub fn adam(plan: &mut Plan, gradients: Tensor, parameters: Tensor, moment1: Tensor, moment2: Tensor) {
    let tensors = [gradients, parameters, moment1, moment2].map(|t| t.flat());
    assert!(tensors.iter().all(|t| t.words() == parameters.words()), "four arrays of one length");
    let params = Params { vectors: tensors[0].vectors(), beta1: BETA1, beta2: BETA2, epsilon: EPSILON };
    let workgroups = linear_grid(parameters.words() / 4, WORKGROUP);
    let invocations: u32 = workgroups.iter().product::<u32>() * WORKGROUP;
    plan.push(Dispatch {
        kernel: &ADAM,
        label: "update".into(),
        consts: vec![("WORKGROUP", WORKGROUP), ("RAGGED", u32::from(invocations != params.vectors))],
        params: params.to_bytes(),
        tensors: tensors.to_vec(),
        workgroups,
        cost: elementwise(12, &tensors),
    });
}
