// The Bernoulli decoder: log p(x|z) = sum_d x l - log(1 + e^l), from logits l (Kingma & Welling 2013, appendix C.1).
//
//   log p(x | l)      = x l - max(l, 0) - log(1 + e^-|l|)     stable for every l
//   d log p / dl      = x - sigmoid(l)
//   E[x | l]          = sigmoid(l)
//
// Entry points, bindings and shapes: shared/pointwise.

#import shared/activation
#import shared/pointwise

fn terms(l: vec4f, target_x: vec4f) -> Terms {
    // e^-|l| serves the softplus and, by its quotient, the sigmoid.
    let e = exp(-abs(l));
    let s = select(e, vec4f(1.0), l >= vec4f(0.0)) / (1.0 + e);
    return Terms(target_x * l - max(l, vec4f(0.0)) - log(1.0 + e), target_x - s);
}

fn expectation(l: vec4f) -> vec4f {
    return sigmoid(l);
}
