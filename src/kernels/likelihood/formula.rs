//! E[x|z] as a formula for other programs: what the `mean` kernel computes, in the operators of ONNX.

/// A value of a [`Formula`]; it means something to the formula that gave it only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub usize);

/// Where a formula is written down.
pub trait Formula {
    /// What the ONNX operator of that name makes of `inputs`, with its default attributes.
    fn apply(&mut self, operator: &'static str, inputs: &[Value]) -> Value;
    /// A number that goes with values of any shape.
    fn number(&mut self, value: f64) -> Value;
    /// A constant column [N, 1].
    fn column(&mut self, values: &[f64]) -> Value;
    /// A shape, where -1 stands for what is left over.
    fn shape(&mut self, dims: &[i64]) -> Value;
}

/// The mean out of the parts of the decoder's last layer, of `dim` values each row.
pub type Expectation = fn(&mut dyn Formula, heads: &[Value], dim: usize, settings: &super::Settings) -> Value;
