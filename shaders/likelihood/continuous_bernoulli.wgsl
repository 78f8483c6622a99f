// The continuous Bernoulli decoder, a density of x in 0..1 (Loaiza-Ganem & Cunningham 2019, arXiv 1907.06845):
// log p(x|z) = sum_d x l - log(1 + e^l) + log C(sigmoid(l)), from logits l.
//
// With log C it is the exponential family e^(l x) on 0..1, whose log-partition is A(l) = log((e^l - 1) / l):
//
//   log p(x | l)      = x l - A(l)
//   d log p / dl      = x - A'(l)
//   E[x | l]          = A'(l) = 1 / (1 - e^-l) - 1 / l
//
// With a = |l| and e = e^-a, which never overflow:
//   A  = max(l, 0) + log((1 - e) / a)
//   A' = m for l < 0, 1 - m for l > 0, with m = 1/a - e / (1 - e)
// Near l = 0 (lambda near 1/2) both are differences of numbers that are almost equal. There, with h = l / 2:
//   A  = h + log(sinh(h) / h) = h + h^2/6 - h^4/180 + h^6/2835 - h^8/37800 + ..
//   A' = 1/2 + (coth(h) - 1/h) / 2 = 1/2 + (h/3 - h^3/45 + 2 h^5/945 - h^7/4725 + ..) / 2
// What the series leave out is below 1e-8 where they are used.
//
// Entry points, bindings and shapes: shared/pointwise.

#import shared/pointwise

const SERIES: f32 = 1.0; // below this |l|

fn expectation(l: vec4f) -> vec4f {
    let h = 0.5 * l;
    let h2 = h * h;
    let series = 0.5 + 0.5 * h * (1.0 / 3.0 + h2 * (-1.0 / 45.0 + h2 * (2.0 / 945.0 + h2 * (-1.0 / 4725.0
        + h2 * (2.0 / 93555.0)))));
    let a = max(abs(l), vec4f(SERIES));
    let e = exp(-a);
    let m = 1.0 / a - e / (1.0 - e);
    return select(select(m, 1.0 - m, l > vec4f(0.0)), series, abs(l) < vec4f(SERIES));
}

fn terms(l: vec4f, target_x: vec4f) -> Terms {
    let h = 0.5 * l;
    let h2 = h * h;
    let series = l * (target_x - 0.5)
        - h2 * (1.0 / 6.0 + h2 * (-1.0 / 180.0 + h2 * (1.0 / 2835.0 + h2 * (-1.0 / 37800.0))));
    // x l - max(l, 0) without the difference of large numbers.
    let a = max(abs(l), vec4f(SERIES));
    let edge = l * (target_x - select(vec4f(0.0), vec4f(1.0), l > vec4f(0.0)));
    let closed = edge - log((1.0 - exp(-a)) / a);
    return Terms(select(closed, series, abs(l) < vec4f(SERIES)), target_x - expectation(l));
}
