//! A mixture of logistic distributions for each pixel (`shaders/likelihood/logistic_mixture.wgsl`).

use super::by_row::{self, ByRow, kernels};
use super::definition::{Data, Kernels, Likelihood, Measure, Output, moments};
use super::kernel::push;
use super::logistic_terms as terms;
use super::pass::Pass;
use super::settings::LikelihoodSettings;
use super::{Decoded, Noise};
use crate::kernels::{elementwise, params, shader};
use crate::plan::{Call, Field, Graph, Kernel, Matrix, Nodes, Plan, Shader, Target, Unfit, Value};

/// The range of K.
pub const COMPONENTS: std::ops::RangeInclusive<usize> = 1..=32;
/// Most channels that may depend on each other.
const CHANNELS: usize = 4;

params! {
    /// See `shaders/likelihood/logistic_mixture.wgsl`.
    struct Params {
        rows: u32,
        samples: u32,
        dim: u32,
        channels: u32,
        components: u32,
        stride: u32,
        x_stride: u32,
    }
}

struct LogisticMixture;

impl ByRow for LogisticMixture {
    const SHADER: Shader = shader!("likelihood/logistic_mixture");
    const PARAMS: &'static [Field] = Params::FIELDS;
    const NODES: Nodes = mean_nodes;

    /// log_p\[r\] = sum over pixels of log sum_k pi_k P_k(x).
    fn log_likelihood(call: &dyn Call, decoded: Matrix, x: Matrix, log_p: Matrix) {
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            let of = |number| {
                let pixel = Pixel { p, row, number };
                log_sum_exp(&joint(&pixel.components(decoded), &pixel.x(x)))
            };
            log_p.set(row, (0..pixels(p.dim as usize, p.channels as usize)).map(of).sum());
        }
    }

    /// The gradients in place of the numbers; of channels that the last pixel lacks they are zero.
    fn gradient(call: &dyn Call, decoded: Matrix, x: Matrix, weight: Matrix) {
        each_pixel(call, |pixel| {
            let (components, here) = (pixel.components(decoded), pixel.x(x));
            let joint = joint(&components, &here);
            let total = log_sum_exp(&joint);
            let weights = log_weights(&components);
            for (k, component) in components.iter().enumerate() {
                let share = (joint[k] - total).exp();
                let mut slopes = vec![share - weights[k].exp()];
                let by_channel: Vec<[f64; 2]> = (0..component.means.len())
                    .map(|c| {
                        let Some(x) = here.get(c) else { return [0.0, 0.0] };
                        let (mu, s) = component.channel(c, &here[..c]);
                        terms::slopes(mu, s, *x)
                    })
                    .collect();
                slopes.extend(by_channel.iter().map(|[by_mu, _]| share * by_mu));
                slopes.extend(by_channel.iter().map(|[_, by_s]| share * by_s));
                for (of_channel, [by_mu, _]) in component.slopes.iter().zip(&by_channel) {
                    slopes.extend(of_channel.iter().enumerate().map(|(j, w)| {
                        let x = here.get(j).map_or(0.0, |x| x - 0.5);
                        share * by_mu * x * (1.0 - w.tanh() * w.tanh())
                    }));
                }
                for (column, slope) in slopes.into_iter().enumerate() {
                    decoded.put(pixel.row, pixel.block(k) + column, -weight.at(pixel.row) * slope);
                }
            }
        });
    }

    fn mean(call: &dyn Call, decoded: Matrix, mean_x: Matrix) {
        each_pixel(call, |pixel| {
            let components = pixel.components(decoded);
            let weights = log_weights(&components);
            let mut mean = vec![0.0; pixel.depth()];
            for (component, log_weight) in components.iter().zip(weights) {
                let mut of = Vec::new();
                for c in 0..pixel.depth() {
                    let (mu, s) = component.channel(c, &of);
                    of.push(terms::mean(mu, s));
                }
                mean.iter_mut().zip(of).for_each(|(mean, of)| *mean += log_weight.exp() * of);
            }
            pixel.put(mean_x, &mean);
        });
    }

    fn values(call: &dyn Call, decoded: Matrix, x: Matrix, values: Matrix) {
        each_pixel(call, |pixel| {
            let (components, here) = (pixel.components(decoded), pixel.x(x));
            let weights = log_weights(&components);
            let up_to = |channels: usize| {
                let of = components.iter().zip(&weights);
                log_sum_exp(&of.map(|(k, weight)| weight + k.log_p(&here[..channels])).collect::<Vec<_>>())
            };
            let terms: Vec<f64> = (0..here.len()).map(|c| up_to(c + 1) - up_to(c)).collect();
            pixel.put(values, &terms);
        });
    }
}

