// Convolution with register tiles, whose weights are passed from lane to lane by subgroupShuffle (`shared/conv`).
//
// A workgroup is one subgroup of LANES invocations and computes 4 LANES positions x CHANNELS channels of c. Every lane owns
// four positions and all channels. For each tap and four channels of x a lane loads its positions' four vectors of x, and
// its share of the weights, which it passes on: 4 + CHANNELS / LANES vectors for 16 CHANNELS multiply-adds.
// LANES must be the adapter's subgroup size.
//
// The importer says where the operands are.

#import shared/conv

const WAY: u32 = 0u;
const ONE_CHANNEL: u32 = 0u; // in GATHER, of one channel
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const LANES: u32 = 8u;
const CHANNELS: u32 = 32u; // a multiple of 4
const QUADS: u32 = CHANNELS / 4u;
const OWN: u32 = (CHANNELS + LANES - 1u) / LANES;

// Adds the products with the weights of all lanes.
fn multiply(acc: ptr<function, array<mat4x4f, QUADS>>, x_block: mat4x4f, own: array<vec4f, OWN>) {
    var weights = own;
    for (var i = 0u; i < QUADS; i++) {
        let v = 4u * i / LANES;
        let from_lane = 4u * i % LANES;
        (*acc)[i] = multiply_add((*acc)[i], x_block, weight_block(
            subgroupShuffle(weights[v], from_lane),
            subgroupShuffle(weights[v], from_lane + 1u),
            subgroupShuffle(weights[v], from_lane + 2u),
            subgroupShuffle(weights[v], from_lane + 3u),
        ));
    }
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let number = quotient(group.z, params.tiles);
    let first_channel = (group.z - number * params.tiles) * CHANNELS;
    let phase = phase_of(number);
    let block = block_of(phase, (group.y * groups.x + group.x) * LANES + lane);

    // The trip counts of these loops are the lengths of their arrays: Mesa then keeps the tile in registers.
    var acc: array<mat4x4f, QUADS>;
    for (var i = 0u; i < QUADS; i++) {
        acc[i] = mat4x4f();
    }
    for (var tap = 0u; ONE_CHANNEL == 1u && tap < params.kernel * params.kernel; tap += 4u) {
        var own: array<vec4f, OWN>;
        for (var v = 0u; v < OWN; v++) {
            own[v] = grey_weights(tap, first_channel, v * LANES + lane);
        }
        multiply(&acc, load_grey(block, tap), own);
    }
    for (var down = 0u; ONE_CHANNEL == 0u && down < phase.y.taps; down++) {
        for (var right = 0u; right < phase.x.taps; right++) {
            let tap = tap_of(phase, down, right);
            let meeting = meet(block, down, right);
            for (var k = 0u; k < params.source_vectors; k++) {
                let x_block = load_x(meeting, k);
                var own: array<vec4f, OWN>;
                for (var v = 0u; v < OWN; v++) {
                    own[v] = w_at(weight_at(tap, first_channel, v * LANES + lane, k));
                }
                multiply(&acc, x_block, own);
            }
        }
    }
    for (var i = 0u; i < QUADS; i++) {
        store_positions(block, first_channel / 4u + i, acc[i]);
    }
}
