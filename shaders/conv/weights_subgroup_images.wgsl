// The gradient of a convolution's weights by subgroups (`shared/conv_weights_subgroup`), with operands in images.

#import shared/weights_operand_images
#import shared/conv_weights_subgroup

const BIAS: u32 = 0u;
const LANES: u32 = 8u;
const ROWS: u32 = 32u; // a multiple of 4

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    sum_positions(group, lane);
}
