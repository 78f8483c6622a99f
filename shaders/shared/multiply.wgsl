// The arithmetic of products: epilogues, and blocks of 4 x 4.

const STORE: u32 = 0u;      // c = sum
const FORWARD: u32 = 1u;    // c = activation(sum + bias)                 extra = bias [N]
const BACKWARD: u32 = 2u;   // c = sum * activation'(kept)                extra = kept [M, N]
const ACCUMULATE: u32 = 3u; // c = c + sum
const GRADIENT: u32 = 4u;   // c = sum, followed by d_bias[m] = sum_k A(m, k): a layer's weights and its bias
const DIVIDED: u32 = 5u;  // c = the sums over parts of k, each below the one before: for `matmul/join`

// Tiles are made of 4 x 4 blocks. A column of such a matrix is four columns of a row of c, four k of a row of A, or four
// columns of a row of B, so that all three layouts multiply in the same way.

// c + A B for one block.
fn multiply_add(c_block: mat4x4f, a_block: mat4x4f, b_block: mat4x4f) -> mat4x4f {
    return mat4x4f(
        row_multiply_add(c_block[0], a_block[0], b_block),
        row_multiply_add(c_block[1], a_block[1], b_block),
        row_multiply_add(c_block[2], a_block[2], b_block),
        row_multiply_add(c_block[3], a_block[3], b_block),
    );
}

fn row_multiply_add(c_row: vec4f, a_row: vec4f, b_block: mat4x4f) -> vec4f {
    var sum = fma(vec4f(a_row.x), b_block[0], c_row);
    sum = fma(vec4f(a_row.y), b_block[1], sum);
    sum = fma(vec4f(a_row.z), b_block[2], sum);
    return fma(vec4f(a_row.w), b_block[3], sum);
}

// sums + sum_k A(m, k) for the four rows of a block, k by k: all variants give the same bits.
fn add_rows(sums: vec4f, a_block: mat4x4f) -> vec4f {
    let by_k = transpose(a_block);
    return sums + by_k[0] + by_k[1] + by_k[2] + by_k[3];
}
