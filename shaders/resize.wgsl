// Pictures of other sizes by whole factors: nearest-neighbour upsampling and average pooling, each the other's gradient.
//
//   grow     large(y, x) = scale small(y / rows, x / columns), rounded down; zero past the last of small
//   shrink   small(y, x) = scale sum of large over the rows x columns positions from (rows y, columns x) on
//
// small [B h w, C], large [B H W, C], with rows h <= H and columns w <= W. One invocation per four channels of a position of
// what is written.

#import shared/index

const WORKGROUP: u32 = 64u;

struct Params {
    vectors: u32,  // to write
    channels: u32, // vec4 per position
    height: u32,   // of small
    width: u32,
    large_height: u32,
    large_width: u32,
    rows: u32,
    columns: u32,
    scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> small: array<vec4f>;
@group(0) @binding(2) var<storage, read> large: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> to_small: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> to_large: array<vec4f>;

// The picture, row, column and vector of a position with the number `index` in pictures of that size.
fn place(index: u32, height: u32, width: u32) -> vec4u {
    let position = index / params.channels;
    let row = position / width;
    let image = row / height;
    return vec4u(image, row - image * height, position - row * width, index - position * params.channels);
}

@compute @workgroup_size(WORKGROUP)
fn grow(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.vectors) {
        return;
    }
    let at = place(index, params.large_height, params.large_width);
    let row = at.y / params.rows;
    let column = at.z / params.columns;
    var value = vec4f();
    if (row < params.height && column < params.width) {
        value = params.scale * small[((at.x * params.height + row) * params.width + column) * params.channels + at.w];
    }
    to_large[index] = value;
}

@compute @workgroup_size(WORKGROUP)
fn shrink(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_index(global, groups, WORKGROUP);
    if (index >= params.vectors) {
        return;
    }
    let at = place(index, params.height, params.width);
    var sum = vec4f();
    for (var i = 0u; i < params.rows; i++) {
        for (var j = 0u; j < params.columns; j++) {
            let row = at.x * params.large_height + at.y * params.rows + i;
            sum += large[(row * params.large_width + at.z * params.columns + j) * params.channels + at.w];
        }
    }
    to_small[index] = params.scale * sum;
}
