// The categorical decoder: every pixel is one of C grey levels, log p(x|z) = sum_d log softmax(l_d)[level_d].
//
//   level     floor(v C / 256) of the byte v = round(255 x)
//   forward   log_p[r] = sum_d l_d[level_d] - logsumexp(l_d)        the maximum is taken out of the exponents
//   backward  d_l = weight[r] (softmax(l_d) - [k = level_d]), in place of the logits
//   mean      E[x|z] = sum_k softmax(l_d)[k] k / (C - 1): level 0 is shown black, level C - 1 white
//   values    log softmax(l_d)[level_d]
//
// decoded, d_decoded [R, D C]: the C logits of a pixel side by side, then the next pixel's; rows of Params.stride words
// R = B K rows, row b K + k    x, by_value [R, D] rows of Params.x_stride words    log_p, weight [R]
//
// A pixel's logits begin anywhere, so words are loaded one by one. Words of padding are never written.
// Entry points and the division of rows: shared/likelihood. An item is a pixel.

#import shared/likelihood

struct Params {
    rows: u32,
    samples: u32,
    dim: u32,
    levels: u32,
    stride: u32, // D C, rounded up to 4
    x_stride: u32, // D, rounded up to 4
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> decoded: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_p: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_decoded: array<f32>;
@group(0) @binding(6) var<storage, read_write> by_value: array<f32>;

// Where a pixel's logits begin.
fn first_logit(row: u32, pixel: u32) -> u32 {
    return row * params.stride + pixel * params.levels;
}

// Below C whatever x holds: it is an index.
fn level_of(row: u32, pixel: u32) -> u32 {
    let grey = x[(row / params.samples) * params.x_stride + pixel];
    let byte = u32(round(255.0 * clamp(grey, 0.0, 1.0)));
    return min(byte * params.levels / 256u, params.levels - 1u);
}

// Of the logits that begin at `first` of `decoded`.
fn log_sum_exp(first: u32) -> f32 {
    var largest = decoded[first];
    for (var k = 1u; k < params.levels; k++) {
        largest = max(largest, decoded[first + k]);
    }
    var sum = 0.0;
    for (var k = 0u; k < params.levels; k++) {
        sum += exp(decoded[first + k] - largest);
    }
    return largest + log(sum);
}

// The same of `d_decoded`, before the gradients take the logits' place.
fn log_sum_exp_in_place(first: u32) -> f32 {
    var largest = d_decoded[first];
    for (var k = 1u; k < params.levels; k++) {
        largest = max(largest, d_decoded[first + k]);
    }
    var sum = 0.0;
    for (var k = 0u; k < params.levels; k++) {
        sum += exp(d_decoded[first + k] - largest);
    }
    return largest + log(sum);
}

// log p of a pixel, whose logits make way for their gradients.
fn replaced(row: u32, pixel: u32) -> f32 {
    let first = first_logit(row, pixel);
    let level = level_of(row, pixel);
    let normaliser = log_sum_exp_in_place(first);
    let log_p_of_level = d_decoded[first + level] - normaliser;
    for (var k = 0u; k < params.levels; k++) {
        let probability = exp(d_decoded[first + k] - normaliser);
        d_decoded[first + k] = weight[row] * (probability - select(0.0, 1.0, k == level));
    }
    return log_p_of_level;
}

fn items() -> u32 {
    return params.dim;
}

fn item_log_p(row: u32, pixel: u32) -> f32 {
    let first = first_logit(row, pixel);
    return decoded[first + level_of(row, pixel)] - log_sum_exp(first);
}

fn item_fused(row: u32, pixel: u32) -> f32 {
    return replaced(row, pixel);
}

fn item_backward(row: u32, pixel: u32) {
    _ = replaced(row, pixel);
}

fn item_mean(row: u32, pixel: u32) {
    let first = first_logit(row, pixel);
    let normaliser = log_sum_exp(first);
    var level = 0.0;
    for (var k = 1u; k < params.levels; k++) {
        level += f32(k) * exp(decoded[first + k] - normaliser);
    }
    by_value[row * params.x_stride + pixel] = level / f32(params.levels - 1u);
}

fn item_values(row: u32, pixel: u32) {
    by_value[row * params.x_stride + pixel] = item_log_p(row, pixel);
}
