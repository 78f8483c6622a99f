//! A model as two ONNX graphs: `encoder.onnx` and `decoder.onnx`.
//!
//! ```text
//! encoder   x [N, D], label [N, C], eps [N, Z]  ──►  mu, log_var, z [N, Z]     z = mu + exp(log_var / 2) eps
//! decoder   z [N, Z], label [N, C]              ──►  mean [N, D] = E[x|z], and the decoder's parts
//! ```
//!
//! `label`, one-hot, is an input of conditional models only. An autoencoder's encoder has no eps, and gives z alone. The
//! decoder's parts are named as its parameters are, without `decoder.`: `out`, or `mu` and `log_var`. A log-variance that
//! is the same for all rows is [1, D]; none is clamped. The weights have PyTorch's names and shapes, and the metadata the
//! run's configuration.

use std::collections::BTreeMap;

use prost::Message;

use super::proto::{
    Attribute, AttributeType, DataType, Dimension, Entry, Extent, Graph, Model, Node, OperatorSet, Shape,
    Tensor, TensorType, Type, ValueInfo,
};
use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::likelihood::formula::{Formula, Value};
use crate::model::{ModelConfig, Parameters};

/// The version of ONNX's operators that the graphs ask for.
pub const OPSET: i64 = 17;
/// The version of the file format that goes with it.
const IR_VERSION: i64 = 8;

/// Bytes of a file at most: no message of protocol buffers may be larger.
const MAX_BYTES: usize = i32::MAX as usize;

/// A trained model and what is said about it.
#[derive(Clone, Copy, Debug)]
pub struct Trained<'a> {
    /// The model.
    pub model: &'a ModelConfig,
    /// Where its parameters lie.
    pub layout: &'a Parameters,
    /// The arena of its weights.
    pub parameters: &'a [f32],
    /// Metadata of the files.
    pub metadata: &'a BTreeMap<String, String>,
}

/// The encoder as an ONNX file.
///
/// # Errors
/// [`Error::Usage`] if the model is too large for the format.
pub fn encoder(trained: Trained) -> Result<Vec<u8>> {
    let model = trained.model;
    let mut graph = Builder::new(trained);
    let x = graph.input("x", model.input, "data, as the model was trained on it");
    let last = graph.hidden("encoder", x);
    if !model.has_kl() {
        let z = graph.linear("encoder.mu", last);
        graph.output("z", z, (any(), model.latent), "the code");
        return graph.finish("encoder");
    }
    let [mu, log_var] = ["encoder.mu", "encoder.log_var"].map(|name| graph.linear(name, last));
    let eps = graph.input("eps", model.latent, "draws from N(0, 1); zeros give z = mu");
    let half = graph.number(0.5);
    let log_sigma = graph.apply("Mul", &[log_var, half]);
    let sigma = graph.apply("Exp", &[log_sigma]);
    let noise = graph.apply("Mul", &[sigma, eps]);
    let z = graph.apply("Add", &[mu, noise]);
    graph.output("mu", mu, (any(), model.latent), "the mean of q(z|x)");
    graph.output("log_var", log_var, (any(), model.latent), "the log-variance of q(z|x)");
    graph.output("z", z, (any(), model.latent), "mu + exp(log_var / 2) eps");
    graph.finish("encoder")
}

/// The decoder as an ONNX file.
///
/// # Errors
/// As [`encoder`].
pub fn decoder(trained: Trained) -> Result<Vec<u8>> {
    let model = trained.model;
    let likelihood = model.likelihood()?;
    let mut graph = Builder::new(trained);
    let z = graph.input("z", model.latent, "codes");
    let last = graph.hidden("decoder", z);
    let output = model.output();
    let heads: Vec<Value> = output.heads.iter().map(|(name, _)| graph.linear(name, last)).collect();
    let mean = (likelihood.expectation)(&mut graph, &heads, model.input, &model.settings);
    graph.output("mean", mean, (any(), model.input), "E[x|z]");
    for ((name, width), head) in output.heads.iter().zip(&heads) {
        graph.output(part(name), *head, (any(), *width), "a part of the decoder's last layer");
    }
    if let Some((name, width)) = &output.own {
        let value = graph.row(name);
        graph.output(part(name), value, (extent(1), *width), "the same for every row");
    }
    graph.finish("decoder")
}

/// The name of an output: `decoder.out` is `out`.
fn part(name: &str) -> &str {
    name.strip_prefix("decoder.").unwrap_or(name)
}

/// A graph under construction. A [`Value`] is the number of a name.
struct Builder<'a> {
    trained: Trained<'a>,
    graph: Graph,
    names: Vec<String>,
}

impl<'a> Builder<'a> {
    fn new(trained: Trained<'a>) -> Self {
        Builder { trained, graph: Graph::default(), names: Vec::new() }
    }

    fn value(&mut self, name: impl Into<String>) -> Value {
        self.names.push(name.into());
        Value(self.names.len() - 1)
    }

    /// A name that no other value has.
    fn fresh(&mut self, what: &str) -> Value {
        let name = format!("{}.{}", what.to_lowercase(), self.names.len());
        self.value(name)
    }

