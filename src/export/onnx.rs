//! A plan as an ONNX graph: the nodes of its kernels, one dispatch after the other. Nothing here knows what is computed.
//!
//! Rows are free in the graph, whatever the plan's batch is. Parameters have the names and shapes of the model's files.

use std::collections::{BTreeMap, HashMap};

use prost::Message;

use super::proto::{
    self, Attribute, AttributeType, DataType, Dimension, Entry, Extent, Node, OperatorSet, Shape, TensorType,
    Type, ValueInfo,
};
use crate::error::{Error, Result};
use crate::model::{PARAMETERS, Parameters};
use crate::plan::{BufferId, Dispatch, Formula, Graph, Part, Plan, Tensor, Unfit, Value};

/// The version of ONNX's operators that the graphs ask for.
pub const OPSET: i64 = 17;
/// The version of the file format that goes with it.
const IR_VERSION: i64 = 8;

/// Bytes of a file at most: no message of protocol buffers may be larger.
const MAX_BYTES: usize = i32::MAX as usize;

/// What is computed from a value on its way in or out.
pub type Map<'a> = Box<dyn Fn(&mut dyn Formula, Value) -> Value + 'a>;

/// An input of the graph [N, width].
pub struct Input<'a> {
    /// Its name in the file.
    pub name: &'a str,
    /// Numbers of a row.
    pub width: usize,
    /// The tensor that it is the value of.
    pub tensor: Tensor,
    /// What becomes of it before the plan reads it.
    pub map: Option<Map<'a>>,
    /// One line for those who open the file.
    pub about: String,
}

/// An output of the graph.
pub struct Output<'a> {
    /// Its name in the file.
    pub name: &'a str,
    /// Numbers of a row.
    pub width: usize,
    /// Where it comes from.
    pub source: Source<'a>,
    /// What becomes of that before it is given out.
    pub map: Option<Map<'a>>,
    /// One line for those who open the file.
    pub about: String,
}

/// Where an output comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A tensor of the plan, or columns of one: a row for each row of the inputs.
    Tensor(Tensor),
    /// A parameter: one row.
    Parameter(&'a str),
}

/// The weights of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// Where they lie.
    pub layout: &'a Parameters,
    /// Their arena.
    pub arena: &'a [f32],
}

/// What a file says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The name of the graph.
    pub name: &'a str,
    /// What it computes.
    pub about: &'a str,
    /// Further entries.
    pub metadata: &'a BTreeMap<String, String>,
}

/// The plan as an ONNX file.
///
/// # Errors
/// [`Error::Export`] if a kernel of the plan has no nodes, and [`Error::Usage`] if the file would be too large for the
/// format.
pub fn file(
    plan: &Plan,
    weights: Weights,
    (inputs, outputs): (Vec<Input>, Vec<Output>),
    header: Header,
) -> Result<Vec<u8>> {
    let mut builder = Builder::new(plan, weights);
    inputs.into_iter().for_each(|input| builder.take(input));
    for dispatch in plan.dispatches() {
        let unfit = |problem| Error::Export {
            kernel: dispatch.kernel.label(),
            label: dispatch.label.clone(),
            problem,
        };
        let nodes = dispatch.kernel.nodes.ok_or_else(|| unfit("the kernel has no nodes".into()))?;
        builder.label = dispatch.label.clone();
        nodes(&mut Scope { builder: &mut builder, dispatch }).map_err(unfit)?;
    }
    for output in outputs {
        let (kernel, label) = ("output".into(), output.name.to_owned());
        builder.give(output).map_err(|problem| Error::Export { kernel, label, problem })?;
    }
    builder.finish(header)
}

/// A graph under construction. A [`Value`] is the number of a name.
struct Builder<'a> {
    weights: Weights<'a>,
    /// The buffer of the weights, if the plan has any.
    arena: Option<BufferId>,
    graph: proto::Graph,
    names: Vec<String>,
    /// The values in each buffer, by columns, and the length of its rows in the tensor that they were given for.
    values: HashMap<BufferId, (usize, Vec<Part>)>,
    /// The parameters that are in the file.
    parameters: HashMap<String, Value>,
    /// The purpose of what is written down now, for names.
    label: String,
}

