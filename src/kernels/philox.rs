//! The counter-based generator (`shaders/shared/philox.wgsl`).

use crate::plan::Call;

/// Stream of the latent noise.
pub const STREAM_EPS: u32 = 0;
/// Stream of dynamic binarisation.
pub const STREAM_BINARIZE: u32 = 1;
/// Stream of fixed binarisation.
pub const STREAM_BINARIZE_FIXED: u32 = 2;
/// Stream of draws from the prior.
pub const STREAM_PRIOR: u32 = 3;
/// Stream of the coins that mirror pictures.
pub const STREAM_FLIP: u32 = 4;

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

/// The uniform in (0, 1) that a word stands for: its upper 23 bits, plus a half.
pub fn uniform(word: u32) -> f64 {
    (f64::from(word >> 9) + 0.5) / f64::from(1 << 23)
}

/// Four standard normals from four words (Box & Muller).
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

/// The word that a stream has for (step, row, column).
pub(crate) fn word(call: &dyn Call, step: u32, row: usize, column: usize, stream: u32) -> u32 {
    let key = [call.step().seed_lo, call.step().seed_hi];
    philox([step, row as u32, (column / 4) as u32, stream], key)[column % 4]
}

/// The normal that a stream has for (row, column) in this step.
pub(crate) fn normal(call: &dyn Call, row: usize, column: usize, stream: u32) -> f64 {
    let key = [call.step().seed_lo, call.step().seed_hi];
    let counter = [call.step().step, row as u32, (column / 4) as u32, stream + call.step().stream];
    normals(philox(counter, key))[column % 4]
}
