// Matrix multiplication by cooperative matrices of 16 x 16 (`shared/cooperative`): operands are rounded to 11 bits, sums
// keep 32. For adapters that offer them, if the user asks for 16 bits.
// Grid: x over tiles of columns, y over tiles of rows, z over parts of k.

enable f16;
enable wgpu_cooperative_matrix;

#import shared/cooperative

const SIZE: u32 = 16u;

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;