impl<'a> Builder<'a> {
    fn new(plan: &Plan, weights: Weights<'a>) -> Self {
        Builder {
            weights,
            arena: plan.find(PARAMETERS),
            graph: proto::Graph::default(),
            names: Vec::new(),
            values: HashMap::new(),
            parameters: HashMap::new(),
            label: String::new(),
        }
    }

    fn take(&mut self, input: Input) {
        let Input { name, width, tensor, map, about } = input;
        let mut value = self.input(name, width, &about);
        if let Some(map) = map {
            name.clone_into(&mut self.label);
            value = map(self, value);
        }
        let parts = vec![Part { first: 0, width: tensor.cols, value }];
        self.values.insert(tensor.buffer, (tensor.stride, parts));
    }

    fn input(&mut self, name: &str, width: usize, about: &str) -> Value {
        self.graph.input.push(described(name, any(), width, about));
        self.value(name.to_owned())
    }

    /// Gives a value out under that name. Several outputs may be one value, hence the copy.
    fn give(&mut self, output: Output) -> Result<(), Unfit> {
        let Output { name, width, source, map, about } = output;
        name.clone_into(&mut self.label);
        let (mut value, rows) = match source {
            Source::Tensor(tensor) => match self.parts(tensor)?[..] {
                [part] => (part.value, any()),
                ref parts => return Err(format!("it is {} values", parts.len())),
            },
            Source::Parameter(parameter) => {
                let vector = self.parameter(parameter)?;
                let row = self.shape(&[1, -1]);
                (self.apply("Reshape", &[vector, row]), extent(1))
            }
        };
        if let Some(map) = map {
            value = map(self, value);
        }
        self.node("Identity", vec![self.name(value)], name.to_owned(), Vec::new());
        self.graph.output.push(described(name, rows, width, &about));
        Ok(())
    }

    /// The values in a tensor, from left to right, with columns counted from its first.
    fn parts(&mut self, tensor: Tensor) -> Result<Vec<Part>, Unfit> {
        if Some(tensor.buffer) == self.arena {
            return self.parameters_in(tensor);
        }
        let begin = tensor.offset % tensor.stride;
        let end = begin + tensor.cols;
        let (stride, all) = self.values.get(&tensor.buffer).map_or((0, &[][..]), |(s, all)| (*s, all));
        // A picture that is read as rows, or rows as a picture: the same value.
        if let ([part], true) = (all, stride != tensor.stride) {
            return Ok(vec![Part { first: 0, width: tensor.cols, value: part.value }]);
        }
        let here = all.iter().filter(|part| part.first < end && begin < part.first + part.width);
        let parts: Vec<Part> = here.copied().collect();
        if parts.is_empty() {
            return Err("what it reads has no value: neither an input nor the output of nodes".into());
        }
        if parts.iter().any(|part| part.first < begin || part.first + part.width > end) {
            return Err("what it reads ends in the middle of a value".into());
        }
        Ok(parts.into_iter().map(|part| Part { first: part.first - begin, ..part }).collect())
    }

    /// The parameters in a matrix of the arena, in order.
    fn parameters_in(&mut self, matrix: Tensor) -> Result<Vec<Part>, Unfit> {
        let layout = self.weights.layout;
        let mut parts = Vec::new();
        for parameter in layout {
            if let Some(first) = parameter.place_in(matrix) {
                let value = self.parameter(&parameter.name)?;
                parts.push(Part { first, width: parameter.outputs(), value });
            }
        }
        parts.sort_by_key(|part| part.first);
        if parts.is_empty() {
            return Err("no parameter lies in what it reads".into());
        }
        Ok(parts)
    }

