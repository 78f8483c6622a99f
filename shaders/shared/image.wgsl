// Where an image holds the vectors of a buffer.
//
// On llvmpipe a load from a storage buffer is a loop over the lanes; with AVX2 each float in it waits for a store, 7 ns
// (Mesa 22). A texel of a storage image is loaded as one vector of four floats, 0.5 ns a float. A sampled image takes 1.5
// times as long.

const IMAGE_WIDTH: u32 = 1024u;

// The texel of vector i.
fn place(i: u32) -> vec2u {
    return vec2u(i % IMAGE_WIDTH, i / IMAGE_WIDTH);
}
