// The part that all variants of the gradient of a convolution's weights share (`shared/conv` says what the pictures are).
//
//   d_W(o, i, j, c) = sum over b, y, x of coarse(b, y, x, o) fine(b, S y + i - P, S x + j - P, c)
//
// For a convolution, coarse is the gradient d_y and fine its input; for a transposed one, coarse is its input and fine d_y.
// The sum runs over all positions of the coarse picture: many more than d_W has numbers. It is divided into parts of LENGTH
// positions, which are computed side by side; `bias_grad` adds them up in order. With BIAS, the sums of the coarse channels,
// which are a convolution's d_bias, follow d_W in each part.
//
// Grid: x over tiles of vectors of d_W's rows, y over tiles of its rows, z over parts.

#import shared/multiply

struct Params {
    count: u32,          // B
    coarse_height: u32,
    coarse_width: u32,
    coarse_vectors: u32, // vec4 per position
    fine_height: u32,
    fine_width: u32,
    fine_vectors: u32,
    rows: u32,           // O
    row_vectors: u32,    // vec4 in a row of d_W
    kernel: u32,
    stride: u32,
    pad: u32,
    length: u32,         // positions of a part, a multiple of 4
    part_vectors: u32,   // vec4 from one part to the next
    bias_at: u32,        // where d_bias begins in a part
    coarse_first: u32,   // where pictures begin in their images
    fine_first: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> parts: array<vec4f>;

// A position of the coarse picture.
struct Position {
    image: u32,
    y: u32,
    x: u32,
}

fn position_of(number: u32) -> Position {
    let row = number / params.coarse_width;
    let image = row / params.coarse_height;
    return Position(image, row - image * params.coarse_height, number - row * params.coarse_width);
}

fn next(place: Position) -> Position {
    let x = place.x + 1u;
    let next_row = x == params.coarse_width;
    let y = place.y + u32(next_row);
    let next_image = y == params.coarse_height;
    return Position(place.image + u32(next_image), select(y, 0u, next_image), select(x, 0u, next_row));
}

// A vector of d_W's rows: four channels of the fine picture under one tap.
struct Column {
    down: u32,  // from S y to the tap's row; below zero it wraps
    right: u32,
    channel: u32,
    inside: bool,
}

fn column_of(number: u32) -> Column {
    let tap = number / params.fine_vectors;
    let row = tap / params.kernel;
    return Column(
        row - params.pad,
        tap - row * params.kernel - params.pad,
        number - tap * params.fine_vectors,
        number < params.row_vectors,
    );
}

// The vector of the fine picture that the column's tap meets at a place: zero around the picture, and past the last place.
fn fine_at(place: Position, column: Column) -> vec4f {
    let y = params.stride * place.y + column.down;
    let x = params.stride * place.x + column.right;
    let inside = y < params.fine_height && x < params.fine_width && place.image < params.count && column.inside;
    let at = ((place.image * params.fine_height + y) * params.fine_width + x) * params.fine_vectors + column.channel;
    return select(vec4f(), fine_vector(select(0u, at, inside)), inside);
}

// The same at four places, one after the other.
struct Run {
    block: mat4x4f,
    next: Position,
}

fn load_fine(first: Position, column: Column) -> Run {
    let second = next(first);
    let third = next(second);
    let fourth = next(third);
    let block = mat4x4f(
        fine_at(first, column),
        fine_at(second, column),
        fine_at(third, column),
        fine_at(fourth, column),
    );
    return Run(block, next(fourth));
}

// The vector of the coarse picture at a position, rows `first` + 4 quad of d_W. Past the last position it is zero: the
// number of rows of a matrix is padded to a multiple of 4.
fn coarse_at(position: u32, first: u32, quad: u32) -> u32 {
    return position * params.coarse_vectors + min(first / 4u + quad, params.coarse_vectors - 1u);
}

// The part whose sums are stored: set first.
var<private> stored_part: u32;

// Stores four rows of a vector of d_W.
fn store_block(row: u32, number: u32, block: mat4x4f) {
    if (number >= params.row_vectors) {
        return;
    }
    let at = stored_part * params.part_vectors + row * params.row_vectors + number;
    if (row < params.rows) { parts[at] = block[0]; }
    if (row + 1u < params.rows) { parts[at + params.row_vectors] = block[1]; }
    if (row + 2u < params.rows) { parts[at + 2u * params.row_vectors] = block[2]; }
    if (row + 3u < params.rows) { parts[at + 3u * params.row_vectors] = block[3]; }
}

// Stores four elements of d_bias. Past the last row they are zero, since the coarse picture's padding is.
fn store_bias(row: u32, sums: vec4f) {
    if (row < params.rows) {
        parts[stored_part * params.part_vectors + params.bias_at + row / 4u] = sums;
    }
}
