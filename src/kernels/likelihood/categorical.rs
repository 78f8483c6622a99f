//! The categorical likelihood of grey levels (`shaders/likelihood/categorical.wgsl`).

use super::by_row::{self, ByRow, kernels};
use super::definition::{Data, Kernels, Likelihood, Measure, Output};
use super::kernel::push;
use super::pass::Pass;
use super::settings::LikelihoodSettings;
use crate::kernels::{elementwise, params, shader};
use crate::plan::{Call, Field, Graph, Kernel, Matrix, Nodes, Plan, Shader, Target, Unfit};

/// The range of C: a byte has 256 levels.
pub const LEVELS: std::ops::RangeInclusive<usize> = 2..=256;

/// The level of x = v / 255 among C: floor(v C / 256) of the byte v.
pub fn level_of(x: f64, levels: usize) -> usize {
    let byte = (255.0 * x.clamp(0.0, 1.0)).round() as usize;
    byte * levels / 256
}

params! {
    /// See `shaders/likelihood/categorical.wgsl`.
    struct Params {
        rows: u32,
        samples: u32,
        dim: u32,
        levels: u32,
        stride: u32,
        x_stride: u32,
    }
}

struct Categorical;

impl ByRow for Categorical {
    const SHADER: Shader = shader!("likelihood/categorical");
    const PARAMS: &'static [Field] = Params::FIELDS;
    const NODES: Nodes = mean_nodes;

    /// log_p[r] = sum_d log softmax(l_d)[level_d].
    fn log_likelihood(call: &dyn Call, decoded: Matrix, x: Matrix, log_p: Matrix) {
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            let mut sum = 0.0;
            for pixel in 0..p.dim as usize {
                let level = level_of(x.get(row / p.samples as usize, pixel), p.levels as usize);
                sum += log_softmax(decoded, &p, row, pixel)[level];
            }
            log_p.set(row, sum);
        }
    }

    /// weight (softmax(l_d) - [k = level_d]), in place of l_d.
    fn gradient(call: &dyn Call, decoded: Matrix, x: Matrix, weight: Matrix) {
        let p: Params = crate::plan::params(call);
        let levels = p.levels as usize;
        for row in 0..p.rows as usize {
            let weight = weight.at(row);
            for pixel in 0..p.dim as usize {
                let level = level_of(x.get(row / p.samples as usize, pixel), levels);
                for (k, log_p) in log_softmax(decoded, &p, row, pixel).into_iter().enumerate() {
                    let hit = if k == level { 1.0 } else { 0.0 };
                    decoded.put(row, pixel * levels + k, weight * (log_p.exp() - hit));
                }
            }
        }
    }

    fn mean(call: &dyn Call, decoded: Matrix, mean_x: Matrix) {
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            for pixel in 0..p.dim as usize {
                let probabilities = log_softmax(decoded, &p, row, pixel).into_iter().map(f64::exp);
                let mean: f64 =
                    probabilities.enumerate().map(|(k, probability)| k as f64 * probability).sum();
                mean_x.put(row, pixel, mean / f64::from(p.levels - 1));
            }
        }
    }

    fn values(call: &dyn Call, decoded: Matrix, x: Matrix, values: Matrix) {
        let p: Params = crate::plan::params(call);
        for row in 0..p.rows as usize {
            for pixel in 0..p.dim as usize {
                let level = level_of(x.get(row / p.samples as usize, pixel), p.levels as usize);
                values.put(row, pixel, log_softmax(decoded, &p, row, pixel)[level]);
            }
        }
    }
}

kernels!(by_row, Categorical);

/// l - logsumexp(l) of a pixel's logits.
fn log_softmax(decoded: Matrix, p: &Params, row: usize, pixel: usize) -> Vec<f64> {
    let levels = p.levels as usize;
    let logits: Vec<f64> = (0..levels).map(|k| decoded.get(row, pixel * levels + k)).collect();
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|l| (l - largest).exp()).sum();
    logits.into_iter().map(|l| l - largest - sum.ln()).collect()
}

/// The level at which the probabilities softmax(l) up to it reach `p`.
fn level_drawn(logits: &[f32], p: f64) -> usize {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights = || logits.iter().map(|l| f64::from(l - largest).exp());
    let mut rest = p * weights().sum::<f64>();
    let below = |weight: &f64| {
        rest -= weight;
        rest > 0.0
    };
    weights().take_while(below).count().min(logits.len() - 1)
}

