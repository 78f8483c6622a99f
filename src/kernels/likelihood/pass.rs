//! A pass of a likelihood over a batch.

use crate::plan::Tensor;

/// A likelihood's own parameter [1, W], and its gradient for every row [R, W] where that is wanted.
pub(crate) type Own = Option<(Tensor, Option<Tensor>)>;

/// One pass of a likelihood over R = B K rows, with x [B, D] and the decoder's output `out` [R, heads].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pass {
    /// log_p \[R\].
    Forward {
        /// The decoder's output.
        out: Tensor,
        /// The likelihood's own parameter.
        own: Own,
        /// The data.
        x: Tensor,
        /// log p(x|z) of each row, in nats.
        log_p: Tensor,
    },
    /// log_p \[R\] and the gradient in one pass.
    Fused {
        /// The decoder's output, replaced by its gradient.
        out: Tensor,
        /// The likelihood's own parameter, and its gradient.
        own: Own,
        /// The data.
        x: Tensor,
        /// The weight of each row's nats.
        weight: Tensor,
        /// log p(x|z) of each row, in nats.
        log_p: Tensor,
    },
    /// The gradient from weights \[R\].
    Backward {
        /// The decoder's output, replaced by its gradient.
        out: Tensor,
        /// The likelihood's own parameter, and its gradient.
        own: Own,
        /// The data.
        x: Tensor,
        /// The weight of each row's nats.
        weight: Tensor,
    },
    /// mean [R, D].
    Mean {
        /// The decoder's output.
        out: Tensor,
        /// E[x|z].
        mean: Tensor,
    },
    /// log p of each value [R, D]; of values that depend on others of the datum, the terms of the chain rule.
    Values {
        /// The decoder's output.
        out: Tensor,
        /// The likelihood's own parameter.
        own: Own,
        /// The data.
        x: Tensor,
        /// log p of each value, in nats.
        values: Tensor,
    },
}

impl Pass {
    /// The decoder's output.
    pub(super) fn out(&self) -> Tensor {
        match *self {
            Pass::Forward { out, .. }
            | Pass::Fused { out, .. }
            | Pass::Backward { out, .. }
            | Pass::Mean { out, .. }
            | Pass::Values { out, .. } => out,
        }
    }

    /// The likelihood's own parameter.
    pub(super) fn own(&self) -> Own {
        match *self {
            Pass::Forward { own, .. }
            | Pass::Fused { own, .. }
            | Pass::Backward { own, .. }
            | Pass::Values { own, .. } => own,
            Pass::Mean { .. } => None,
        }
    }

    /// x, or what is computed in its place, and K: rows of the decoder's output per row of x.
    pub(super) fn image(&self) -> (Tensor, usize) {
        match *self {
            Pass::Forward { out, x, .. }
            | Pass::Fused { out, x, .. }
            | Pass::Backward { out, x, .. }
            | Pass::Values { out, x, .. } => {
                assert_eq!(out.rows % x.rows, 0, "rows of x and of the decoder's output");
                (x, out.rows / x.rows)
            }
            Pass::Mean { mean, .. } => (mean, 1),
        }
    }

    /// Its label in a plan.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Pass::Forward { .. } | Pass::Fused { .. } => "log p(x|z)",
            Pass::Backward { .. } => "d log p(x|z)",
            Pass::Mean { .. } => "E[x|z]",
            Pass::Values { .. } => "log p of each value",
        }
    }
}