    /// A parameter, which is then in the file.
    fn parameter(&mut self, name: &str) -> Result<Value, Unfit> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(*value);
        }
        let Weights { layout, arena } = self.weights;
        let parameter = layout.find(name).ok_or_else(|| format!("the model has no parameter {name}"))?;
        let dims = parameter.shape.iter().map(|size| *size as i64).collect();
        self.constant(name, dims, &parameter.extract(arena));
        let value = self.value(name.to_owned());
        self.parameters.insert(name.to_owned(), value);
        Ok(value)
    }

    fn value(&mut self, name: String) -> Value {
        self.names.push(name);
        Value(self.names.len() - 1)
    }

    /// A name that no other value has.
    fn fresh(&mut self, what: &str) -> Value {
        let name = format!("{}/{what}_{}", self.label, self.names.len());
        self.value(name)
    }

    fn name(&self, value: Value) -> String {
        self.names[value.0].clone()
    }

    fn node(&mut self, operator: &str, input: Vec<String>, output: String, attribute: Vec<Attribute>) {
        let name = format!("{operator} {output}");
        let op_type = operator.to_owned();
        self.graph.node.push(Node { input, output: vec![output], name, op_type, attribute });
    }

    fn apply_attributes(&mut self, operator: &str, inputs: &[Value], attributes: Vec<Attribute>) -> Value {
        let output = self.fresh(operator);
        let inputs = inputs.iter().map(|value| self.name(*value)).collect();
        self.node(operator, inputs, self.name(output), attributes);
        output
    }

    fn constant(&mut self, name: &str, dims: Vec<i64>, values: &[f32]) {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let data_type = DataType::Float.into();
        self.graph.initializer.push(proto::Tensor { dims, data_type, name: name.to_owned(), raw_data });
    }

    fn finish(self, header: Header) -> Result<Vec<u8>> {
        let Header { name, about, metadata } = header;
        let entry = |(key, value): (&String, &String)| Entry { key: key.clone(), value: value.clone() };
        let file = proto::Model {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: about.to_owned(),
            graph: Some(proto::Graph { name: name.to_owned(), doc_string: about.to_owned(), ..self.graph }),
            opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
            metadata_props: metadata.iter().map(entry).collect(),
        };
        let length = file.encoded_len();
        if length > MAX_BYTES {
            return Err(Error::Usage(format!(
                "{name}.onnx would have {length} bytes, more than the format's {MAX_BYTES}: use model.safetensors"
            )));
        }
        Ok(file.encode_to_vec())
    }
}

