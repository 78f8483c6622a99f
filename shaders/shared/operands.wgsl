// The operands of a product in storage buffers: vector i of each. `operand_images` has the same functions.

@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read> extra: array<vec4f>;

fn a_at(i: u32) -> vec4f {
    return a[i];
}

fn b_at(i: u32) -> vec4f {
    return b[i];
}

fn extra_at(i: u32) -> vec4f {
    return extra[i];
}
