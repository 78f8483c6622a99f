// The Gaussian decoder with a learned variance (Kingma & Welling 2013, appendix C.2):
// log p(x|z) = -1/2 sum_d (x - mu)^2 e^-s + s + log(2 pi), with means mu and log-variances s.
//
//   forward   log_p[r]
//   backward  d_mu = -weight[r] (x - mu) e^-s
//             d_s  = -weight[r] ((x - mu)^2 e^-s - 1) / 2, zero where s was clamped
//   mean      E[x|z] = mu
//
// s is clamped to +-LOG_VAR_LIMIT: a pixel that is the same in all images would otherwise drive its variance to zero and
// log p to infinity. The standard deviation stays within 0.03 and 33.
//
// decoded [R, P] or [R, 2 P]: mu in columns 0..D, P = D rounded up to 4. R = B K rows, row b K + k
// log_var  s in columns P..P+D of each row: `decoded` itself, where the decoder predicts it; or one row for all, the
//          bias of the decoder's last layer, behind which it lies. Params say how far its rows are apart
// d_decoded [R, 2 P]  d_mu and d_s    x [B, D]    mean [R, D]    log_p, weight [R]
//
// Entry points and the division of rows: shared/likelihood. An item is a vec4.

#import shared/likelihood

const LOG_VAR_LIMIT: f32 = 7.0;
const LOG_2_PI: f32 = 1.8378771;

struct Params {
    rows: u32,
    samples: u32,
    dim: u32,
    vectors: u32,        // P / 4
    decoded_stride: u32, // strides in vec4
    log_var_stride: u32, // 0 where one row serves all
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> decoded: array<vec4f>;
@group(0) @binding(2) var<storage, read> log_var: array<vec4f>;
@group(0) @binding(3) var<storage, read> x: array<vec4f>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> log_p: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_decoded: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> mean_x: array<vec4f>;

// Of four values.
struct Terms {
    log_p: vec4f, // log p(x | mu, s)
    by_mu: vec4f, // its derivatives
    by_s: vec4f,
}

fn mask(vector: u32) -> vec4f {
    return select(vec4f(0.0), vec4f(1.0), 4u * vector + vec4u(0u, 1u, 2u, 3u) < vec4u(params.dim));
}

fn terms(row: u32, j: u32) -> Terms {
    let free = log_var[row * params.log_var_stride + params.vectors + j];
    let s = clamp(free, vec4f(-LOG_VAR_LIMIT), vec4f(LOG_VAR_LIMIT));
    let distance = x[(row / params.samples) * params.vectors + j] - decoded[row * params.decoded_stride + j];
    let scaled = distance * exp(-s);
    let square = distance * scaled;
    let by_s = select(vec4f(0.0), 0.5 * (square - 1.0), abs(free) < vec4f(LOG_VAR_LIMIT));
    return Terms(-0.5 * (square + s + LOG_2_PI), scaled, by_s);
}

fn store_gradient(row: u32, j: u32, here: Terms) {
    let factor = mask(j) * -weight[row];
    d_decoded[2u * row * params.vectors + j] = factor * here.by_mu;
    d_decoded[(2u * row + 1u) * params.vectors + j] = factor * here.by_s;
}

fn items() -> u32 {
    return params.vectors;
}

fn item_log_p(row: u32, j: u32) -> f32 {
    return dot(mask(j), terms(row, j).log_p);
}

fn item_fused(row: u32, j: u32) -> f32 {
    let here = terms(row, j);
    store_gradient(row, j, here);
    return dot(mask(j), here.log_p);
}

fn item_backward(row: u32, j: u32) {
    store_gradient(row, j, terms(row, j));
}

fn item_mean(row: u32, j: u32) {
    mean_x[row * params.vectors + j] = mask(j) * decoded[row * params.decoded_stride + j];
}
