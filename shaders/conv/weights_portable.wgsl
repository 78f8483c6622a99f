// The gradient of a convolution's weights for every adapter: no subgroups, no workgroup memory, no barrier
// (`shared/conv_weights`).
//
// Each invocation computes ROWS rows of one vector of a part in registers: for every four positions it loads 4 + ROWS
// vectors for 16 ROWS multiply-adds. The coarse picture's are the same for all invocations of a workgroup, so that a real
// card's cache broadcasts them.

#import shared/weights_operands
#import shared/conv_weights

const BIAS: u32 = 0u;
const WORKGROUP: u32 = 32u;
const ROWS: u32 = 16u; // a multiple of 4
const QUADS: u32 = ROWS / 4u;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let first_row = group.y * ROWS;
    let number = group.x * WORKGROUP + local;
    let column = column_of(number);
    stored_part = group.z;
    let begin = group.z * params.length;
    let end = min(begin + params.length, params.count * params.coarse_height * params.coarse_width);
    var place = position_of(begin);

    var acc: array<mat4x4f, QUADS>;
    var row_sums: array<vec4f, QUADS>;
    for (var i = 0u; i < QUADS; i++) {
        acc[i] = mat4x4f();
    }
    let sums = BIAS == 1u && group.x == 0u;
    for (var position = begin; position < end; position += 4u) {
        let run = load_fine(place, column);
        place = run.next;
        for (var i = 0u; i < QUADS; i++) {
            let coarse_block = transpose(mat4x4f(
                coarse_vector(coarse_at(position, first_row, i)),
                coarse_vector(coarse_at(position + 1u, first_row, i)),
                coarse_vector(coarse_at(position + 2u, first_row, i)),
                coarse_vector(coarse_at(position + 3u, first_row, i)),
            ));
            if (sums) {
                row_sums[i] = add_rows(row_sums[i], coarse_block);
            }
            acc[i] = multiply_add(acc[i], coarse_block, run.block);
        }
    }
    for (var i = 0u; i < QUADS; i++) {
        store_block(first_row + 4u * i, number, acc[i]);
        if (sums && local == 0u) {
            store_bias(first_row + 4u * i, row_sums[i]);
        }
    }
}
