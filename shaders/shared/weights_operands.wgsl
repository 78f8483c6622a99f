// The pictures of the gradient of a convolution's weights, in storage buffers: vector i of each. `weights_operand_images` has
// the same functions.

@group(0) @binding(1) var<storage, read> coarse: array<vec4f>;
@group(0) @binding(2) var<storage, read> fine: array<vec4f>;

fn coarse_vector(i: u32) -> vec4f {
    return coarse[i];
}

fn fine_vector(i: u32) -> vec4f {
    return fine[i];
}
