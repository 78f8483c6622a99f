//! The messages of an ONNX model that are used here, with the field numbers of `onnx.proto`.

use crate::protobuf::{Field, Message, messages};

messages! {
    /// A file: a graph, and what it asks of its reader.
    pub struct Model {
        1 => ir_version: i64,
        2 => producer_name: String,
        3 => producer_version: String,
        6 => doc_string: String,
        7 => graph: Option<Graph>,
        8 => opset_import: Vec<OperatorSet>,
        14 => metadata_props: Vec<Entry>,
    }

    /// A version of a set of operators; the standard one's domain is empty.
    pub struct OperatorSet {
        1 => domain: String,
        2 => version: i64,
    }

    /// A line of metadata.
    pub struct Entry {
        1 => key: String,
        2 => value: String,
    }

    /// Nodes in an order in which they can be run.
    pub struct Graph {
        1 => node: Vec<Node>,
        2 => name: String,
        5 => initializer: Vec<Tensor>,
        10 => doc_string: String,
        11 => input: Vec<ValueInfo>,
        12 => output: Vec<ValueInfo>,
    }

    /// One operator with the names of what it reads and writes.
    pub struct Node {
        1 => input: Vec<String>,
        2 => output: Vec<String>,
        3 => name: String,
        4 => op_type: String,
        5 => attribute: Vec<Attribute>,
    }

    /// A whole number that an operator is told, or several.
    pub struct Attribute {
        1 => name: String,
        3 => i: i64,
        8 => ints: Vec<i64>,
        20 => r#type: i64,
    }

    /// Constant values, little-endian.
    pub struct Tensor {
        1 => dims: Vec<i64>,
        2 => data_type: i64,
        8 => name: String,
        9 => raw_data: Vec<u8>,
    }

    /// An input or output of the graph.
    pub struct ValueInfo {
        1 => name: String,
        2 => r#type: Option<Type>,
        3 => doc_string: String,
    }

    /// A tensor's type; other kinds of values are not used.
    pub struct Type {
        1 => tensor_type: Option<TensorType>,
    }

    /// The type of the values, and the dimensions.
    pub struct TensorType {
        1 => elem_type: i64,
        2 => shape: Option<Shape>,
    }

    /// Dimensions, outermost first.
    pub struct Shape {
        1 => dim: Vec<Dimension>,
    }
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    Int = 2,
    Ints = 7,
}

/// The type of a tensor's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    Float = 1,
    Int64 = 7,
}

impl From<AttributeType> for i64 {
    fn from(kind: AttributeType) -> i64 {
        kind as i64
    }
}

impl From<DataType> for i64 {
    fn from(kind: DataType) -> i64 {
        kind as i64
    }
}

/// One dimension: a number, or a name for one that is known when the graph runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Dimension {
    Value(i64),
    Name(String),
}

impl Message for Dimension {
    fn length(&self) -> usize {
        match self {
            Dimension::Value(value) => value.length(1),
            Dimension::Name(name) => Field::length(name, 2),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Dimension::Value(value) => value.write(1, out),
            Dimension::Name(name) => Field::write(name, 2, out),
        }
    }
}
