// What the likelihoods share that take one number l of the decoder for each value x: log p(x|z) = sum_d log p(x | l).
//
//   forward   log_p[r] = sum_d log p(x | l)
//   backward  d_decoded = -weight[r] d log p(x | l) / dl
//   mean      E[x | l]
//
// decoded, d_decoded, mean [R, D] with R = B K rows, row b K + k    x [B, D]    log_p, weight [R]
// weight[r] is dLoss/dlog_p with the sign turned.
//
// The importer defines four values at a time: `terms(l, x)` and `expectation(l)`. Both must be finite at l = x = 0, the
// padding. What an entry point does not use of the terms, the compiler leaves out.
// Entry points and the division of rows: shared/likelihood. An item is a vec4.

#import shared/likelihood

struct Params {
    rows: u32,
    samples: u32,
    dim: u32,
    vectors: u32, // D / 4, rounded up
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> decoded: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_p: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_decoded: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> mean_x: array<vec4f>;

// Of four values.
struct Terms {
    log_p: vec4f, // log p(x | l)
    slope: vec4f, // its derivative by l
}

fn mask(vector: u32) -> vec4f {
    return select(vec4f(0.0), vec4f(1.0), 4u * vector + vec4u(0u, 1u, 2u, 3u) < vec4u(params.dim));
}

fn terms_at(row: u32, j: u32) -> Terms {
    return terms(decoded[row * params.vectors + j], x[(row / params.samples) * params.vectors + j]);
}

fn store_gradient(row: u32, j: u32, slope: vec4f) {
    d_decoded[row * params.vectors + j] = mask(j) * -weight[row] * slope;
}

fn items() -> u32 {
    return params.vectors;
}

fn item_log_p(row: u32, j: u32) -> f32 {
    return dot(mask(j), terms_at(row, j).log_p);
}

fn item_fused(row: u32, j: u32) -> f32 {
    let here = terms_at(row, j);
    store_gradient(row, j, here.slope);
    return dot(mask(j), here.log_p);
}

fn item_backward(row: u32, j: u32) {
    store_gradient(row, j, terms_at(row, j).slope);
}

fn item_mean(row: u32, j: u32) {
    mean_x[row * params.vectors + j] = mask(j) * expectation(decoded[row * params.vectors + j]);
}
