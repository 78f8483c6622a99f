// Matrix multiplication by cooperative matrices of 8 x 8 (`shared/cooperative`): operands are rounded to 11 bits, sums
// keep 32. For adapters that offer them, if the user asks for 16 bits.
// Grid: x over tiles of columns, y over tiles of rows, z over parts of k.

enable f16;
enable wgpu_cooperative_matrix;

#import shared/cooperative

const SIZE: u32 = 8u;

alias Left = coop_mat8x8<f16, A>;
alias Right = coop_mat8x8<f16, B>;
alias Sum = coop_mat8x8<f32, C>;
