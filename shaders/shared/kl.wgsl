// Twice the KL divergence of N(mu, exp(log_var)) from N(0, 1), four dimensions at a time. It is zero where mu and log_var are.
fn twice_kl(mu: vec4f, log_var: vec4f) -> vec4f {
    return mu * mu + exp(log_var) - 1.0 - log_var;
}
