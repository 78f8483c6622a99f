// A product for real cards: tiles in workgroup memory, blocks in registers.
//
// A workgroup of SIDE x SIDE invocations computes a tile of 4 SIDE BLOCKS rows and as many columns of c. An invocation
// owns BLOCKS x BLOCKS blocks of 4 x 4, SIDE blocks apart, so that neighbours read neighbouring words. The operands pass
// through workgroup memory, 4 K_QUADS k at a time, in two buffers: while one is multiplied, the vectors of the next are
// already on their way to registers, and one barrier per round is enough.
// Vectors keep the direction that they have in storage; the blocks of an operand whose vectors run the other way are
// transposed in registers, which costs nothing. Within a row of the tile, columns are permuted by exclusive or, so that
// neither the stores nor the loads of 8 neighbouring invocations conflict in a bank.
// Grid: x over tiles of columns, y over tiles of rows, z over parts of k.
//
// The importer defines TileVector, the type of the tile's vectors (vec4f, or vec4h for half the memory); the constants SIDE,
// BLOCKS, K_QUADS, A_ALONG_K, B_ALONG_K and, for whether A's rows are summed up beside, SUMS_ROWS; and
//   k_range(z)                              the blocks of four k to sum, first and end
//   fetch_a(place, first_row, k_quad)       a vector of A's tile; of B's: fetch_b(place, first_quad, k_quad)
//   store_block(row, column, block)         stores a block of c
//   store_bias(row, sums)                   stores the sums of four of A's rows
// Sums are kept in 32 bits.

#import shared/place

const INVOCATIONS: u32 = SIDE * SIDE;
// Blocks along a side of the tile.
const QUADS: u32 = SIDE * BLOCKS;
// Vectors of one operand's tile: QUADS x K_QUADS blocks of four.
const VECTORS: u32 = 4u * K_QUADS * QUADS;
const LOADS: u32 = VECTORS / INVOCATIONS;
const BANK_GROUPS: u32 = 8u; // vectors in one row of all banks, on common cards

var<workgroup> a_tile: array<TileVector, 2u * VECTORS>;
var<workgroup> b_tile: array<TileVector, 2u * VECTORS>;

fn address(place: Place, buffer: u32) -> u32 {
    let row = place.i * K_QUADS + place.k_quad;
    return buffer * VECTORS + row * QUADS + (place.quad ^ (row % BANK_GROUPS));
}

// One vector of a block of A: four k of a row, or four rows at one k.
fn a_vector(quad: u32, k_quad: u32, i: u32, buffer: u32) -> vec4f {
    return vec4f(a_tile[address(Place(quad, k_quad, i), buffer)]);
}

fn b_block(quad: u32, k_quad: u32, buffer: u32) -> mat4x4f {
    let block = mat4x4f(
        vec4f(b_tile[address(Place(quad, k_quad, 0u), buffer)]),
        vec4f(b_tile[address(Place(quad, k_quad, 1u), buffer)]),
        vec4f(b_tile[address(Place(quad, k_quad, 2u), buffer)]),
        vec4f(b_tile[address(Place(quad, k_quad, 3u), buffer)]),
    );
    if (B_ALONG_K) {
        return transpose(block);
    }
    return block;
}

// c + A B at one k, where a vector of A holds four rows: the four blocks' columns of c by the row of B.
fn column_multiply_add(c_block: mat4x4f, a_column: vec4f, b_row: vec4f) -> mat4x4f {
    return mat4x4f(
        fma(vec4f(a_column.x), b_row, c_block[0]),
        fma(vec4f(a_column.y), b_row, c_block[1]),
        fma(vec4f(a_column.z), b_row, c_block[2]),
        fma(vec4f(a_column.w), b_row, c_block[3]),
    );
}

fn multiply_tile(group: vec3u, local: u32) {
    let first_row = 4u * QUADS * group.y;
    let first_quad = QUADS * group.x;
    let row_quad = local / SIDE;
    let column_quad = local % SIDE;
    let range = k_range(group.z);
    let rounds = (range.y - range.x + K_QUADS - 1u) / K_QUADS;

    var acc: array<array<mat4x4f, BLOCKS>, BLOCKS>;
    for (var i = 0u; i < BLOCKS; i++) {
        for (var j = 0u; j < BLOCKS; j++) {
            acc[i][j] = mat4x4f();
        }
    }
    var row_sums: array<vec4f, BLOCKS>;
    let sums_rows = SUMS_ROWS && group.x == 0u;
    var next_a: array<vec4f, LOADS>;
    var next_b: array<vec4f, LOADS>;
    for (var round = 0u; round <= rounds; round++) {
        // Fetch the tiles of this round, multiply those of the round before, then store the fetched ones.
        if (round < rounds) {
            for (var n = 0u; n < LOADS; n++) {
                let a_place = place_of(local + n * INVOCATIONS, A_ALONG_K);
                let b_place = place_of(local + n * INVOCATIONS, B_ALONG_K);
                next_a[n] = fetch_a(a_place, first_row, range.x + round * K_QUADS + a_place.k_quad);
                next_b[n] = fetch_b(b_place, first_quad, range.x + round * K_QUADS + b_place.k_quad);
            }
        }
        if (round > 0u) {
            let buffer = (round - 1u) % 2u;
            // By itself: within the products below it took 12 registers more, and AMD's RDNA 3 held 8 waves, not 10.
            if (sums_rows && column_quad == 0u) {
                for (var k = 0u; k < K_QUADS; k++) {
                    for (var i = 0u; i < BLOCKS; i++) {
                        for (var at = 0u; at < 4u; at++) {
                            row_sums[i] += a_vector(row_quad + i * SIDE, k, at, buffer);
                        }
                    }
                }
            }
            for (var k = 0u; k < K_QUADS; k++) {
                var b_blocks: array<mat4x4f, BLOCKS>;
                for (var j = 0u; j < BLOCKS; j++) {
                    b_blocks[j] = b_block(column_quad + j * SIDE, k, buffer);
                }
                for (var i = 0u; i < BLOCKS; i++) {
                    // A's vectors one at a time: with whole blocks, tiles of 128 took 136 to 144 registers where this takes 120, so
                    // that NVIDIA's cards held 12 waves, not 16, and Apple's compiler spilled. The order of k is the same.
                    let quad = row_quad + i * SIDE;
                    for (var at = 0u; at < 4u; at++) {
                        let a_now = a_vector(quad, k, at, buffer);
                        for (var j = 0u; j < BLOCKS; j++) {
                            if (A_ALONG_K) {
                                acc[i][j][at] = row_multiply_add(acc[i][j][at], a_now, b_blocks[j]);
                            } else {
                                acc[i][j] = column_multiply_add(acc[i][j], a_now, b_blocks[j][at]);
                            }
                        }
                    }
                }
            }
        }
        if (round < rounds) {
            for (var n = 0u; n < LOADS; n++) {
                a_tile[address(place_of(local + n * INVOCATIONS, A_ALONG_K), round % 2u)] = TileVector(next_a[n]);
                b_tile[address(place_of(local + n * INVOCATIONS, B_ALONG_K), round % 2u)] = TileVector(next_b[n]);
            }
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < BLOCKS; i++) {
        if (sums_rows && column_quad == 0u) {
            store_bias(first_row + 4u * (row_quad + i * SIDE), row_sums[i]);
        }
        for (var j = 0u; j < BLOCKS; j++) {
            let row = first_row + 4u * (row_quad + i * SIDE);
            store_block(row, first_quad + column_quad + j * SIDE, acc[i][j]);
        }
    }
}
