// The weights of a reconstruction without a latent sample: every datum of a batch counts 1 / valid_rows, rows past the end
// of the data count nothing.
//
// weight [B]  what one nat of reconstruction is worth
// One invocation a row.

#import shared/step
#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    batch: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let row = linear_index(global, groups, WORKGROUP);
    if (row < params.batch) {
        weight[row] = select(0.0, 1.0 / f32(step.valid_rows), row < step.valid_rows);
    }
}
