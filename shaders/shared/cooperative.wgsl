// A product by cooperative matrices, WGSL's name for tensor cores, matrix cores and simdgroup matrices. The invocations of a
// subgroup hold SIZE x SIZE matrices together and multiply two of 16-bit floats into one of 32 bits at once.
//
// A workgroup computes a tile of TILE x TILE of c in four quadrants, two per side. A quadrant is BLOCKS x BLOCKS matrices, which
// one subgroup keeps for all of k. The operands' tiles, K_TILE k wide and rounded to 16 bits, pass through workgroup memory
// in BUFFERS buffers: with two of them, one barrier per round is enough. Sums go back through workgroup memory, one matrix
// of each quadrant at a time, where any invocation can take four columns of a row and finish them.
// The adapter decides how many subgroups a workgroup has. With fewer than QUADRANTS, the tile takes more than one pass over k.
// Subgroups past QUADRANTS repeat the last one, the same sums to the same place, since all invocations must reach every
// cooperative operation.
// Rows of a tile keep the direction that they have in storage (a load says which it is). Their stride is a power of two plus
// ROW_PAD, so that the rows of a matrix do not conflict in a bank. Loads need rows that are multiples of 16 bytes.
// Grid: x over tiles of columns, y over tiles of rows, z over parts of k.
//
// The importer defines SIZE, and the matrices that hold SIZE x SIZE elements of A, B and c: Left, Right and Sum.

#import shared/operands
#import shared/matmul
#import shared/fetch

const LAYOUT: u32 = 1u;
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const BLOCKS: u32 = 2u;
const WORKGROUP: u32 = 128u;
const QUADRANTS: u32 = 4u;
const QUADRANT: u32 = BLOCKS * SIZE; // rows and columns of a quadrant
const TILE: u32 = 2u * QUADRANT;
const K_TILE: u32 = 16u; // a multiple of SIZE
// Blocks of 4 x 4 along a side of the tile, and along k.
const QUADS: u32 = TILE / 4u;
const K_QUADS: u32 = K_TILE / 4u;
// Vectors of one operand's tile that an invocation fetches: WORKGROUP divides the tile's vectors.
const LOADS: u32 = TILE * K_QUADS / WORKGROUP;
// As many as keep workgroup memory within 16 KiB, which every adapter has.
const BUFFERS: u32 = select(1u, 2u, TILE < 128u);
const ROW_PAD: u32 = 8u;
const K_STRIDE: u32 = K_TILE + ROW_PAD;  // of a tile whose rows run along k
const ROW_STRIDE: u32 = TILE + ROW_PAD;  // of one whose rows run along c's rows or columns
const OPERAND: u32 = TILE * K_STRIDE;    // elements of a buffer, enough for K_TILE * ROW_STRIDE too
const MATRIX: u32 = SIZE * SIZE;
const MATRIX_VECTORS: u32 = MATRIX / 4u;
const STORES: u32 = (QUADRANTS * MATRIX_VECTORS + WORKGROUP - 1u) / WORKGROUP;

var<workgroup> a_tile: array<f16, BUFFERS * OPERAND>;
var<workgroup> b_tile: array<f16, BUFFERS * OPERAND>;
var<workgroup> sums: array<f32, QUADRANTS * MATRIX>;

// Where a vector's elements begin in its tile.
fn address(place: Place, along_k: bool, buffer: u32) -> u32 {
    if (along_k) {
        return buffer * OPERAND + (4u * place.quad + place.i) * K_STRIDE + 4u * place.k_quad;
    }
    return buffer * OPERAND + (4u * place.k_quad + place.i) * ROW_STRIDE + 4u * place.quad;
}

// An invocation's share of both tiles.
struct Fetched {
    a: array<vec4f, LOADS>,
    b: array<vec4f, LOADS>,
}

fn fetch_tiles(local: u32, first_row: u32, first_quad: u32, first_k_quad: u32) -> Fetched {
    var fetched: Fetched;
    for (var n = 0u; n < LOADS; n++) {
        let a_place = place_of(local + n * WORKGROUP, A_ALONG_K);
        let b_place = place_of(local + n * WORKGROUP, B_ALONG_K);
        fetched.a[n] = fetch_a(a_place, first_row, first_k_quad + a_place.k_quad);
        fetched.b[n] = fetch_b(b_place, first_quad, first_k_quad + b_place.k_quad);
    }
    return fetched;
}

fn keep_tiles(local: u32, fetched: Fetched, buffer: u32) {
    for (var n = 0u; n < LOADS; n++) {
        let a_at = address(place_of(local + n * WORKGROUP, A_ALONG_K), A_ALONG_K, buffer);
        let b_at = address(place_of(local + n * WORKGROUP, B_ALONG_K), B_ALONG_K, buffer);
        let a_halves = vec4h(fetched.a[n]);
        let b_halves = vec4h(fetched.b[n]);
        for (var i = 0u; i < 4u; i++) {
            a_tile[a_at + i] = a_halves[i];
            b_tile[b_at + i] = b_halves[i];
        }
    }
}

// The matrix of A at a row of the tile and k, and that of B at a column and k.
fn left(row: u32, k: u32, buffer: u32) -> Left {
    if (A_ALONG_K) {
        return coopLoadT<Left>(&a_tile[buffer * OPERAND + row * K_STRIDE + k], K_STRIDE);
    }
    return coopLoad<Left>(&a_tile[buffer * OPERAND + k * ROW_STRIDE + row], ROW_STRIDE);
}

