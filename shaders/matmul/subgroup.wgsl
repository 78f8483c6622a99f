// Matrix multiplication with register tiles, whose operand A is passed from lane to lane by subgroupShuffle.
//
// A workgroup is one subgroup of LANES invocations and computes ROWS x (4 LANES COLUMNS) of c. Every lane owns
// COLUMNS vec4 of columns and all ROWS rows. For every four k a lane loads only its share of A's rows and passes
// them on by shuffle: ROWS / LANES vectors of A and 4 COLUMNS of B for 16 ROWS COLUMNS multiply-adds. Loads decide the
// speed of software adapters: one that differs by lane costs some thirty multiply-adds.
//   NN, NT: the lane loads a[row, 4k..4k+3] of rows lane, LANES + lane, ...
//   TN:     the lane loads a[k, 4 rows] of the row quad lane, LANES + lane, ..., for each of the four k
// Grid: x over tiles of columns, y over tiles of rows. LANES must be the adapter's subgroup size.

#import shared/operands
#import shared/matmul

const LAYOUT: u32 = 1u;
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const LANES: u32 = 8u;
const ROWS: u32 = 32u; // a multiple of 4, in TN of 4 LANES
const COLUMNS: u32 = 1u;
const QUADS: u32 = ROWS / 4u;
const A_VECTORS: u32 = (ROWS + LANES - 1u) / LANES;
const LANE_QUADS: u32 = (A_VECTORS + 3u) / 4u; // row quads of a lane in TN

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let first_row = group.y * ROWS;
    // The columns of a lane lie LANES apart.
    let first_column = group.x * LANES * COLUMNS + lane;
    let last_column = (params.n + 3u) / 4u - 1u;
    let last_row = params.m - 1u;

    // Mesa unrolls a loop of any size if its trip count is the length of the array that it indexes; the tile then
    // lies in registers instead of memory.
    var acc: array<array<mat4x4f, COLUMNS>, QUADS>;
    for (var i = 0u; i < QUADS; i++) {
        for (var j = 0u; j < COLUMNS; j++) {
            acc[i][j] = mat4x4f();
        }
    }
    var row_sums: array<vec4f, LANE_QUADS>;
    for (var k = 0u; k < (params.k + 3u) / 4u; k++) {
        var b_blocks: array<mat4x4f, COLUMNS>;
        for (var j = 0u; j < COLUMNS; j++) {
            b_blocks[j] = load_b(k, min(first_column + j * LANES, last_column));
        }
        // NN, NT: own[v] = four k of row v LANES + lane.   TN: own[4 v + q] = row quad v LANES + lane at k = 4 k + q.
        var own: array<vec4f, A_VECTORS>;
        for (var v = 0u; v < A_VECTORS; v++) {
            if (LAYOUT == TN) {
                let row = min(first_row + 4u * ((v / 4u) * LANES + lane), last_row);
                own[v] = a[(4u * k + v % 4u) * params.a_stride + row / 4u];
                if (EPILOGUE == GRADIENT) {
                    row_sums[v / 4u] += own[v];
                }
            } else {
                own[v] = a[min(first_row + v * LANES + lane, last_row) * params.a_stride + k];
            }
        }
        for (var i = 0u; i < QUADS; i++) {
            var a_block: mat4x4f;
            if (LAYOUT == TN) {
                let v = 4u * (i / LANES);
                let from_lane = i % LANES;
                a_block = transpose(mat4x4f(
                    subgroupShuffle(own[v], from_lane),
                    subgroupShuffle(own[v + 1u], from_lane),
                    subgroupShuffle(own[v + 2u], from_lane),
                    subgroupShuffle(own[v + 3u], from_lane),
                ));
            } else {
                let v = 4u * i / LANES;
                let from_lane = 4u * i % LANES;
                a_block = mat4x4f(
                    subgroupShuffle(own[v], from_lane),
                    subgroupShuffle(own[v], from_lane + 1u),
                    subgroupShuffle(own[v], from_lane + 2u),
                    subgroupShuffle(own[v], from_lane + 3u),
                );
            }
            for (var j = 0u; j < COLUMNS; j++) {
                acc[i][j] = multiply_add(acc[i][j], a_block, b_blocks[j]);
            }
        }
    }
    if (EPILOGUE == GRADIENT && group.x == 0u) {
        for (var v = 0u; v < LANE_QUADS; v++) {
            store_bias(first_row + 4u * (v * LANES + lane), row_sums[v]);
        }
    }
    for (var i = 0u; i < QUADS; i++) {
        for (var j = 0u; j < COLUMNS; j++) {
            store_block(first_row + 4u * i, first_column + j * LANES, acc[i][j]);
        }
    }
}
