// What a convolution reads, in images: vector i of each. `conv_operands` has the same functions.

#import shared/image

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var w: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var extra: texture_storage_2d<rgba32float, read>;

fn x_at(i: u32) -> vec4f {
    return textureLoad(x, place(params.x_first + i));
}

fn w_at(i: u32) -> vec4f {
    return textureLoad(w, place(params.w_first + i));
}

fn extra_at(i: u32) -> vec4f {
    return textureLoad(extra, place(params.extra_first + i));
}
