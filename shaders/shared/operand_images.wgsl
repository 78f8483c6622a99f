// The operands of a product in images: vector i of each. `operands` has the same functions.
//
// An image holds the whole buffer that an operand lies in, so the operand's first vector counts.

#import shared/image

@group(0) @binding(1) var a: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var b: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var extra: texture_storage_2d<rgba32float, read>;

fn a_at(i: u32) -> vec4f {
    return textureLoad(a, place(params.a_first + i));
}

fn b_at(i: u32) -> vec4f {
    return textureLoad(b, place(params.b_first + i));
}

fn extra_at(i: u32) -> vec4f {
    return textureLoad(extra, place(params.extra_first + i));
}
