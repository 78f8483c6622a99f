// Convolution for every adapter: no subgroups, no workgroup memory, no barrier (`shared/conv`).
//
// Each invocation computes four positions x CHANNELS channels of c in registers: for each tap and four channels of x it
// loads 4 + CHANNELS vectors for 16 CHANNELS multiply-adds. The weights are the same for all invocations of a workgroup, so
// that a real card's cache broadcasts them.

#import shared/conv_operands
#import shared/conv

const WAY: u32 = 0u;
const ONE_CHANNEL: u32 = 0u; // in GATHER, of one channel
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const WORKGROUP: u32 = 32u;
const CHANNELS: u32 = 16u; // a multiple of 4
const QUADS: u32 = CHANNELS / 4u;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let number = quotient(group.z, params.tiles);
    let first_channel = (group.z - number * params.tiles) * CHANNELS;
    let phase = phase_of(number);
    let block = block_of(phase, (group.y * groups.x + group.x) * WORKGROUP + local);

    var acc: array<mat4x4f, QUADS>;
    for (var i = 0u; i < QUADS; i++) {
        acc[i] = mat4x4f();
    }
    for (var tap = 0u; ONE_CHANNEL == 1u && tap < params.kernel * params.kernel; tap += 4u) {
        let x_block = load_grey(block, tap);
        for (var i = 0u; i < QUADS; i++) {
            acc[i] = multiply_add(acc[i], x_block, weight_block(
                grey_weights(tap, first_channel, 4u * i),
                grey_weights(tap, first_channel, 4u * i + 1u),
                grey_weights(tap, first_channel, 4u * i + 2u),
                grey_weights(tap, first_channel, 4u * i + 3u),
            ));
        }
    }
    for (var down = 0u; ONE_CHANNEL == 0u && down < phase.y.taps; down++) {
        for (var right = 0u; right < phase.x.taps; right++) {
            let tap = tap_of(phase, down, right);
            let meeting = meet(block, down, right);
            for (var k = 0u; k < params.source_vectors; k++) {
                let x_block = load_x(meeting, k);
                for (var i = 0u; i < QUADS; i++) {
                    acc[i] = multiply_add(acc[i], x_block, weight_block(
                        w_at(weight_at(tap, first_channel, 4u * i, k)),
                        w_at(weight_at(tap, first_channel, 4u * i + 1u, k)),
                        w_at(weight_at(tap, first_channel, 4u * i + 2u, k)),
                        w_at(weight_at(tap, first_channel, 4u * i + 3u, k)),
                    ));
                }
            }
        }
    }
    for (var i = 0u; i < QUADS; i++) {
        store_positions(block, first_channel / 4u + i, acc[i]);
    }
}
