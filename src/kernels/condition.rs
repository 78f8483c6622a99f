//! The input of a conditional model (`shaders/condition.wgsl`).

use super::{elementwise, params, shader};
use crate::plan::{
    self, Call, Dispatch, Kernel, Plan, StepBounds, Tensor, linear_grid, pod, read, read_u32, write,
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
pub static CONDITION: Kernel = Kernel::new(
    shader!("condition"),
    "main",
    Params::FIELDS,
    &[read(1, "input"), read_u32(2, "labels"), read_u32(3, "order"), write(4, "out")],
    |call: &dyn Call| {
        let p: Params = plan::params(call);
        let (step, width) = (call.step(), p.width as usize);
        let [input, labels, order, out] = call.slots();
        for row in 0..p.rows as usize {
            let datum = row / p.samples as usize;
            // The column of the label; None for rows past the end of the data.
            let hot = (datum < step.valid_rows as usize).then(|| {
                let number = order.at_u32(step.first_row as usize + datum).min(p.count - 1);
                width + labels.at_u32(number as usize) as usize
            });
            for col in 0..out.shape().stride {
                let one_hot = f64::from(u8::from(hot == Some(col)));
                out.put(row, col, if col < width { input.get(row, col) } else { one_hot });
            }
        }
    },
)
.stepping()
.with_nodes(
    // The value of the labels is a one-hot matrix [N, C]; the order of the data is no matter of a graph.
    |graph| {
        let [input, labels, out] = [0, 1, 3];
        let (from, mut label) = (graph.get(input)?, graph.get(labels)?);
        // Of a picture each position gets the label: a graph is of one datum.
        let positions = i64::from(pod::<Params>(graph.params()).samples);
        if positions > 1 {
            let classes = (graph.tensor(out).cols - graph.tensor(input).cols) as i64;
            let column = graph.shape(&[-1, classes, 1]);
            label = graph.apply("Reshape", &[label, column]);
            let everywhere = graph.shape(&[1, 1, positions]);
            label = graph.apply("Expand", &[label, everywhere]);
            let flat = graph.shape(&[-1, classes * positions]);
            label = graph.apply("Reshape", &[label, flat]);
        }
        let joined = graph.apply_with("Concat", &[from, label], &[("axis", 1)]);
        graph.set(out, joined);
        Ok(())
    },
);

/// The label of each datum [1, N], and the epoch's order of the data [1, N].
#[derive(Clone, Copy, Debug)]
pub struct Labels {
    /// Class numbers.
    pub labels: Tensor,
    /// Each datum's number, in the order of the epoch.
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
    assert!(out.rows.is_multiple_of(samples), "{samples} rows per datum");
    assert!(input.cols < out.cols, "columns for the label");
    let params = Params {
        rows: input.rows as u32,
        samples: samples as u32,
        width: input.cols as u32,
        in_vectors: input.vectors(),
        out_vectors: out.vectors(),
        count: labels.cols as u32,
    };
    plan.keep_within(StepBounds { order: order.cols, ..StepBounds::ANY });
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
