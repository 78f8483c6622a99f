// The gradient of a convolution's weights for real cards, through tiles of 16-bit floats in workgroup memory
// (`shared/conv_weights_tiled`): both pictures are rounded to 11 bits, sums keep 32.
// Grid: x over tiles of vectors of d_W's rows, y over tiles of its rows, z over parts.

enable f16;

#import shared/conv_weights_tiled

alias TileVector = vec4h;