    fn name(&self, value: Value) -> String {
        self.names[value.0].clone()
    }

    /// An input [N, width].
    fn input(&mut self, name: &str, width: usize, about: &str) -> Value {
        self.graph.input.push(described(name, any(), width, about));
        self.value(name)
    }

    /// Gives `value` out under that name. Several outputs may be one value, hence the copy.
    fn output(&mut self, name: &str, value: Value, (rows, width): (Dimension, usize), about: &str) {
        self.node("Identity", vec![self.name(value)], name.to_owned(), Vec::new());
        self.graph.output.push(described(name, rows, width, about));
    }

    fn node(&mut self, operator: &str, input: Vec<String>, output: String, attribute: Vec<Attribute>) {
        let name = format!("{operator} {output}");
        self.graph.node.push(Node {
            input,
            output: vec![output],
            name,
            op_type: operator.to_owned(),
            attribute,
        });
    }

    /// The hidden layers of `part`, from its input and, in a conditional model, the label.
    fn hidden(&mut self, part: &str, input: Value) -> Value {
        let mut value = input;
        if self.trained.model.classes > 0 {
            let label = self.input("label", self.trained.model.classes, "the class, one-hot");
            let joined = self.fresh("Concat");
            let inputs = vec![self.name(input), self.name(label)];
            self.node("Concat", inputs, self.name(joined), vec![whole("axis", 1)]);
            value = joined;
        }
        for layer in 0..self.trained.model.hidden.len() {
            let sum = self.linear(&format!("{part}.{layer}"), value);
            value = self.activation(sum);
        }
        value
    }

    fn activation(&mut self, x: Value) -> Value {
        match self.trained.model.activation {
            Activation::Identity => x,
            Activation::Relu => self.apply("Relu", &[x]),
            Activation::Tanh => self.apply("Tanh", &[x]),
            Activation::Softplus => self.apply("Softplus", &[x]),
            Activation::Silu => {
                let sigmoid = self.apply("Sigmoid", &[x]);
                self.apply("Mul", &[x, sigmoid])
            }
        }
    }

    /// x W^T + b of the layer of that name.
    fn linear(&mut self, name: &str, x: Value) -> Value {
        let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
        self.parameter(&weight, None);
        self.parameter(&bias, None);
        let y = self.value(name);
        self.node("Gemm", vec![self.name(x), weight, bias], name.to_owned(), vec![whole("transB", 1)]);
        y
    }

    /// A parameter [width] as a row [1, width].
    fn row(&mut self, name: &str) -> Value {
        self.parameter(name, Some(1));
        self.value(name)
    }

    /// Puts a parameter of the model into the file, with `rows` before its own dimensions.
    fn parameter(&mut self, name: &str, rows: Option<i64>) {
        let Trained { layout, parameters, .. } = self.trained;
        let parameter = layout.find(name);
        let parameter = parameter.unwrap_or_else(|| panic!("the model has no parameter {name}"));
        let dims = rows.into_iter().chain(parameter.shape.iter().map(|size| *size as i64)).collect();
        self.constant(name, dims, &parameter.extract(parameters));
    }

    fn constant(&mut self, name: &str, dims: Vec<i64>, values: &[f32]) {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let data_type = DataType::Float.into();
        self.graph.initializer.push(Tensor { dims, data_type, name: name.to_owned(), raw_data });
    }

    fn finish(self, name: &str) -> Result<Vec<u8>> {
        let Trained { model, metadata, .. } = self.trained;
        let entry = |(key, value): (&String, &String)| Entry { key: key.clone(), value: value.clone() };
        let file = Model {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: format!(
                "{name} of a {} {} with a {} decoder",
                model.title(),
                model.widths(),
                model.decoder()
            ),
            graph: Some(Graph { name: name.to_owned(), ..self.graph }),
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
    fn apply(&mut self, operator: &'static str, inputs: &[Value]) -> Value {
        let output = self.fresh(operator);
        let inputs = inputs.iter().map(|value| self.name(*value)).collect();
        self.node(operator, inputs, self.name(output), Vec::new());
        output
    }

    fn number(&mut self, value: f64) -> Value {
        let output = self.fresh("number");
        self.constant(&self.name(output), Vec::new(), &[value as f32]);
        output
    }

    fn column(&mut self, values: &[f64]) -> Value {
        let output = self.fresh("column");
        let narrow: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        self.constant(&self.name(output), vec![narrow.len() as i64, 1], &narrow);
        output
    }

    fn shape(&mut self, dims: &[i64]) -> Value {
        let output = self.fresh("shape");
        let raw_data = dims.iter().flat_map(|size| size.to_le_bytes()).collect();
        let (name, data_type) = (self.name(output), DataType::Int64.into());
        self.graph.initializer.push(Tensor { dims: vec![dims.len() as i64], data_type, name, raw_data });
        output
    }
}

fn whole(name: &str, value: i64) -> Attribute {
    Attribute { name: name.to_owned(), i: value, r#type: AttributeType::Int.into() }
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
