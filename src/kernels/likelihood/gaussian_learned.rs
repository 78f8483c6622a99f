//! The Gaussian likelihood with a learned variance.

use super::definition::{Data, Likelihood, LikelihoodSettings, Measure, Output, Variance, moments};
pub use super::gaussian_shared::LOG_VAR_LIMIT;
use super::kernel::Params;
use super::pass::Pass;
use super::{gaussian_global as global, gaussian_pixel as pixel};
use crate::kernels::elementwise;
use crate::kernels::row_sum::RowSum;
use crate::plan::{Dispatch, Kernel, PAD, Plan, Target, Tensor, round_up};

/// Real data with noise whose variance is learned.
pub static GAUSSIAN_LEARNED: Likelihood = Likelihood {
    name: "gaussian-learned",
    about: "real data, log-variance s learned (variance): log p = -((x - mu)^2 e^-s + s + log(2 pi)) / 2",
    data: Data::Grey,
    bounded: false,
    settings: &[
        LikelihoodSettings { variance: Variance::Global, ..LikelihoodSettings::DEFAULT },
        LikelihoodSettings { variance: Variance::Pixel, ..LikelihoodSettings::DEFAULT },
    ],
    validate: |_| Ok(()),
    title: |settings| match settings.variance {
        Variance::Global => "gaussian-learned (global variance)".into(),
        Variance::Pixel => "gaussian-learned (pixel variance)".into(),
    },
    output: |dim, settings| match settings.variance {
        Variance::Global => Output::new(&[("decoder.out", dim)]).with_own("decoder.log_var", dim),
        Variance::Pixel => Output::new(&[("decoder.mu", dim), ("decoder.log_var", dim)]),
    },
    fit: |values, _| {
        let (mean, variance) = moments(values);
        vec![mean, variance.ln().clamp(-LOG_VAR_LIMIT, LOG_VAR_LIMIT)]
    },
    draw: |decoded, dim, noise| {
        let log_variances = match decoded.settings.variance {
            Variance::Global => decoded.own,
            Variance::Pixel => &decoded.out[round_up(dim, PAD)..],
        };
        let values = decoded.out[..dim].iter().zip(log_variances);
        let value = |(mean, s): (&f32, &f32)| {
            let s = f64::from(*s).clamp(-LOG_VAR_LIMIT, LOG_VAR_LIMIT);
            (f64::from(*mean) + (0.5 * s).exp() * noise.normal()) as f32
        };
        values.map(value).collect()
    },
    kernels: &[&global::KERNELS, &pixel::KERNELS],
    measure: |part| match part {
        "decoder.log_var" => Measure::LogVariance { limit: LOG_VAR_LIMIT },
        _ => Measure::Value,
    },
    append,
};

fn append(plan: &mut Plan, target: &Target, settings: &LikelihoodSettings, pass: Pass) {
    let global = settings.variance == Variance::Global;
    let kernels = if global { &global::KERNELS } else { &pixel::KERNELS };
    let (kernel, flops, mut tensors): (&'static Kernel, u64, Vec<Tensor>) = match pass {
        Pass::Forward { out, x, log_p, .. } => (kernels.forward, 8, vec![out, x, log_p]),
        Pass::Fused { out, x, weight, log_p, .. } => (kernels.fused, 13, vec![x, weight, log_p, out]),
        Pass::Backward { out, x, weight, .. } => (kernels.backward, 10, vec![x, weight, out]),
        Pass::Mean { out, mean } => (kernels.mean, 0, vec![out, mean]),
    };
    let out = pass.out();
    let (image, samples) = pass.image();
    let (dim, columns) = (image.cols, image.stride);
    assert_eq!(columns, round_up(dim, PAD), "padding of the data");
    assert_eq!(out.stride, if global { columns } else { 2 * columns }, "columns of the decoder's output");
    if global {
        // The log-variance is bound after the decoder's output where that is read, and first where that is replaced.
        let at = usize::from(matches!(pass, Pass::Forward { .. }));
        if let Some((log_var, d_log_var)) = pass.own() {
            assert_eq!((log_var.rows, log_var.stride), (1, columns), "shape of the log-variance");
            tensors.insert(at, log_var);
            tensors.extend(d_log_var);
        }
    }
    let params = Params {
        rows: out.rows as u32,
        samples: samples as u32,
        dim: dim as u32,
        vectors: (columns / 4) as u32,
    };
    let rows = RowSum::of(target);
    let mut cost = elementwise(0, &tensors);
    cost.flops = flops * (out.rows * dim) as u64;
    plan.push(Dispatch {
        kernel,
        label: pass.label().into(),
        consts: rows.consts(),
        params: params.to_bytes(),
        tensors,
        workgroups: rows.grid(out.rows),
        cost,
    });
}
