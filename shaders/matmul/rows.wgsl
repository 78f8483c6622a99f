// Matrix multiplication for a few rows of c, one above all, without subgroups: no workgroup memory, no barrier. TN is not for it.
//
// Each invocation computes ROWS x COLUMNS vec4 of c in registers, with operands straight from memory: for every four k and vec4 of
// columns it loads ROWS + 4 vectors for 16 ROWS multiply-adds, and none of a row past those of c. Blocks of b are not kept in an
// array, which software adapters would keep in memory. Neighbouring invocations take neighbouring columns.
// Grid: x over tiles of columns, y over tiles of rows.

#import shared/operands
#import shared/matmul

const LAYOUT: u32 = 1u;
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const WORKGROUP: u32 = 16u;
const ROWS: u32 = 1u;
const COLUMNS: u32 = 1u;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let first_row = group.y * ROWS;
    // The columns of an invocation lie WORKGROUP apart.
    let first_column = group.x * WORKGROUP * COLUMNS + local;
    let last_column = (params.n + 3u) / 4u - 1u;

    var acc: array<array<vec4f, COLUMNS>, ROWS>;
    for (var i = 0u; i < ROWS; i++) {
        for (var j = 0u; j < COLUMNS; j++) {
            acc[i][j] = vec4f();
        }
    }
    for (var k = 0u; k < (params.k + 3u) / 4u; k++) {
        for (var j = 0u; j < COLUMNS; j++) {
            let b_block = load_b(k, min(first_column + j * WORKGROUP, last_column));
            for (var i = 0u; i < ROWS; i++) {
                let a_row = a_at(min(first_row + i, params.m - 1u) * params.a_stride + k);
                acc[i][j] = row_multiply_add(acc[i][j], a_row, b_block);
            }
        }
    }
    for (var i = 0u; i < ROWS; i++) {
        for (var j = 0u; j < COLUMNS; j++) {
            store_row(first_row + i, first_column + j * WORKGROUP, acc[i][j]);
        }
    }
}
