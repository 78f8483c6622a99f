//! Micro-benchmarks of an adapter (`shaders/micro.wgsl`): the ceilings of its arithmetic, its copying and its dispatching.

use super::{bytes, elementwise, params, shader};
use crate::plan::{
    self, Call, Cost, Dispatch, Kernel, PAD, Plan, Reference, Slot, Tensor, linear_grid, read, write,
};

/// Recurrences per invocation, and rounds per iteration of the loop, as in the shader.
const CHAINS: usize = 2;
const UNROLL: u32 = 32;

params! {
    /// See `shaders/micro.wgsl`.
    struct Params {
        vectors: u32,
        rounds: u32,
        scale: f32,
        offset: f32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("micro"), entry, Params::FIELDS, slots, reference)
}

/// y = the sum of recurrences x = scale x + offset.
pub static MULTIPLY_ADD: Kernel = kernel("multiply_add", &[write(2, "y")], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [y] = call.slots();
    for i in 0..4 * p.vectors as usize {
        let chain = |c: usize| {
            let start = (i % 4096 + 4096 * c) as f64 / 8192.0;
            (0..p.rounds).fold(start, |x, _| x * f64::from(p.scale) + f64::from(p.offset))
        };
        y.set(i, (0..CHAINS).map(chain).sum());
    }
});

/// y = x.
pub static COPY: Kernel = kernel("copy", &[read(1, "x"), write(2, "y")], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [x, y] = call.slots();
    for i in 0..4 * p.vectors as usize {
        y.set(i, x.at(i));
    }
});

/// y = offset, in one workgroup.
pub static LATENCY: Kernel = kernel("latency", &[write(2, "y")], |call: &dyn Call| {
    let p: Params = plan::params(call);
    let [y] = call.slots();
    for i in 0..4 * p.vectors as usize {
        y.set(i, f64::from(p.offset));
    }
});

/// Appends y [1, N] = `rounds` multiply-adds in each of several chains; `rounds` must be a multiple of 32.
pub(crate) fn multiply_add(plan: &mut Plan, rounds: u32, y: Tensor) {
    assert!(rounds.is_multiple_of(UNROLL), "{rounds} rounds are not a multiple of {UNROLL}");
    let y = y.flat();
    let params = Params { vectors: y.vectors(), rounds, scale: 0.96875, offset: 0.03125 };
    let flops = (2 * CHAINS * y.words()) as u64 * u64::from(rounds);
    push(plan, &MULTIPLY_ADD, params, &[y], Cost { flops, bytes: bytes(&[y]) });
}

/// Appends y = x, both [1, N].
pub(crate) fn copy(plan: &mut Plan, x: Tensor, y: Tensor) {
    let (x, y) = (x.flat(), y.flat());
    assert_eq!(x.words(), y.words(), "two arrays of one length");
    let params = Params { vectors: x.vectors(), rounds: 0, scale: 0.0, offset: 0.0 };
    push(plan, &COPY, params, &[x, y], elementwise(0, &[x, y]));
}

/// Appends y [1, N] = a constant, for an N that one workgroup can write.
pub(crate) fn latency(plan: &mut Plan, y: Tensor) {
    assert!(y.words() <= PAD * super::WORKGROUP as usize, "one workgroup writes {} words", y.words());
    let params = Params { vectors: y.vectors(), rounds: 0, scale: 0.0, offset: 0.5 };
    push(plan, &LATENCY, params, &[y], elementwise(0, &[y]));
}

fn push(plan: &mut Plan, kernel: &'static Kernel, params: Params, tensors: &[Tensor], cost: Cost) {
    plan.push(Dispatch {
        kernel,
        label: kernel.entry.into(),
        consts: vec![],
        params: params.to_bytes(),
        tensors: tensors.to_vec(),
        workgroups: linear_grid(params.vectors as usize, super::WORKGROUP),
        cost,
    });
}
