// Normalisation of the groups of channels of each datum (Wu & He 2018), with a scale and a shift for each channel.
//
//   forward    y = (x - mean) / sqrt(variance + EPSILON) w + b, with mean and variance over a group's channels at all positions
//   backward   d_x = (g - mean(g) - n mean(g n)) / sqrt(variance + EPSILON), with n = (x - mean) / sqrt(..) and g = d_y w;
//              d_w = d_y n, of each position: `bias_grad` sums them
//
// x, y, d_y, d_x, d_w [B P, C], w, b [C]; stats [B G, 4] holds mean and 1 / sqrt(variance + EPSILON). A group has whole
// vectors, or there is one alone. ROW_LANES neighbouring invocations per datum and group.

#import shared/mask
#import shared/row_sum

const WORKGROUP: u32 = 64u;
const ROW_LANES: u32 = 32u;
const EPSILON: f32 = 1e-5; // as PyTorch's

struct Params {
    groups: u32,    // B G
    per_datum: u32, // G
    positions: u32, // P
    vectors: u32,   // of a position
    quads: u32,     // of a group at a position
    channels: u32,  // C
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
@group(0) @binding(3) var<storage, read> b: array<vec4f>;
@group(0) @binding(4) var<storage, read> d_y: array<vec4f>;
@group(0) @binding(5) var<storage, read> kept: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> stats: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> d_x: array<vec4f>;
@group(0) @binding(9) var<storage, read_write> d_w: array<vec4f>;

// Where a group's vectors lie.
struct Group {
    inside: bool,
    first: u32,  // its first vector
    column: u32, // its first vector in a position
    count: u32,  // its vectors
    numbers: f32,
}

fn group_of(number: u32) -> Group {
    let inside = number < params.groups;
    let datum = number / params.per_datum;
    let column = (number - datum * params.per_datum) * params.quads;
    let channels = min(4u * params.quads, params.channels - min(4u * column, params.channels));
    return Group(
        inside,
        datum * params.positions * params.vectors + column,
        column,
        select(0u, params.positions * params.quads, inside),
        f32(params.positions * channels),
    );
}

fn at(group: Group, i: u32) -> u32 {
    let position = i / params.quads;
    return group.first + position * params.vectors + (i - position * params.quads);
}

fn sum_of(v: vec4f) -> f32 {
    return v.x + v.y + v.z + v.w;
}

// The mean over a group of what its invocations have summed up.
fn mean_of(local: u32, group: Group, value: f32) -> f32 {
    if (ROW_LANES > 1u) {
        // The sums before this one are read.
        workgroupBarrier();
    }
    return row_sum(local, value) / group.numbers;
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let number = row_of(global, groups);
    let group = group_of(number);
    var sum = 0.0;
    for (var i = local % ROW_LANES; i < group.count; i += ROW_LANES) {
        sum += sum_of(x[at(group, i)]);
    }
    let mean = mean_of(local, group, sum);
    var squares = 0.0;
    for (var i = local % ROW_LANES; i < group.count; i += ROW_LANES) {
        let distance = column_mask(group.column + i % params.quads, params.channels) * (x[at(group, i)] - mean);
        squares += dot(distance, distance);
    }
    let scale = 1.0 / sqrt(mean_of(local, group, squares) + EPSILON);
    for (var i = local % ROW_LANES; i < group.count; i += ROW_LANES) {
        let column = group.column + i % params.quads;
        let value = (x[at(group, i)] - mean) * scale * w[column] + b[column];
        y[at(group, i)] = column_mask(column, params.channels) * value;
    }
    if (group.inside && local % ROW_LANES == 0u) {
        stats[number] = vec4f(mean, scale, 0.0, 0.0);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let number = row_of(global, groups);
    let group = group_of(number);
    let stat = kept[min(number, params.groups - 1u)];
    var sum = 0.0;
    var product = 0.0;
    for (var i = local % ROW_LANES; i < group.count; i += ROW_LANES) {
        let column = group.column + i % params.quads;
        let g = d_y[at(group, i)] * w[column];
        sum += sum_of(g);
        product += dot(g, (x[at(group, i)] - stat.x) * stat.y);
    }
    let mean = mean_of(local, group, sum);
    let slope = mean_of(local, group, product);
    for (var i = local % ROW_LANES; i < group.count; i += ROW_LANES) {
        let column = group.column + i % params.quads;
        let d = d_y[at(group, i)];
        let normal = (x[at(group, i)] - stat.x) * stat.y;
        d_x[at(group, i)] = column_mask(column, params.channels) * (d * w[column] - mean - normal * slope) * stat.y;
        d_w[at(group, i)] = d * normal;
    }
}
