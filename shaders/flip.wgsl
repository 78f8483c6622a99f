// y[b] = x[b], or its mirror image, left for right, by the toss of a coin for each row in each step.
//
// x, y [B, D] of pictures of height x width x channels. One invocation per four values.

#import shared/step
#import shared/philox
#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    batch: u32,
    dim: u32,
    vectors: u32, // D / 4, rounded up
    width: u32,
    channels: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

// Where a value comes from in a mirror image.
fn mirrored(d: u32) -> u32 {
    let pixel = d / params.channels;
    let column = pixel % params.width;
    return (pixel - column + params.width - 1u - column) * params.channels + d % params.channels;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.batch * params.vectors) {
        return;
    }
    let row = index / params.vectors;
    let place = step.first_place + row;
    let words = philox(vec4u(step.step, place, 0u, STREAM_FLIP + step.stream), vec2u(step.seed_lo, step.seed_hi));
    let is_mirrored = (words.x >> 31u) == 1u;
    var values = vec4f(0.0);
    for (var lane = 0u; lane < 4u; lane++) {
        let d = 4u * (index % params.vectors) + lane;
        if (d < params.dim) {
            let value = x[row * 4u * params.vectors + select(d, mirrored(d), is_mirrored)];
            values = select(values, vec4f(value), vec4u(0u, 1u, 2u, 3u) == vec4u(lane));
        }
    }
    y[index] = values;
}
