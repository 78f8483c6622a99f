// The arithmetic of products, whose tiles are made of blocks of 4 x 4. A column of such a matrix is four columns of a row of c,
// four k of a row of A, or four columns of a row of B, so that all three layouts multiply in the same way.

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
