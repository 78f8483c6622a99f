// Convolution for real cards, through tiles of 16-bit floats in workgroup memory (`shared/conv_tiled`): x and the weights are
// rounded to 11 bits, sums keep 32. Half the traffic of `conv/tiled`, if the user asks for it.
// Grid: x and y over tiles of positions, z over phases and tiles of channels.

enable f16;

#import shared/conv_tiled

alias TileVector = vec4h;
