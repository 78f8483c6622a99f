// Matrix multiplication for every adapter: no subgroups, no workgroup memory, no barrier.
//
// Each invocation computes ROWS x COLUMNS vec4 of c in registers, with operands straight from memory: for every
// four k it loads ROWS + 4 COLUMNS vectors for 16 ROWS COLUMNS multiply-adds. Neighbouring invocations take
// neighbouring columns, so that a real card's cache serves b in whole lines and broadcasts a.
// Grid: x over tiles of columns, y over tiles of rows.
//
// The importer says where the operands are.

#import shared/matmul

const LAYOUT: u32 = 1u;
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const WORKGROUP: u32 = 8u;
const ROWS: u32 = 8u; // a multiple of 4
const COLUMNS: u32 = 2u;
const QUADS: u32 = ROWS / 4u;

// The block of A at four rows, four k.
fn load_a(row: u32, k: u32) -> mat4x4f {
    if (LAYOUT == TN) {
        let at = 4u * k * params.a_stride + min(row, params.m - 1u) / 4u;
        return transpose(mat4x4f(
            a_at(at),
            a_at(at + params.a_stride),
            a_at(at + 2u * params.a_stride),
            a_at(at + 3u * params.a_stride),
        ));
    }
    let last = params.m - 1u;
    return mat4x4f(
        a_at(min(row, last) * params.a_stride + k),
        a_at(min(row + 1u, last) * params.a_stride + k),
        a_at(min(row + 2u, last) * params.a_stride + k),
        a_at(min(row + 3u, last) * params.a_stride + k),
    );
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let first_row = group.y * ROWS;
    // The columns of an invocation lie WORKGROUP apart.
    let first_column = group.x * WORKGROUP * COLUMNS + local;
    let last_column = (params.n + 3u) / 4u - 1u;

    var acc: array<array<mat4x4f, COLUMNS>, QUADS>;
    for (var i = 0u; i < QUADS; i++) {
        for (var j = 0u; j < COLUMNS; j++) {
            acc[i][j] = mat4x4f();
        }
    }
    var row_sums: array<vec4f, QUADS>;
    for (var k = 0u; k < (params.k + 3u) / 4u; k++) {
        var b_blocks: array<mat4x4f, COLUMNS>;
        for (var j = 0u; j < COLUMNS; j++) {
            b_blocks[j] = load_b(k, min(first_column + j * WORKGROUP, last_column));
        }
        for (var i = 0u; i < QUADS; i++) {
            let a_block = load_a(first_row + 4u * i, k);
            if (EPILOGUE == GRADIENT) {
                row_sums[i] = add_rows(row_sums[i], a_block);
            }
            for (var j = 0u; j < COLUMNS; j++) {
                acc[i][j] = multiply_add(acc[i][j], a_block, b_blocks[j]);
            }
        }
    }
    for (var i = 0u; i < QUADS; i++) {
        if (EPILOGUE == GRADIENT && first_column == 0u) {
            store_bias(first_row + 4u * i, row_sums[i]);
        }
        for (var j = 0u; j < COLUMNS; j++) {
            store_block(first_row + 4u * i, first_column + j * WORKGROUP, acc[i][j]);
        }
    }
}
