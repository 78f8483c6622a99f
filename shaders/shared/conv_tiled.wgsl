// Convolution for real cards, through tiles in workgroup memory (`shared/conv`, `shared/tile`).
//
// A workgroup computes CHANNELS positions of a phase x CHANNELS channels of c: a product whose rows are positions and whose k are
// the vectors of x under one tap after the other, in the order of `conv/portable`. An invocation fetches the same position and the
// same channel in every round, and finds the tap by a division.
// Grid: x and y over tiles of positions, z over phases and tiles of channels.
//
// The importer defines TileVector, the type of the tiles' vectors.

#import shared/conv_operands
#import shared/conv
#import shared/tile

const WAY: u32 = 0u;
const ONE_CHANNEL: u32 = 0u; // in GATHER, of one channel: a vector of k is four taps
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const SIDE: u32 = 8u; // 8 or 16
const CHANNELS: u32 = 32u; // 4 SIDE
const BLOCKS: u32 = CHANNELS / (4u * SIDE);
const K_QUADS: u32 = SIDE / (4u * BLOCKS); // so that an invocation fetches one vector of each tile
const A_ALONG_K: bool = true;
const B_ALONG_K: bool = WAY == GATHER;
const SUMS_ROWS: bool = false;

// The phase of this workgroup.
var<private> phase: Phase;
// The position whose vectors this invocation fetches: its picture, and where the first tap meets it in x.
var<private> position: vec3u;

@compute @workgroup_size(INVOCATIONS)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let number = quotient(group.z, params.tiles);
    let tile = group.y * groups.x + group.x;
    phase = phase_of(number);
    let place = place_of(local, A_ALONG_K);
    let block = block_of(phase, tile * QUADS + place.quad);
    position = vec3u(block.image[place.i], block.y[place.i], block.x[place.i]);
    multiply_tile(vec3u(group.z - number * params.tiles, tile, number), local);
}

// All vectors of k that a phase sums. Its loop runs around barriers, so the private `phase` must not bound it.
fn k_range(number: u32) -> vec2u {
    let summed = phase_of(number);
    let taps = summed.y.taps * summed.x.taps;
    return vec2u(0u, select(taps * params.source_vectors, (taps + 3u) / 4u, ONE_CHANNEL == 1u));
}

// What vector `k_quad` of k stands for.
struct Source {
    down: u32,  // the tap, counted in steps of the phase
    right: u32,
    vector: u32, // of x at a position
    inside: bool,
}

fn source_of(k_quad: u32) -> Source {
    let tap = quotient(k_quad, params.source_vectors);
    let down = quotient(tap, max(phase.x.taps, 1u));
    return Source(down, tap - down * phase.x.taps, k_quad - tap * params.source_vectors, down < phase.y.taps);
}

// The vector of x at the position that the tap meets, as `meet` finds it for four.
fn met(source: Source) -> vec4f {
    let y = select(position.y - source.down, position.y + source.down, WAY == GATHER);
    let at = select(position.z - source.right, position.z + source.right, WAY == GATHER);
    let inside = source.inside && y < params.source_height && at < params.source_width;
    let vector = (position.x + y * params.source_width + at) * params.source_vectors + source.vector;
    return select(vec4f(), x_at(select(0u, vector, inside)), inside);
}

fn fetch_a(place: Place, first_row: u32, k_quad: u32) -> vec4f {
    if (ONE_CHANNEL == 1u) {
        let tap = 4u * k_quad;
        return vec4f(
            met(source_of(tap)).x,
            met(source_of(tap + 1u)).x,
            met(source_of(tap + 2u)).x,
            met(source_of(tap + 3u)).x,
        );
    }
    return met(source_of(k_quad));
}

fn fetch_b(place: Place, first_quad: u32, k_quad: u32) -> vec4f {
    if (ONE_CHANNEL == 1u) {
        return grey_weights(4u * k_quad, 4u * first_quad, 4u * place.quad + place.i);
    }
    let source = source_of(k_quad);
    let tap = tap_of(phase, source.down, source.right);
    let at = weight_at(tap, 4u * first_quad, 4u * place.quad + place.i, source.vector);
    return select(vec4f(), w_at(select(0u, at, source.inside)), source.inside);
}

fn store_block(row: u32, column: u32, block: mat4x4f) {
    store_positions(block_of(phase, row / 4u), column, block);
}

fn store_bias(row: u32, sums: vec4f) {}
