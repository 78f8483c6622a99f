// The weights of the ELBO: what one nat adds to the mean over a batch. They are known before the step.
//
//   recon_weight[b K + k] = 1 / (K rows)        per nat of a sample's reconstruction
//   kl_weight[b]          = beta / rows         per nat of KL
//
// with rows = valid_rows + rows_beside, all of the batch, of which this may be a part. Rows past the end of the data weigh zero.
// recon_weight [B K]    kl_weight [B]
// One invocation per row of recon_weight.

#import shared/step
#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    batch: u32,
    samples: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> recon_weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> kl_weight: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let row = linear_index(global, groups, WORKGROUP);
    if (row >= params.batch * params.samples) {
        return;
    }
    let datum = row / params.samples;
    let of_datum = select(0.0, 1.0 / f32(step.valid_rows + step.rows_beside), datum < step.valid_rows);
    recon_weight[row] = of_datum / f32(params.samples);
    if (row % params.samples == 0u) {
        kl_weight[datum] = of_datum * step.kl_weight;
    }
}
