// The part that all variants of a convolution share: the pictures, where a tap finds its vectors, and the epilogue. A variant
// imports its operands from `conv_operands` or `conv_operand_images`.
//
// A convolution ties a fine picture [B, H, W, C] to a coarse one [B, H', W', O] by taps W [O, KERNEL, KERNEL, C], with
// stride S and P rows and columns of zeros around the fine picture. One of them is x, the other is c:
//   GATHER   c is the coarse one:  c(y, x) = sum_ij W(i, j) x(S y + i - P, S x + j - P)
//            the forward pass of a convolution, the gradient of a transposed one
//   SCATTER  c is the fine one:    c(y, x) = sum_ij W(i, j)^T x((y + P - i) / S, (x + P - j) / S), where S divides both
//            the gradient of a convolution, the forward pass of a transposed one
//
// Pictures are stored with a position's channels together, padded to vec4 with zeros: a vector is four channels of one
// position. It is a product whose sum runs over taps and channels, and whose rows are the positions of c. Addresses are
// found once per tap. In SCATTER only every S-th tap meets a position; positions that the same taps meet are a phase, and
// each phase is a product of its own, so that nothing is multiplied with a zero between the positions of x.
//
// Work is done in blocks of four positions, one after the other in a phase, and four channels of c.
// Grid: x and y over blocks of positions, z over phases and tiles of channels.

#import shared/epilogue
#import shared/mask
#import shared/multiply

const GATHER: u32 = 0u;
const SCATTER: u32 = 1u;

