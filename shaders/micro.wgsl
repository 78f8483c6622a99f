// Micro-benchmarks: the ceilings of the adapter that `vae-gpu bench` measures the other kernels against.
//
//   multiply_add   y[i] = the sum of CHAINS independent recurrences x = scale x + offset after `rounds` rounds: fused
//                  multiply-adds in registers, without loads and with one store
//   copy           y[i] = x[i]: one load and one store
//   latency        one workgroup writes a few words: the cost of a dispatch that waits for the one before it
//
// x, y [1, N] flat; one invocation computes four elements.

#import shared/index

const WORKGROUP: u32 = 64u;

// Eight independent sums, two vec4, hide the latency of the arithmetic and fit the sixteen registers of a software adapter.
const CHAINS: u32 = 2u;
const UNROLL: u32 = 32u;

struct Params {
    vectors: u32,
    rounds: u32, // a multiple of UNROLL
    scale: f32,
    offset: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

// Where a chain starts: different for every element, so that the compiler cannot share work between them.
fn start(index: u32, chain: u32) -> vec4f {
    let element = 4u * (index % 1024u) + vec4u(0u, 1u, 2u, 3u);
    return vec4f(element + vec4u(4096u * chain)) / 8192.0;
}

@compute @workgroup_size(WORKGROUP)
fn multiply_add(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.vectors) {
        return;
    }
    let scale = vec4f(params.scale);
    let offset = vec4f(params.offset);
    var chains: array<vec4f, CHAINS>;
    for (var c = 0u; c < CHAINS; c++) {
        chains[c] = start(index, c);
    }
    for (var round = 0u; round < params.rounds / UNROLL; round++) {
        for (var u = 0u; u < UNROLL; u++) {
            for (var c = 0u; c < CHAINS; c++) {
                chains[c] = fma(chains[c], scale, offset);
            }
        }
    }
    var sum = vec4f(0.0);
    for (var c = 0u; c < CHAINS; c++) {
        sum += chains[c];
    }
    y[index] = sum;
}

@compute @workgroup_size(WORKGROUP)
fn copy(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.vectors) {
        y[index] = x[index];
    }
}

@compute @workgroup_size(WORKGROUP)
fn latency(@builtin(local_invocation_index) local: u32) {
    if (local < params.vectors) {
        y[local] = vec4f(params.offset);
    }
}
