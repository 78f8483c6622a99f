// How the invocations of a workgroup fetch the tiles of a product's operands from storage, a vec4 at a time.
//
// A tile is QUADS x K_QUADS blocks of 4 x 4: rows by k for A, columns by k for B. The importer defines LAYOUT, QUADS and
// K_QUADS.

// A vector of a tile: vector `i` of the block at (k_quad, quad).
struct Place {
    quad: u32,
    k_quad: u32,
    i: u32,
}

// Whether the vectors of an operand lie along k in storage.
const A_ALONG_K: bool = LAYOUT != TN;
const B_ALONG_K: bool = LAYOUT == NT;

// The place of vector n in the order of fetching, in which neighbouring invocations read neighbouring words: along k if the
// operand's rows run along k, else along the quads.
fn place_of(n: u32, along_k: bool) -> Place {
    if (along_k) {
        let row = n / K_QUADS;
        return Place(row / 4u, n % K_QUADS, row % 4u);
    }
    let k = n / QUADS;
    return Place(n % QUADS, k / 4u, k % 4u);
}

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
