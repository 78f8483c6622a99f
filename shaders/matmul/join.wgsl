// The end of a product whose sums over k were divided (DIVIDED in `shared/epilogue`): adds the parts of each sum in order, then
// finishes as an undivided product does.
//
// c[m, n] = epilogue( sum_p parts[p, m, n] )
//
// parts [P M, N]    extra: bias [N] or kept [M, N]    c [M, N]
// One invocation per four columns of a row.

#import shared/epilogue
#import shared/index
#import shared/mask

const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const WORKGROUP: u32 = 64u;

struct Params {
    m: u32,
    n: u32,
    parts: u32,
    vectors: u32, // vec4 of a row of parts
    c_stride: u32,
    extra_stride: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parts: array<vec4f>;
@group(0) @binding(2) var<storage, read> extra: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    let row = index / params.vectors;
    if (row >= params.m) {
        return;
    }
    let column = index - row * params.vectors;
    var sum = parts[index];
    for (var part = 1u; part < params.parts; part++) {
        sum += parts[index + part * params.m * params.vectors];
    }
    let at = row * params.c_stride + column;
    var other: vec4f;
    if (EPILOGUE == FORWARD) {
        other = extra[column];
    }
    if (EPILOGUE == BACKWARD) {
        other = extra[row * params.extra_stride + column];
    }
    if (EPILOGUE == ACCUMULATE) {
        other = c[at];
    }
    c[at] = select(vec4f(0.0), finish(sum, other), is_column(column, params.n));
}
