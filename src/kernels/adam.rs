//! Adam over all parameters at once (`shaders/adam.wgsl`).

use super::{elementwise, params, shader};
use crate::plan::{
    self, Call, Dispatch, Kernel, Matrix, Plan, Reference, Slot, Target, Tensor, linear_grid, read,
    read_image, write,
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
const SCALE: Slot = read(2, "scale");
const PARAMETERS: Slot = write(3, "parameters").updated();
const MOMENT1: Slot = write(4, "moment1").updated();
const MOMENT2: Slot = write(5, "moment2").updated();

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("adam"), entry, Params::FIELDS, slots, reference)
        .stepping()
        .in_variants(|| [0, 1].map(|ragged| vec![("WORKGROUP", WORKGROUP), ("RAGGED", ragged)]).to_vec())
}

/// One step of Kingma & Ba's algorithm 1, with decoupled weight decay (Loshchilov & Hutter 2019).
pub static ADAM: Kernel = kernel("main", &[GRADIENTS, PARAMETERS, MOMENT1, MOMENT2], |call: &dyn Call| {
    let [gradients, parameters, moment1, moment2] = call.slots();
    let state = [parameters, moment1, moment2];
    update(call, 1.0, gradients, state, state);
});

/// The same, with the gradient scaled by a number that lies on the device.
pub static CLIPPED: Kernel =
    kernel("clipped", &[GRADIENTS, SCALE, PARAMETERS, MOMENT1, MOMENT2], |call: &dyn Call| {
        let [gradients, scale, parameters, moment1, moment2] = call.slots();
        let state = [parameters, moment1, moment2];
        update(call, scale.at(0), gradients, state, state);
    });

const GRADIENTS_IMAGE: Slot = read_image(1, "gradients");
const PARAMETERS_BEFORE: Slot = read_image(3, "parameters_before");
const MOMENT1_BEFORE: Slot = read_image(4, "moment1_before");
const MOMENT2_BEFORE: Slot = read_image(5, "moment2_before");
const PARAMETERS_AFTER: Slot = write(6, "parameters");
const MOMENT1_AFTER: Slot = write(7, "moment1");
const MOMENT2_AFTER: Slot = write(8, "moment2");

const fn images_kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("adam_images"), entry, Params::FIELDS, slots, reference)
        .stepping()
        .in_variants(|| vec![vec![("WORKGROUP", IMAGES_WORKGROUP)]])
}

/// [`ADAM`] with what it reads in images.
pub static ADAM_IMAGES: Kernel = images_kernel(
    "main",
    &[
        GRADIENTS_IMAGE,
        PARAMETERS_BEFORE,
        MOMENT1_BEFORE,
        MOMENT2_BEFORE,
        PARAMETERS_AFTER,
        MOMENT1_AFTER,
        MOMENT2_AFTER,
    ],
    |call: &dyn Call| {
        let [gradients, p, m, v, parameters, moment1, moment2] = call.slots();
        update(call, 1.0, gradients, [p, m, v], [parameters, moment1, moment2]);
    },
);

/// [`CLIPPED`] with what it reads in images.
pub static CLIPPED_IMAGES: Kernel = images_kernel(
    "clipped",
    &[
        GRADIENTS_IMAGE,
        SCALE,
        PARAMETERS_BEFORE,
        MOMENT1_BEFORE,
        MOMENT2_BEFORE,
        PARAMETERS_AFTER,
        MOMENT1_AFTER,
        MOMENT2_AFTER,
    ],
    |call: &dyn Call| {
        let [gradients, scale, p, m, v, parameters, moment1, moment2] = call.slots();
        update(call, scale.at(0), gradients, [p, m, v], [parameters, moment1, moment2]);
    },
);

/// Parameters and both moments.
type State<'a> = [Matrix<'a>; 3];

fn update(call: &dyn Call, scale: f64, gradients: Matrix, before: State, after: State) {
    let p: Params = plan::params(call);
    let step = call.step();
    let [beta1, beta2, epsilon, decay] = [p.beta1, p.beta2, p.epsilon, p.decay].map(f64::from);
    let [alpha, c1, c2] = [step.learning_rate, step.correction1, step.correction2].map(f64::from);
    for i in 0..4 * p.vectors as usize {
        let g = scale * gradients.at(i);
        let [parameter, m, v] = before.map(|state| state.at(i));
        let m = beta1 * m + (1.0 - beta1) * g;
        let v = beta2 * v + (1.0 - beta2) * g * g;
        let decayed = (1.0 - alpha * decay) * parameter;
        let parameter = decayed - alpha * (m * c1) / ((v * c2).sqrt() + epsilon);
        for (state, value) in after.iter().zip([parameter, m, v]) {
            state.set(i, value);
        }
    }
}

