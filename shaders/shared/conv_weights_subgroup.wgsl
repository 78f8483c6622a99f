// The gradient of a convolution's weights, with the coarse picture passed from lane to lane by subgroupShuffle
// (`shared/conv_weights`).
//
// A workgroup is one subgroup of LANES invocations and computes ROWS rows x LANES vectors of a part. For every four
// positions a lane loads its vector's four of the fine picture, and its share of the coarse one's, which it passes on:
// 4 + ROWS / LANES vectors for 16 ROWS multiply-adds. LANES must be the adapter's subgroup size.
//
// The importer says where the operands are.

#import shared/conv_weights

const BIAS: u32 = 0u;
const LANES: u32 = 8u;
const ROWS: u32 = 32u; // a multiple of 4
const QUADS: u32 = ROWS / 4u;
const OWN: u32 = (ROWS + LANES - 1u) / LANES;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let first_row = group.y * ROWS;
    let number = group.x * LANES + lane;
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
        // own[v]: rows 4 (n / 4)... at position + n % 4, with n = v LANES + lane.
        var own: array<vec4f, OWN>;
        for (var v = 0u; v < OWN; v++) {
            let n = v * LANES + lane;
            own[v] = coarse_vector(coarse_at(position + n % 4u, first_row, n / 4u));
        }
        for (var i = 0u; i < QUADS; i++) {
            let v = 4u * i / LANES;
            let from_lane = 4u * i % LANES;
            let coarse_block = transpose(mat4x4f(
                subgroupShuffle(own[v], from_lane),
                subgroupShuffle(own[v], from_lane + 1u),
                subgroupShuffle(own[v], from_lane + 2u),
                subgroupShuffle(own[v], from_lane + 3u),
            ));
            if (sums) {
                row_sums[i] = add_rows(row_sums[i], coarse_block);
            }
            acc[i] = multiply_add(acc[i], coarse_block, run.block);
        }
    }
    for (var i = 0u; i < QUADS; i++) {
        store_block(first_row + 4u * i, number, acc[i]);
        if (sums && lane == 0u) {
            store_bias(first_row + 4u * i, row_sums[i]);
        }
    }
}
