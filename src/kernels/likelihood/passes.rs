//! The passes of a likelihood without a model.

use super::definition::Likelihood;
use super::pass::Pass;
use super::settings::LikelihoodSettings;
use crate::kernels::row_vector;
use crate::plan::{Plan, Target, Tensor};

/// The passes of a likelihood alone, with a weight of its own for every row.
#[derive(Clone, Debug)]
pub struct Passes {
    /// Forward, mean, values and backward.
    pub plan: Plan,
    /// The decoder's output [R, heads], replaced by its gradient when the plan runs.
    pub out: Tensor,
    /// The likelihood's own parameter [1, W], and its gradient [R, W].
    pub own: Option<(Tensor, Tensor)>,
    /// The data [R, D].
    pub x: Tensor,
    /// The weight of each row's nats \[R\].
    pub weight: Tensor,
    /// log p(x|z) of each row, in nats.
    pub log_p: Tensor,
    /// E[x|z] [R, D].
    pub mean: Tensor,
    /// log p of each value [R, D], in nats.
    pub values: Tensor,
}

impl Passes {
    /// Over R = `rows` rows of D = `dim` values.
    pub fn new(
        likelihood: &Likelihood,
        settings: &LikelihoodSettings,
        target: &Target,
        rows: usize,
        dim: usize,
    ) -> Passes {
        let mut plan = Plan::new("passes");
        let output = (likelihood.output)(dim, settings);
        let out = plan.tensor("out", rows, output.columns());
        let own =
            output.own.map(|(_, width)| (plan.tensor("own", 1, width), plan.tensor("d_own", rows, width)));
        let x = plan.tensor("x", rows, dim);
        let weight = row_vector(&mut plan, "weight", rows);
        let log_p = row_vector(&mut plan, "log_p", rows);
        let mean = plan.tensor("mean", rows, dim);
        let values = plan.tensor("values", rows, dim);
        let forward = own.map(|(own, _)| (own, None));
        for pass in [
            Pass::Forward { out, own: forward, x, log_p },
            Pass::Mean { out, mean },
            Pass::Values { out, own: forward, x, values },
            Pass::Backward { out, own: own.map(|(own, d_own)| (own, Some(d_own))), x, weight },
        ] {
            likelihood.append(&mut plan, target, settings, pass);
        }
        Passes { plan, out, own, x, weight, log_p, mean, values }
    }
}
