// Free bits (Kingma et al. 2016, appendix C.8): a latent dimension whose KL, averaged over the batch, is below lambda
// costs lambda and gets no gradient from the KL term.
//
//   floor_kl[j] = max(lambda, KL_j)    kl_scale[j] = 1 where KL_j > lambda, else 0
//   with KL_j = mean_b 1/2 (mu^2 + exp(log_var) - 1 - log_var) over the valid rows
//
// head [B, 2 P]    floor_kl, kl_scale [Z], padded with zeros
// One workgroup per four dimensions; an invocation sums every WORKGROUP-th datum, then a fixed tree.

#import shared/step
#import shared/kl
#import shared/mask
#import shared/tree_sum

const WORKGROUP: u32 = 64u;

struct Params {
    latent: u32,
    vectors: u32, // P / 4
    nats: f32,    // lambda
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> head: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> floor_kl: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> kl_scale: array<vec4f>;

alias Summand = vec4f;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let j = group.x;
    var sum = vec4f(0.0);
    for (var datum = local; datum < step.valid_rows; datum += WORKGROUP) {
        let mu = head[datum * 2u * params.vectors + j];
        let log_var = head[(datum * 2u + 1u) * params.vectors + j];
        sum += twice_kl(mu, log_var);
    }
    let total = tree_sum(local, sum, WORKGROUP);
    if (local == 0u) {
        let kl = 0.5 * total / f32(step.valid_rows);
        let inside = is_column(j, params.latent);
        floor_kl[j] = select(vec4f(0.0), max(kl, vec4f(params.nats)), inside);
        kl_scale[j] = select(vec4f(0.0), vec4f(1.0), inside & (kl > vec4f(params.nats)));
    }
}
