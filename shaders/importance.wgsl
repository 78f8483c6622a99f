// Importance weights of K samples per datum (Burda, Grosse & Salakhutdinov 2015, equations 8 and 14):
// log w[b, k] = log p(x|z_k) + log p(z_k) - log q(z_k|x).
//
//   weights     bound[b] = log mean_k w[b, k]      weight[b, k] = w[b, k] / sum_k w[b, k] / rows
//   accumulate  rows[history_row + b] = (m, sum of e^(log w - m), 0, 0) over all samples so far, m the largest log w:
//               from these the host estimates log p(x) as m + log(sum / samples). Step.round counts the rounds of
//               K samples; round 0 overwrites what was there.
//
// rows = valid_rows + rows_beside: all of the batch
// log_p, log_ratio, weight [B K], row b K + k    bound [B]    rows [.., 4]
// In `weights` the ratio is multiplied by kl_weight. The gradient treats the weights as constants, as in the paper.
// One invocation per datum.

#import shared/step
#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    batch: u32,
    samples: u32, // K
    total: u32,   // samples over all rounds; the last round skips those past it
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> log_p: array<f32>;
@group(0) @binding(2) var<storage, read> log_ratio: array<f32>;
@group(0) @binding(3) var<storage, read_write> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> bound: array<f32>;
@group(0) @binding(5) var<storage, read_write> rows: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn weights(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let datum = linear_index(global, groups, WORKGROUP);
    if (datum >= params.batch) {
        return;
    }
    let first = datum * params.samples;
    var largest = log_p[first] + step.kl_weight * log_ratio[first];
    for (var row = first + 1u; row < first + params.samples; row++) {
        largest = max(largest, log_p[row] + step.kl_weight * log_ratio[row]);
    }
    var sum = 0.0;
    for (var row = first; row < first + params.samples; row++) {
        sum += exp(log_p[row] + step.kl_weight * log_ratio[row] - largest);
    }
    bound[datum] = largest + log(sum / f32(params.samples));
    let share = select(0.0, 1.0 / (sum * f32(step.valid_rows + step.rows_beside)), datum < step.valid_rows);
    for (var row = first; row < first + params.samples; row++) {
        weight[row] = share * exp(log_p[row] + step.kl_weight * log_ratio[row] - largest);
    }
}

@compute @workgroup_size(WORKGROUP)
fn accumulate(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let datum = linear_index(global, groups, WORKGROUP);
    if (datum >= step.valid_rows) {
        return;
    }
    let first = datum * params.samples;
    let rows_now = min(params.samples, params.total - step.round * params.samples);
    var largest = log_p[first] + log_ratio[first];
    for (var row = first + 1u; row < first + rows_now; row++) {
        largest = max(largest, log_p[row] + log_ratio[row]);
    }
    var sum = 0.0;
    if (step.round > 0u) {
        let before = rows[step.history_row + datum];
        largest = max(largest, before.x);
        sum = before.y * exp(before.x - largest);
    }
    for (var row = first; row < first + rows_now; row++) {
        sum += exp(log_p[row] + log_ratio[row] - largest);
    }
    rows[step.history_row + datum] = vec4f(largest, sum, 0.0, 0.0);
}
