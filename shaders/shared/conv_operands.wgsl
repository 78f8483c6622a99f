// What a convolution reads, in storage buffers: vector i of each. `conv_operand_images` has the same functions.

@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
@group(0) @binding(3) var<storage, read> extra: array<vec4f>;

fn x_at(i: u32) -> vec4f {
    return x[i];
}

fn w_at(i: u32) -> vec4f {
    return w[i];
}

fn extra_at(i: u32) -> vec4f {
    return extra[i];
}
