//! The log-variance that fits a batch best (`shaders/likelihood/gaussian_optimal.wgsl`).

use super::gaussian_shared::{SHARED_LOG_VAR_LIMIT, SQUARES};
use super::kernel::Params as LikelihoodParams;
use crate::kernels::row_sum::RowSum;
use crate::kernels::{bytes, elementwise, params, row_vector, shader};
use crate::plan::{Call, Cost, Dispatch, Kernel, PAD, Plan, Target, Tensor, read, write};

/// How far the running mean moves towards the variance of a batch.
const RATE: f64 = 0.01;

params! {
    /// See `shaders/likelihood/gaussian_optimal.wgsl`.
    struct Params {
        rows: u32,
        dim: u32,
    }
}

/// The log of the weighted mean square error, and its running mean.
pub(super) static ESTIMATE: Kernel = Kernel::new(
    shader!("likelihood/gaussian_optimal"),
    "main",
    Params::FIELDS,
    &[read(1, "squares"), read(2, "weight"), write(3, "best"), write(4, "running").updated()],
    |call: &dyn Call| {
        let [squares, weight, best, running] = call.slots();
        let p: Params = crate::plan::params(call);
        let (mut sum, mut weights) = (0.0, 0.0);
        for row in 0..p.rows as usize {
            sum += weight.at(row) * squares.at(row);
            weights += weight.at(row);
        }
        let (least, most) = ((-SHARED_LOG_VAR_LIMIT).exp(), SHARED_LOG_VAR_LIMIT.exp());
        let variance = (sum / (weights * f64::from(p.dim)).max(1e-30)).clamp(least, most);
        let before = running.at(0).exp().clamp(least, most);
        let rate = (1.0 / f64::from(call.step().step.max(1))).max(RATE);
        for (tensor, value) in [(best, variance.ln()), (running, (before + rate * (variance - before)).ln())]
        {
            tensor.set(0, value);
            (1..PAD).for_each(|i| tensor.set(i, 0.0));
        }
    },
)
.stepping();

/// Appends S \[R\] of the decoder's output `out` [R, D], which is at hand until a gradient replaces it.
pub(super) fn squares(
    plan: &mut Plan,
    target: &Target,
    params: LikelihoodParams,
    (out, x): (Tensor, Tensor),
) -> Tensor {
    let squares = row_vector(plan, "square errors", out.rows);
    let rows = RowSum::within(target, out.vectors() as usize);
    let tensors = vec![out, x, squares];
    let mut cost = elementwise(0, &tensors);
    cost.flops = 3 * (out.rows * out.cols) as u64;
    plan.push(Dispatch {
        kernel: &SQUARES,
        label: "square errors".into(),
        consts: rows.consts(),
        params: params.to_bytes(),
        tensors,
        workgroups: rows.grid(out.rows),
        cost,
    });
    squares
}

/// Appends the best log-variance [1, 1] of the batch, which also moves `running` [1, 1].
pub(super) fn estimate(
    plan: &mut Plan,
    (rows, dim): (usize, usize),
    (squares, weight): (Tensor, Tensor),
    running: Tensor,
) -> Tensor {
    let best = plan.tensor("log_var of the batch", 1, 1);
    let tensors = vec![squares, weight, best, running];
    plan.push(Dispatch {
        kernel: &ESTIMATE,
        label: "best variance".into(),
        consts: vec![],
        params: Params { rows: rows as u32, dim: dim as u32 }.to_bytes(),
        cost: Cost { flops: 3 * rows as u64, bytes: bytes(&tensors) },
        tensors,
        workgroups: [1, 1, 1],
    });
    best
}
