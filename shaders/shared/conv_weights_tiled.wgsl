// The gradient of a convolution's weights for real cards, through tiles in workgroup memory (`shared/conv_weights`,
// `shared/tile`).
//
// A workgroup computes ROWS rows x ROWS / 4 vectors of a part: a product in TN whose k are the positions of the coarse picture, in
// the order of `conv/weights_portable`. An invocation fetches the same rows and the same vector in every round, at other positions.
// Grid: x over tiles of vectors of d_W's rows, y over tiles of its rows, z over parts.
//
// The importer defines TileVector, the type of the tiles' vectors.

#import shared/weights_operands
#import shared/conv_weights
#import shared/tile

const BIAS: u32 = 0u;
const SIDE: u32 = 8u; // 8 or 16
const ROWS: u32 = 32u; // 4 SIDE
const BLOCKS: u32 = ROWS / (4u * SIDE);
const K_QUADS: u32 = SIDE / (4u * BLOCKS); // so that an invocation fetches one vector of each tile
const A_ALONG_K: bool = false;
const B_ALONG_K: bool = false;
const SUMS_ROWS: bool = BIAS == 1u;

// The vector of d_W's rows that this invocation fetches for.
var<private> column: Column;

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    stored_part = group.z;
    column = column_of(QUADS * group.x + place_of(local, B_ALONG_K).quad);
    multiply_tile(group, local);
}

// The blocks of four positions of a part.
fn k_range(part: u32) -> vec2u {
    let begin = part * params.length;
    let all = params.count * params.coarse_height * params.coarse_width;
    return vec2u(begin, min(begin + params.length, all) + 3u) / 4u;
}

// Past a part's last position lie the next part's: zeros instead.
fn is_inside(k_quad: u32) -> bool {
    return 4u * k_quad < (stored_part + 1u) * params.length;
}

fn fetch_a(place: Place, first_row: u32, k_quad: u32) -> vec4f {
    let position = 4u * k_quad + place.i;
    let inside = is_inside(k_quad) && position < params.count * params.coarse_height * params.coarse_width;
    return select(vec4f(), coarse_vector(select(0u, coarse_at(position, first_row, place.quad), inside)), inside);
}

fn fetch_b(place: Place, first_quad: u32, k_quad: u32) -> vec4f {
    return select(vec4f(), fine_at(position_of(4u * k_quad + place.i), column), is_inside(k_quad));
}
