// The Gaussian decoder with one learned log-variance per value, shared by all rows. The formula: shared/gaussian.
//
// decoded [R, P]      mu, R = B K rows, row b K + k        log_var [P]  s
// d_decoded [R, P]    d_mu in place of mu                  d_log_var [R, P]  d_s of each row, to be summed over rows
// x [B, D]    log_p, weight [R]    by_value [R, D]  the result of mean and values

#import shared/values
#import shared/gaussian

@group(0) @binding(1) var<storage, read> decoded: array<vec4f>;
@group(0) @binding(2) var<storage, read> log_var: array<vec4f>;
@group(0) @binding(3) var<storage, read> x: array<vec4f>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> log_p: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_decoded: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> d_log_var: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> by_value: array<vec4f>;

// Four values at a time.
struct Terms {
    log_p: vec4f, // log p(x | mu, s)
    by_mu: vec4f, // its derivatives
    by_s: vec4f,
}

fn terms_of(mu: vec4f, row: u32, j: u32) -> Terms {
    return terms(mu, log_var[j], x[(row / params.samples) * params.vectors + j]);
}

// The terms of an item; its gradient replaces mu.
fn replaced(row: u32, j: u32) -> Terms {
    let at = row * params.vectors + j;
    let here = terms_of(d_decoded[at], row, j);
    let factor = inside(j) * -weight[row];
    d_decoded[at] = factor * here.by_mu;
    d_log_var[at] = factor * here.by_s;
    return here;
}

fn item_log_p(row: u32, j: u32) -> f32 {
    return dot(inside(j), terms_of(decoded[row * params.vectors + j], row, j).log_p);
}

fn item_fused(row: u32, j: u32) -> f32 {
    return dot(inside(j), replaced(row, j).log_p);
}

fn item_backward(row: u32, j: u32) {
    _ = replaced(row, j);
}

fn item_mean(row: u32, j: u32) {
    by_value[row * params.vectors + j] = inside(j) * decoded[row * params.vectors + j];
}

fn item_values(row: u32, j: u32) {
    let at = row * params.vectors + j;
    by_value[at] = inside(j) * terms_of(decoded[at], row, j).log_p;
}
