// The log-variance that fits a batch best, in closed form (sigma-VAE: Rybkin, Daniilidis & Levine 2021, arXiv 2006.13202,
// section 4): with the squares S[r] of likelihood/gaussian_shared and the weights of the rows,
//
//   best = log(sum_r weight[r] S[r] / (D sum_r weight[r]))                 the mean square error, clamped
//   e^running moves towards e^best by max(1 / step, RATE): the mean of the first steps, then of the last 1 / RATE or so
//
// In the gradient the best s is a constant: the derivative of sum_r weight[r] log_p[r] by s is zero there.
//
// squares, weight [R]    best, running [1, 4]: the number, then zeros
// One workgroup; an invocation sums every WORKGROUP-th row, then a fixed tree, so every run gives the same bits.

#import shared/step
#import shared/tree_sum

const WORKGROUP: u32 = 64u;
const LOG_VAR_LIMIT: f32 = 12.0;
const RATE: f32 = 0.01;

struct Params {
    rows: u32,
    dim: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> squares: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> best: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> running: array<vec4f>;

alias Summand = vec4f;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) local: u32) {
    var sum = vec4f(0.0);
    for (var row = local; row < params.rows; row += WORKGROUP) {
        sum += vec4f(weight[row] * squares[row], weight[row], 0.0, 0.0);
    }
    let whole = tree_sum(local, sum, WORKGROUP);
    if (local == 0u) {
        let least = exp(-LOG_VAR_LIMIT);
        let most = exp(LOG_VAR_LIMIT);
        // A batch of no weight at all has no best.
        let variance = clamp(whole.x / max(whole.y * f32(params.dim), 1e-30), least, most);
        best[0] = vec4f(log(variance), 0.0, 0.0, 0.0);
        let before = clamp(exp(running[0].x), least, most);
        let rate = max(1.0 / f32(max(step.step, 1u)), RATE);
        running[0] = vec4f(log(before + rate * (variance - before)), 0.0, 0.0, 0.0);
    }
}
