//! Gathers and binarises a batch (`shaders/gather.wgsl`).

use serde::{Deserialize, Serialize};

use super::{elementwise, params, philox, shader};
use crate::plan::{
    self, Call, Const, Dispatch, Kernel, Plan, StepBounds, Tensor, linear_grid, read_u32, write,
};
use crate::settings::named;

named! {
    /// How a value v becomes x. A byte b means v = b / 255, a float is v itself; to be binarised, v is a probability.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[repr(u32)]
    pub enum Binarize {
        /// x = v: grey, for likelihoods of continuous data
        None = 0 => "none",
        /// x = 1 where v > 1/2
        Threshold = 1 => "threshold",
        /// x ~ Bernoulli(v), drawn once for a pixel and kept
        Fixed = 2 => "fixed",
        /// x ~ Bernoulli(v), drawn anew in every epoch
        Dynamic = 3 => "dynamic",
    }
}

#[doc(hidden)]
impl Binarize {
    /// The one with this number in the shaders; panics on a number that stands for none.
    pub fn from_u32(value: u32) -> Binarize {
        match value {
            0 => Binarize::None,
            1 => Binarize::Threshold,
            2 => Binarize::Fixed,
            3 => Binarize::Dynamic,
            _ => panic!("{value} is not the number of a binarisation"),
        }
    }

    /// The same, with draws that are kept instead of renewed in every epoch: evaluation must be repeatable.
    pub fn kept(self) -> Binarize {
        if self == Binarize::Dynamic { Binarize::Fixed } else { self }
    }

    /// The same without chance: instead of draws their mean, v.
    pub fn without_chance(self) -> Binarize {
        if matches!(self, Binarize::Fixed | Binarize::Dynamic) { Binarize::None } else { self }
    }
}

/// How the device holds the data. Either way rows are padded to four values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Packing {
    /// Bytes, four a word.
    Bytes = 0,
    /// Floats, a word each.
    Floats = 1,
}

impl Packing {
    /// Both.
    pub const ALL: [Packing; 2] = [Packing::Bytes, Packing::Floats];

    /// The one with this number in the shaders; panics on a number that stands for none.
    pub fn from_u32(value: u32) -> Packing {
        match value {
            0 => Packing::Bytes,
            1 => Packing::Floats,
            _ => panic!("{value} is not the number of a packing"),
        }
    }

    /// Words of a row of `dim` values.
    pub fn words(self, dim: usize) -> usize {
        let vectors = dim.div_ceil(4);
        match self {
            Packing::Bytes => vectors,
            Packing::Floats => 4 * vectors,
        }
    }
}

params! {
    /// See `shaders/gather.wgsl`.
    struct Params {
        batch: u32,
        vectors: u32,
        count: u32,
    }
}

/// x\[b\] = binarize(data[order[first_row + b]]).
pub static GATHER: Kernel = Kernel::new(
    shader!("gather"),
    "main",
    Params::FIELDS,
    &[read_u32(1, "data"), read_u32(2, "order"), write(3, "x")],
    reference,
)
.stepping()
.in_variants(|| {
    (0..16).map(|i| vec![("BINARIZE", i % 4), ("STREAMED", i / 4 % 2), ("PACKING", i / 8)]).collect()
});

fn reference(call: &dyn Call) {
    let p: Params = plan::params(call);
    let binarize = Binarize::from_u32(call.constant("BINARIZE"));
    let packing = Packing::from_u32(call.constant("PACKING"));
    let streamed = call.constant("STREAMED") == 1;
    let step = call.step();
    let [data, order, x] = call.slots();
    let value = |row: usize, col: usize| match packing {
        Packing::Bytes => f64::from((data.get_u32(row, col / 4) >> (8 * (col % 4))) & 0xFF) / 255.0,
        Packing::Floats => f64::from(f32::from_bits(data.get_u32(row, col))),
    };
    for row in 0..p.batch as usize {
        for col in 0..4 * p.vectors as usize {
            if row >= step.valid_rows as usize {
                x.put(row, col, 0.0);
                continue;
            }
            let at = step.first_row as usize + row;
            let datum = order.at_u32(at) as usize;
            let v = value(if streamed { at } else { datum }.min(p.count as usize - 1), col);
            let word = |counter: u32, row: usize, stream: u32| {
                philox::word(call, counter, row, col, stream + step.stream)
            };
            let binarized = match binarize {
                Binarize::None => v,
                Binarize::Threshold => f64::from(u8::from(v > 0.5)),
                Binarize::Fixed => bernoulli(word(0, datum, philox::STREAM_BINARIZE_FIXED), v),
                Binarize::Dynamic => {
                    let place = step.first_place as usize + row;
                    bernoulli(word(step.step, place, philox::STREAM_BINARIZE), v)
                }
            };
            x.put(row, col, binarized);
        }
    }
}

/// u < v for the word's uniform u. No u is v / 255 of a byte v: (2 r + 1) 255 is odd, v 2^24 is not.
fn bernoulli(word: u32, v: f64) -> f64 {
    let u = f64::from(2 * (word >> 9) + 1) / f64::from(1 << 24);
    f64::from(u8::from(u < v))
}

/// Appends x = binarize(data rows), with data [N, D / 4] of packed bytes or [N, D] of the bits of floats, and order [1, N].
///
/// Rows of data are not padded beyond whole words. Streamed data is the rows of the next steps alone, in the order in which
/// they are visited.
pub(crate) fn gather(
    plan: &mut Plan,
    binarize: Binarize,
    streamed: bool,
    packing: Packing,
    data: Tensor,
    order: Tensor,
    x: Tensor,
) {
    assert_eq!(data.stride, packing.words(x.cols), "words of a row");
    assert_eq!(4 * x.vectors() as usize, x.stride, "a row of x is whole vectors of data");
    let consts: Vec<Const> =
        vec![("BINARIZE", binarize as u32), ("STREAMED", u32::from(streamed)), ("PACKING", packing as u32)];
    let params = Params { batch: x.rows as u32, vectors: x.vectors(), count: data.rows as u32 };
    plan.keep_within(StepBounds { batch: x.rows, order: order.cols, ..StepBounds::ANY });
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference compares floats, the shader integers: they must agree on the draws nearest to each byte.
    #[test]
    fn a_byte_is_compared_as_exactly_as_an_integer() {
        for v in 0..=255u32 {
            let middle = (u64::from(v) << 23) / 255;
            for r in middle.saturating_sub(2)..(middle + 3).min(1 << 23) {
                let integers = (2 * r + 1) * 255 < u64::from(v) << 24;
                let word = (r as u32) << 9;
                assert_eq!(bernoulli(word, f64::from(v) / 255.0), f64::from(u8::from(integers)), "{v} {r}");
            }
        }
    }
}
