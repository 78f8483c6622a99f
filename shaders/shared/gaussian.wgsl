// A Gaussian with a log-variance for each value (Kingma & Welling 2013, appendix C.2):
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
// The importer defines Terms: log p of four values and its derivatives by mu and s.

const LOG_VAR_LIMIT: f32 = 7.0;
const LOG_2_PI: f32 = 1.8378771;

fn terms(mu: vec4f, free: vec4f, x_here: vec4f) -> Terms {
    let s = clamp(free, vec4f(-LOG_VAR_LIMIT), vec4f(LOG_VAR_LIMIT));
    let distance = x_here - mu;
    let scaled = distance * exp(-s);
    let square = distance * scaled;
    let by_s = select(vec4f(0.0), 0.5 * (square - 1.0), abs(free) < vec4f(LOG_VAR_LIMIT));
    return Terms(-0.5 * (square + s + LOG_2_PI), scaled, by_s);
}
