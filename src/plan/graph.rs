//! A dispatch in the operators of ONNX, for programs that read exported models.

use super::tensor::Tensor;

/// A value of a [`Graph`]; it means something to the graph that gave it only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub usize);

/// Columns of a tensor as a value of their own: what lies side by side in one tensor, padded to whole vectors, are several
/// values in a graph. Of a weight [out, in] a part has rows, its outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first column.
    pub first: usize,
    /// Number of columns.
    pub width: usize,
    /// The value [N, width].
    pub value: Value,
}

/// What is wrong with a dispatch that cannot be written as nodes.
pub type Unfit = String;

/// The nodes of a kernel: from its inputs' values to those of its outputs.
pub type Nodes = fn(&mut dyn Graph) -> Result<(), Unfit>;

/// Where operators of ONNX are written down.
pub trait Formula {
    /// What the operator of that name makes of `inputs`, with these attributes beside its default ones.
    fn apply_with(
        &mut self,
        operator: &'static str,
        inputs: &[Value],
        attributes: &[(&'static str, i64)],
    ) -> Value;
    /// The same with attributes that are lists of numbers.
    fn apply_lists(
        &mut self,
        operator: &'static str,
        inputs: &[Value],
        attributes: &[(&'static str, &[i64])],
    ) -> Value;
    /// A constant number that goes with values of any shape.
    fn number(&mut self, value: f64) -> Value;
    /// A constant matrix of so many columns.
    fn matrix(&mut self, values: &[f64], cols: usize) -> Value;
    /// A shape, where -1 stands for what is left over.
    fn shape(&mut self, dims: &[i64]) -> Value;

    /// What the operator of that name makes of `inputs`, with its default attributes.
    fn apply(&mut self, operator: &'static str, inputs: &[Value]) -> Value {
        self.apply_with(operator, inputs, &[])
    }
}

/// A dispatch as its nodes see it, and where they are written down. Slots are numbered as in a [`Call`](super::Call); rows
/// are free, where a plan has a fixed number.
pub trait Graph: Formula {
    /// The value of a constant of the shader; panics where the dispatch does not set it.
    fn constant(&self, name: &str) -> u32;
    /// The bytes of Params.
    fn params(&self) -> &[u8];
    /// The shape of the tensor in a slot.
    fn tensor(&self, slot: usize) -> Tensor;
    /// The values in the tensor of a slot, from left to right: those that other nodes gave, inputs, or parameters. One at
    /// least.
    ///
    /// # Errors
    /// If there is none, or the tensor ends in the middle of one.
    fn parts(&mut self, slot: usize) -> Result<Vec<Part>, Unfit>;
    /// Names the values in the tensor of a slot that the kernel writes.
    fn put(&mut self, slot: usize, parts: Vec<Part>);
    /// A further input [N, width] of the whole graph.
    fn input(&mut self, name: &str, width: usize, about: &str) -> Value;
}

impl dyn Graph + '_ {
    /// The tensor in a slot as one value.
    ///
    /// # Errors
    /// If it is not one.
    pub fn get(&mut self, slot: usize) -> Result<Value, Unfit> {
        match self.parts(slot)?[..] {
            [part] => Ok(part.value),
            ref parts => Err(format!("it reads {} values where one was expected", parts.len())),
        }
    }

    /// Makes the tensor in a slot one value.
    pub fn set(&mut self, slot: usize, value: Value) {
        let width = self.tensor(slot).cols;
        self.put(slot, vec![Part { first: 0, width, value }]);
    }
}
