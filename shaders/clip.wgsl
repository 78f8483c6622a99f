// The factor that brings the gradient's norm down to a limit (Pascanu et al. 2013): min(1, limit / (norm + 1e-6)), as in
// PyTorch's clip_grad_norm_.
//
//   squares  partial[i] = sum of the squares of the vectors i, i + PARTIALS, i + 2 PARTIALS, ..
//   factor   scale = (factor, norm, 0, 0)
//
// gradients [P]    partial [PARTIALS]    scale [4]
// squares: one invocation per partial sum. factor: one workgroup.

#import shared/index
#import shared/tree_sum

alias Summand = f32;

const WORKGROUP: u32 = 64u;
const PARTIALS: u32 = 2048u;
const TINY: f32 = 1e-6;

struct Params {
    vectors: u32,
    limit: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read> partial: array<f32>;
@group(0) @binding(3) var<storage, read_write> squares_out: array<f32>;
@group(0) @binding(4) var<storage, read_write> scale: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn squares(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= PARTIALS) {
        return;
    }
    var sum = vec4f(0.0);
    for (var i = index; i < params.vectors; i += PARTIALS) {
        let g = gradients[i];
        sum += g * g;
    }
    squares_out[index] = sum.x + sum.y + sum.z + sum.w;
}

@compute @workgroup_size(WORKGROUP)
fn factor(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var i = local; i < PARTIALS; i += WORKGROUP) {
        sum += partial[i];
    }
    let total = tree_sum(local, sum, WORKGROUP);
    if (local == 0u) {
        let norm = sqrt(total);
        scale[0] = vec4f(min(1.0, params.limit / (norm + TINY)), norm, 0.0, 0.0);
    }
}
