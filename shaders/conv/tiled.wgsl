// Convolution for real cards, through tiles of 32-bit floats in workgroup memory (`shared/conv_tiled`): the same bits as
// `conv/portable`.
// Grid: x and y over tiles of positions, z over phases and tiles of channels.

#import shared/conv_tiled

alias TileVector = vec4f;
