// A logistic distribution in 256 steps (Kingma et al. 2016, arXiv 1606.04934; Salimans et al. 2017, arXiv 1701.05517):
// the probability of a byte v is that of x = v / 255 within half a step, h = 1 / 510; the first and the last step have
// the tails too. With the scale e^s, a = (x - mu + h) e^-s, b = (x - mu - h) e^-s and t = a - b = e^-s / 255:
//
//   log P      = log(sigmoid(a) - sigmoid(b)) = log(1 - e^-t) - log(1 + e^-a) - log(1 + e^b)
//                v = 0: only -log(1 + e^-a)    v = 255: only -log(1 + e^b)
//   by mu      = (sigmoid(b) - sigmoid(-a)) e^-s, where their terms are
//   by s       = -t / (e^t - 1) - a sigmoid(-a) + b sigmoid(b)
//   E[x]       = the integral over e in 0..1 of sigmoid((mu - e) e^-s) = e^s (log(1 + e^(mu e^-s)) - log(1 + e^((mu - 1) e^-s)))
//                of the logistic before it falls into a step: within half a step of the sum over steps
//
// No difference of two sigmoids is taken, so nothing is lost however narrow, wide or far away the logistic is.
// s is clamped to +-LOG_SCALE_LIMIT: at its least, the middle of a step has 0.994 of the probability.

#import shared/activation

const LOG_SCALE_LIMIT: f32 = 8.0;
const HALF_STEP: f32 = 0.001960784314; // 1 / 510
const LOG_STEP: f32 = -5.541263545;    // log(1 / 255)
const SERIES: f32 = 0.5;               // below this t

// (1 - e^-t) / t, which is 1 at t = 0.
fn decay(t: vec4f) -> vec4f {
    let series = 1.0 + t * (-1.0 / 2.0 + t * (1.0 / 6.0 + t * (-1.0 / 24.0 + t * (1.0 / 120.0 + t * (-1.0 / 720.0
        + t * (1.0 / 5040.0))))));
    let closed = (1.0 - exp(-t)) / max(t, vec4f(SERIES));
    return select(closed, series, t < vec4f(SERIES));
}

// log P of four values and its derivatives by mu and s.
struct Steps {
    log_p: vec4f,
    by_mu: vec4f,
    by_s: vec4f,
}

fn level_of(x: vec4f) -> vec4f {
    return round(255.0 * clamp(x, vec4f(0.0), vec4f(1.0)));
}

fn steps(mu: vec4f, free: vec4f, x_here: vec4f) -> Steps {
    let s = clamp(free, vec4f(-LOG_SCALE_LIMIT), vec4f(LOG_SCALE_LIMIT));
    let sharpness = exp(-s);
    let level = level_of(x_here);
    let distance = level / 255.0 - mu;
    let a = (distance + HALF_STEP) * sharpness;
    let b = (distance - HALF_STEP) * sharpness;
    let t = 2.0 * HALF_STEP * sharpness;
    let q = decay(t);
    let above = select(vec4f(0.0), vec4f(1.0), level < vec4f(255.0)); // there are steps above
    let below = select(vec4f(0.0), vec4f(1.0), level > vec4f(0.0));
    let at_a = above * sigmoid(-a);
    let at_b = below * sigmoid(b);
    let log_p = above * below * (LOG_STEP - s + log(q)) - above * softplus(-a) - below * softplus(b);
    let by_s = b * at_b - a * at_a - above * below * exp(-t) / q;
    let moves = select(vec4f(0.0), vec4f(1.0), abs(free) < vec4f(LOG_SCALE_LIMIT));
    return Steps(log_p, (at_b - at_a) * sharpness, moves * by_s);
}

fn logistic_mean(mu: vec4f, free: vec4f) -> vec4f {
    let s = clamp(free, vec4f(-LOG_SCALE_LIMIT), vec4f(LOG_SCALE_LIMIT));
    let sharpness = exp(-s);
    let narrow = exp(s) * (softplus(mu * sharpness) - softplus((mu - 1.0) * sharpness));
    // Of a wide one the two are almost equal; there, by Gauss and Legendre's three points, which are right to 1e-7.
    let inner = sigmoid((mu - 0.5) * sharpness);
    let outer = sigmoid((mu - 0.112701665) * sharpness) + sigmoid((mu - 0.887298335) * sharpness);
    return select((8.0 * inner + 5.0 * outer) / 18.0, narrow, s < vec4f(0.0));
}
