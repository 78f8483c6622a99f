// The Gaussian posterior N(mu, exp(log_var)) and its KL divergence from N(0, 1), four dimensions at a time.
//
// A row far outside the training data may get a log_var at which exp overflows. The deviation is therefore bounded: past
// LIMIT, the KL follows the tangent of exp(log_var) instead, so that it is finite and still grows. It then exceeds the
// KL of the bounded posterior by pull (log_var - LIMIT) / 2, and the ELBO is still a lower bound. Below LIMIT, where the
// deviation is under 22,026 and the prior's is 1, nothing changes, to the last bit.

const LIMIT: f32 = 20.0;
const EXP_LIMIT: f32 = 485165195.0; // exp(LIMIT)

fn is_bounded(log_var: vec4f) -> vec4<bool> {
    return log_var > vec4f(LIMIT);
}

fn sigma(log_var: vec4f) -> vec4f {
    return exp(0.5 * min(log_var, vec4f(LIMIT)));
}

// What exp(log_var) has gained of its tangent past LIMIT; zero below.
fn tangent(log_var: vec4f) -> vec4f {
    return EXP_LIMIT * max(log_var - LIMIT, vec4f(0.0));
}

// Twice the KL divergence. It is zero where mu and log_var are. A log_var that is no number stays one.
fn twice_kl(mu: vec4f, log_var: vec4f) -> vec4f {
    return mu * mu + exp(min(log_var, vec4f(LIMIT))) - 1.0 - log_var + tangent(log_var);
}
