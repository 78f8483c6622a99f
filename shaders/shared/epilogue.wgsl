// What becomes of a sum before it is stored. The importer defines EPILOGUE and ACTIVATION.

#import shared/activation

const STORE: u32 = 0u;      // c = sum
const FORWARD: u32 = 1u;    // c = activation(sum + bias)                 extra = bias [N]
const BACKWARD: u32 = 2u;   // c = sum * activation'(kept)                extra = kept [M, N]
const ACCUMULATE: u32 = 3u; // c = c + sum
const GRADIENT: u32 = 4u;   // c = sum, followed by d_bias[m] = sum_k A(m, k): a layer's weights and its bias
const DIVIDED: u32 = 5u;    // c = the sums over parts of k, each below the one before: for `matmul/join`

// Four columns of c. `other` is the bias, what was kept, or what c holds, as the epilogue wants it.
fn finish(sum: vec4f, other: vec4f) -> vec4f {
    if (EPILOGUE == FORWARD) {
        return activate(ACTIVATION, sum + other);
    }
    if (EPILOGUE == BACKWARD) {
        return sum * activation_derivative(ACTIVATION, other);
    }
    if (EPILOGUE == ACCUMULATE) {
        return sum + other;
    }
    return sum;
}