fn right(column: u32, k: u32, buffer: u32) -> Right {
    if (B_ALONG_K) {
        return coopLoad<Right>(&b_tile[buffer * OPERAND + column * K_STRIDE + k], K_STRIDE);
    }
    return coopLoadT<Right>(&b_tile[buffer * OPERAND + k * ROW_STRIDE + column], ROW_STRIDE);
}

// Adds four of A's rows over one tile to an invocation's sums, k by k: all variants give the same bits. In TN only, where
// a tile's rows run along A's rows.
fn add_tile_rows(sums_so_far: vec4f, quad: u32, buffer: u32) -> vec4f {
    var row_sums = sums_so_far;
    for (var k = 0u; k < K_TILE; k++) {
        let at = buffer * OPERAND + k * ROW_STRIDE + 4u * quad;
        row_sums += vec4f(f32(a_tile[at]), f32(a_tile[at + 1u]), f32(a_tile[at + 2u]), f32(a_tile[at + 3u]));
    }
    return row_sums;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroup_count: u32,
) {
    let first_row = TILE * group.y;
    let first_quad = QUADS * group.x;
    stored_part = group.z;
    let range = k_range(group.z);
    let rounds = (range.y - range.x + K_QUADS - 1u) / K_QUADS;
    let sums_rows = EPILOGUE == GRADIENT && group.x == 0u;

    // Loops around barriers must run equally often for all invocations, for the compiler to see: hence the count goes
    // through workgroup memory.
    if (local == 0u) {
        sums[0] = f32(subgroup_count);
    }
    workgroupBarrier();
    let subgroups = max(u32(sums[0]), 1u);
    workgroupBarrier();
    for (var n = local; n < MATRIX; n += WORKGROUP) {
        sums[n] = 0.0;
    }
    workgroupBarrier();
    let zeros = coopLoadT<Sum>(&sums[0], SIZE);
    workgroupBarrier();

    for (var first_quadrant = 0u; first_quadrant < QUADRANTS; first_quadrant += subgroups) {
        let quadrant = min(first_quadrant + subgroup, QUADRANTS - 1u);
        let quadrant_row = quadrant / 2u * QUADRANT;
        let quadrant_column = quadrant % 2u * QUADRANT;
        var acc: array<array<Sum, BLOCKS>, BLOCKS>;
        for (var i = 0u; i < BLOCKS; i++) {
            for (var j = 0u; j < BLOCKS; j++) {
                acc[i][j] = zeros;
            }
        }
        var row_sums = vec4f(0.0);
        keep_tiles(local, fetch_tiles(local, first_row, first_quad, range.x), 0u);
        workgroupBarrier();
        for (var round = 0u; round < rounds; round++) {
            // Fetch the tiles of the next round (zeros past the last), multiply those of this one, then keep the fetched ones.
            let next = fetch_tiles(local, first_row, first_quad, range.x + (round + 1u) * K_QUADS);
            let buffer = round % BUFFERS;
            for (var k = 0u; k < K_TILE; k += SIZE) {
                // Each matrix of the tiles is loaded once a quadrant.
                var b_now: array<Right, BLOCKS>;
                for (var j = 0u; j < BLOCKS; j++) {
                    b_now[j] = right(quadrant_column + j * SIZE, k, buffer);
                }
                for (var i = 0u; i < BLOCKS; i++) {
                    let a_now = left(quadrant_row + i * SIZE, k, buffer);
                    for (var j = 0u; j < BLOCKS; j++) {
                        acc[i][j] = coopMultiplyAdd(a_now, b_now[j], acc[i][j]);
                    }
                }
            }
            if (sums_rows && first_quadrant == 0u && local < QUADS) {
                row_sums = add_tile_rows(row_sums, local, buffer);
            }
            if (BUFFERS == 1u) {
                workgroupBarrier();
            }
            keep_tiles(local, next, (round + 1u) % BUFFERS);
            workgroupBarrier();
        }
        if (sums_rows && first_quadrant == 0u && local < QUADS) {
            store_bias(first_row + 4u * local, row_sums);
        }
        for (var i = 0u; i < BLOCKS; i++) {
            for (var j = 0u; j < BLOCKS; j++) {
                coopStoreT(acc[i][j], &sums[(quadrant - first_quadrant) * MATRIX], SIZE);
                workgroupBarrier();
                for (var n = 0u; n < STORES; n++) {
                    let index = local + n * WORKGROUP;
                    let stored = first_quadrant + index / MATRIX_VECTORS;
                    if (index / MATRIX_VECTORS < subgroups && stored < QUADRANTS) {
                        let row = index % MATRIX_VECTORS / (SIZE / 4u);
                        let column = index % (SIZE / 4u);
                        store_four(
                            first_row + stored / 2u * QUADRANT + i * SIZE + row,
                            first_quad + (stored % 2u * QUADRANT + j * SIZE) / 4u + column,
                            4u * index,
                        );
                    }
                }
                workgroupBarrier();
            }
        }
    }
}

// Stores four columns of a row of c from the sums at `at`.
fn store_four(row: u32, column: u32, at: u32) {
    if (row < params.m && 4u * column < params.n) {
        var bias = vec4f();
        if (EPILOGUE == FORWARD) {
            bias = extra[column];
        }
        store(row, column, vec4f(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]), bias);
    }
}
