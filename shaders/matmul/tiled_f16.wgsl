// Matrix multiplication for real cards, through tiles of 16-bit floats in workgroup memory (`shared/tile`): operands are
// rounded to 11 bits, sums keep 32. Half the traffic of `tiled`, if the user asks for it.
// Grid: x over tiles of columns, y over tiles of rows, z over parts of k.

enable f16;

#import shared/operands
#import shared/matmul
#import shared/fetch
#import shared/tile

alias TileVector = vec4h;

const LAYOUT: u32 = 1u;
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const SUMS_ROWS: bool = EPILOGUE == GRADIENT;
const SIDE: u32 = 16u; // at least 8
const BLOCKS: u32 = 1u; // 1, 2 or 4
const K_QUADS: u32 = 4u; // SIDE / (4 BLOCKS)

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    stored_part = group.z;
    multiply_tile(group, local);
}
