// The generator's bare draws, for tests to compare words, uniforms and normals with the host's.
//
// out [R, C], C in whole vectors; the word at (r, c) has the counter (step, r, c / 4, stream).
// One invocation computes four columns.

#import shared/step
#import shared/philox
#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    rows: u32,
    vectors: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> words_out: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> floats_out: array<vec4f>;

fn draw(index: u32) -> vec4u {
    let counter = vec4u(step.step, index / params.vectors, index % params.vectors, step.stream);
    return philox(counter, vec2u(step.seed_lo, step.seed_hi));
}

@compute @workgroup_size(WORKGROUP)
fn word_draws(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.rows * params.vectors) {
        words_out[index] = draw(index);
    }
}

@compute @workgroup_size(WORKGROUP)
fn uniform_draws(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.rows * params.vectors) {
        floats_out[index] = uniforms(draw(index));
    }
}

@compute @workgroup_size(WORKGROUP)
fn normal_draws(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.rows * params.vectors) {
        floats_out[index] = normals(draw(index));
    }
}
