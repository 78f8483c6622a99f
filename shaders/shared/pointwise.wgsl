// Shared by the likelihoods that read one decoder output l per value x: log p(x|z) = sum_d log p(x | l).
//
//   forward   log_p[r] = sum_d log p(x | l)
//   backward  d_decoded = -weight[r] d log p(x | l) / dl, in place of l
//   mean      E[x | l]
//   values    log p(x | l) of each value
//
// decoded, d_decoded, by_value [R, D] with R = B K rows, row b K + k    x [B, D]    log_p, weight [R]
// d_decoded holds l before `fused` and `backward`. weight[r] is -dLoss/dlog_p.
//
// The importer defines `terms(l, x)` and `expectation(l)`, for four values at a time. Both must be finite at l = x = 0,
// the padding. The compiler drops the terms that an entry point does not use.
// Entry points and the division of rows: shared/likelihood. An item is a vec4.

#import shared/values

@group(0) @binding(1) var<storage, read> decoded: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_p: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_decoded: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> by_value: array<vec4f>;

// Four values at a time.
struct Terms {
    log_p: vec4f, // log p(x | l)
    slope: vec4f, // its derivative by l
}

fn x_at(row: u32, j: u32) -> vec4f {
    return x[(row / params.samples) * params.vectors + j];
}

// The terms of an item; its gradient replaces l.
fn replaced(row: u32, j: u32) -> Terms {
    let at = row * params.vectors + j;
    let here = terms(d_decoded[at], x_at(row, j));
    d_decoded[at] = inside(j) * -weight[row] * here.slope;
    return here;
}

fn item_log_p(row: u32, j: u32) -> f32 {
    return dot(inside(j), terms(decoded[row * params.vectors + j], x_at(row, j)).log_p);
}

fn item_fused(row: u32, j: u32) -> f32 {
    return dot(inside(j), replaced(row, j).log_p);
}

fn item_backward(row: u32, j: u32) {
    _ = replaced(row, j);
}

fn item_mean(row: u32, j: u32) {
    by_value[row * params.vectors + j] = inside(j) * expectation(decoded[row * params.vectors + j]);
}

fn item_values(row: u32, j: u32) {
    by_value[row * params.vectors + j] = inside(j) * terms(decoded[row * params.vectors + j], x_at(row, j)).log_p;
}
