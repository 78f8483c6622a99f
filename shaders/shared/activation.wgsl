// Activations and their derivatives, four elements at a time.
//
// The derivative is computed from the value that the forward pass kept: the output y for relu (y > 0), tanh (1 - y^2),
// softplus (1 - e^-y) and elu (1 + min(y, 0)), the input x for silu. Arguments for which a backend's tanh or exp gives NaN
// are clamped.

const IDENTITY: u32 = 0u;
const RELU: u32 = 1u;
const TANH: u32 = 2u;
const SOFTPLUS: u32 = 3u;
const SILU: u32 = 4u;
const ELU: u32 = 5u;

const TANH_LIMIT: f32 = 15.0; // tanh(15) is 1 in f32
const EXP_LIMIT: f32 = 80.0;  // exp(80) is still finite in f32

fn sigmoid(x: vec4f) -> vec4f {
    return 1.0 / (1.0 + exp(clamp(-x, vec4f(-EXP_LIMIT), vec4f(EXP_LIMIT))));
}

// log(1 + e^x) without overflow.
fn softplus(x: vec4f) -> vec4f {
    return max(x, vec4f(0.0)) + log(1.0 + exp(-abs(x)));
}

fn activate(kind: u32, x: vec4f) -> vec4f {
    switch kind {
        case RELU: { return max(x, vec4f(0.0)); }
        case TANH: { return tanh(clamp(x, vec4f(-TANH_LIMIT), vec4f(TANH_LIMIT))); }
        case SOFTPLUS: { return softplus(x); }
        case SILU: { return x * sigmoid(x); }
        case ELU: { return select(exp(min(x, vec4f(0.0))) - 1.0, x, x > vec4f(0.0)); }
        default: { return x; }
    }
}

fn activation_derivative(kind: u32, kept: vec4f) -> vec4f {
    switch kind {
        case RELU: { return select(vec4f(0.0), vec4f(1.0), kept > vec4f(0.0)); }
        case TANH: { return 1.0 - kept * kept; }
        case SOFTPLUS: { return 1.0 - exp(-kept); }
        case SILU: {
            let s = sigmoid(kept);
            return s * (1.0 + kept * (1.0 - s));
        }
        case ELU: { return 1.0 + min(kept, vec4f(0.0)); }
        default: { return vec4f(1.0); }
    }
}
