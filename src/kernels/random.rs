//! The generator's bare draws (`shaders/random.wgsl`), for tests to compare with [`philox`].

use super::{elementwise, params, philox, shader};
use crate::plan::{
    self, Call, Dispatch, Kernel, Plan, Reference, Role, Slot, Tensor, linear_grid, write, write_u32,
};

params! {
    /// See `shaders/random.wgsl`.
    struct Params {
        rows: u32,
        vectors: u32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("random"), entry, Params::FIELDS, slots, reference).stepping()
}

/// Writes the bare words.
pub static WORDS: Kernel = kernel("word_draws", &[write_u32(1, "words_out")], |call: &dyn Call| {
    let [out] = call.slots();
    for_each(call, |row, col| out.put_u32(row, col, word(call, row, col)));
});

/// Writes uniforms in (0, 1).
pub static UNIFORMS: Kernel = kernel("uniform_draws", &[write(2, "floats_out")], |call: &dyn Call| {
    let [out] = call.slots();
    for_each(call, |row, col| out.put(row, col, philox::uniform(word(call, row, col))));
});

/// Writes standard normals.
pub static NORMALS: Kernel = kernel("normal_draws", &[write(2, "floats_out")], |call: &dyn Call| {
    let [out] = call.slots();
    for_each(call, |row, col| out.put(row, col, philox::normal(call, row, col, philox::STREAM_EPS)));
});

/// Calls `draw` for every element, padding included.
fn for_each(call: &dyn Call, draw: impl Fn(usize, usize)) {
    let p: Params = plan::params(call);
    for row in 0..p.rows as usize {
        (0..4 * p.vectors as usize).for_each(|col| draw(row, col));
    }
}

fn word(call: &dyn Call, row: usize, col: usize) -> u32 {
    philox::word(call, call.step().step, row, col, call.step().stream)
}

/// A plan that fills a tensor [rows, cols] by one of [`WORDS`], [`UNIFORMS`], [`NORMALS`], and that tensor.
pub fn draws(kernel: &'static Kernel, rows: usize, cols: usize) -> (Plan, Tensor) {
    let mut plan = Plan::new("draws");
    let element = kernel.slots[0].element;
    let out = plan.matrix(kernel.label(), rows, cols, element, Role::Private);
    random(&mut plan, kernel, out);
    (plan, out)
}

/// Fills `out` [rows, cols] by one of [`WORDS`], [`UNIFORMS`], [`NORMALS`], padding included.
pub(crate) fn random(plan: &mut Plan, kernel: &'static Kernel, out: Tensor) {
    assert_eq!(kernel.name, WORDS.name, "a kernel that writes bare draws");
    let params = Params { rows: out.rows as u32, vectors: out.vectors() };
    plan.push(Dispatch {
        kernel,
        label: kernel.entry.to_owned(),
        consts: vec![],
        params: params.to_bytes(),
        tensors: vec![out],
        workgroups: linear_grid(out.words() / 4, super::WORKGROUP),
        cost: elementwise(100, &[out]),
    });
}