/// Invocations of a workgroup. On llvmpipe a workgroup costs 0.13 us whatever it does, and an invocation does little: 256 of
/// them, with no test for the end, brought 425,284 parameters from 0.88 to 0.77 ms.
const WORKGROUP: u32 = 256;

/// The same where an invocation updates four vectors.
const IMAGES_WORKGROUP: u32 = WORKGROUP / 4;

/// Arrays whose length is a multiple of this fill all workgroups, so that the shaders need no test for the end.
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
pub(crate) fn adam(
    plan: &mut Plan,
    target: &Target,
    hyperparameters: Hyperparameters,
    arenas: Arenas,
    scale: Option<Tensor>,
) {
    let Arenas { gradients, parameters, moment1, moment2 } = arenas;
    let tensors = [gradients, parameters, moment1, moment2].map(|t| t.flat());
    assert!(tensors.iter().all(|t| t.words() == parameters.words()), "four arrays of one length");
    let [gradients, state @ ..] = tensors;
    let Hyperparameters { epsilon, weight_decay: decay } = hyperparameters;
    let params = Params { vectors: gradients.vectors(), beta1: BETA1, beta2: BETA2, epsilon, decay };
    let workgroups = linear_grid(gradients.words() / 4, WORKGROUP);
    let ragged = workgroups.iter().product::<u32>() * WORKGROUP != params.vectors;
    // An image holds a whole buffer. With AVX-512 three copies cost more than the loads gain: 784-400-20 at batch 128 trained 1.1 to
    // 1.4 times as fast without them (Mesa 22.3.6, four rounds in turns on a busy machine), and 784-200-200-50 at batch 20 used 0.85
    // times the CPU time, on Mesa 26.2.6 0.91.
    let fits = |tensor: &Tensor| tensor.offset == 0 && plan.fits_image(tensor);
    let images = target.images && !target.adam_in_buffers && !ragged && tensors.iter().all(fits);
    let (kernel, consts) = match (images, scale.is_some()) {
        (true, false) => (&ADAM_IMAGES, vec![("WORKGROUP", IMAGES_WORKGROUP)]),
        (true, true) => (&CLIPPED_IMAGES, vec![("WORKGROUP", IMAGES_WORKGROUP)]),
        (false, false) => (&ADAM, vec![("WORKGROUP", WORKGROUP), ("RAGGED", u32::from(ragged))]),
        (false, true) => (&CLIPPED, vec![("WORKGROUP", WORKGROUP), ("RAGGED", u32::from(ragged))]),
    };
    let before: &[Tensor] = if images { &state } else { &[] };
    plan.push(Dispatch {
        kernel,
        label: "adam".into(),
        consts,
        params: params.to_bytes(),
        tensors: [gradients].into_iter().chain(scale).chain(before.iter().copied()).chain(state).collect(),
        workgroups,
        cost: elementwise(12, &tensors),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_where_they_pay() {
        let kernel_of = |images, adam_in_buffers, len| {
            let mut plan = Plan::new("adam");
            let [gradients, parameters, moment1, moment2] =
                ["gradients", "parameters", "moment1", "moment2"].map(|name| plan.tensor(name, 1, len));
            let arenas = Arenas { gradients, parameters, moment1, moment2 };
            let target = Target { images, adam_in_buffers, ..Target::SOFTWARE };
            adam(&mut plan, &target, Hyperparameters::default(), arenas, None);
            plan.dispatches[0].kernel.name
        };
        for (images, in_buffers, len, name) in [
            (false, false, WORDS, "adam"),
            (false, true, WORDS, "adam"),
            (true, false, WORDS, "adam_images"),
            (true, true, WORDS, "adam"),
            // What does not fill all workgroups needs a test for the end.
            (true, false, WORDS + 4, "adam"),
        ] {
            assert_eq!(kernel_of(images, in_buffers, len), name, "{images} {in_buffers} {len}");
        }
    }
}
