// The Gaussian decoder that predicts a log-variance beside each mean. The formula: shared/gaussian.
// Entry points, bindings and shapes: shared/pair.

#import shared/pair
#import shared/gaussian

fn expectation(mu: vec4f, s: vec4f) -> vec4f {
    return mu;
}
