// Adam (Kingma & Ba 2014, algorithm 1) over all parameters in one dispatch.
//
//   m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
//   p = p - alpha (m c1) / (sqrt(v c2) + epsilon)    with c1 = 1 / (1 - beta1^t), c2 = 1 / (1 - beta2^t)
//
// before which p = (1 - alpha decay) p: decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2). `clipped` first
// scales g by the factor of `shaders/clip.wgsl`.
//
// parameters, gradients, m, v: flat arrays of one length. The zero padding between parameters has gradient zero and so
// stays zero. One invocation updates four elements. If all workgroups are full, the test for the end is left out: on
// software adapters it would make every load and store look at every lane.

#import shared/step
#import shared/index

const WORKGROUP: u32 = 256u;
const RAGGED: u32 = 1u; // 0: all workgroups are full

struct Params {
    vectors: u32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    decay: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
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
    let m = params.beta1 * moment1[index] + (1.0 - params.beta1) * g;
    let v = params.beta2 * moment2[index] + (1.0 - params.beta2) * g * g;
    moment1[index] = m;
    moment2[index] = v;
    let rate = step.learning_rate * step.correction1;
    let kept = (1.0 - step.learning_rate * params.decay) * parameters[index];
    parameters[index] = kept - rate * m / (sqrt(v * step.correction2) + params.epsilon);
}
