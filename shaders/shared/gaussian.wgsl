// The Gaussian decoder with a learned variance (Kingma & Welling 2013, appendix C.2):
// log p(x|z) = -1/2 sum_d (x - mu)^2 e^-s + s + log(2 pi), with means mu and log-variances s.
//
//   forward   log_p[r]
//   backward  d_mu = -weight[r] (x - mu) e^-s
//             d_s  = -weight[r] ((x - mu)^2 e^-s - 1) / 2, zero where s was clamped
//   mean      E[x|z] = mu
//
// s is clamped to +-LOG_VAR_LIMIT: a pixel that never changes would otherwise drive its variance to zero and log p to
// infinity. The standard deviation stays between 0.03 and 33.
//
// The importer declares the bindings and says where mu and s lie. An item is a vec4. Entry points: shared/likelihood.

#import shared/likelihood
#import shared/mask

const LOG_VAR_LIMIT: f32 = 7.0;
const LOG_2_PI: f32 = 1.8378771;

struct Params {
    rows: u32,
    samples: u32,
    dim: u32,
    vectors: u32, // P / 4, with P = D rounded up to 4
}
@group(0) @binding(0) var<uniform> params: Params;

// Four values at a time.
struct Terms {
    log_p: vec4f, // log p(x | mu, s)
    by_mu: vec4f, // its derivatives
    by_s: vec4f,
}

fn terms(mu: vec4f, free: vec4f, x_here: vec4f) -> Terms {
    let s = clamp(free, vec4f(-LOG_VAR_LIMIT), vec4f(LOG_VAR_LIMIT));
    let distance = x_here - mu;
    let scaled = distance * exp(-s);
    let square = distance * scaled;
    let by_s = select(vec4f(0.0), 0.5 * (square - 1.0), abs(free) < vec4f(LOG_VAR_LIMIT));
    return Terms(-0.5 * (square + s + LOG_2_PI), scaled, by_s);
}

fn items() -> u32 {
    return params.vectors;
}

// 1 for values below D, 0 in the padding.
fn inside(j: u32) -> vec4f {
    return column_mask(j, params.dim);
}
