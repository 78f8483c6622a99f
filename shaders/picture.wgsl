// Between rows of a data set or a likelihood, whose numbers stand one after the other, and pictures, whose positions are
// padded to whole vectors.
//
//   spread    picture[b P + p, channel + c] = rows[b, column + p C + c]
//   collect   rows[b, column + p C + c] = picture[b P + p, channel + c]
//
// rows [B, ..] hold a part's numbers from `column` on, C for each of P positions; picture [B P, ..] holds them from `channel` on.
// Both are multiples of 4, and what follows the numbers up to the next multiple is zero.
// One invocation per four numbers of what is written.

#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    vectors: u32,        // to write, of all rows
    height: u32,         // P = height x width
    width: u32,
    channels: u32,       // C
    row_words: u32,      // words of a row
    column: u32,
    picture_words: u32,  // words of a position
    channel: u32,
    part_vectors: u32,   // vectors to write of a row, or of a position
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read> picture: array<f32>;
@group(0) @binding(3) var<storage, read_write> to_picture: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> to_rows: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn spread(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.vectors) {
        return;
    }
    let positions = params.height * params.width;
    let position = index / params.part_vectors;
    let j = index - position * params.part_vectors;
    let row = position / positions;
    let first = row * params.row_words + params.column + (position - row * positions) * params.channels;
    var value = vec4f();
    for (var i = 0u; i < 4u; i++) {
        let channel = 4u * j + i;
        if (channel < params.channels) {
            value += number(i, rows[first + channel]);
        }
    }
    to_picture[(position * params.picture_words + params.channel) / 4u + j] = value;
}

@compute @workgroup_size(WORKGROUP)
fn collect(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.vectors) {
        return;
    }
    let positions = params.height * params.width;
    let row = index / params.part_vectors;
    let j = index - row * params.part_vectors;
    var position = 4u * j / params.channels;
    var channel = 4u * j - position * params.channels;
    var value = vec4f();
    for (var i = 0u; i < 4u; i++) {
        if (position < positions) {
            let at = (row * positions + position) * params.picture_words + params.channel + channel;
            value += number(i, picture[at]);
        }
        channel += 1u;
        if (channel == params.channels) {
            channel = 0u;
            position += 1u;
        }
    }
    to_rows[(row * params.row_words + params.column) / 4u + j] = value;
}

// A number as element i of a vector.
fn number(i: u32, value: f32) -> vec4f {
    return select(vec4f(), vec4f(value), vec4u(0u, 1u, 2u, 3u) == vec4u(i));
}
