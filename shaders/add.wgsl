// Sums of matrices: where a layer's output is added to its input, and where gradients meet.
//
//   sum         y = a + b
//   copy        y = a
//   accumulate  y = y + a
//
// a, b [R, M], y [R, N] with N <= M: only the first N columns of a are read. The strides may differ, since a may be a
// view of a wider matrix. y is padded with zeros. One invocation per four elements of y.

#import shared/index
#import shared/mask

const WORKGROUP: u32 = 64u;

struct Params {
    vectors: u32, // over all rows of y
    columns: u32, // N
    a_stride: u32, // vectors per row
    b_stride: u32,
    y_stride: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

fn a_at(row: u32, j: u32) -> vec4f {
    return column_mask(j, params.columns) * a[row * params.a_stride + j];
}

@compute @workgroup_size(WORKGROUP)
fn sum(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.vectors) {
        let row = index / params.y_stride;
        let j = index % params.y_stride;
        y[index] = a_at(row, j) + column_mask(j, params.columns) * b[row * params.b_stride + j];
    }
}

@compute @workgroup_size(WORKGROUP)
fn copy(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.vectors) {
        y[index] = a_at(index / params.y_stride, index % params.y_stride);
    }
}

@compute @workgroup_size(WORKGROUP)
fn accumulate(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.vectors) {
        y[index] += a_at(index / params.y_stride, index % params.y_stride);
    }
}
