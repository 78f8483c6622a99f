// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as
// 1, 2, 3"). Four words are a pure function of (key, counter), so draws need no state, no order and no
// storage: the backward pass draws the same eps again instead of reading it.
//
// key = (seed low, seed high), counter = (step, row, column / 4, stream); word j is column 4 * (column / 4) + j.

const PHILOX_MULTIPLIER_0: u32 = 0xD2511F53u;
const PHILOX_MULTIPLIER_1: u32 = 0xCD9E8D57u;
const PHILOX_WEYL_0: u32 = 0x9E3779B9u;
const PHILOX_WEYL_1: u32 = 0xBB67AE85u;
const PHILOX_ROUNDS: u32 = 10u;

// One stream per purpose, so that no two purposes share a draw.
const STREAM_EPS: u32 = 0u;
const STREAM_BINARIZE: u32 = 1u;
const STREAM_BINARIZE_FIXED: u32 = 2u;
const STREAM_PRIOR: u32 = 3u;
const STREAM_FLIP: u32 = 4u;

const HALF_PI: f32 = 1.5707963267948966;
const UNIT_23: f32 = 1.1920928955078125e-7; // 2^-23

// The high word of a 32 x 32 bit product, from 16-bit halves: WGSL lacks 64-bit integers.
fn multiply_high(a: u32, b: u32) -> u32 {
    let a_low = a & 0xFFFFu;
    let a_high = a >> 16u;
    let b_low = b & 0xFFFFu;
    let b_high = b >> 16u;
    let low = a_low * b_low;
    let middle = a_high * b_low + (low >> 16u);
    let middle_low = (middle & 0xFFFFu) + a_low * b_high;
    return a_high * b_high + (middle >> 16u) + (middle_low >> 16u);
}

fn philox(counter: vec4u, seed: vec2u) -> vec4u {
    var c = counter;
    var key = seed;
    for (var round = 0u; round < PHILOX_ROUNDS; round++) {
        let high0 = multiply_high(PHILOX_MULTIPLIER_0, c.x);
        let low0 = PHILOX_MULTIPLIER_0 * c.x;
        let high1 = multiply_high(PHILOX_MULTIPLIER_1, c.z);
        let low1 = PHILOX_MULTIPLIER_1 * c.z;
        c = vec4u(high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0);
        key += vec2u(PHILOX_WEYL_0, PHILOX_WEYL_1);
    }
    return c;
}

// Uniforms in the open interval (0, 1): the upper 23 bits plus a half, exact in f32, never 0 or 1.
fn uniforms(words: vec4u) -> vec4f {
    return (vec4f(words >> vec4u(9u)) + 0.5) * UNIT_23;
}

// cos and sin of 2 pi u, for u in (0, 1): Taylor polynomials within an eighth of a turn of the nearest quarter,
// accurate to 3e-7. WGSL promises only 2^-11 of the built-in functions, and some adapters use that freedom.
struct Circle {
    cos: vec2f,
    sin: vec2f,
}
fn unit_circle(u: vec2f) -> Circle {
    let quarter = round(4.0 * u);
    let a = (4.0 * u - quarter) * HALF_PI;
    let square = a * a;
    let s = a * (1.0 + square * (-1.0 / 6.0 + square * (1.0 / 120.0 + square * (-1.0 / 5040.0 + square / 362880.0))));
    let c = 1.0 + square * (-0.5 + square * (1.0 / 24.0 + square * (-1.0 / 720.0 + square / 40320.0)));
    // After 0 to 3 quarter turns: (c, s), (-s, c), (-c, -s), (s, -c).
    let turns = vec2u(quarter) % 4u;
    let odd = (turns & vec2u(1u)) == vec2u(1u);
    let cos_negative = (turns == vec2u(1u)) | (turns == vec2u(2u));
    let sin_negative = turns >= vec2u(2u);
    let x = select(c, s, odd);
    let y = select(s, c, odd);
    return Circle(select(x, -x, cos_negative), select(y, -y, sin_negative));
}

// Four standard normals from four words, by the Box-Muller transform of the pairs (0, 1) and (2, 3).
fn normals(words: vec4u) -> vec4f {
    let u = uniforms(words);
    let radius = sqrt(-2.0 * log(u.xz));
    let circle = unit_circle(u.yw);
    let x = radius * circle.cos;
    let y = radius * circle.sin;
    return vec4f(x.x, y.x, x.y, y.y);
}
