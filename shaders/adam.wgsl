// Adam (Kingma & Ba 2014, algorithm 1) over all parameters in one dispatch.
//
//   m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
//   p = p - alpha (m c1) / (sqrt(v c2) + epsilon)    with c1 = 1 / (1 - beta1^t), c2 = 1 / (1 - beta2^t)
//
// parameters, gradients, m, v: flat arrays of one length. The zero padding between them has gradient zero and
// so stays zero. One invocation four elements; where they fill the last workgroup there is no test for the end, which
// on software adapters would make every load and store look at every lane.

#import shared/step
#import shared/index

const WORKGROUP: u32 = 256u;
const RAGGED: u32 = 1u; // 0: all workgroups are full

struct Params {
    vectors: u32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> moment1: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> moment2: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (RAGGED == 1u && index >= params.vectors) {
        return;
    }
    let g = gradients[index];
    let m = params.beta1 * moment1[index] + (1.0 - params.beta1) * g;
    let v = params.beta2 * moment2[index] + (1.0 - params.beta2) * g * g;
    moment1[index] = m;
    moment2[index] = v;
    let rate = step.learning_rate * step.correction1;
    parameters[index] -= rate * m / (sqrt(v * step.correction2) + params.epsilon);
}
