// The input of a conditional model: values followed by the datum's label, one column per class (Sohn, Lee & Yan 2015).
//
//   out[b K + k] = (in[b K + k], one_hot(labels[order[first_row + b]]))
//
// in [B K, W]    out [B K, W + C]    labels, order [N]
// Rows past the end of the data get no label. One invocation computes four columns of out.

#import shared/step
#import shared/index
#import shared/mask

const WORKGROUP: u32 = 64u;

struct Params {
    rows: u32,
    samples: u32,
    width: u32,       // W
    in_vectors: u32,  // W / 4, rounded up
    out_vectors: u32, // (W + C) / 4, rounded up
    count: u32,       // labels
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.rows * params.out_vectors) {
        return;
    }
    let row = index / params.out_vectors;
    let j = index % params.out_vectors;
    // Past W the input is zero.
    var value = vec4f(0.0);
    if (j < params.in_vectors) {
        value = input[row * params.in_vectors + j];
    }
    let datum = row / params.samples;
    if (datum < step.valid_rows) {
        let column = params.width + labels[min(order[step.first_row + datum], params.count - 1u)];
        value += select(vec4f(0.0), vec4f(1.0), columns_of(j) == vec4u(column));
    }
    out[index] = value;
}
