// The categorical decoder: every pixel is one of C grey levels, log p(x|z) = sum_d log softmax(l_d)[level_d].
//
//   level     floor(v C / 256) of the byte v = round(255 x)
//   forward   log_p[r] = sum_d l_d[level_d] - logsumexp(l_d)        the maximum is taken out of the exponents
//   backward  d_l = weight[r] (softmax(l_d) - [k = level_d])
//   fused     both in one pass
//   mean      E[x|z] = sum_k softmax(l_d)[k] k / (C - 1): level 0 is shown black, level C - 1 white
//
// decoded, d_decoded [R, D C]: the C logits of a pixel side by side, then the next pixel's; rows of Params.stride words
// R = B K rows, row b K + k    x, mean [R, D] rows of Params.x_stride words    log_p, weight [R]
//
// A pixel's logits begin anywhere, so words are loaded one by one. ROW_LANES neighbouring invocations share a row, each
// takes every ROW_LANES-th pixel. Words of padding are never written.

#import shared/row_sum

const WORKGROUP: u32 = 64u;
const ROW_LANES: u32 = 32u;

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
@group(0) @binding(6) var<storage, read_write> mean_x: array<f32>;

// Where a pixel's logits begin.
fn first_logit(row: u32, pixel: u32) -> u32 {
    return row * params.stride + pixel * params.levels;
}

fn level_of(row: u32, pixel: u32) -> u32 {
    let grey = x[(row / params.samples) * params.x_stride + pixel];
    return u32(round(255.0 * clamp(grey, 0.0, 1.0))) * params.levels / 256u;
}

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

fn store_gradient(row: u32, first: u32, normaliser: f32, level: u32) {
    for (var k = 0u; k < params.levels; k++) {
        let probability = exp(decoded[first + k] - normaliser);
        d_decoded[first + k] = weight[row] * (probability - select(0.0, 1.0, k == level));
    }
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = (group.x * WORKGROUP + local) / ROW_LANES;
    let lane = local % ROW_LANES;
    var sum = 0.0;
    if (row < params.rows) {
        for (var pixel = lane; pixel < params.dim; pixel += ROW_LANES) {
            let first = first_logit(row, pixel);
            sum += decoded[first + level_of(row, pixel)] - log_sum_exp(first);
        }
    }
    sum = row_sum(local, sum);
    if (lane == 0u && row < params.rows) {
        log_p[row] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn fused(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = (group.x * WORKGROUP + local) / ROW_LANES;
    let lane = local % ROW_LANES;
    var sum = 0.0;
    if (row < params.rows) {
        for (var pixel = lane; pixel < params.dim; pixel += ROW_LANES) {
            let first = first_logit(row, pixel);
            let level = level_of(row, pixel);
            let normaliser = log_sum_exp(first);
            sum += decoded[first + level] - normaliser;
            store_gradient(row, first, normaliser, level);
        }
    }
    sum = row_sum(local, sum);
    if (lane == 0u && row < params.rows) {
        log_p[row] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = (group.x * WORKGROUP + local) / ROW_LANES;
    if (row >= params.rows) {
        return;
    }
    for (var pixel = local % ROW_LANES; pixel < params.dim; pixel += ROW_LANES) {
        let first = first_logit(row, pixel);
        store_gradient(row, first, log_sum_exp(first), level_of(row, pixel));
    }
}

@compute @workgroup_size(WORKGROUP)
fn mean(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = (group.x * WORKGROUP + local) / ROW_LANES;
    if (row >= params.rows) {
        return;
    }
    for (var pixel = local % ROW_LANES; pixel < params.dim; pixel += ROW_LANES) {
        let first = first_logit(row, pixel);
        let normaliser = log_sum_exp(first);
        var level = 0.0;
        for (var k = 1u; k < params.levels; k++) {
            level += f32(k) * exp(decoded[first + k] - normaliser);
        }
        mean_x[row * params.x_stride + pixel] = level / f32(params.levels - 1u);
    }
}
