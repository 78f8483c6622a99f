// The pictures of the gradient of a convolution's weights, in images: vector i of each. `weights_operands` has the same
// functions.

#import shared/image

@group(0) @binding(1) var coarse: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var fine: texture_storage_2d<rgba32float, read>;

fn coarse_vector(i: u32) -> vec4f {
    return textureLoad(coarse, place(params.coarse_first + i));
}

fn fine_vector(i: u32) -> vec4f {
    return textureLoad(fine, place(params.fine_first + i));
}
