//! Gathers and binarises a batch (`shaders/gather.wgsl`).

use serde::{Deserialize, Serialize};

use super::{elementwise, params, philox, shader};
use crate::plan::{Call, Const, Dispatch, Kernel, Plan, Tensor, linear_grid, read_u32, write};

/// How a grey value v in 0..=255 becomes x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[repr(u32)]
pub enum Binarize {
    /// x = v / 255: grey, for likelihoods of continuous data
    None = 0,
    /// x = 1 where v > 127
    Threshold = 1,
    /// x ~ Bernoulli(v / 255), drawn once for a pixel and kept
    Fixed = 2,
    /// x ~ Bernoulli(v / 255), drawn anew in every epoch
    Dynamic = 3,
}

impl Binarize {
    /// The same, drawn once where it would be drawn anew in every epoch: for evaluation, which is to repeat itself.
    pub fn kept(self) -> Binarize {
        if self == Binarize::Dynamic { Binarize::Fixed } else { self }
    }
}

params! {
    /// See `shaders/gather.wgsl`.
    struct Params {
        batch: u32,
        words: u32,
    }
}

/// x[b] = binarize(data[order[first_row + b]]).
pub static GATHER: Kernel = Kernel {
    name: "gather",
    entry: "main",
    source: shader!("gather"),
    params: Params::FIELDS,
    slots: &[read_u32(1, "data"), read_u32(2, "order"), write(3, "x")],
    step: true,
    subgroups: false,
    variants: || (0..8).map(|i| vec![("BINARIZE", i % 4), ("STREAMED", i / 4)]).collect(),
    reference,
};

const DATA: usize = 0;
const ORDER: usize = 1;
const X: usize = 2;

fn reference(call: &mut dyn Call) {
    let p: Params = crate::plan::params(call);
    let mode = call.constant("BINARIZE");
    let step = *call.step();
    for row in 0..p.batch as usize {
        for col in 0..4 * p.words as usize {
            if row >= step.valid_rows as usize {
                call.put(X, row, col, 0.0);
                continue;
            }
            let at = step.first_row as usize + row;
            let datum = call.get_u32(ORDER, 0, at) as usize;
            let place = if call.constant("STREAMED") == 1 { at } else { datum };
            let v = (call.get_u32(DATA, place, col / 4) >> (8 * (col % 4))) & 0xFF;
            let x = match mode {
                0 => f64::from(v) / 255.0,
                1 => f64::from(u8::from(v > 127)),
                2 => bernoulli(
                    philox::word(call, 0, datum, col, philox::STREAM_BINARIZE_FIXED + step.stream),
                    v,
                ),
                _ => bernoulli(
                    philox::word(call, step.step, row, col, philox::STREAM_BINARIZE + step.stream),
                    v,
                ),
            };
            call.put(X, row, col, x);
        }
    }
}

/// u < v / 255 for the word's uniform u, in integers.
fn bernoulli(word: u32, v: u32) -> f64 {
    f64::from(u8::from((2 * (word >> 9) + 1) * 255 < v << 24))
}

/// Appends x = binarize(data rows), with data [N, D / 4] of packed bytes and order [1, N].
///
/// The data's stride is that of whole words, not padded further, so that it is the file's size. Streamed data holds the
/// rows of the next steps only, in the order that they are visited.
pub fn gather(plan: &mut Plan, binarize: Binarize, streamed: bool, data: Tensor, order: Tensor, x: Tensor) {
    assert_eq!(data.stride, x.stride / 4, "a word of data is a vector of x");
    let consts: Vec<Const> = vec![("BINARIZE", binarize as u32), ("STREAMED", u32::from(streamed))];
    let params = Params { batch: x.rows as u32, words: x.vectors() };
    plan.push(Dispatch {
        kernel: &GATHER,
        label: "x".into(),
        consts,
        params: params.to_bytes(),
        tensors: vec![data, order, x],
        workgroups: linear_grid(x.words() / 4, super::WORKGROUP),
        cost: elementwise(30, &[x]),
    });
}
