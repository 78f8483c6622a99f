// Shared by the likelihoods whose decoder gives two numbers for each value: a mean mu and a width s.
//
// decoded, d_decoded [R, 2 P]  mu in columns 0..D, s in columns P..P+D; the gradients in their place
// R = B K rows, row b K + k    x [B, D]    log_p, weight [R]    by_value [R, D]  the result of mean and values
//
// The importer defines, for four values at a time:
//
//   terms(mu, s, x)         log p(x | mu, s) and its derivatives, finite at mu = s = x = 0, the padding
//   expectation(mu, s)      E[x]

#import shared/values

@group(0) @binding(1) var<storage, read> decoded: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_p: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_decoded: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> by_value: array<vec4f>;

// Four values at a time.
struct Terms {
    log_p: vec4f, // log p(x | mu, s)
    by_mu: vec4f, // its derivatives
    by_s: vec4f,
}

// Where the means and widths of an item lie.
fn mu_at(row: u32, j: u32) -> u32 {
    return 2u * row * params.vectors + j;
}

fn s_at(row: u32, j: u32) -> u32 {
    return mu_at(row, j) + params.vectors;
}

fn x_at(row: u32, j: u32) -> vec4f {
    return x[(row / params.samples) * params.vectors + j];
}

fn terms_of(row: u32, j: u32) -> Terms {
    return terms(decoded[mu_at(row, j)], decoded[s_at(row, j)], x_at(row, j));
}

// The terms of an item; its gradients replace mu and s.
fn replaced(row: u32, j: u32) -> Terms {
    let here = terms(d_decoded[mu_at(row, j)], d_decoded[s_at(row, j)], x_at(row, j));
    let factor = inside(j) * -weight[row];
    d_decoded[mu_at(row, j)] = factor * here.by_mu;
    d_decoded[s_at(row, j)] = factor * here.by_s;
    return here;
}

fn item_log_p(row: u32, j: u32) -> f32 {
    return dot(inside(j), terms_of(row, j).log_p);
}

fn item_fused(row: u32, j: u32) -> f32 {
    return dot(inside(j), replaced(row, j).log_p);
}

fn item_backward(row: u32, j: u32) {
    _ = replaced(row, j);
}

fn item_mean(row: u32, j: u32) {
    by_value[row * params.vectors + j] = inside(j) * expectation(decoded[mu_at(row, j)], decoded[s_at(row, j)]);
}

fn item_values(row: u32, j: u32) {
    by_value[row * params.vectors + j] = inside(j) * terms_of(row, j).log_p;
}
