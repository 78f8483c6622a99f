// The Gaussian decoder with one log-variance s for all values of all rows (sigma-VAE: Rybkin, Daniilidis & Levine 2021,
// arXiv 2006.13202). With the squares S[r] = sum_d (x - mu)^2:
//
//   forward   log_p[r] = -(S[r] e^-s + D (s + log(2 pi))) / 2
//   backward  d_mu = -weight[r] (x - mu) e^-s
//             d_s[r] = -weight[r] (S[r] e^-s - D) / 2, to be summed over rows; zero where s was clamped
//   fused     both in one pass
//   squares   S[r], from which the best s follows (likelihood/gaussian_optimal)
//   mean      E[x|z] = mu
//   values    -((x - mu)^2 e^-s + s + log(2 pi)) / 2
//
// s is clamped to +-LOG_VAR_LIMIT: the standard deviation stays above 0.0025, half a step of a byte, and below 400. All
// values share it, so no single one that never changes can drive it there.
//
// decoded [R, P]      mu, R = B K rows, row b K + k        log_var [1]       s
// d_decoded [R, P]    d_mu in place of mu                  d_log_var [R, 4]  d_s of each row, then zeros
// x [B, D]    log_p, weight, squares [R]    by_value [R, D]  the result of mean and values
//
// ROW_LANES neighbouring invocations share a row, as in shared/likelihood.

#import shared/row_sum
#import shared/mask

const WORKGROUP: u32 = 64u;
const ROW_LANES: u32 = 32u;

const LOG_VAR_LIMIT: f32 = 12.0;
const LOG_2_PI: f32 = 1.8378771;

struct Params {
    rows: u32,
    samples: u32,
    dim: u32,
    vectors: u32, // P / 4, with P = D rounded up to 4
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> decoded: array<vec4f>;
@group(0) @binding(2) var<storage, read> log_var: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<vec4f>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> log_p: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_decoded: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> d_log_var: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> by_value: array<vec4f>;
@group(0) @binding(9) var<storage, read_write> squares: array<f32>;

fn is_first(row: u32, local: u32) -> bool {
    return local % ROW_LANES == 0u && row < params.rows;
}

fn clamped() -> f32 {
    return clamp(log_var[0], -LOG_VAR_LIMIT, LOG_VAR_LIMIT);
}

// x - mu of four values; zero in the padding.
fn distance_of(mu: vec4f, row: u32, j: u32) -> vec4f {
    return column_mask(j, params.dim) * (x[(row / params.samples) * params.vectors + j] - mu);
}

// This invocation's share of S[r].
fn share_of_squares(row: u32, local: u32) -> f32 {
    var share = 0.0;
    if (row < params.rows) {
        for (var j = local % ROW_LANES; j < params.vectors; j += ROW_LANES) {
            let distance = distance_of(decoded[row * params.vectors + j], row, j);
            share += dot(distance, distance);
        }
    }
    return share;
}

// The same, while the gradient replaces mu.
fn replaced(row: u32, local: u32) -> f32 {
    var share = 0.0;
    if (row < params.rows) {
        let factor = -weight[row] * exp(-clamped());
        for (var j = local % ROW_LANES; j < params.vectors; j += ROW_LANES) {
            let at = row * params.vectors + j;
            let distance = distance_of(d_decoded[at], row, j);
            d_decoded[at] = factor * distance;
            share += dot(distance, distance);
        }
    }
    return share;
}

fn store_log_p(row: u32, sum: f32) {
    let s = clamped();
    log_p[row] = -0.5 * (sum * exp(-s) + f32(params.dim) * (s + LOG_2_PI));
}

fn store_gradient(row: u32, sum: f32) {
    let by_s = 0.5 * (sum * exp(-clamped()) - f32(params.dim));
    let moves = select(0.0, 1.0, abs(log_var[0]) < LOG_VAR_LIMIT);
    d_log_var[row] = vec4f(-weight[row] * moves * by_s, 0.0, 0.0, 0.0);
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    let sum = row_sum(local, share_of_squares(row, local));
    if (is_first(row, local)) {
        store_log_p(row, sum);
    }
}

@compute @workgroup_size(WORKGROUP)
fn fused(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    let sum = row_sum(local, replaced(row, local));
    if (is_first(row, local)) {
        store_log_p(row, sum);
        store_gradient(row, sum);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    let sum = row_sum(local, replaced(row, local));
    if (is_first(row, local)) {
        store_gradient(row, sum);
    }
}

@compute @workgroup_size(WORKGROUP)
fn sum_squares(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    let sum = row_sum(local, share_of_squares(row, local));
    if (is_first(row, local)) {
        squares[row] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn mean(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    if (row < params.rows) {
        for (var j = local % ROW_LANES; j < params.vectors; j += ROW_LANES) {
            let at = row * params.vectors + j;
            by_value[at] = column_mask(j, params.dim) * decoded[at];
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn values(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    if (row < params.rows) {
        let s = clamped();
        for (var j = local % ROW_LANES; j < params.vectors; j += ROW_LANES) {
            let at = row * params.vectors + j;
            let distance = distance_of(decoded[at], row, j);
            by_value[at] = column_mask(j, params.dim) * -0.5 * (distance * distance * exp(-s) + s + LOG_2_PI);
        }
    }
}
