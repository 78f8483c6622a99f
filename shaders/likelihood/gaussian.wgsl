// The Gaussian decoder with variance 1: log p(x|z) = -1/2 sum_d (x - l)^2 - D/2 log(2 pi), with means l (Kingma &
// Welling 2013, appendix C.2).
//
//   log p(x | l)      = -(x - l)^2 / 2 - log(2 pi) / 2
//   d log p / dl      = x - l
//   E[x | l]          = l
//
// Entry points, bindings and shapes: shared/pointwise.

#import shared/pointwise

const HALF_LOG_2_PI: f32 = 0.91893853;

fn terms(l: vec4f, target_x: vec4f) -> Terms {
    let distance = target_x - l;
    return Terms(-0.5 * distance * distance - HALF_LOG_2_PI, distance);
}

fn expectation(l: vec4f) -> vec4f {
    return l;
}
