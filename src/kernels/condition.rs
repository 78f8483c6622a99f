//! The input of a conditional model (`shaders/condition.wgsl`).

use super::{elementwise, params, plain, shader};
use crate::plan::{
    Call, Dispatch, Kernel, Needs, Plan, Reach, Tensor, Trusted, linear_grid, read, read_u32, write,
};

params! {
    /// See `shaders/condition.wgsl`.
    struct Params {
        rows: u32,
        samples: u32,
        width: u32,
        in_vectors: u32,
        out_vectors: u32,
        count: u32,
    }
}

/// out = (in, one-hot label).
pub static CONDITION: Kernel = Kernel {
    name: "condition",
    entry: "main",
    source: shader!("condition"),
    params: Params::FIELDS,
    slots: &[read(1, "input"), read_u32(2, "labels"), read_u32(3, "order"), write(4, "out")],
    step: true,
    needs: Needs::Nothing,
    trusted: Trusted,
    variants: plain,
    reference: |call: &mut dyn Call| {
        let p: Params = crate::plan::params(call);
        let step = *call.step();
        let (width, out) = (p.width as usize, call.tensor(3));
        for row in 0..p.rows as usize {
            let datum = row / p.samples as usize;
            let place = |at: usize| call.get_u32(2, 0, at).min(p.count - 1) as usize;
            let label = (datum < step.valid_rows as usize)
                .then(|| call.get_u32(1, 0, place(step.first_row as usize + datum)));
            for col in 0..out.stride {
                let value = match col {
                    _ if col < width => call.get(0, row, col),
                    _ => f64::from(u8::from(label.is_some_and(|label| width + label as usize == col))),
                };
                call.put(3, row, col, value);
            }
        }
    },
};

/// The label of each datum [1, N], and the order [1, N] in which data are visited.
#[derive(Clone, Copy, Debug)]
pub struct Labels {
    /// Class numbers.
    pub labels: Tensor,
    /// Numbers of data.
    pub order: Tensor,
}

/// Appends out [B K, W + C], from input [B K, W] and the labels of a batch, each below C.
pub(crate) fn condition(
    plan: &mut Plan,
    samples: usize,
    input: Tensor,
    Labels { labels, order }: Labels,
    out: Tensor,
) {
    assert_eq!(input.rows, out.rows, "rows of the input");
    assert!(out.rows.is_multiple_of(samples), "{samples} rows for each datum");
    assert!(input.cols < out.cols, "columns for the label");
    let params = Params {
        rows: input.rows as u32,
        samples: samples as u32,
        width: input.cols as u32,
        in_vectors: input.vectors(),
        out_vectors: out.vectors(),
        count: labels.cols as u32,
    };
    plan.keep_within(Reach { order: order.cols, ..Reach::ANY });
    plan.push(Dispatch {
        kernel: &CONDITION,
        label: "label".into(),
        consts: vec![],
        params: params.to_bytes(),
        tensors: vec![input, labels, order, out],
        workgroups: linear_grid(out.rows * out.stride / 4, super::WORKGROUP),
        cost: elementwise(1, &[input, out]),
    });
}