struct Params {
    count: u32,          // B
    source_height: u32,  // of x
    source_width: u32,
    source_vectors: u32, // vec4 per position
    height: u32,         // of c
    width: u32,
    channels: u32,
    c_vectors: u32,
    extra_vectors: u32,
    kernel: u32,
    stride: u32,
    pad: u32,
    w_row: u32,          // vec4 in a row of W
    w_tap: u32,          // vec4 in a tap of a row: C / 4, rounded up
    tiles: u32,          // tiles of channels
    x_first: u32,        // where tensors begin in their images
    w_first: u32,
    extra_first: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> c: array<vec4f>;

// A number that is no row of a picture, and remains none when a tap's distance is added.
const NOWHERE: u32 = 0x80000000u;

// What is the same for a phase's rows, or for its columns.
struct Axis {
    first: u32,  // its first position in c
    count: u32,  // its positions, one every `step`
    step: u32,
    source: u32, // where the first tap meets the first position in x
    tap: u32,    // the first tap that meets it
    taps: u32,   // how many do, one every `step`
}

// a / b of numbers below 2^20, rounded down: a division of integers takes software adapters hundreds of cycles.
fn quotient(a: u32, b: u32) -> u32 {
    return u32((f32(a) + 0.5) / f32(b));
}

fn axis(phase: u32, length: u32) -> Axis {
    if (WAY == GATHER) {
        return Axis(0u, length, 1u, 0u - params.pad, 0u, params.kernel);
    }
    let s = params.stride;
    // first + pad = phase, modulo stride.
    let ahead = phase + s - (params.pad - quotient(params.pad, s) * s);
    let first = select(ahead, ahead - s, ahead >= s);
    let count = select(0u, quotient(length - first + s - 1u, s), first < length);
    let taps = select(0u, quotient(params.kernel - phase + s - 1u, s), phase < params.kernel);
    return Axis(first, count, s, quotient(first + params.pad - phase, s), phase, taps);
}

struct Phase {
    y: Axis,
    x: Axis,
}

fn phase_of(number: u32) -> Phase {
    if (WAY == GATHER) {
        return Phase(axis(0u, params.height), axis(0u, params.width));
    }
    let row = quotient(number, params.stride);
    return Phase(axis(row, params.height), axis(number - row * params.stride, params.width));
}

// Four positions of c, and where the first tap meets them in x.
struct Block {
    image: vec4u, // the first position of their picture in x
    y: vec4u,     // NOWHERE past the last position
    x: vec4u,
    row: vec4u,   // their rows of c
    inside: vec4<bool>,
}

// The position after this one in its phase: (picture, row, column).
fn after(phase: Phase, position: vec3u) -> vec3u {
    let next_row = position.z + 1u >= phase.x.count;
    let row = position.y + u32(next_row);
    let next_image = row >= phase.y.count;
    return vec3u(position.x + u32(next_image), select(row, 0u, next_image), select(position.z + 1u, 0u, next_row));
}

fn block_of(phase: Phase, number: u32) -> Block {
    let per_image = max(phase.y.count * phase.x.count, 1u);
    let columns = max(phase.x.count, 1u);
    let image = 4u * number / per_image;
    let rest = 4u * number - image * per_image;
    let first = vec3u(image, rest / columns, rest % columns);
    let second = after(phase, first);
    let third = after(phase, second);
    let fourth = after(phase, third);
    let images = vec4u(first.x, second.x, third.x, fourth.x);
    let rows = vec4u(first.y, second.y, third.y, fourth.y);
    let places = vec4u(first.z, second.z, third.z, fourth.z);
    let inside = (images < vec4u(params.count)) & vec4<bool>(phase.y.count * phase.x.count > 0u);
    let y = phase.y.first + phase.y.step * rows;
    let at = phase.x.first + phase.x.step * places;
    let step = select(1u, params.stride, WAY == GATHER);
    return Block(
        images * (params.source_height * params.source_width),
        select(vec4u(NOWHERE), phase.y.source + step * rows, inside),
        phase.x.source + step * places,
        (images * params.height + y) * params.width + at,
        inside,
    );
}

// The first vectors of x that a tap meets, and whether they lie in the picture: around it are zeros.
struct Meeting {
    at: vec4u,
    inside: vec4<bool>,
}

// The tap `down` and `right` of the first one, counted in steps of the phase.
fn meet(block: Block, down: u32, right: u32) -> Meeting {
    let y = select(block.y - down, block.y + down, vec4<bool>(WAY == GATHER));
    let at = select(block.x - right, block.x + right, vec4<bool>(WAY == GATHER));
    let inside = (y < vec4u(params.source_height)) & (at < vec4u(params.source_width));
    let position = block.image + y * params.source_width + at;
    return Meeting(select(vec4u(0u), position * params.source_vectors, inside), inside);
}

// Four positions, four channels of x.
fn load_x(meeting: Meeting, k: u32) -> mat4x4f {
    return mat4x4f(
        select(vec4f(), x_at(meeting.at.x + k), meeting.inside.x),
        select(vec4f(), x_at(meeting.at.y + k), meeting.inside.y),
        select(vec4f(), x_at(meeting.at.z + k), meeting.inside.z),
        select(vec4f(), x_at(meeting.at.w + k), meeting.inside.w),
    );
}

// Of one channel a vector of x would be a number and three zeros. With ONE_CHANNEL, four taps take the place of four channels.

// Where tap number `tap` meets a block; past the last tap, nowhere.
fn meet_grey(block: Block, tap: u32) -> Meeting {
    let down = quotient(tap, params.kernel);
    let meeting = meet(block, down, tap - down * params.kernel);
    return Meeting(meeting.at, meeting.inside & vec4<bool>(tap < params.kernel * params.kernel));
}

fn grey_at(meeting: Meeting) -> vec4f {
    let values = vec4f(x_at(meeting.at.x).x, x_at(meeting.at.y).x, x_at(meeting.at.z).x, x_at(meeting.at.w).x);
    return select(vec4f(), values, meeting.inside);
}

// Four positions, four taps from `tap` on.
fn load_grey(block: Block, tap: u32) -> mat4x4f {
    return transpose(mat4x4f(
        grey_at(meet_grey(block, tap)),
        grey_at(meet_grey(block, tap + 1u)),
        grey_at(meet_grey(block, tap + 2u)),
        grey_at(meet_grey(block, tap + 3u)),
    ));
}

// The weights of channel first + n for four taps from `tap` on. Those past the last tap meet zeros.
fn grey_weights(tap: u32, first: u32, n: u32) -> vec4f {
    let row = min(first + n, params.channels - 1u) * params.w_row;
    let last = params.kernel * params.kernel - 1u;
    return vec4f(
        w_at(row + min(tap, last) * params.w_tap).x,
        w_at(row + min(tap + 1u, last) * params.w_tap).x,
        w_at(row + min(tap + 2u, last) * params.w_tap).x,
        w_at(row + min(tap + 3u, last) * params.w_tap).x,
    );
}

// The first vector of a tap in a row of W.
fn tap_of(phase: Phase, down: u32, right: u32) -> u32 {
    let i = phase.y.tap + down * phase.y.step;
    let j = phase.x.tap + right * phase.x.step;
    return (i * params.kernel + j) * params.w_tap;
}

// Vector n of the tap's weights for channels from `first` of c and four channels k of x: four such vectors are a block.
// GATHER: the vectors of channels first + n.  SCATTER: of channels first + 4 (n / 4)... at k = 4 k + n % 4.
fn weight_at(tap: u32, first: u32, n: u32, k: u32) -> u32 {
    if (WAY == GATHER) {
        return min(first + n, params.channels - 1u) * params.w_row + tap + k;
    }
    return (4u * k + n % 4u) * params.w_row + tap + min(first / 4u + n / 4u, params.w_tap - 1u);
}

// Four channels of x by four channels of c.
fn weight_block(a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> mat4x4f {
    let block = mat4x4f(a, b, c, d);
    if (WAY == GATHER) {
        return transpose(block);
    }
    return block;
}

// Stores a block, by positions, at vector `column` of the channels.
fn store_positions(block: Block, column: u32, sums: mat4x4f) {
    if (4u * column >= params.channels) {
        return;
    }
    var bias = vec4f();
    if (EPILOGUE == FORWARD) {
        bias = extra_at(column);
    }
    if (block.inside.x) { store(block.row.x, column, sums[0], bias); }
    if (block.inside.y) { store(block.row.y, column, sums[1], bias); }
    if (block.inside.z) { store(block.row.z, column, sums[2], bias); }
    if (block.inside.w) { store(block.row.w, column, sums[3], bias); }
}

// Stores four channels of a position, those past the last one as zero.
fn store(row: u32, column: u32, sum: vec4f, bias: vec4f) {
    let at = row * params.c_vectors + column;
    var other = bias;
    if (EPILOGUE == BACKWARD) {
        other = extra_at(row * params.extra_vectors + column);
    }
    if (EPILOGUE == ACCUMULATE) {
        other = c[at];
    }
    c[at] = select(vec4f(0.0), finish(sum, other), is_column(column, params.channels));
}
