// Normalisation of each channel over the batch (Ioffe & Szegedy 2015), with a scale and a shift.
//
//   moments   of each part of the rows: the mean of a channel, and the sum of squared distances from it
//   merge     mean, 1 / sqrt(variance + EPSILON) and variance R / (R - 1) of all rows, from those of the parts
//             (Chan, Golub & LeVeque 1979)
//   summary   of all rows here, from those of the parts: the mean, the sum of squared distances from it, and their number
//   join      as merge, from the summaries of all ranks that have a part of the batch
//   forward   y = (x - mean) / sqrt(variance + EPSILON) w + b
//   slopes    of each part of the rows: the sum of d_y n, with n = (x - mean) / sqrt(..); `bias_grad` adds the parts to d_w
//   backward  d_x = (d_y - d_b / R - n d_w / R) w / sqrt(variance + EPSILON)
//   follow    the running mean and variance move by MOMENTUM towards those of the batch
//   evaluate  y with the running mean and variance: outside training
//
// x, y, d_y, d_x [B P, C]; w, b, d_w, d_b [1, C]; stats [3, C]; moments [2 parts, C], a row each; slopes [parts, C];
// summary [3, C], a row each; of all ranks one behind the other; running [1, 2 C]: means, then variances, each padded. R counts the
// rows of the batch's valid data: of those here or, where several ranks measure together, of all of them. Rows after the valid ones get
// no gradient, and d_w and d_b are then sums over all ranks in `backward`. One invocation per part and four channels, or per four channels of a row; the parts are added up in order.

#import shared/index
#import shared/mask
#import shared/step

const WORKGROUP: u32 = 64u;
const EPSILON: f32 = 1e-5; // as PyTorch's
const MOMENTUM: f32 = 0.1; // as PyTorch's
const LEAST: f32 = 1e-6; // less than any number of rows

