// The product of `matmul/subgroup` for llvmpipe: operands in images, and a loop that Mesa keeps in registers.
//
// A workgroup is one subgroup of LANES invocations and computes ROWS x (4 LANES COLUMNS) of c. Every lane owns COLUMNS vec4 of
// columns and all ROWS rows. For every four k a lane loads its share of A's rows, passed on by subgroupShuffle, and 4 COLUMNS
// vectors of B.
//   NN, NT: the lane loads a[row, 4k..4k+3] of rows lane, LANES + lane, ...
//   TN:     the lane loads a[k, 4 rows] of the row quad lane, LANES + lane, ..., for each of the four k
// Grid: x over tiles of columns, y over tiles of rows. LANES must be the adapter's subgroup size.
//
// Mesa 22 to 26 unroll a loop of any size if its trip count is the length of the one array that it indexes, and then keep
// that array in registers; an array in a loop that stays a loop is read lane by lane. Hence the flat tile, and no branch in
// the loop over k.
//
// FUSED is a choice by measurement. Mesa 22 and 25 split fma in any case. Mesa 26 keeps it: on Intel's processors, whose units for
// sums are those for products, it is then 1.3 to 1.6 times as fast (Xeon of 2023); on AMD's, which have units for either, a * b + c
// is (Zen 3, 28.8 beside 22.4 GFLOP/s).

#import shared/operand_images
#import shared/matmul

const LAYOUT: u32 = 1u;
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const LANES: u32 = 8u;
const ROWS: u32 = 32u; // a multiple of 4, in TN of 4 LANES
const COLUMNS: u32 = 1u;
const FUSED: u32 = 0u; // 1: fma, which rounds once
const A_VECTORS: u32 = (ROWS + LANES - 1u) / LANES;
const LANE_QUADS: u32 = (A_VECTORS + 3u) / 4u; // row quads of a lane in TN

fn add_product(sum: vec4f, x: f32, b: vec4f) -> vec4f {
    if (FUSED == 1u) {
        return fma(vec4f(x), b, sum);
    }
    return sum + x * b;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let first_row = group.y * ROWS;
    // The columns of a lane lie LANES apart.
    let first_column = group.x * LANES * COLUMNS + lane;
    let last_column = (params.n + 3u) / 4u - 1u;
    let last_row = params.m - 1u;

    // Element i: column i % COLUMNS of row i / COLUMNS.
    var acc: array<vec4f, ROWS * COLUMNS>;
    for (var i = 0u; i < ROWS * COLUMNS; i++) {
        acc[i] = vec4f();
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
                own[v] = a_at((4u * k + v % 4u) * params.a_stride + row / 4u);
                if (EPILOGUE == GRADIENT) {
                    row_sums[v / 4u] += own[v];
                }
            } else {
                own[v] = a_at(min(first_row + v * LANES + lane, last_row) * params.a_stride + k);
            }
        }
        for (var row = 0u; row < ROWS; row++) {
            var x: vec4f; // the row of A at the four k
            if (LAYOUT == TN) {
                let v = 4u * (row / (4u * LANES));
                let from_lane = row / 4u % LANES;
                x = vec4f(
                    subgroupShuffle(own[v][row % 4u], from_lane),
                    subgroupShuffle(own[v + 1u][row % 4u], from_lane),
                    subgroupShuffle(own[v + 2u][row % 4u], from_lane),
                    subgroupShuffle(own[v + 3u][row % 4u], from_lane),
                );
            } else {
                x = subgroupShuffle(own[row / LANES], row % LANES);
            }
            for (var j = 0u; j < COLUMNS; j++) {
                let i = row * COLUMNS + j;
                acc[i] = add_product(acc[i], x.x, b_blocks[j][0]);
                acc[i] = add_product(acc[i], x.y, b_blocks[j][1]);
                acc[i] = add_product(acc[i], x.z, b_blocks[j][2]);
                acc[i] = add_product(acc[i], x.w, b_blocks[j][3]);
            }
        }
    }
    if (EPILOGUE == GRADIENT && group.x == 0u) {
        for (var v = 0u; v < LANE_QUADS; v++) {
            store_bias(first_row + 4u * (v * LANES + lane), row_sums[v]);
        }
    }
    for (var i = 0u; i < ROWS * COLUMNS; i++) {
        store_row(first_row + i / COLUMNS, first_column + i % COLUMNS * LANES, acc[i]);
    }
}