kernels!(by_row, LogisticMixture);

/// A pixel of a row.
struct Pixel {
    p: Params,
    row: usize,
    number: usize,
}

/// A component's numbers.
struct Component {
    logit: f64,
    means: Vec<f64>,
    log_scales: Vec<f64>,
    /// By channel, and the channels before it.
    slopes: Vec<Vec<f64>>,
}

fn each_pixel(call: &dyn Call, visit: impl Fn(Pixel)) {
    let p: Params = crate::plan::params(call);
    for row in 0..p.rows as usize {
        (0..pixels(p.dim as usize, p.channels as usize)).for_each(|number| visit(Pixel { p, row, number }));
    }
}

/// The last pixel may have fewer channels.
fn pixels(dim: usize, channels: usize) -> usize {
    dim.div_ceil(channels)
}

/// Numbers of a component of C channels.
fn width(channels: usize) -> usize {
    1 + 2 * channels + channels * (channels - 1) / 2
}

impl Pixel {
    /// Its channels.
    fn depth(&self) -> usize {
        let channels = self.p.channels as usize;
        channels.min(self.p.dim as usize - self.number * channels)
    }

    fn x(&self, x: Matrix) -> Vec<f64> {
        let first = self.number * self.p.channels as usize;
        let datum = self.row / self.p.samples as usize;
        (first..first + self.depth()).map(|d| x.get(datum, d)).collect()
    }

    fn put(&self, to: Matrix, values: &[f64]) {
        let first = self.number * self.p.channels as usize;
        values.iter().enumerate().for_each(|(c, value)| to.put(self.row, first + c, *value));
    }

    /// Where component k's numbers begin in the row.
    fn block(&self, k: usize) -> usize {
        (self.number * self.p.components as usize + k) * width(self.p.channels as usize)
    }

    fn components(&self, decoded: Matrix) -> Vec<Component> {
        let channels = self.p.channels as usize;
        let of = |k: usize| {
            let block = self.block(k)..self.block(k) + width(channels);
            let numbers: Vec<f64> = block.map(|column| decoded.get(self.row, column)).collect();
            Component::new(&numbers, channels)
        };
        (0..self.p.components as usize).map(of).collect()
    }
}

impl Component {
    /// From its block of numbers.
    fn new(block: &[f64], channels: usize) -> Component {
        let mut rest = block;
        let mut take = |count: usize| {
            let (taken, after) = rest.split_at(count);
            rest = after;
            taken.to_vec()
        };
        Component {
            logit: take(1)[0],
            means: take(channels),
            log_scales: take(channels),
            slopes: (0..channels).map(&mut take).collect(),
        }
    }

    /// mu and s of channel c, given those before it.
    fn channel(&self, c: usize, before: &[f64]) -> (f64, f64) {
        let of = self.slopes[c].iter().zip(before);
        let moved: f64 = of.map(|(w, x)| w.tanh() * (x - 0.5)).sum();
        (self.means[c] + moved, self.log_scales[c])
    }

    /// log prod_c P(x_c) of the first channels.
    fn log_p(&self, x: &[f64]) -> f64 {
        let of = |c: usize| {
            let (mu, s) = self.channel(c, &x[..c]);
            terms::log_p(mu, s, x[c])
        };
        (0..x.len()).map(of).sum()
    }
}

fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + values.iter().map(|value| (value - largest).exp()).sum::<f64>().ln()
}

/// log pi_k.
fn log_weights(components: &[Component]) -> Vec<f64> {
    let logits: Vec<f64> = components.iter().map(|component| component.logit).collect();
    let sum = log_sum_exp(&logits);
    logits.into_iter().map(|logit| logit - sum).collect()
}

