// Where the vectors of an operand's tile lie, and in which order the invocations of a workgroup fetch them.
//
// A tile is QUADS x K_QUADS blocks of 4 x 4: rows by k for A, columns by k for B. The importer defines QUADS and K_QUADS.

// A vector of a tile: vector `i` of the block at (k_quad, quad).
struct Place {
    quad: u32,
    k_quad: u32,
    i: u32,
}

// The place of vector n in the order of fetching, in which neighbouring invocations read neighbouring words: along k if the
// operand's rows run along k, else along the quads.
fn place_of(n: u32, along_k: bool) -> Place {
    if (along_k) {
        let row = n / K_QUADS;
        return Place(row / 4u, n % K_QUADS, row % 4u);
    }
    let k = n / QUADS;
    return Place(n % QUADS, k / 4u, k % 4u);
}