/// Grey values in C steps, with any distribution over them.
pub static CATEGORICAL: Likelihood = Likelihood {
    name: "categorical",
    about: "grey data in C steps (levels): log p = log softmax(l)[floor(v C / 256)] of the byte v",
    data: Data::Levels,
    bounded: true,
    settings: &[
        LikelihoodSettings { levels: 2, ..LikelihoodSettings::DEFAULT },
        LikelihoodSettings { levels: 7, ..LikelihoodSettings::DEFAULT },
        LikelihoodSettings { levels: 256, ..LikelihoodSettings::DEFAULT },
    ],
    validate: |settings| {
        let (least, most) = (LEVELS.start(), LEVELS.end());
        match LEVELS.contains(&settings.levels) {
            true => Ok(()),
            false => Err(format!("`model.levels` = {}: use {least} to {most}", settings.levels)),
        }
    },
    title: |settings| format!("categorical ({} levels)", settings.levels),
    output: |dim, settings| {
        let logits = dim.checked_mul(settings.levels).expect("levels of a row that can be counted");
        Output::new(&[("decoder.out", logits)])
    },
    fit: |values, settings| {
        // Half a count extra per level, so that every level stays possible.
        let mut counts = vec![0.5; settings.levels];
        values.iter().for_each(|(value, count)| counts[level_of(*value, settings.levels)] += *count as f64);
        let total: f64 = counts.iter().sum();
        counts.into_iter().map(|count| (count / total).ln()).collect()
    },
    join: None,
    draw: |decoded, dim, noise| {
        let levels = decoded.settings.levels;
        let pixels = decoded.out[..dim * levels].chunks_exact(levels);
        pixels.map(|logits| level_drawn(logits, noise.uniform()) as f32 / (levels - 1) as f32).collect()
    },
    kernels: &[&KERNELS],
    extra_kernels: &[],
    measure: |_, _| Measure::Nothing,
    append,
};

/// sum_k softmax(l_d)[k] k / (C - 1), with the logits of a pixel as rows of a matrix.
fn mean_nodes(graph: &mut dyn Graph) -> Result<(), Unfit> {
    let [decoded, mean_x] = [0, 1];
    let logits = graph.get(decoded)?;
    let dim = graph.tensor(mean_x).cols;
    let levels = graph.tensor(decoded).cols / dim;
    let by_pixel = graph.shape(&[-1, dim as i64, levels as i64]);
    let logits = graph.apply("Reshape", &[logits, by_pixel]);
    let probabilities = graph.apply("Softmax", &[logits]);
    let grey: Vec<f64> = (0..levels).map(|k| k as f64 / (levels - 1) as f64).collect();
    let grey = graph.matrix(&grey, 1);
    let mean = graph.apply("MatMul", &[probabilities, grey]);
    let by_row = graph.shape(&[-1, dim as i64]);
    let mean = graph.apply("Reshape", &[mean, by_row]);
    graph.set(mean_x, mean);
    Ok(())
}

fn append(plan: &mut Plan, target: &Target, settings: &LikelihoodSettings, pass: Pass) {
    let (kernel, tensors) = KERNELS.of(&pass);
    let flops = match pass {
        Pass::Forward { .. } | Pass::Values { .. } => 4,
        Pass::Fused { .. } | Pass::Backward { .. } => 8,
        Pass::Mean { .. } => 7,
    };
    let out = pass.out();
    let (image, samples) = pass.image();
    assert!(LEVELS.contains(&settings.levels), "levels");
    assert_eq!(out.cols, image.cols * settings.levels, "logits of a row");
    let params = Params {
        rows: out.rows as u32,
        samples: samples as u32,
        dim: image.cols as u32,
        levels: settings.levels as u32,
        stride: out.stride as u32,
        x_stride: image.stride as u32,
    };
    let mut cost = elementwise(0, &tensors);
    cost.flops = flops * (out.rows * out.cols) as u64;
    // A pixel's levels are gone through up to three times.
    push(plan, target, kernel, &pass, params.to_bytes(), tensors, (cost, 3 * out.cols));
}
