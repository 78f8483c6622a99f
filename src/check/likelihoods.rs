//! The cases of the likelihoods.

use std::collections::BTreeSet;

use super::{Case, Fill, TRANSCENDENTAL};
use crate::kernels::likelihood::categorical::CATEGORICAL;
use crate::kernels::likelihood::{self, Data, Likelihood, LikelihoodSettings, Pass};
use crate::kernels::row_vector;
use crate::plan::{PAD, Target, round_up};

pub(super) fn all(cases: &mut Vec<Case>) {
    for likelihood in likelihood::TABLE {
        for settings in likelihood.settings {
            for target in [Target::SOFTWARE, Target::PORTABLE] {
                // From numbers near zero, where naive formulas lose all digits, to those where exp would overflow.
                for (batch, dim, samples, scale) in
                    [(1, 1, 1, 1.0), (7, 5, 1, 1e-3), (130, 131, 1, 1.0), (9, 784, 2, 30.0)]
                {
                    let output = (likelihood.output)(dim, settings);
                    // Of a single value the best variance is its own square error: the slope is zero but for rounding.
                    let is_settled = output.is_estimated && batch * samples * dim == 1;
                    if batch * samples * output.columns() <= MOST_OUTPUTS && !is_settled {
                        let shape = (batch, dim, samples);
                        passes(cases, likelihood, settings, &target, shape, scale);
                    }
                }
            }
        }
    }
    // Rows that take all invocations of a workgroup: 32 of them would go through more loops than llvmpipe lets them.
    let levels = LikelihoodSettings { levels: 256, ..LikelihoodSettings::DEFAULT };
    passes(cases, &CATEGORICAL, &levels, &Target::SOFTWARE, (1, 2100, 1), 1.0);
}

/// Most decoder outputs in one case of a likelihood: a layer of 784 x 256 takes the reference too long.
const MOST_OUTPUTS: usize = 200_000;

fn passes(
    cases: &mut Vec<Case>,
    likelihood: &Likelihood,
    settings: &LikelihoodSettings,
    target: &Target,
    (batch, dim, samples): (usize, usize, usize),
    scale: f64,
) {
    let rows = batch * samples;
    let output = (likelihood.output)(dim, settings);
    for pass in ["forward", "fused", "backward", "mean", "values"] {
        let title = (likelihood.title)(settings);
        let device = if target.software { "software" } else { "card" };
        let mut case = Case::new("", format!("{title} {rows}x{dim} K={samples} scale={scale} {device}"));
        case.tolerance = TRANSCENDENTAL;
        // Late in training a running mean moves by its least rate.
        case.step.step = if batch > 100 { 1000 } else { case.step.step };
        let out = case.tensor("out", rows, output.columns(), Fill::Normal(scale));
        let own = output.own.as_ref().map(|(_, width)| {
            (case.tensor("own", 1, *width, Fill::Normal(scale)), case.output("d_own", rows, *width))
        });
        let fill = if likelihood.data == Data::Binary { Fill::Binary } else { Fill::Grey };
        let x = case.tensor("x", batch, dim, fill);
        let weight = case.tensor("weight", 1, round_up(rows, PAD), Fill::Square);
        let log_p = row_vector(&mut case.plan, "log_p", rows);
        let mean = case.output("mean", rows, dim);
        let pass = match pass {
            "forward" => Pass::Forward { out, own: own.map(|(own, _)| (own, None)), x, log_p },
            "fused" => Pass::Fused { out, own: own.map(|(own, d_own)| (own, Some(d_own))), x, weight, log_p },
            "backward" => Pass::Backward { out, own: own.map(|(own, d_own)| (own, Some(d_own))), x, weight },
            "mean" => Pass::Mean { out, mean },
            _ => Pass::Values { out, own: own.map(|(own, _)| (own, None)), x, values: mean },
        };
        likelihood.append(&mut case.plan, target, settings, pass);
        // A pass of several kernels is a case of each.
        for kernel in
            case.plan.dispatches.iter().map(|dispatch| dispatch.kernel.label()).collect::<BTreeSet<_>>()
        {
            cases.push(Case { kernel, ..case.clone() });
        }
    }
}
