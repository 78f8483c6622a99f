// How the invocations of a workgroup fetch the tiles of a product's operands from storage, a vec4 at a time.
//
// The importer defines LAYOUT, QUADS and K_QUADS.

#import shared/place

// Whether the vectors of an operand lie along k in storage.
const A_ALONG_K: bool = LAYOUT != TN;
const B_ALONG_K: bool = LAYOUT == NT;

fn fetch_a(place: Place, first_row: u32, k_quad: u32) -> vec4f {
    if (k_quad >= (params.k + 3u) / 4u) {
        return vec4f(0.0);
    }
    if (!A_ALONG_K) {
        let quad = min(first_row / 4u + place.quad, (params.m - 1u) / 4u);
        return a[(4u * k_quad + place.i) * params.a_stride + quad];
    }
    return a[min(first_row + 4u * place.quad + place.i, params.m - 1u) * params.a_stride + k_quad];
}

fn fetch_b(place: Place, first_quad: u32, k_quad: u32) -> vec4f {
    if (k_quad >= (params.k + 3u) / 4u) {
        return vec4f(0.0);
    }
    let quad = first_quad + place.quad;
    if (B_ALONG_K) {
        return b[min(4u * quad + place.i, params.n - 1u) * params.b_stride + k_quad];
    }
    return b[(4u * k_quad + place.i) * params.b_stride + min(quad, (params.n - 1u) / 4u)];
}
