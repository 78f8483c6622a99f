// The reparameterised sample of a Gaussian posterior and its KL term (Kingma & Welling 2013, section 2.4 and appendix B).
//
//   draw       z = mu + sigma eps                       kl = 1/2 sum_j (mu^2 + exp(log_var) - 1 - log_var)
//   ratio      log_ratio = log p(z) - log q(z|x) = 1/2 sum_j (eps^2 + log_var - z^2), for importance weights (Burda et al. 2015)
//   backward   d_head, from d_z and the objective's weight on the KL term, which has one of three KL_FORMs:
//
//     CLOSED     w[b] per nat of datum b's kl:     d_mu      = sum_k d_z + w mu
//                                                  d_log_var = sum_k d_z eps sigma / 2 + w (exp(log_var) - 1) / 2
//     FREE_BITS  the same, with w kl_scale[j] in place of w for dimension j (`shaders/free_bits.wgsl`)
//     SAMPLED    v[r] = kl_weight weight[r] per nat of sample r's log_ratio. With d = d_z + v z:
//                                                  d_mu      = sum_k d
//                                                  d_log_var = sum_k (d eps sigma - v) / 2
//
// sigma = exp(log_var / 2) is bounded, and past that bound exp(log_var) goes on as its tangent: `shaders/shared/kl.wgsl`.
//
// head, d_head [B, 2 P]  mu in columns 0..Z, log_var in columns P..P+Z, with P = Z rounded up to 4
// z, d_z [B K, Z]        K samples per datum, row b K + k
// kl [B]    log_ratio [B K]    weight [B], or [B K] where SAMPLED    kl_scale [Z], read where FREE_BITS
//
// eps is drawn again wherever it is needed, never stored. draw, ratio: ROW_LANES neighbouring invocations per row of z, which
// take its vectors in turn (`shaders/shared/row_sum.wgsl`). backward: one invocation per four columns of head.

#import shared/step
#import shared/philox
#import shared/index
#import shared/mask
#import shared/kl
#import shared/row_sum

const WORKGROUP: u32 = 64u;
const ROW_LANES: u32 = 1u;
const CLOSED: u32 = 0u;
const FREE_BITS: u32 = 1u;
const SAMPLED: u32 = 2u;
const KL_FORM: u32 = 0u;

struct Params {
    batch: u32,
    samples: u32,
    latent: u32,
    vectors: u32, // P / 4
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> head: array<vec4f>;
@group(0) @binding(2) var<storage, read> sample: array<vec4f>;
@group(0) @binding(3) var<storage, read> d_z: array<vec4f>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> kl_scale: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> z: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> kl: array<f32>;
@group(0) @binding(8) var<storage, read_write> log_ratio: array<f32>;
@group(0) @binding(9) var<storage, read_write> d_head: array<vec4f>;

fn eps(row: u32, vector: u32) -> vec4f {
    let place = step.first_place * params.samples + row;
    let counter = vec4u(step.step, place, vector, STREAM_EPS + step.stream);
    return normals(philox(counter, vec2u(step.seed_lo, step.seed_hi)));
}

// Four means and log-variances of one datum.
fn mu_at(datum: u32, j: u32) -> vec4f {
    return head[datum * 2u * params.vectors + j];
}

fn log_var_at(datum: u32, j: u32) -> vec4f {
    return head[(datum * 2u + 1u) * params.vectors + j];
}

@compute @workgroup_size(WORKGROUP)
fn draw(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    let inside = row < params.batch * params.samples;
    let datum = row / params.samples;
    var sum = vec4f(0.0);
    if (inside) {
        for (var j = local % ROW_LANES; j < params.vectors; j += ROW_LANES) {
            let mu = mu_at(datum, j);
            let log_var = log_var_at(datum, j);
            z[row * params.vectors + j] = column_mask(j, params.latent) * (mu + sigma(log_var) * eps(row, j));
            // mu and log_var are zero in the padding, so it adds nothing.
            sum += twice_kl(mu, log_var);
        }
    }
    let twice = row_sum(local, sum.x + sum.y + sum.z + sum.w);
    if (inside && local % ROW_LANES == 0u && row % params.samples == 0u) {
        kl[datum] = 0.5 * twice;
    }
}

@compute @workgroup_size(WORKGROUP)
fn ratio(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    let inside = row < params.batch * params.samples;
    let datum = row / params.samples;
    var sum = vec4f(0.0);
    if (inside) {
        for (var j = local % ROW_LANES; j < params.vectors; j += ROW_LANES) {
            let noise = column_mask(j, params.latent) * eps(row, j);
            let here = sample[row * params.vectors + j];
            let log_var = log_var_at(datum, j);
            sum += noise * noise + log_var - here * here - tangent(log_var);
        }
    }
    let twice = row_sum(local, sum.x + sum.y + sum.z + sum.w);
    if (inside && local % ROW_LANES == 0u) {
        log_ratio[row] = 0.5 * twice;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.batch * params.vectors) {
        return;
    }
    let datum = index / params.vectors;
    let j = index % params.vectors;
    let mu = mu_at(datum, j);
    let log_var = log_var_at(datum, j);
    let deviation = sigma(log_var);
    let bounded = is_bounded(log_var);
    // Past the bound the deviation no longer depends on log_var.
    let slope = select(0.5 * deviation, vec4f(0.0), bounded);
    var d_mu = vec4f(0.0);
    var d_log_var = vec4f(0.0);
    if (KL_FORM != SAMPLED) {
        var w = vec4f(weight[datum]);
        if (KL_FORM == FREE_BITS) {
            w *= kl_scale[j];
        }
        d_mu = w * mu;
        d_log_var = w * 0.5 * (exp(min(log_var, vec4f(LIMIT))) - 1.0);
    }
    for (var k = 0u; k < params.samples; k++) {
        let row = datum * params.samples + k;
        let noise = eps(row, j);
        var d = d_z[row * params.vectors + j];
        if (KL_FORM == SAMPLED) {
            let v = step.kl_weight * weight[row];
            d += v * (mu + deviation * noise);
            d_mu += d;
            d_log_var += select(0.5 * (d * noise * deviation - v), vec4f(0.5 * v * (EXP_LIMIT - 1.0)), bounded);
        } else {
            d_mu += d;
            d_log_var += d * noise * slope;
        }
    }
    let inside = column_mask(j, params.latent);
    d_head[datum * 2u * params.vectors + j] = inside * d_mu;
    d_head[(datum * 2u + 1u) * params.vectors + j] = inside * d_log_var;
}
