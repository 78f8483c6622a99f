// x[b, d] = binarize(data[order[first_row + b], d]): a batch of images from the bytes that live on the device.
//
// data  [N, D] bytes, four a word, rows padded to whole words    order [N] the epoch's order of rows, by their
//       numbers in the data set, which also number the draws that are fixed
// x     [B, D] floats; rows from valid_rows on are zero
//
// One invocation makes four pixels from one word: one call of the generator gives the four draws.

#import shared/step
#import shared/philox
#import shared/index

// How a grey value v in 0..255 becomes x.
const GREY: u32 = 0u;      // x = v / 255
const THRESHOLD: u32 = 1u; // x = v > 127
const FIXED: u32 = 2u;     // Bernoulli(v / 255), one draw for a pixel, the same in every epoch
const DYNAMIC: u32 = 3u;   // Bernoulli(v / 255), a new draw every time (Salakhutdinov & Murray 2008)

const BINARIZE: u32 = 3u;
// 1: data holds the rows of the next steps only, in the order that they are visited.
const STREAMED: u32 = 0u;
const WORKGROUP: u32 = 64u;

struct Params {
    batch: u32,
    words: u32, // words of a row, of data and of x alike
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<vec4f>;

// u < v / 255 in integers, for the uniform u = (2 r + 1) / 2^24 with r of 23 bits: exact on every adapter.
fn bernoulli(words: vec4u, v: vec4u) -> vec4f {
    let r = (words >> vec4u(9u)) * 2u + 1u;
    return select(vec4f(0.0), vec4f(1.0), r * 255u < (v << vec4u(24u)));
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.batch * params.words) {
        return;
    }
    let row = index / params.words;
    let column = index % params.words;
    if (row >= step.valid_rows) {
        x[index] = vec4f(0.0);
        return;
    }
    let datum = order[step.first_row + row];
    let place = select(datum, step.first_row + row, STREAMED == 1u);
    let word = data[place * params.words + column];
    let v = vec4u(word & 0xFFu, (word >> 8u) & 0xFFu, (word >> 16u) & 0xFFu, word >> 24u);
    let seed = vec2u(step.seed_lo, step.seed_hi);
    switch BINARIZE {
        case GREY: {
            x[index] = vec4f(v) / 255.0;
        }
        case THRESHOLD: {
            x[index] = select(vec4f(0.0), vec4f(1.0), v > vec4u(127u));
        }
        case FIXED: {
            x[index] = bernoulli(philox(vec4u(0u, datum, column, STREAM_BINARIZE_FIXED + step.stream), seed), v);
        }
        default: {
            x[index] = bernoulli(philox(vec4u(step.step, row, column, STREAM_BINARIZE + step.stream), seed), v);
        }
    }
}
