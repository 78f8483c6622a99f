// The part that all matmul variants share: Params, where a layout finds its vectors, and the epilogue. A variant imports
// its operands from `operands` or from `operand_images`.
//
// c[m, n] = epilogue( sum_k A(m, k) B(k, n) ), with the operands stored as
//   NN  a [M, K]  b [K, N]   the gradient by a layer's input:   d_x = d_y W
//   NT  a [M, K]  b [N, K]   the forward pass:                  y = x W^T, W in PyTorch's layout [out, in]
//   TN  a [K, M]  b [K, N]   the gradient by a layer's weights: d_W = d_y^T x
// Rows are padded to vec4. Where K counts rows (of b in NN, of both in TN) their number is padded to a multiple of 4 too.
// The padding is zero, so the loop over K takes four at a time without a test. Rows and columns past the edges of c are
// computed from clamped addresses and not stored.

const NN: u32 = 0u;
const NT: u32 = 1u;
const TN: u32 = 2u;

#import shared/epilogue
#import shared/multiply
#import shared/mask

struct Params {
    m: u32,
    n: u32,
    k: u32,
    a_stride: u32, // strides in vec4
    b_stride: u32,
    c_stride: u32,
    extra_stride: u32,
    bias_at: u32, // where d_bias begins, from the beginning of c
    a_first: u32, // where operands begin in their images
    b_first: u32,
    extra_first: u32,
    part_quads: u32, // vec4 of k in a part, where sums are divided
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> c: array<vec4f>;

// The part of k whose sums `store` stores, where they are divided: tiles that compute parts set it first.
var<private> stored_part: u32;

// The blocks of four k that a workgroup sums, first and end: those of a part, or all. Loops around barriers run over them, so their
// bounds must not depend on a variable of each invocation, such as the one above.
fn k_range(part: u32) -> vec2u {
    let end = (params.k + 3u) / 4u;
    if (EPILOGUE == DIVIDED) {
        return vec2u(part * params.part_quads, min((part + 1u) * params.part_quads, end));
    }
    return vec2u(0u, end);
}

// The block of B at four k, four columns.
fn load_b(k: u32, column: u32) -> mat4x4f {
    if (LAYOUT == NT) {
        let row = 4u * column;
        let last = params.n - 1u;
        return transpose(mat4x4f(
            b_at(min(row, last) * params.b_stride + k),
            b_at(min(row + 1u, last) * params.b_stride + k),
            b_at(min(row + 2u, last) * params.b_stride + k),
            b_at(min(row + 3u, last) * params.b_stride + k),
        ));
    }
    let at = 4u * k * params.b_stride + column;
    return mat4x4f(
        b_at(at),
        b_at(at + params.b_stride),
        b_at(at + 2u * params.b_stride),
        b_at(at + 3u * params.b_stride),
    );
}

// Stores four elements of d_bias. Past M they are zero, since A is.
fn store_bias(row: u32, sums: vec4f) {
    if (row < params.m) {
        c[params.bias_at + row / 4u] = sums;
    }
}

// Stores the part of a block that lies inside c.
fn store_block(row: u32, column: u32, block: mat4x4f) {
    if (4u * column >= params.n) {
        return;
    }
    var bias = vec4f();
    if (EPILOGUE == FORWARD) {
        bias = extra_at(column);
    }
    if (row < params.m) { store(row, column, block[0], bias); }
    if (row + 1u < params.m) { store(row + 1u, column, block[1], bias); }
    if (row + 2u < params.m) { store(row + 2u, column, block[2], bias); }
    if (row + 3u < params.m) { store(row + 3u, column, block[3], bias); }
}

// Stores four columns of a row of c if they lie inside.
fn store_row(row: u32, column: u32, sum: vec4f) {
    if (4u * column < params.n && row < params.m) {
        var bias = vec4f();
        if (EPILOGUE == FORWARD) {
            bias = extra_at(column);
        }
        store(row, column, sum, bias);
    }
}

// Stores four columns of a row of c, those past N as zero.
fn store(row: u32, column: u32, sum: vec4f, bias: vec4f) {
    var at = row * params.c_stride + column;
    if (EPILOGUE == DIVIDED) {
        at += stored_part * params.m * params.c_stride;
    }
    var other = bias;
    if (EPILOGUE == BACKWARD) {
        other = extra_at(row * params.extra_stride + column);
    }
    if (EPILOGUE == ACCUMULATE) {
        other = c[at];
    }
    c[at] = select(vec4f(0.0), finish(sum, other), is_column(column, params.n));
}
