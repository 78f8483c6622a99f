// The terms of the ELBO, summed over a batch and kept on the device until a log line is due.
//
//   batch_sum  history[history_row] = (sum_b mean_k log_p[b, k], sum_b kl[b], objective, 0) over the valid rows
//   collect    rows[history_row + b] = (mean_k log_p[b, k], kl[b], 0, 0): the terms of every datum, for evaluation
//
// The objective, summed over the batch, depends on OBJECTIVE and on `extra`:
//   ELBO        reconstruction - kl_weight KL                              extra is not read
//   IMPORTANCE  the importance-weighted bound                              extra [B], `shaders/importance.wgsl`
//   FREE_BITS   reconstruction - kl_weight B sum_j max(lambda, KL_j)       extra [Z], the maxima
//
// log_p [B, K] as [B K]    kl [B]    history, rows [.., 4]
// batch_sum: one workgroup; an invocation sums every WORKGROUP-th datum, then a fixed tree, so every run gives the same
// bits. All invocations run their loops equally often, since llvmpipe of Mesa 26.2 follows a null pointer where no
// invocation of a subgroup enters a loop that contains another. collect: one invocation per datum.

#import shared/step
#import shared/index
#import shared/tree_sum

const WORKGROUP: u32 = 64u;
const ELBO: u32 = 0u;
const IMPORTANCE: u32 = 1u;
const FREE_BITS: u32 = 2u;
const OBJECTIVE: u32 = 0u;

struct Params {
    batch: u32,
    samples: u32,
    extra: u32, // length of extra
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> log_p: array<f32>;
@group(0) @binding(2) var<storage, read> kl: array<f32>;
@group(0) @binding(3) var<storage, read> extra: array<f32>;
@group(0) @binding(4) var<storage, read_write> history: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> rows: array<vec4f>;

alias Summand = vec4f;

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
    for (var first = 0u; first < step.valid_rows; first += WORKGROUP) {
        let datum = min(first + local, step.valid_rows - 1u);
        var of_datum = terms(datum);
        if (OBJECTIVE == IMPORTANCE) {
            of_datum.z = extra[datum];
        } else {
            of_datum.z = of_datum.x - select(step.kl_weight * of_datum.y, 0.0, OBJECTIVE == FREE_BITS);
        }
        sum += select(vec4f(0.0), of_datum, first + local < step.valid_rows);
    }
    if (OBJECTIVE == FREE_BITS) {
        for (var first = 0u; first < params.extra; first += WORKGROUP) {
            let of_dimension = extra[min(first + local, params.extra - 1u)];
            let inside = first + local < params.extra;
            sum.z -= select(0.0, step.kl_weight * f32(step.valid_rows) * of_dimension, inside);
        }
    }
    let total = tree_sum(local, sum, WORKGROUP);
    if (local == 0u) {
        history[step.history_row] = total;
    }
}

@compute @workgroup_size(WORKGROUP)
fn collect(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let datum = linear_index(global, groups, WORKGROUP);
    if (datum < step.valid_rows) {
        rows[step.history_row + datum] = terms(datum);
    }
}
