// Matrix multiplication by cooperative matrices of 16 x 16 (`shared/cooperative`): operands are rounded to 11 bits, sums
// are kept in 32. For adapters that offer them, and chosen only where the user asks for 16 bits.
// Grid: x over tiles of columns, y over tiles of rows.

enable f16;
enable wgpu_cooperative_matrix;

#import shared/activation
#import shared/matmul
#import shared/cooperative

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;

const LAYOUT: u32 = 1u;
const EPILOGUE: u32 = 0u;
const ACTIVATION: u32 = 0u;
const SIZE: u32 = 16u;
const BLOCKS: u32 = 2u;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
) {
    multiply_cooperatively(group, local, subgroup, subgroups);
}
