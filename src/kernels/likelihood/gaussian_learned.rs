//! The Gaussian likelihood with a learned variance.

use super::Decoded;
use super::definition::{Data, Kernels, Likelihood, Measure, Output, moments};
pub use super::gaussian_shared::SHARED_LOG_VAR_LIMIT;
pub use super::gaussian_terms::LOG_VAR_LIMIT;
use super::kernel::{Params, push};
use super::pass::Pass;
use super::settings::{LikelihoodSettings, Variance};
use super::{gaussian_global, gaussian_optimal, gaussian_pixel, gaussian_shared, pair};
use crate::kernels::elementwise;
use crate::plan::{PAD, Plan, Target, round_up};

/// Settings with this variance.
const fn with(variance: Variance) -> LikelihoodSettings {
    LikelihoodSettings { variance, ..LikelihoodSettings::DEFAULT }
}

/// Real data with noise whose variance is learned.
pub static GAUSSIAN_LEARNED: Likelihood = Likelihood {
    name: "gaussian-learned",
    about: "real data, log-variance s learned (variance): log p = -((x - mu)^2 e^-s + s + log(2 pi)) / 2",
    data: Data::Grey,
    bounded: false,
    settings: &[
        with(Variance::Global),
        with(Variance::Pixel),
        with(Variance::Shared),
        with(Variance::Optimal),
    ],
    validate: |_| Ok(()),
    title: |settings| match settings.variance {
        Variance::Global => "gaussian-learned (global variance)".into(),
        Variance::Pixel => "gaussian-learned (pixel variance)".into(),
        Variance::Shared => "gaussian-learned (shared variance)".into(),
        Variance::Optimal => "gaussian-learned (optimal variance)".into(),
    },
    output: |dim, settings| match settings.variance {
        Variance::Global => Output::new(&[("decoder.out", dim)]).with_own(LOG_VAR, dim),
        Variance::Pixel => Output::new(&[("decoder.mu", dim), (LOG_VAR, dim)]),
        Variance::Shared => Output::new(&[("decoder.out", dim)]).with_own(LOG_VAR, 1),
        Variance::Optimal => Output::new(&[("decoder.out", dim)]).with_own(LOG_VAR, 1).estimated(),
    },
    fit: |values, settings| {
        let (mean, variance) = moments(values);
        let limit = limit(settings);
        vec![mean, variance.ln().clamp(-limit, limit)]
    },
    join: None,
    draw: |decoded, dim, noise| {
        let Decoded { out, own, settings } = decoded;
        let (shared, limit) = (own.first().copied().unwrap_or(0.0), limit(settings));
        let value = |d: usize| {
            let s = match settings.variance {
                Variance::Global => own[d],
                Variance::Pixel => out[round_up(dim, PAD) + d],
                Variance::Shared | Variance::Optimal => shared,
            };
            let deviation = (0.5 * f64::from(s).clamp(-limit, limit)).exp();
            (f64::from(out[d]) + deviation * noise.normal()) as f32
        };
        (0..dim).map(value).collect()
    },
    kernels: &[&gaussian_global::KERNELS, &gaussian_pixel::KERNELS, &gaussian_shared::KERNELS],
    extra_kernels: &[&gaussian_shared::SQUARES, &gaussian_optimal::ESTIMATE],
    measure: |part, settings| match part {
        LOG_VAR => Measure::LogVariance { limit: limit(settings) },
        _ => Measure::Value,
    },
    append,
};

const LOG_VAR: &str = "decoder.log_var";

/// Where the log-variance is clamped.
fn limit(settings: &LikelihoodSettings) -> f64 {
    match settings.variance {
        Variance::Global | Variance::Pixel => LOG_VAR_LIMIT,
        Variance::Shared | Variance::Optimal => SHARED_LOG_VAR_LIMIT,
    }
}

/// Rough operations per value.
const FLOPS: u64 = 10;

fn append(plan: &mut Plan, target: &Target, settings: &LikelihoodSettings, pass: Pass) {
    match settings.variance {
        Variance::Global => with_own(plan, target, &gaussian_global::KERNELS, pass),
        Variance::Pixel => pair::append(&gaussian_pixel::KERNELS, FLOPS, plan, target, pass),
        Variance::Shared => with_own(plan, target, &gaussian_shared::KERNELS, pass),
        Variance::Optimal => optimal(plan, target, pass),
    }
}

/// The best variance of the batch takes the place of a learned one: for log p and its gradient together, since only
/// then the weights of the rows are known beforehand. The running mean is the variance of every other pass.
fn optimal(plan: &mut Plan, target: &Target, pass: Pass) {
    let shared = |plan: &mut Plan, pass| with_own(plan, target, &gaussian_shared::KERNELS, pass);
    let (out, x, weight, running) = match pass {
        Pass::Fused { out, own: Some((running, _)), x, weight, .. }
        | Pass::Backward { out, own: Some((running, _)), x, weight } => (out, x, weight, running),
        _ => return shared(plan, pass),
    };
    let squares = gaussian_optimal::squares(plan, target, Params::of(&pass), (out, x));
    let estimate =
        |plan: &mut Plan| gaussian_optimal::estimate(plan, (out.rows, x.cols), (squares, weight), running);
    match pass {
        Pass::Fused { out, own: Some((_, d_own)), x, weight, log_p } => {
            let best = estimate(plan);
            shared(plan, Pass::Fused { out, own: Some((best, d_own)), x, weight, log_p });
        }
        // With the variance that log p was computed with.
        _ => {
            shared(plan, pass);
            estimate(plan);
        }
    }
}

/// Appends a pass whose log-variance is a parameter.
fn with_own(plan: &mut Plan, target: &Target, kernels: &Kernels, pass: Pass) {
    let (kernel, mut tensors) = kernels.of(&pass);
    let (out, (image, _)) = (pass.out(), pass.image());
    assert_eq!(out.stride, image.stride, "the decoder gives one number for each value");
    if let Some((log_var, d_log_var)) = pass.own() {
        assert_eq!(log_var.rows, 1, "shape of the log-variance");
        // It is bound after the decoder's output where that is read, and first where that is replaced.
        let at = usize::from(matches!(pass, Pass::Forward { .. } | Pass::Values { .. }));
        tensors.insert(at, log_var);
        tensors.extend(d_log_var);
    }
    let mut cost = elementwise(0, &tensors);
    cost.flops = FLOPS * (out.rows * out.cols) as u64;
    let rounds = image.vectors() as usize;
    push(plan, target, kernel, &pass, Params::of(&pass).to_bytes(), tensors, (cost, rounds));
}
