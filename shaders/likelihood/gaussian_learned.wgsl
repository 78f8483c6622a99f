// The Gaussian decoder with a learned variance (Kingma & Welling 2013, appendix C.2):
// log p(x|z) = -1/2 sum_d (x - mu)^2 e^-s + s + log(2 pi), with means mu and log-variances s.
//
//   forward   log_p[r]
//   backward  d_mu = -weight[r] (x - mu) e^-s
//             d_s  = -weight[r] ((x - mu)^2 e^-s - 1) / 2, zero where s was clamped
//   fused     both in one pass
//   mean      E[x|z] = mu
//
// s is clamped to +-LOG_VAR_LIMIT: a pixel that is the same in all images would otherwise drive its variance to zero and
// log p to infinity. The standard deviation stays within 0.03 and 33.
//
// decoded [R, P] or [R, 2 P]: mu in columns 0..D, P = D rounded up to 4. R = B K rows, row b K + k
// log_var  s in columns P..P+D of each row: `decoded` itself, where the decoder predicts it; or one row for all, the
//          bias of the decoder's last layer, behind which it lies. Params say how far its rows are apart
// d_decoded [R, 2 P]  d_mu and d_s    x [B, D]    mean [R, D]    log_p, weight [R]
//
// ROW_LANES neighbouring invocations share a row, each takes every ROW_LANES-th vec4.

#import shared/row_sum

const WORKGROUP: u32 = 64u;
const ROW_LANES: u32 = 32u;

const LOG_VAR_LIMIT: f32 = 7.0;
const LOG_2_PI: f32 = 1.8378771;

struct Params {
    rows: u32,
    samples: u32,
    dim: u32,
    vectors: u32,        // P / 4
    decoded_stride: u32, // strides in vec4
    log_var_stride: u32, // 0 where one row serves all
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> decoded: array<vec4f>;
@group(0) @binding(2) var<storage, read> log_var: array<vec4f>;
@group(0) @binding(3) var<storage, read> x: array<vec4f>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> log_p: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_decoded: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> mean_x: array<vec4f>;

// Of four values.
struct Terms {
    log_p: vec4f, // log p(x | mu, s)
    by_mu: vec4f, // its derivatives
    by_s: vec4f,
}

fn mask(vector: u32) -> vec4f {
    return select(vec4f(0.0), vec4f(1.0), 4u * vector + vec4u(0u, 1u, 2u, 3u) < vec4u(params.dim));
}

fn terms(row: u32, j: u32) -> Terms {
    let free = log_var[row * params.log_var_stride + params.vectors + j];
    let s = clamp(free, vec4f(-LOG_VAR_LIMIT), vec4f(LOG_VAR_LIMIT));
    let distance = x[(row / params.samples) * params.vectors + j] - decoded[row * params.decoded_stride + j];
    let scaled = distance * exp(-s);
    let square = distance * scaled;
    let by_s = select(vec4f(0.0), 0.5 * (square - 1.0), abs(free) < vec4f(LOG_VAR_LIMIT));
    return Terms(-0.5 * (square + s + LOG_2_PI), scaled, by_s);
}

fn store_gradient(row: u32, j: u32, here: Terms) {
    let factor = mask(j) * -weight[row];
    d_decoded[2u * row * params.vectors + j] = factor * here.by_mu;
    d_decoded[(2u * row + 1u) * params.vectors + j] = factor * here.by_s;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = (group.x * WORKGROUP + local) / ROW_LANES;
    let lane = local % ROW_LANES;
    var sum = 0.0;
    if (row < params.rows) {
        for (var j = lane; j < params.vectors; j += ROW_LANES) {
            sum += dot(mask(j), terms(row, j).log_p);
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
        for (var j = lane; j < params.vectors; j += ROW_LANES) {
            let here = terms(row, j);
            sum += dot(mask(j), here.log_p);
            store_gradient(row, j, here);
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
    for (var j = local % ROW_LANES; j < params.vectors; j += ROW_LANES) {
        store_gradient(row, j, terms(row, j));
    }
}

@compute @workgroup_size(WORKGROUP)
fn mean(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = (group.x * WORKGROUP + local) / ROW_LANES;
    if (row >= params.rows) {
        return;
    }
    for (var j = local % ROW_LANES; j < params.vectors; j += ROW_LANES) {
        mean_x[row * params.vectors + j] = mask(j) * decoded[row * params.decoded_stride + j];
    }
}
