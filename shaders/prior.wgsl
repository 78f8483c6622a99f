// z ~ N(0, temperature^2 I): draws from the prior, for samples of the model.
//
// z [B, Z], padded with zeros. One invocation per four columns.

#import shared/step
#import shared/philox
#import shared/index
#import shared/mask

const WORKGROUP: u32 = 64u;

struct Params {
    batch: u32,
    latent: u32,
    vectors: u32, // Z / 4, rounded up
    temperature: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> z: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.batch * params.vectors) {
        return;
    }
    let row = index / params.vectors;
    let column = index % params.vectors;
    let counter = vec4u(step.step, row, column, STREAM_PRIOR + step.stream);
    let draw = normals(philox(counter, vec2u(step.seed_lo, step.seed_hi)));
    z[index] = select(vec4f(0.0), params.temperature * draw, is_column(column, params.latent));
}