/// log pi_k + log P_k(x).
fn joint(components: &[Component], x: &[f64]) -> Vec<f64> {
    let of = components.iter().zip(log_weights(components));
    of.map(|(component, log_weight)| log_weight + component.log_p(x)).collect()
}

/// Settings with K components of so many channels.
const fn with(components: usize, channels: usize) -> LikelihoodSettings {
    LikelihoodSettings { components, channels, ..LikelihoodSettings::DEFAULT }
}

/// Bytes, by a mixture for each pixel, whose channels depend on each other.
pub static LOGISTIC_MIXTURE: Likelihood = Likelihood {
    name: "logistic-mixture",
    about: "bytes, by a mixture of logistics in 256 steps (components) with channels that depend on each other",
    data: Data::Levels,
    bounded: true,
    settings: &[with(3, 1), with(2, 3), LikelihoodSettings::DEFAULT],
    validate: |settings| {
        let (least, most) = (COMPONENTS.start(), COMPONENTS.end());
        if !COMPONENTS.contains(&settings.components) {
            return Err(format!("`model.components` = {}: use {least} to {most}", settings.components));
        }
        match settings.channels {
            1..=CHANNELS => Ok(()),
            channels => Err(format!(
                "`model.likelihood` = logistic-mixture takes pixels of up to {CHANNELS} channels, not {channels}: use \
                 `model.likelihood` = logistic"
            )),
        }
    },
    title: |settings| format!("logistic-mixture ({} components)", settings.components),
    output: |dim, settings| {
        let of_pixel = settings.components.checked_mul(width(settings.channels));
        let numbers = of_pixel.and_then(|of_pixel| of_pixel.checked_mul(pixels(dim, settings.channels)));
        Output::new(&[("decoder.out", numbers.expect("numbers of a row that can be counted"))])
    },
    fit: |values, _| terms::fit(moments(values)).to_vec(),
    join: Some(join),
    draw,
    kernels: &[&KERNELS],
    extra_kernels: &[],
    measure: |_, _| Measure::Nothing,
    append,
};

/// A component by its probability for each pixel, then channel by channel.
fn draw(decoded: Decoded, dim: usize, noise: &mut Noise) -> Vec<f32> {
    let LikelihoodSettings { components, channels, .. } = *decoded.settings;
    let pixels = decoded.out.chunks_exact(components * width(channels));
    let of_pixel = |(number, numbers): (usize, &[f32])| {
        let numbers: Vec<f64> = numbers.iter().map(|number| f64::from(*number)).collect();
        let of_components =
            numbers.chunks_exact(width(channels)).map(|block| Component::new(block, channels));
        let of_components: Vec<Component> = of_components.collect();
        let mut rest = noise.uniform();
        let is_passed = |log_weight: &f64| {
            rest -= log_weight.exp();
            rest > 0.0
        };
        let k = log_weights(&of_components).into_iter().take_while(is_passed).count();
        let mut x = Vec::new();
        for c in 0..channels.min(dim - number * channels) {
            let (mu, s) = of_components[k.min(components - 1)].channel(c, &x);
            x.push(terms::drawn(mu, s, noise));
        }
        x
    };
    let drawn = pixels.take(dim.div_ceil(channels)).enumerate().flat_map(of_pixel);
    drawn.map(|x| x as f32).collect()
}

/// Components of equal weight, evenly spread over the deviation of each channel around its mean.
fn join(fits: &[Vec<f64>], settings: &LikelihoodSettings) -> Vec<f64> {
    let LikelihoodSettings { components, channels, .. } = *settings;
    let mut numbers = Vec::with_capacity(components * width(channels));
    for k in 0..components {
        let place = (2.0 * k as f64 + 1.0) / components as f64 - 1.0;
        numbers.push(0.0);
        numbers.extend(fits.iter().map(|fit| fit[0] + place * fit[1].exp()));
        numbers.extend(std::iter::repeat_n(0.0, channels - fits.len()));
        numbers.extend(fits.iter().map(|fit| fit[1]));
        numbers.extend(std::iter::repeat_n(0.0, channels - fits.len() + channels * (channels - 1) / 2));
    }
    numbers
}

/// The nodes of the mean: `blocks` [N, Q K, width], a row for each component of each pixel.
struct Blocks {
    value: Value,
    width: usize,
}

