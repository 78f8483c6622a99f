// One step of Adam (Kingma & Ba 2014, algorithm 1) for a vector of four parameters.
//
//   m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
//   p = p - alpha (m c1) / (sqrt(v c2) + epsilon)    with c1 = 1 / (1 - beta1^t), c2 = 1 / (1 - beta2^t)
//
// before which p = (1 - alpha decay) p: decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2). `clipped` entry
// points first scale g by the factor of `shaders/clip.wgsl`.

#import shared/step

struct Params {
    vectors: u32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    decay: f32,
}
@group(0) @binding(0) var<uniform> params: Params;

struct State {
    p: vec4f,
    m: vec4f,
    v: vec4f,
}

fn adam(g: vec4f, before: State) -> State {
    let m = params.beta1 * before.m + (1.0 - params.beta1) * g;
    let v = params.beta2 * before.v + (1.0 - params.beta2) * g * g;
    let rate = step.learning_rate * step.correction1;
    let kept = (1.0 - step.learning_rate * params.decay) * before.p;
    return State(kept - rate * m / (sqrt(v * step.correction2) + params.epsilon), m, v);
}
