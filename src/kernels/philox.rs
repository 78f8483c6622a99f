//! The counter-based generator (`shaders/shared/philox.wgsl`), and the kernels that write its bare draws so
//! that tests can compare them (`shaders/random.wgsl`).

use super::{elementwise, params, plain, shader};
use crate::plan::{
    Call, Dispatch, Kernel, Needs, Plan, Role, Slot, Tensor, Trusted, linear_grid, params as read_params,
    write, write_u32,
};

/// Stream of the latent noise.
pub const STREAM_EPS: u32 = 0;
/// Stream of dynamic binarisation.
pub const STREAM_BINARIZE: u32 = 1;
/// Stream of fixed binarisation.
pub const STREAM_BINARIZE_FIXED: u32 = 2;
/// Stream of draws from the prior.
pub const STREAM_PRIOR: u32 = 3;

/// Philox4x32-10 (Salmon et al. 2011): four words from a counter and a key.
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let wide = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    let (mut c, mut k) = (counter, key);
    for _ in 0..10 {
        let (high0, low0) = wide(0xD251_1F53, c[0]);
        let (high1, low1) = wide(0xCD9E_8D57, c[2]);
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0];
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    c
}

/// The uniform in (0, 1) of a word: 23 bits and a half.
pub fn uniform(word: u32) -> f64 {
    (f64::from(word >> 9) + 0.5) / f64::from(1 << 23)
}

/// Four standard normals from four words (Box and Muller).
pub fn normals(words: [u32; 4]) -> [f64; 4] {
    let u = words.map(uniform);
    let pair = |a: f64, b: f64| {
        let radius = (-2.0 * a.ln()).sqrt();
        let angle = std::f64::consts::TAU * b;
        [radius * angle.cos(), radius * angle.sin()]
    };
    let ([n0, n1], [n2, n3]) = (pair(u[0], u[1]), pair(u[2], u[3]));
    [n0, n1, n2, n3]
}

/// The word of `column` in the row's draw of a stream.
pub(crate) fn word(call: &dyn Call, step: u32, row: usize, column: usize, stream: u32) -> u32 {
    let key = [call.step().seed_lo, call.step().seed_hi];
    philox([step, row as u32, (column / 4) as u32, stream], key)[column % 4]
}

/// The normal of `column` in the row's draw of a stream.
pub(crate) fn normal(call: &dyn Call, row: usize, column: usize, stream: u32) -> f64 {
    let key = [call.step().seed_lo, call.step().seed_hi];
    let counter = [call.step().step, row as u32, (column / 4) as u32, stream + call.step().stream];
    normals(philox(counter, key))[column % 4]
}

params! {
    /// See `shaders/random.wgsl`.
    struct Params {
        rows: u32,
        vectors: u32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: crate::plan::Reference) -> Kernel {
    Kernel {
        name: "random",
        entry,
        source: shader!("random"),
        params: Params::FIELDS,
        slots,
        step: true,
        needs: Needs::Nothing,
        trusted: Trusted,
        variants: plain,
        reference,
    }
}

/// Writes the bare words.
pub static WORDS: Kernel = kernel("word_draws", &[write_u32(1, "words_out")], |call| {
    each(call, |call, row, col| {
        let (step, stream) = (call.step().step, call.step().stream);
        let value = word(call, step, row, col, stream);
        call.put_u32(0, row, col, value);
    })
});

/// Writes uniforms in (0, 1).
pub static UNIFORMS: Kernel = kernel("uniform_draws", &[write(2, "floats_out")], |call| {
    each(call, |call, row, col| {
        let (step, stream) = (call.step().step, call.step().stream);
        let value = uniform(word(call, step, row, col, stream));
        call.put(0, row, col, value);
    })
});

/// Writes standard normals.
pub static NORMALS: Kernel = kernel("normal_draws", &[write(2, "floats_out")], |call| {
    each(call, |call, row, col| {
        let value = normal(call, row, col, STREAM_EPS);
        call.put(0, row, col, value);
    })
});

fn each(call: &mut dyn Call, draw: impl Fn(&mut dyn Call, usize, usize)) {
    let p: Params = read_params(call);
    for row in 0..p.rows as usize {
        for col in 0..4 * p.vectors as usize {
            draw(call, row, col);
        }
    }
}

/// The draws of one of [`WORDS`], [`UNIFORMS`], [`NORMALS`] by themselves, and the tensor [rows, cols] that they fill.
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
