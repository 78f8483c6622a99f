//! Adam over all parameters at once (`shaders/adam.wgsl`).

use super::{elementwise, params, shader};
use crate::plan::{
    self, Call, Dispatch, Kernel, Matrix, Needs, Plan, Reference, Slot, Tensor, Trusted, linear_grid, read,
    write,
};

/// Decay of the first moment, as in the paper and in PyTorch.
pub const BETA1: f32 = 0.9;
/// Decay of the second moment.
pub const BETA2: f32 = 0.999;
/// Added to the root of the second moment by default.
pub const EPSILON: f32 = 1e-8;

/// The hyperparameters that a user can set, besides the learning rate: that one changes from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hyperparameters {
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Times the learning rate: the share of each parameter that a step takes away.
    pub weight_decay: f32,
}

impl Default for Hyperparameters {
    fn default() -> Self {
        Hyperparameters { epsilon: EPSILON, weight_decay: 0.0 }
    }
}

params! {
    /// See `shaders/adam.wgsl`.
    struct Params {
        vectors: u32,
        beta1: f32,
        beta2: f32,
        epsilon: f32,
        decay: f32,
    }
}

const GRADIENTS: Slot = read(1, "gradients");
const PARAMETERS: Slot = write(3, "parameters").updated();
const MOMENT1: Slot = write(4, "moment1").updated();
const MOMENT2: Slot = write(5, "moment2").updated();

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel {
        name: "adam",
        entry,
        source: shader!("adam"),
        params: Params::FIELDS,
        slots,
        step: true,
        needs: Needs::Nothing,
        trusted: Trusted,
        nodes: None,
        variants: || [0, 1].map(|ragged| vec![("WORKGROUP", WORKGROUP), ("RAGGED", ragged)]).to_vec(),
        reference,
    }
}

/// One step of Kingma & Ba's algorithm 1, with decoupled weight decay (Loshchilov & Hutter 2019).
pub static ADAM: Kernel = kernel("main", &[GRADIENTS, PARAMETERS, MOMENT1, MOMENT2], |call: &dyn Call| {
    let [gradients, parameters, moment1, moment2] = call.slots();
    update(call, 1.0, gradients, [parameters, moment1, moment2]);
});

/// The same, with the gradient scaled by a number that lies on the device.
pub static CLIPPED: Kernel =
    kernel("clipped", &[GRADIENTS, read(2, "scale"), PARAMETERS, MOMENT1, MOMENT2], |call: &dyn Call| {
        let [gradients, scale, parameters, moment1, moment2] = call.slots();
        update(call, scale.at(0), gradients, [parameters, moment1, moment2]);
    });

fn update(call: &dyn Call, scale: f64, gradients: Matrix, [parameters, moment1, moment2]: [Matrix; 3]) {
    let p: Params = plan::params(call);
    let step = call.step();
    let [beta1, beta2, epsilon, decay] = [p.beta1, p.beta2, p.epsilon, p.decay].map(f64::from);
    let [alpha, c1, c2] = [step.learning_rate, step.correction1, step.correction2].map(f64::from);
    for i in 0..4 * p.vectors as usize {
        let g = scale * gradients.at(i);
        let m = beta1 * moment1.at(i) + (1.0 - beta1) * g;
        let v = beta2 * moment2.at(i) + (1.0 - beta2) * g * g;
        let decayed = (1.0 - alpha * decay) * parameters.at(i);
        parameters.set(i, decayed - alpha * (m * c1) / ((v * c2).sqrt() + epsilon));
        moment1.set(i, m);
        moment2.set(i, v);
    }
}

/// Invocations of a workgroup. On llvmpipe a workgroup costs 0.13 us whatever it does, and an invocation does little: 256 of
/// them, with no test for the end, brought 425,284 parameters from 0.88 to 0.77 ms.
const WORKGROUP: u32 = 256;

/// Arrays whose length is a multiple of this fill all workgroups, so that the shader needs no test for the end.
pub const WORDS: usize = 4 * WORKGROUP as usize;

/// The bias corrections 1 / (1 - beta1^t) and 1 / (1 - beta2^t) of step `t`, counted from 1.
pub fn corrections(t: u64) -> (f32, f32) {
    let correction = |beta: f32| (1.0 / (1.0 - f64::from(beta).powf(t as f64))) as f32;
    (correction(BETA1), correction(BETA2))
}

/// The arenas of an update, each [1, P].
#[derive(Clone, Copy, Debug)]
pub struct Arenas {
    /// The gradients.
    pub gradients: Tensor,
    /// The parameters.
    pub parameters: Tensor,
    /// The first moment.
    pub moment1: Tensor,
    /// The second moment.
    pub moment2: Tensor,
}

/// Appends the update of the parameters and both moments. With `scale` [1, 4], its first number scales the gradients.
pub(crate) fn adam(plan: &mut Plan, hyperparameters: Hyperparameters, arenas: Arenas, scale: Option<Tensor>) {
    let Arenas { gradients, parameters, moment1, moment2 } = arenas;
    let tensors = [gradients, parameters, moment1, moment2].map(|t| t.flat());
    assert!(tensors.iter().all(|t| t.words() == parameters.words()), "four arrays of one length");
    let Hyperparameters { epsilon, weight_decay: decay } = hyperparameters;
    let params = Params { vectors: tensors[0].vectors(), beta1: BETA1, beta2: BETA2, epsilon, decay };
    let workgroups = linear_grid(parameters.words() / 4, WORKGROUP);
    let invocations: u32 = workgroups.iter().product::<u32>() * WORKGROUP;
    plan.push(Dispatch {
        kernel: if scale.is_some() { &CLIPPED } else { &ADAM },
        label: "adam".into(),
        consts: vec![("WORKGROUP", WORKGROUP), ("RAGGED", u32::from(invocations != params.vectors))],
        params: params.to_bytes(),
        tensors: tensors[..1].iter().copied().chain(scale).chain(tensors[1..].iter().copied()).collect(),
        workgroups,
        cost: elementwise(12, &tensors),
    });
}
