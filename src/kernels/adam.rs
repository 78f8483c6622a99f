//! Adam over all parameters at once (`shaders/adam.wgsl`).

use super::{elementwise, params, shader};
use crate::plan::{
    Call, Dispatch, Kernel, Needs, Plan, Reference, Slot, Step, Tensor, Trusted, linear_grid, read, write,
};

/// Decay of the first moment, as in the paper and in PyTorch.
pub const BETA1: f32 = 0.9;
/// Decay of the second moment.
pub const BETA2: f32 = 0.999;
/// Added to the root of the second moment, where the user does not say.
pub const EPSILON: f32 = 1e-8;

/// What may be set of an update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Share of a parameter, times the learning rate, that each step takes away.
    pub weight_decay: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { epsilon: EPSILON, weight_decay: 0.0 }
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
        variants: || [0, 1].map(|ragged| vec![("WORKGROUP", WORKGROUP), ("RAGGED", ragged)]).to_vec(),
        reference,
    }
}

/// One step of Kingma & Ba's algorithm 1, with decoupled weight decay (Loshchilov & Hutter 2019).
pub static ADAM: Kernel =
    kernel("main", &[GRADIENTS, PARAMETERS, MOMENT1, MOMENT2], |call: &mut dyn Call| update(call, 1, 1.0));

/// The same with the gradient scaled by a number on the device.
pub static CLIPPED: Kernel =
    kernel("clipped", &[GRADIENTS, read(2, "scale"), PARAMETERS, MOMENT1, MOMENT2], |call: &mut dyn Call| {
        let scale = call.get(1, 0, 0);
        update(call, 2, scale);
    });

/// Slots `first`.. are the parameters and the moments.
fn update(call: &mut dyn Call, first: usize, scale: f64) {
    let p: Params = crate::plan::params(call);
    let Step { learning_rate, correction1, correction2, .. } = *call.step();
    let (beta1, beta2, rate) = (f64::from(p.beta1), f64::from(p.beta2), f64::from(learning_rate));
    for i in 0..4 * p.vectors as usize {
        let g = scale * call.get(0, 0, i);
        let m = beta1 * call.get(first + 1, 0, i) + (1.0 - beta1) * g;
        let v = beta2 * call.get(first + 2, 0, i) + (1.0 - beta2) * g * g;
        let step = rate * (m * f64::from(correction1))
            / ((v * f64::from(correction2)).sqrt() + f64::from(p.epsilon));
        let parameter = (1.0 - rate * f64::from(p.decay)) * call.get(first, 0, i) - step;
        call.put(first, 0, i, parameter);
        call.put(first + 1, 0, i, m);
        call.put(first + 2, 0, i, v);
    }
}

/// Invocations of a workgroup: many, as each has little to do.
const WORKGROUP: u32 = 256;

/// Arrays whose length is a multiple of this fill all workgroups, which is fastest.
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
pub(crate) fn adam(plan: &mut Plan, settings: Settings, arenas: Arenas, scale: Option<Tensor>) {
    let Arenas { gradients, parameters, moment1, moment2 } = arenas;
    let tensors = [gradients, parameters, moment1, moment2].map(|t| t.flat());
    assert!(tensors.iter().all(|t| t.words() == parameters.words()), "four arrays of one length");
    let Settings { epsilon, weight_decay: decay } = settings;
    let params = Params { vectors: tensors[0].vectors(), beta1: BETA1, beta2: BETA2, epsilon, decay };
    let workgroups = linear_grid(parameters.words() / 4, WORKGROUP);
    let invocations: u32 = workgroups.iter().product::<u32>() * WORKGROUP;
    plan.push(Dispatch {
        kernel: if scale.is_some() { &CLIPPED } else { &ADAM },
        label: "update".into(),
        consts: vec![("WORKGROUP", WORKGROUP), ("RAGGED", u32::from(invocations != params.vectors))],
        params: params.to_bytes(),
        tensors: tensors[..1].iter().copied().chain(scale).chain(tensors[1..].iter().copied()).collect(),
        workgroups,
        cost: elementwise(12, &tensors),
    });
}