impl Blocks {
    /// One number of every block, as [N, Q K, 1].
    fn number(&self, graph: &mut dyn Graph, index: usize) -> Value {
        let one_hot: Vec<f64> = (0..self.width).map(|i| f64::from(u8::from(i == index))).collect();
        let one_hot = graph.matrix(&one_hot, 1);
        graph.apply("MatMul", &[self.value, one_hot])
    }

    /// E_kc of a channel [N, Q K, 1], given those before it.
    fn mean(&self, graph: &mut dyn Graph, channels: usize, before: &[Value]) -> Value {
        let c = before.len();
        let mut mu = self.number(graph, 1 + c);
        for (j, mean) in before.iter().enumerate() {
            let w = self.number(graph, 1 + 2 * channels + c * (c - 1) / 2 + j);
            let (slope, half) = (graph.apply("Tanh", &[w]), graph.number(0.5));
            let distance = graph.apply("Sub", &[*mean, half]);
            let moved = graph.apply("Mul", &[slope, distance]);
            mu = graph.apply("Add", &[mu, moved]);
        }
        let s = self.number(graph, 1 + channels + c);
        terms::mean_nodes(graph, mu, s)
    }
}

/// sum_k pi_k E_kc of each channel.
fn mean_nodes(graph: &mut dyn Graph) -> Result<(), Unfit> {
    let [decoded, mean_x] = [0, 1];
    let p: Params = bytemuck::pod_read_unaligned(&graph.params()[..size_of::<Params>()]);
    let (channels, components, dim) = (p.channels as usize, p.components as usize, p.dim as usize);
    if !dim.is_multiple_of(channels) {
        return Err(format!("{dim} values are no whole pixels of {channels} channels"));
    }
    let pixels = pixels(dim, channels);
    let (count, width) = (pixels * components, width(channels));
    let whole = graph.get(decoded)?;
    let by_component = graph.shape(&[-1, count as i64, width as i64]);
    let blocks = Blocks { value: graph.apply("Reshape", &[whole, by_component]), width };
    let logits = blocks.number(graph, 0);
    let by_pixel = graph.shape(&[-1, pixels as i64, components as i64]);
    let logits = graph.apply("Reshape", &[logits, by_pixel]);
    let weights = graph.apply("Softmax", &[logits]);
    let (mut means, mut sum) = (Vec::new(), None);
    for c in 0..channels {
        let mean = blocks.mean(graph, channels, &means);
        means.push(mean);
        let mean = graph.apply("Reshape", &[mean, by_pixel]);
        let weighed = graph.apply("Mul", &[weights, mean]);
        // The sum over components, in the channel's place among zeros.
        let place: Vec<f64> =
            (0..components * channels).map(|i| f64::from(u8::from(i % channels == c))).collect();
        let place = graph.matrix(&place, channels);
        let of_channel = graph.apply("MatMul", &[weighed, place]);
        sum = Some(sum.map_or(of_channel, |sum| graph.apply("Add", &[sum, of_channel])));
    }
    let by_row = graph.shape(&[-1, dim as i64]);
    let mean = graph.apply("Reshape", &[sum.expect("a channel"), by_row]);
    graph.set(mean_x, mean);
    Ok(())
}

fn append(plan: &mut Plan, target: &Target, settings: &LikelihoodSettings, pass: Pass) {
    let (kernel, tensors) = KERNELS.of(&pass);
    let out = pass.out();
    let (image, samples) = pass.image();
    let LikelihoodSettings { components, channels, .. } = *settings;
    assert!(
        COMPONENTS.contains(&components) && (1..=CHANNELS).contains(&channels),
        "components and channels"
    );
    assert_eq!(out.cols, pixels(image.cols, channels) * components * width(channels), "numbers of a row");
    let params = Params {
        rows: out.rows as u32,
        samples: samples as u32,
        dim: image.cols as u32,
        channels: channels as u32,
        components: components as u32,
        stride: out.stride as u32,
        x_stride: image.stride as u32,
    };
    let mut cost = elementwise(0, &tensors);
    cost.flops = 60 * (out.rows * image.cols * components) as u64;
    // Twice through the components, and for each through its channels and their slopes.
    let rounds = 2 * out.cols + image.cols;
    push(plan, target, kernel, &pass, params.to_bytes(), tensors, (cost, rounds));
}