impl Formula for Builder<'_> {
    fn apply_with(
        &mut self,
        operator: &'static str,
        inputs: &[Value],
        attributes: &[(&'static str, i64)],
    ) -> Value {
        let attributes = attributes.iter().map(|(name, value)| Attribute {
            name: (*name).to_owned(),
            i: *value,
            r#type: AttributeType::Int.into(),
            ..Attribute::default()
        });
        self.apply_attributes(operator, inputs, attributes.collect())
    }

    fn apply_lists(
        &mut self,
        operator: &'static str,
        inputs: &[Value],
        attributes: &[(&'static str, &[i64])],
    ) -> Value {
        let attributes = attributes.iter().map(|(name, values)| Attribute {
            name: (*name).to_owned(),
            ints: values.to_vec(),
            r#type: AttributeType::Ints.into(),
            ..Attribute::default()
        });
        self.apply_attributes(operator, inputs, attributes.collect())
    }

    fn number(&mut self, value: f64) -> Value {
        let output = self.fresh("number");
        self.constant(&self.name(output), Vec::new(), &[value as f32]);
        output
    }

    fn matrix(&mut self, values: &[f64], cols: usize) -> Value {
        let output = self.fresh("matrix");
        let narrow: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        let dims = vec![(values.len() / cols) as i64, cols as i64];
        self.constant(&self.name(output), dims, &narrow);
        output
    }

    fn shape(&mut self, dims: &[i64]) -> Value {
        let output = self.fresh("shape");
        let raw_data = dims.iter().flat_map(|size| size.to_le_bytes()).collect();
        let (name, data_type) = (self.name(output), DataType::Int64.into());
        let dims = vec![dims.len() as i64];
        self.graph.initializer.push(proto::Tensor { dims, data_type, name, raw_data });
        output
    }
}

/// What the nodes of one dispatch see.
struct Scope<'a, 'b> {
    builder: &'a mut Builder<'b>,
    dispatch: &'a Dispatch,
}

impl Formula for Scope<'_, '_> {
    fn apply_with(
        &mut self,
        operator: &'static str,
        inputs: &[Value],
        attributes: &[(&'static str, i64)],
    ) -> Value {
        self.builder.apply_with(operator, inputs, attributes)
    }

    fn apply_lists(
        &mut self,
        operator: &'static str,
        inputs: &[Value],
        attributes: &[(&'static str, &[i64])],
    ) -> Value {
        self.builder.apply_lists(operator, inputs, attributes)
    }

    fn number(&mut self, value: f64) -> Value {
        self.builder.number(value)
    }

    fn matrix(&mut self, values: &[f64], cols: usize) -> Value {
        self.builder.matrix(values, cols)
    }

    fn shape(&mut self, dims: &[i64]) -> Value {
        self.builder.shape(dims)
    }
}

impl Graph for Scope<'_, '_> {
    fn constant(&self, name: &str) -> u32 {
        self.dispatch.constant(name)
    }

    fn params(&self) -> &[u8] {
        &self.dispatch.params
    }

    fn tensor(&self, slot: usize) -> Tensor {
        self.dispatch.tensors[slot]
    }

    fn parts(&mut self, slot: usize) -> Result<Vec<Part>, Unfit> {
        self.builder.parts(self.dispatch.tensors[slot])
    }

    fn put(&mut self, slot: usize, parts: Vec<Part>) {
        let tensor = self.dispatch.tensors[slot];
        self.builder.values.insert(tensor.buffer, (tensor.stride, parts));
    }

    fn input(&mut self, name: &str, width: usize, about: &str) -> Value {
        self.builder.input(name, width, about)
    }
}

/// A dimension whose size is known when the graph runs.
fn any() -> Dimension {
    Dimension { extent: Some(Extent::Name("N".to_owned())) }
}

fn extent(size: usize) -> Dimension {
    Dimension { extent: Some(Extent::Value(size as i64)) }
}

/// A tensor of floats [rows, width].
fn described(name: &str, rows: Dimension, width: usize, about: &str) -> ValueInfo {
    let shape = Some(Shape { dim: vec![rows, extent(width)] });
    let tensor_type = Some(TensorType { elem_type: DataType::Float.into(), shape });
    let r#type = Some(Type { tensor_type });
    ValueInfo { name: name.to_owned(), r#type, doc_string: about.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, Network, plans};
    use crate::plan::Target;

    fn network() -> Network {
        let config = ModelConfig { input: 6, hidden: vec![5], latent: 3, ..ModelConfig::default() };
        Network::new(&config).unwrap()
    }

    fn write(network: &Network, plan: &Plan, outputs: Vec<Output>) -> Result<Vec<u8>> {
        let arena = vec![0.0; network.parameters.words()];
        let weights = Weights { layout: &network.parameters, arena: &arena };
        let metadata = BTreeMap::new();
        file(plan, weights, (Vec::new(), outputs), Header { name: "test", about: "", metadata: &metadata })
    }

    #[test]
    fn a_kernel_without_nodes_is_an_error_that_names_it() {
        let network = network();
        let planned = plans::sample(&network, Target::PORTABLE, 1, 1.0);
        let error = write(&network, &planned.plan, Vec::new()).unwrap_err();
        assert!(matches!(error, Error::Export { .. }), "{error:?}");
        let message = error.to_string();
        let first = planned.plan.dispatches()[0].kernel.label();
        assert!(message.contains(&first) && message.contains("has no nodes"), "{message}");
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        let network = network();
        let planned = plans::decode(&network, Target::PORTABLE, 1);
        let error = write(&network, &planned.plan, Vec::new()).unwrap_err().to_string();
        assert!(error.contains("has no value"), "{error}");
        let empty = Plan::new("empty");
        let output = |source| Output { name: "y", width: 3, source, map: None, about: String::new() };
        let error = write(&network, &empty, vec![output(Source::Parameter("decoder.9.bias"))]).unwrap_err();
        assert!(error.to_string().contains("no parameter decoder.9.bias"), "{error}");
        assert!(write(&network, &empty, vec![output(Source::Parameter("encoder.mu.bias"))]).is_ok());
    }
}
