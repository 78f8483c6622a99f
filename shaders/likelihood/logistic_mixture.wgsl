// The decoder that gives a mixture of K logistic distributions in 256 steps for each pixel, with channels that depend on
// those before (PixelCNN++: Salimans et al. 2017, arXiv 1701.05517, section 2.2). For a pixel of C channels x_c:
//
//   p(x)      = sum_k pi_k prod_c P(x_c | mu_kc, s_kc),  pi = softmax of the K logits, P: shared/logistic
//   mu_kc     = m_kc + sum_(j<c) tanh(w_kcj) (x_j - 1/2)
//   backward  with r_k = pi_k P_k / p(x), the share of component k:  by its logit r_k - pi_k;  by m_kc r_k dlog P_kc/dmu;
//             by s_kc r_k dlog P_kc/ds;  by w_kcj r_k dlog P_kc/dmu (x_j - 1/2) (1 - tanh(w_kcj)^2)
//   values    log p(x_c | x_j, j < c): the chain rule's term of each channel
//   mean      sum_k pi_k E_kc, where the channels before have their means under k: exact but for what the ends cut off
//
// decoded, d_decoded [R, Q N]  Q pixels of N = K (1 + 2 C + C (C - 1) / 2) numbers: for each component its logit, C m,
//                              C s, and w in the order (1,0) (2,0) (2,1) ..; rows of Params.stride words
// R = B K rows, row b K + k    x, by_value [R, D] rows of Params.x_stride words    log_p, weight [R]
//
// D that is no multiple of C leaves the last pixel with fewer channels. Words of padding are never written.
// Entry points and the division of rows: shared/likelihood. An item is a pixel.

#import shared/likelihood
#import shared/logistic

