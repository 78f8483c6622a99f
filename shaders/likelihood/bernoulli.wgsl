// The Bernoulli decoder: log p(x|z) = sum_d x l - softplus(l), from logits l (Kingma & Welling 2013, appendix C.1).
//
//   forward   log_p[r] = sum_d (x l - max(l, 0) - log(1 + e^-|l|))     stable for every l
//   backward  d_logits = -weight[r] (x - sigmoid(l))
//   fused     both in one pass
//   mean      E[x|z] = sigmoid(l)
//
// logits, d_logits, mean [R, D] with R = B K rows, row b K + k    x [B, D]    log_p, weight [R]
// weight[r] is dLoss/dlog_p with the sign turned.
//
// ROW_LANES neighbouring invocations share a row, each takes every ROW_LANES-th vec4.

#import shared/activation
#import shared/row_sum

const WORKGROUP: u32 = 64u;
const ROW_LANES: u32 = 32u;

struct Params {
    rows: u32,
    samples: u32,
    dim: u32,
    vectors: u32, // D / 4, rounded up
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_p: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_logits: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> mean_x: array<vec4f>;

fn mask(vector: u32) -> vec4f {
    return select(vec4f(0.0), vec4f(1.0), 4u * vector + vec4u(0u, 1u, 2u, 3u) < vec4u(params.dim));
}

// The log-likelihood of four pixels x with logits l.
fn log_likelihood(l: vec4f, target_x: vec4f, inside: vec4f) -> f32 {
    return dot(inside, target_x * l - softplus(l));
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = (group.x * WORKGROUP + local) / ROW_LANES;
    let lane = local % ROW_LANES;
    var sum = 0.0;
    if (row < params.rows) {
        for (var j = lane; j < params.vectors; j += ROW_LANES) {
            let l = logits[row * params.vectors + j];
            sum += log_likelihood(l, x[(row / params.samples) * params.vectors + j], mask(j));
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
            let l = logits[row * params.vectors + j];
            let target_x = x[(row / params.samples) * params.vectors + j];
            sum += log_likelihood(l, target_x, mask(j));
            // e^-|l| serves the softplus above and, by its quotient, the sigmoid.
            let e = exp(-abs(l));
            let s = select(e, vec4f(1.0), l >= vec4f(0.0)) / (1.0 + e);
            d_logits[row * params.vectors + j] = mask(j) * weight[row] * (s - target_x);
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
        let l = logits[row * params.vectors + j];
        let target_x = x[(row / params.samples) * params.vectors + j];
        d_logits[row * params.vectors + j] = mask(j) * weight[row] * (sigmoid(l) - target_x);
    }
}

@compute @workgroup_size(WORKGROUP)
fn mean(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = (group.x * WORKGROUP + local) / ROW_LANES;
    if (row >= params.rows) {
        return;
    }
    for (var j = local % ROW_LANES; j < params.vectors; j += ROW_LANES) {
        mean_x[row * params.vectors + j] = mask(j) * sigmoid(logits[row * params.vectors + j]);
    }
}
