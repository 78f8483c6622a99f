// The terms of the ELBO, summed over a batch, kept on the device until a log line is due.
//
//   batch_sum  history[history_row] = (sum_b mean_k log_p[b, k], sum_b kl[b], 0, 0) over the valid rows
//   collect    rows[first_row + b]  = (mean_k log_p[b, k], kl[b], 0, 0): every datum's own terms, for evaluation
//
// log_p [B, K] as [B K]    kl [B]    history, rows [.., 4]
// batch_sum: one workgroup; an invocation sums every WORKGROUP-th datum, then a fixed tree: the same bits on
// every run. collect: one invocation a datum.

#import shared/step
#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    batch: u32,
    samples: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> log_p: array<f32>;
@group(0) @binding(2) var<storage, read> kl: array<f32>;
@group(0) @binding(3) var<storage, read_write> history: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> rows: array<vec4f>;

var<workgroup> partial: array<vec4f, WORKGROUP>;

fn terms(datum: u32) -> vec4f {
    var recon = 0.0;
    for (var k = 0u; k < params.samples; k++) {
        recon += log_p[datum * params.samples + k];
    }
    return vec4f(recon / f32(params.samples), kl[datum], 0.0, 0.0);
}

@compute @workgroup_size(WORKGROUP)
fn batch_sum(@builtin(local_invocation_index) local: u32) {
    var sum = vec4f(0.0);
    for (var datum = local; datum < step.valid_rows; datum += WORKGROUP) {
        sum += terms(datum);
    }
    partial[local] = sum;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (local < half) {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    if (local == 0u) {
        history[step.history_row] = partial[0];
    }
}

@compute @workgroup_size(WORKGROUP)
fn collect(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let datum = linear_index(global, groups, WORKGROUP);
    if (datum < step.valid_rows) {
        rows[step.first_row + datum] = terms(datum);
    }
}
