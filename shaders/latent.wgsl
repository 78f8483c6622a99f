// The reparameterised sample and its KL term (Kingma & Welling 2013, section 2.4 and appendix B).
//
//   forward   z = mu + exp(log_var / 2) * eps          kl = 1/2 sum_j (mu^2 + exp(log_var) - 1 - log_var)
//   backward  d_mu      = sum_k d_z + w mu
//             d_log_var = sum_k d_z * eps * exp(log_var / 2) / 2 + w (exp(log_var) - 1) / 2
//   training  forward, and the weights of the ELBO, known before the step: a datum counts 1 / valid_rows, each of its
//             K samples 1 / (K valid_rows), a nat of its KL kl_weight / valid_rows; past valid_rows nothing counts
//
// Where the bound is importance-weighted (Burda et al. 2015), each sample has a weight of its own:
//
//   forward_ratio   also log_ratio = log p(z) - log q(z|x) = 1/2 sum_j (eps^2 + log_var - z^2)
//   backward_ratio  with d = d_z + v z:   d_mu = sum_k d
//                                         d_log_var = sum_k (d * eps * exp(log_var / 2) - v) / 2
//
// head, d_head [B, 2 P]  mu in columns 0..Z, log_var in columns P..P+Z, with P = Z rounded up to 4
// z, d_z [B K, Z]        K samples a datum, row b K + k      kl [B]    log_ratio [B K]
// weight, kl_weight [B]  w = dLoss/dELBO of a datum with the sign turned: what one nat of its KL costs
//        [B K]           of a sample, in backward_ratio; v = weight * kl_weight
// recon_weight [B K]     what one nat of a row's reconstruction is worth
// kl_scale [Z]           backward_free_bits: w of dimension j counts this much (`shaders/free_bits.wgsl`)
//
// eps is drawn again in the backward pass, never stored. Forward: one invocation a row of z.
// Backward: one invocation four columns of a datum. `mean` writes z = mu, for pictures and the plain encoder.

#import shared/step
#import shared/philox
#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    batch: u32,
    samples: u32,
    latent: u32,
    vectors: u32, // P / 4
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> head: array<vec4f>;
@group(0) @binding(2) var<storage, read> d_z: array<vec4f>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> kl_scale: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> z: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> kl: array<f32>;
@group(0) @binding(7) var<storage, read_write> d_head: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> log_ratio: array<f32>;
@group(0) @binding(9) var<storage, read_write> recon_weight: array<f32>;
@group(0) @binding(10) var<storage, read_write> kl_weight: array<f32>;

fn eps(row: u32, vector: u32) -> vec4f {
    let counter = vec4u(step.step, row, vector, STREAM_EPS + step.stream);
    return normals(philox(counter, vec2u(step.seed_lo, step.seed_hi)));
}

// 1 for columns below Z, 0 for the padding.
fn mask(vector: u32) -> vec4f {
    return select(vec4f(0.0), vec4f(1.0), 4u * vector + vec4u(0u, 1u, 2u, 3u) < vec4u(params.latent));
}

// One row of z, and the KL of its datum.
fn draw(row: u32) {
    let datum = row / params.samples;
    var sum = vec4f(0.0);
    for (var j = 0u; j < params.vectors; j++) {
        let mu = head[datum * 2u * params.vectors + j];
        let log_var = head[(datum * 2u + 1u) * params.vectors + j];
        z[row * params.vectors + j] = mask(j) * (mu + exp(0.5 * log_var) * eps(row, j));
        // In the padding mu and log_var are zero, and so is this.
        sum += mu * mu + exp(log_var) - 1.0 - log_var;
    }
    if (row % params.samples == 0u) {
        kl[datum] = 0.5 * (sum.x + sum.y + sum.z + sum.w);
    }
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let row = linear_index(global, groups, WORKGROUP);
    if (row < params.batch * params.samples) {
        draw(row);
    }
}

