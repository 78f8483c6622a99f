// The weights of the ELBO, known before the step: every datum of a batch counts 1 / valid_rows, each of its K
// samples 1 / (K valid_rows), rows past the end of the data count nothing.
//
// recon_weight [B K]  what one nat of reconstruction is worth      kl_weight [B]  what one nat of KL costs
// One invocation a row.

#import shared/step
#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    batch: u32,
    samples: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> recon_weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> kl_weight: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let row = linear_index(global, groups, WORKGROUP);
    if (row >= params.batch * params.samples) {
        return;
    }
    let datum = row / params.samples;
    let value = select(0.0, 1.0 / f32(step.valid_rows), datum < step.valid_rows);
    recon_weight[row] = value / f32(params.samples);
    if (row % params.samples == 0u) {
        kl_weight[datum] = value * step.kl_weight;
    }
}
