// y = activation(x), element by element, for activations whose derivative needs x (silu): the matmul before it stores x.
// The matmul applies all others as it stores its result.
//
// x, y [R, N] flat, padding included: activations used here map zero to zero. One invocation computes four elements.

#import shared/activation
#import shared/index

const WORKGROUP: u32 = 64u;
const ACTIVATION: u32 = 4u;

struct Params {
    vectors: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.vectors) {
        y[index] = activate(ACTIVATION, x[index]);
    }
}
