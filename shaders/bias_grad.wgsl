// d_bias[n] = sum_b dy[b, n]: the gradient of a bias is the sum of its layer's gradients over the batch.
//
// dy [B, N]    d_bias [N]
// One invocation per four columns; the rows are summed in order.

#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    rows: u32,
    vectors: u32, // N / 4, rounded up
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> d_bias: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let column = linear_index(global, groups, WORKGROUP);
    if (column >= params.vectors) {
        return;
    }
    var sum = vec4f(0.0);
    for (var row = 0u; row < params.rows; row++) {
        sum += dy[row * params.vectors + column];
    }
    d_bias[column] = sum;
}
