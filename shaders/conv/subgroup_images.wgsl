// A convolution by subgroups (`shared/conv_subgroup`), with operands in images.

#import shared/conv_operand_images
#import shared/conv_subgroup

const WAY: u32 = 0u;
const ONE_CHANNEL: u32 = 0u; // in GATHER, of one channel
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const LANES: u32 = 8u;
const CHANNELS: u32 = 32u; // a multiple of 4

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    convolve(group, groups, lane);
}
