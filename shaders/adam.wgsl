// Adam over all parameters in one dispatch: see `shared/adam`.
//
// parameters, gradients, moment1 (m), moment2 (v): flat arrays of one length. The zero padding between parameters has
// gradient zero and so stays zero. One invocation updates four elements. If all workgroups are full, the test for the end is
// left out: on software adapters it would make every load and store look at every lane.

#import shared/adam
#import shared/index

const WORKGROUP: u32 = 256u;
const RAGGED: u32 = 1u; // 0: all workgroups are full

@group(0) @binding(1) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read> scale: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> moment1: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> moment2: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (RAGGED == 1u && index >= params.vectors) {
        return;
    }
    update(index, gradients[index]);
}

@compute @workgroup_size(WORKGROUP)
fn clipped(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (RAGGED == 1u && index >= params.vectors) {
        return;
    }
    update(index, scale[0].x * gradients[index]);
}

fn update(index: u32, g: vec4f) {
    let after = adam(g, State(parameters[index], moment1[index], moment2[index]));
    parameters[index] = after.p;
    moment1[index] = after.m;
    moment2[index] = after.v;
}
