// Activations that cannot be fused into the product before them: those whose derivative needs x itself (silu), since
// the product must then store x; those that follow another kind of layer; and derivatives where several gradients meet
// first.
//
//   forward   y = activation(x)
//   backward  d = d activation'(kept), in place; `kept` is what the forward pass stored (shared/activation)
//
// x, y, kept, d [R, N]; y is padded with zeros. One invocation per four elements.

#import shared/activation
#import shared/index
#import shared/mask

const WORKGROUP: u32 = 64u;
const ACTIVATION: u32 = 4u;

struct Params {
    vectors: u32, // over all rows
    stride: u32,  // vectors per row
    columns: u32, // N
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> kept: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> d: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.vectors) {
        y[index] = column_mask(index % params.stride, params.columns) * activate(ACTIVATION, x[index]);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.vectors) {
        d[index] *= activation_derivative(ACTIVATION, kept[index]);
    }
}
