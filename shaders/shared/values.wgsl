// Shared by the likelihoods whose items are vectors of four values, padded to D / 4 vectors a row.
// Entry points and the division of rows: shared/likelihood.

#import shared/likelihood
#import shared/mask

struct Params {
    rows: u32,
    samples: u32,
    dim: u32,
    vectors: u32, // P / 4, with P = D rounded up to 4
}
@group(0) @binding(0) var<uniform> params: Params;

fn items() -> u32 {
    return params.vectors;
}

// 1 for values below D, 0 in the padding.
fn inside(j: u32) -> vec4f {
    return column_mask(j, params.dim);
}
