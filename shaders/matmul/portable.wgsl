// The product of `shared/portable`, an invocation for ROWS x (4 COLUMNS) of c, with operands in storage buffers.

#import shared/activation
#import shared/operands
#import shared/portable

const LAYOUT: u32 = 1u;
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const WORKGROUP: u32 = 8u;
const ROWS: u32 = 8u; // a multiple of 4
const COLUMNS: u32 = 2u;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    multiply(group, local);
}
