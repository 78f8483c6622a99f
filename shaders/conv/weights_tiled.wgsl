// The gradient of a convolution's weights for real cards, through tiles of 32-bit floats in workgroup memory
// (`shared/conv_weights_tiled`): the same bits as `conv/weights_portable`.
// Grid: x over tiles of vectors of d_W's rows, y over tiles of its rows, z over parts.

#import shared/conv_weights_tiled

alias TileVector = vec4f;