struct Params {
    rows: u32,
    samples: u32,
    dim: u32,
    channels: u32, // C, up to 4
    components: u32,
    stride: u32,
    x_stride: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> decoded: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_p: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_decoded: array<f32>;
@group(0) @binding(6) var<storage, read_write> by_value: array<f32>;

const NUMBERS: vec4u = vec4u(0u, 1u, 2u, 3u);

fn items() -> u32 {
    return (params.dim + params.channels - 1u) / params.channels;
}

// Numbers of a component.
fn width() -> u32 {
    return 1u + 2u * params.channels + params.channels * (params.channels - 1u) / 2u;
}

// Where a component's numbers begin.
fn block(row: u32, pixel: u32, k: u32) -> u32 {
    return row * params.stride + (pixel * params.components + k) * width();
}

// Channels that the pixel has.
fn depth(pixel: u32) -> u32 {
    return min(params.channels, params.dim - pixel * params.channels);
}

fn pixel_at(row: u32, pixel: u32) -> u32 {
    return row * params.x_stride + pixel * params.channels;
}

// A pixel's values, then zeros.
fn x_of(row: u32, pixel: u32) -> vec4f {
    let at = pixel_at(row / params.samples, pixel);
    var values = vec4f(0.0);
    for (var c = 0u; c < depth(pixel); c++) {
        values = select(values, vec4f(x[at + c]), NUMBERS == vec4u(c));
    }
    return values;
}

// One lane of a vector, without an index that some compilers refuse.
fn lane(values: vec4f, c: u32) -> f32 {
    return dot(values, select(vec4f(0.0), vec4f(1.0), NUMBERS == vec4u(c)));
}

fn bounded_tanh(w: f32) -> f32 {
    return tanh(clamp(w, -TANH_LIMIT, TANH_LIMIT));
}

// Where the w of channel c begin, from the start of a block.
fn slopes_at(c: u32) -> u32 {
    return 1u + 2u * params.channels + c * (c - 1u) / 2u;
}

// The means and log-scales of a component's channels, given the pixel's values.
struct Component {
    mu: vec4f,
    s: vec4f,
}

fn component(at: u32, values: vec4f, channels: u32) -> Component {
    var mu = vec4f(0.0);
    var s = vec4f(0.0);
    for (var c = 0u; c < channels; c++) {
        var sum = decoded[at + 1u + c];
        for (var j = 0u; j < c; j++) {
            sum += bounded_tanh(decoded[at + slopes_at(c) + j]) * (lane(values, j) - 0.5);
        }
        mu = select(mu, vec4f(sum), NUMBERS == vec4u(c));
        s = select(s, vec4f(decoded[at + 1u + params.channels + c]), NUMBERS == vec4u(c));
    }
    return Component(mu, s);
}

// The same of `d_decoded`, before the gradients take the numbers' place.
fn component_in_place(at: u32, values: vec4f, channels: u32) -> Component {
    var mu = vec4f(0.0);
    var s = vec4f(0.0);
    for (var c = 0u; c < channels; c++) {
        var sum = d_decoded[at + 1u + c];
        for (var j = 0u; j < c; j++) {
            sum += bounded_tanh(d_decoded[at + slopes_at(c) + j]) * (lane(values, j) - 0.5);
        }
        mu = select(mu, vec4f(sum), NUMBERS == vec4u(c));
        s = select(s, vec4f(d_decoded[at + 1u + params.channels + c]), NUMBERS == vec4u(c));
    }
    return Component(mu, s);
}

// 1 for the first channels.
fn first(channels: u32) -> vec4f {
    return select(vec4f(0.0), vec4f(1.0), NUMBERS < vec4u(channels));
}

// log(e^a + e^b) where a is a sum so far; nothing so far is LEAST.
const LEAST: f32 = -1e30;
fn added(a: f32, b: f32) -> f32 {
    return max(a, b) + log(1.0 + exp(-abs(a - b)));
}

// log sum_k e^logit_k of a pixel.
fn log_sum_of_logits(row: u32, pixel: u32) -> f32 {
    var sum = LEAST;
    for (var k = 0u; k < params.components; k++) {
        sum = added(sum, decoded[block(row, pixel, k)]);
    }
    return sum;
}

// The same with the probability of its first channels under each component.
fn log_sum_up_to(row: u32, pixel: u32, channels: u32) -> f32 {
    let values = x_of(row, pixel);
    var sum = LEAST;
    for (var k = 0u; k < params.components; k++) {
        let at = block(row, pixel, k);
        let part = component(at, values, channels);
        sum = added(sum, decoded[at] + dot(first(channels), steps(part.mu, part.s, values).log_p));
    }
    return sum;
}

// log p of a pixel, whose numbers make way for their gradients.
fn replaced(row: u32, pixel: u32) -> f32 {
    let values = x_of(row, pixel);
    let channels = depth(pixel);
    var sums = vec2f(LEAST);
    for (var k = 0u; k < params.components; k++) {
        let at = block(row, pixel, k);
        let part = component_in_place(at, values, channels);
        sums.x = added(sums.x, d_decoded[at]);
        sums.y = added(sums.y, d_decoded[at] + dot(first(channels), steps(part.mu, part.s, values).log_p));
    }
    for (var k = 0u; k < params.components; k++) {
        let at = block(row, pixel, k);
        let part = component_in_place(at, values, channels);
        let here = steps(part.mu, part.s, values);
        let logit = d_decoded[at];
        let share = exp(logit + dot(first(channels), here.log_p) - sums.y);
        let factor = -weight[row] * share;
        d_decoded[at] = -weight[row] * (share - exp(logit - sums.x));
        for (var c = 0u; c < params.channels; c++) {
            let by_mu = select(0.0, lane(here.by_mu, c), c < channels);
            d_decoded[at + 1u + c] = factor * by_mu;
            d_decoded[at + 1u + params.channels + c] = factor * select(0.0, lane(here.by_s, c), c < channels);
            for (var j = 0u; j < c; j++) {
                let slope = bounded_tanh(d_decoded[at + slopes_at(c) + j]);
                d_decoded[at + slopes_at(c) + j] = factor * by_mu * (lane(values, j) - 0.5) * (1.0 - slope * slope);
            }
        }
    }
    return sums.y - sums.x;
}

fn item_log_p(row: u32, pixel: u32) -> f32 {
    return log_sum_up_to(row, pixel, depth(pixel)) - log_sum_of_logits(row, pixel);
}

fn item_fused(row: u32, pixel: u32) -> f32 {
    return replaced(row, pixel);
}

fn item_backward(row: u32, pixel: u32) {
    _ = replaced(row, pixel);
}

fn item_values(row: u32, pixel: u32) {
    let at = pixel_at(row, pixel);
    var before = log_sum_of_logits(row, pixel);
    for (var c = 0u; c < depth(pixel); c++) {
        let up_to = log_sum_up_to(row, pixel, c + 1u);
        by_value[at + c] = up_to - before;
        before = up_to;
    }
}

fn item_mean(row: u32, pixel: u32) {
    let channels = depth(pixel);
    let normaliser = log_sum_of_logits(row, pixel);
    var mean = vec4f(0.0);
    for (var k = 0u; k < params.components; k++) {
        let at = block(row, pixel, k);
        var of_k = vec4f(0.0);
        for (var c = 0u; c < channels; c++) {
            var mu = decoded[at + 1u + c];
            for (var j = 0u; j < c; j++) {
                mu += bounded_tanh(decoded[at + slopes_at(c) + j]) * (lane(of_k, j) - 0.5);
            }
            let s = decoded[at + 1u + params.channels + c];
            of_k = select(of_k, logistic_mean(vec4f(mu), vec4f(s)), NUMBERS == vec4u(c));
        }
        mean += exp(decoded[at] - normaliser) * of_k;
    }
    for (var c = 0u; c < channels; c++) {
        by_value[pixel_at(row, pixel) + c] = lane(mean, c);
    }
}
