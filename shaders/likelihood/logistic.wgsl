// The decoder that gives a logistic distribution in 256 steps for each value: its mean mu and log-scale s.
// The formula: shared/logistic. Entry points, bindings and shapes: shared/pair.

#import shared/pair
#import shared/logistic

fn terms(mu: vec4f, s: vec4f, x_here: vec4f) -> Terms {
    let here = steps(mu, s, x_here);
    return Terms(here.log_p, here.by_mu, here.by_s);
}

fn expectation(mu: vec4f, s: vec4f) -> vec4f {
    return logistic_mean(mu, s);
}
