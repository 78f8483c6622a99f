// Adam over all parameters in one dispatch, read from images: see `shared/adam` and `shared/image`.
//
// Flat arrays of one length, a multiple of 16 WORKGROUP, so that no workgroup tests for the end. One invocation updates 16
// elements, and stores them as one matrix: on llvmpipe (Mesa 22, AVX2) that takes 1.2 ns a float, vector by vector 4.6.

#import shared/adam
#import shared/image
#import shared/index

const WORKGROUP: u32 = 64u;

@group(0) @binding(1) var gradients: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> scale: array<vec4f>;
@group(0) @binding(3) var parameters_before: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var moment1_before: texture_storage_2d<rgba32float, read>;
@group(0) @binding(5) var moment2_before: texture_storage_2d<rgba32float, read>;
@group(0) @binding(6) var<storage, read_write> parameters: array<mat4x4f>;
@group(0) @binding(7) var<storage, read_write> moment1: array<mat4x4f>;
@group(0) @binding(8) var<storage, read_write> moment2: array<mat4x4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    update(linear_index(global, groups, WORKGROUP), 1.0);
}

@compute @workgroup_size(WORKGROUP)
fn clipped(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    update(linear_index(global, groups, WORKGROUP), scale[0].x);
}

fn update(index: u32, factor: f32) {
    let a = updated(4u * index, factor);
    let b = updated(4u * index + 1u, factor);
    let c = updated(4u * index + 2u, factor);
    let d = updated(4u * index + 3u, factor);
    parameters[index] = mat4x4f(a.p, b.p, c.p, d.p);
    moment1[index] = mat4x4f(a.m, b.m, c.m, d.m);
    moment2[index] = mat4x4f(a.v, b.v, c.v, d.v);
}

fn updated(vector: u32, factor: f32) -> State {
    let at = place(vector);
    let before = State(
        textureLoad(parameters_before, at),
        textureLoad(moment1_before, at),
        textureLoad(moment2_before, at),
    );
    return adam(factor * textureLoad(gradients, at), before);
}