struct Params {
    rows: u32,      // B P
    per_datum: u32, // rows of a datum
    vectors: u32,   // C / 4, rounded up
    channels: u32,  // C
    length: u32,    // rows of a part
    ranks: u32,     // ranks that measure together; 1 where this part of a batch is measured by itself
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> parts: array<vec4f>;
@group(0) @binding(3) var<storage, read> stats: array<vec4f>;
@group(0) @binding(4) var<storage, read> w: array<vec4f>;
@group(0) @binding(5) var<storage, read> b: array<vec4f>;
@group(0) @binding(6) var<storage, read> d_y: array<vec4f>;
@group(0) @binding(7) var<storage, read> d_w: array<vec4f>;
@group(0) @binding(8) var<storage, read> d_b: array<vec4f>;
@group(0) @binding(9) var<storage, read> running: array<vec4f>;
@group(0) @binding(10) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(11) var<storage, read_write> moments_of: array<vec4f>;
@group(0) @binding(12) var<storage, read_write> merged: array<vec4f>;
@group(0) @binding(13) var<storage, read_write> slopes_of: array<vec4f>;
@group(0) @binding(14) var<storage, read_write> d_x: array<vec4f>;
@group(0) @binding(15) var<storage, read_write> followed: array<vec4f>;
@group(0) @binding(16) var<storage, read_write> summary_of: array<vec4f>;

fn valid_rows() -> u32 {
    return min(step.valid_rows * params.per_datum, params.rows);
}

// R.
fn measured_rows() -> u32 {
    return (step.valid_rows + select(0u, step.rows_beside, params.ranks > 1u)) * params.per_datum;
}

fn part_count() -> u32 {
    return (params.rows + params.length - 1u) / params.length;
}

// The first of a part's rows, and the one after its last valid row; that may be below the first.
fn rows_of(part: u32) -> vec2u {
    let first = part * params.length;
    return vec2u(first, min(first + params.length, valid_rows()));
}

// A row, or a part of the rows, and a vector of it.
struct Place {
    row: u32,
    column: u32,
}

fn place_of(index: u32) -> Place {
    let row = index / params.vectors;
    return Place(row, index - row * params.vectors);
}

// (x - mean) / sqrt(variance + EPSILON) of a vector of x, in column `column`.
fn normal(at: u32, column: u32) -> vec4f {
    return (x[at] - stats[column]) * stats[params.vectors + column];
}

@compute @workgroup_size(WORKGROUP)
fn moments(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    let place = place_of(index);
    if (place.row >= part_count()) {
        return;
    }
    let column = place.column;
    let rows = rows_of(place.row);
    var sum = vec4f();
    for (var row = rows.x; row < rows.y; row++) {
        sum += x[row * params.vectors + column];
    }
    // A part without valid rows has zeros.
    let mean = sum / f32(max(rows.y, rows.x + 1u) - rows.x);
    var squares = vec4f();
    for (var row = rows.x; row < rows.y; row++) {
        let distance = x[row * params.vectors + column] - mean;
        squares += distance * distance;
    }
    moments_of[2u * place.row * params.vectors + column] = mean;
    moments_of[(2u * place.row + 1u) * params.vectors + column] = squares;
}

// A mean, and the sum of squared distances from it.
struct Moments {
    mean: vec4f,
    squares: vec4f,
}

// Those of all rows here, from those of the parts.
fn merged_parts(column: u32) -> Moments {
    let rows = valid_rows();
    var mean = vec4f();
    var squares = vec4f();
    for (var part = 0u; part * params.length < rows; part++) {
        let before = f32(part * params.length);
        let count = f32(min(params.length, rows - part * params.length));
        let distance = parts[2u * part * params.vectors + column] - mean;
        let share = count / (before + count);
        mean += share * distance;
        squares += parts[(2u * part + 1u) * params.vectors + column] + before * share * distance * distance;
    }
    return Moments(mean, squares);
}

// The statistics of so many rows.
fn put_stats(column: u32, rows: u32, measured: Moments) {
    let scale = 1.0 / sqrt(measured.squares / f32(max(rows, 1u)) + EPSILON);
    merged[column] = measured.mean;
    merged[params.vectors + column] = column_mask(column, params.channels) * scale;
    merged[2u * params.vectors + column] = measured.squares / f32(max(rows, 2u) - 1u);
}

@compute @workgroup_size(WORKGROUP)
fn merge(@builtin(global_invocation_id) global: vec3u) {
    let column = global.x;
    if (column < params.vectors) {
        put_stats(column, valid_rows(), merged_parts(column));
    }
}

@compute @workgroup_size(WORKGROUP)
fn summary(@builtin(global_invocation_id) global: vec3u) {
    let column = global.x;
    if (column >= params.vectors) {
        return;
    }
    let here = merged_parts(column);
    summary_of[column] = here.mean;
    summary_of[params.vectors + column] = here.squares;
    summary_of[2u * params.vectors + column] = column_mask(column, params.channels) * f32(valid_rows());
}

@compute @workgroup_size(WORKGROUP)
fn join(@builtin(global_invocation_id) global: vec3u) {
    let column = global.x;
    if (column >= params.vectors) {
        return;
    }
    var before = vec4f();
    var mean = vec4f();
    var squares = vec4f();
    for (var rank = 0u; rank < params.ranks; rank++) {
        let at = 3u * rank * params.vectors + column;
        let count = parts[at + 2u * params.vectors];
        let distance = parts[at] - mean;
        // None of a rank without rows.
        let share = count / max(before + count, vec4f(LEAST));
        mean += share * distance;
        squares += parts[at + params.vectors] + before * share * distance * distance;
        before += count;
    }
    put_stats(column, measured_rows(), Moments(mean, squares));
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    let place = place_of(index);
    if (place.row < params.rows) {
        y[index] = normal(index, place.column) * w[place.column] + b[place.column];
    }
}

@compute @workgroup_size(WORKGROUP)
fn slopes(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    let place = place_of(index);
    if (place.row >= part_count()) {
        return;
    }
    let column = place.column;
    let rows = rows_of(place.row);
    var sum = vec4f();
    for (var row = rows.x; row < rows.y; row++) {
        let at = row * params.vectors + column;
        sum += d_y[at] * normal(at, column);
    }
    slopes_of[index] = sum;
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    let place = place_of(index);
    if (place.row >= params.rows) {
        return;
    }
    let column = place.column;
    let mean = (d_b[column] + normal(index, column) * d_w[column]) / f32(max(measured_rows(), 1u));
    let d = (d_y[index] - mean) * w[column] * stats[params.vectors + column];
    d_x[index] = select(vec4f(), d, place.row < valid_rows());
}

@compute @workgroup_size(WORKGROUP)
fn follow(@builtin(global_invocation_id) global: vec3u) {
    let column = global.x;
    // One row has no variance.
    if (column >= params.vectors || measured_rows() < 2u) {
        return;
    }
    let mask = MOMENTUM * column_mask(column, params.channels);
    let mean = followed[column];
    followed[column] = mean + mask * (stats[column] - mean);
    let variance = followed[params.vectors + column];
    let of_batch = stats[2u * params.vectors + column];
    followed[params.vectors + column] = variance + mask * (of_batch - variance);
}

@compute @workgroup_size(WORKGROUP)
fn evaluate(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    let place = place_of(index);
    if (place.row < params.rows) {
        let column = place.column;
        let scale = 1.0 / sqrt(running[params.vectors + column] + EPSILON);
        y[index] = (x[index] - running[column]) * scale * w[column] + b[column];
    }
}
