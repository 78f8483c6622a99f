// d_bias[n] = sum_b dy[b, n]: the gradient of a bias is the sum of its layer's gradients over the batch. Also other sums of
// a matrix's columns.
//
// dy [B, N]    d_bias [P, N]: the sums of P groups of `length` rows; a sum of many rows takes a second step for the groups.
// One invocation per group and four columns; the rows are summed in order.

#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    rows: u32,
    vectors: u32, // N / 4, rounded up
    stride: u32,  // vec4 from one row of dy to the next
    length: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> d_bias: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    let part = index / params.vectors;
    let first = part * params.length;
    if (first >= params.rows) {
        return;
    }
    let column = index - part * params.vectors;
    var sum = vec4f(0.0);
    for (var row = first; row < min(first + params.length, params.rows); row++) {
        sum += dy[row * params.stride + column];
    }
    d_bias[index] = sum;
}