@compute @workgroup_size(WORKGROUP)
fn training(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let row = linear_index(global, groups, WORKGROUP);
    if (row >= params.batch * params.samples) {
        return;
    }
    draw(row);
    let datum = row / params.samples;
    let weight_of_datum = select(0.0, 1.0 / f32(step.valid_rows), datum < step.valid_rows);
    recon_weight[row] = weight_of_datum / f32(params.samples);
    if (row % params.samples == 0u) {
        kl_weight[datum] = weight_of_datum * step.kl_weight;
    }
}

@compute @workgroup_size(WORKGROUP)
fn forward_ratio(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let row = linear_index(global, groups, WORKGROUP);
    if (row >= params.batch * params.samples) {
        return;
    }
    let datum = row / params.samples;
    var sum = vec4f(0.0);
    var ratio = vec4f(0.0);
    for (var j = 0u; j < params.vectors; j++) {
        let mu = head[datum * 2u * params.vectors + j];
        let log_var = head[(datum * 2u + 1u) * params.vectors + j];
        let noise = mask(j) * eps(row, j);
        let sample = mu + exp(0.5 * log_var) * noise;
        z[row * params.vectors + j] = sample;
        sum += mu * mu + exp(log_var) - 1.0 - log_var;
        ratio += noise * noise + log_var - sample * sample;
    }
    log_ratio[row] = 0.5 * (ratio.x + ratio.y + ratio.z + ratio.w);
    if (row % params.samples == 0u) {
        kl[datum] = 0.5 * (sum.x + sum.y + sum.z + sum.w);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.batch * params.vectors) {
        elbo_gradient(index / params.vectors, index % params.vectors, vec4f(1.0));
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_free_bits(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index < params.batch * params.vectors) {
        elbo_gradient(index / params.vectors, index % params.vectors, kl_scale[index % params.vectors]);
    }
}

// Four columns of d_head, with each dimension's KL scaled.
fn elbo_gradient(datum: u32, j: u32, scale: vec4f) {
    let mu = head[datum * 2u * params.vectors + j];
    let log_var = head[(datum * 2u + 1u) * params.vectors + j];
    let half_sigma = 0.5 * exp(0.5 * log_var);
    let w = weight[datum] * scale;
    var d_mu = w * mu;
    var d_log_var = w * 0.5 * (exp(log_var) - 1.0);
    for (var k = 0u; k < params.samples; k++) {
        let row = datum * params.samples + k;
        let d = d_z[row * params.vectors + j];
        d_mu += d;
        d_log_var += d * eps(row, j) * half_sigma;
    }
    d_head[datum * 2u * params.vectors + j] = mask(j) * d_mu;
    d_head[(datum * 2u + 1u) * params.vectors + j] = mask(j) * d_log_var;
}

@compute @workgroup_size(WORKGROUP)
fn backward_ratio(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.batch * params.vectors) {
        return;
    }
    let datum = index / params.vectors;
    let j = index % params.vectors;
    let mu = head[datum * 2u * params.vectors + j];
    let sigma = exp(0.5 * head[(datum * 2u + 1u) * params.vectors + j]);
    var d_mu = vec4f(0.0);
    var d_log_var = vec4f(0.0);
    for (var k = 0u; k < params.samples; k++) {
        let row = datum * params.samples + k;
        let v = step.kl_weight * weight[row];
        let noise = eps(row, j);
        let d = d_z[row * params.vectors + j] + v * (mu + sigma * noise);
        d_mu += d;
        d_log_var += 0.5 * (d * noise * sigma - v);
    }
    d_head[datum * 2u * params.vectors + j] = mask(j) * d_mu;
    d_head[(datum * 2u + 1u) * params.vectors + j] = mask(j) * d_log_var;
}

@compute @workgroup_size(WORKGROUP)
fn mean(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.batch * params.vectors) {
        return;
    }
    let datum = index / params.vectors;
    let j = index % params.vectors;
    z[index] = head[datum * 2u * params.vectors + j];
}
