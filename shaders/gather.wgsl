// x[b, d] = binarize(data[order[first_row + b], d]): a batch of rows of the data on the device.
//
// data  [N, D] bytes, four per word, or floats; rows padded to four values
// order [N] the epoch's order of rows, as numbers in the data set; the draws of FIXED belong to these numbers
// x     [B, D] floats; rows from valid_rows on are zero
//
// One invocation computes four values, whose draws are one call of the generator.

#import shared/step
#import shared/philox
#import shared/index

// How a value v becomes x. A byte b means v = b / 255, a float is v itself.
const GREY: u32 = 0u;      // x = v
const THRESHOLD: u32 = 1u; // x = v > 1/2
const FIXED: u32 = 2u;     // x ~ Bernoulli(v), the same draw in every epoch
const DYNAMIC: u32 = 3u;   // x ~ Bernoulli(v), a new draw in every epoch (Salakhutdinov & Murray 2008)

const BINARIZE: u32 = 3u;
// 1: data holds the rows of the next steps only, in the order in which they are visited.
const STREAMED: u32 = 0u;
// 0: data holds bytes; 1: floats.
const PACKING: u32 = 0u;
const WORKGROUP: u32 = 64u;

struct Params {
    batch: u32,
    vectors: u32, // vec4s of a row of x
    count: u32,   // rows of data
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<vec4f>;

// u < v / 255 in integers, for the uniform u = (2 r + 1) / 2^24 with 23 bits of r: exact on every adapter.
fn below_bytes(words: vec4u, v: vec4u) -> vec4f {
    let r = (words >> vec4u(9u)) * 2u + 1u;
    return select(vec4f(0.0), vec4f(1.0), r * 255u < (v << vec4u(24u)));
}

// u < v for the same u, which is exact in a float.
fn below_floats(words: vec4u, v: vec4f) -> vec4f {
    let r = (words >> vec4u(9u)) * 2u + 1u;
    return select(vec4f(0.0), vec4f(1.0), vec4f(r) * 5.9604644775390625e-8 < v);
}

// The draws for row `row` of the batch, number `datum` in the data set.
fn draws(row: u32, datum: u32, column: u32) -> vec4u {
    let seed = vec2u(step.seed_lo, step.seed_hi);
    if (BINARIZE == FIXED) {
        return philox(vec4u(0u, datum, column, STREAM_BINARIZE_FIXED + step.stream), seed);
    }
    return philox(vec4u(step.step, step.first_place + row, column, STREAM_BINARIZE + step.stream), seed);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.batch * params.vectors) {
        return;
    }
    let row = index / params.vectors;
    let column = index % params.vectors;
    if (row >= step.valid_rows) {
        x[index] = vec4f(0.0);
        return;
    }
    let datum = order[step.first_row + row];
    // A program may write any number into the order: it must not lead outside the buffer.
    let place = min(select(datum, step.first_row + row, STREAMED == 1u), params.count - 1u);
    let at = place * params.vectors + column;
    if (PACKING == 1u) {
        let v = bitcast<vec4f>(vec4u(data[4u * at], data[4u * at + 1u], data[4u * at + 2u], data[4u * at + 3u]));
        if (BINARIZE == GREY) {
            x[index] = v;
        } else if (BINARIZE == THRESHOLD) {
            x[index] = select(vec4f(0.0), vec4f(1.0), v > vec4f(0.5));
        } else {
            x[index] = below_floats(draws(row, datum, column), v);
        }
    } else {
        let word = data[at];
        let v = vec4u(word & 0xFFu, (word >> 8u) & 0xFFu, (word >> 16u) & 0xFFu, word >> 24u);
        if (BINARIZE == GREY) {
            x[index] = vec4f(v) / 255.0;
        } else if (BINARIZE == THRESHOLD) {
            x[index] = select(vec4f(0.0), vec4f(1.0), v > vec4u(127u));
        } else {
            x[index] = below_bytes(draws(row, datum, column), v);
        }
    }
}
