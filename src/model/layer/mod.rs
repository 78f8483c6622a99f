//! Layers: one file and one line in [`LAYERS`] each.

mod activation;
mod condition;
mod linear;
mod residual;
mod text;

pub(super) use condition::Condition;
pub(super) use linear::{Linear, MAX_WIDTH};
pub use text::{LayerText, Layers};

use super::parameters::Parameters;
use super::tape::{Tape, Value};
use crate::kernels::activation::Activation;

/// The shape between layers, per datum: height x width positions of `channels` numbers. A plain row is 1 x 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows of positions.
    pub height: usize,
    /// Columns of positions.
    pub width: usize,
    /// Numbers per position.
    pub channels: usize,
}

impl Extent {
    /// A row of `channels` numbers.
    pub fn row(channels: usize) -> Extent {
        Extent { height: 1, width: 1, channels }
    }
}

impl std::fmt::Display for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Extent { height: 1, width: 1, channels } => write!(f, "{channels}"),
            Extent { height, width, channels } => write!(f, "{height}x{width}x{channels}"),
        }
    }
}

/// A layer that knows where its parameters lie.
pub trait Layer: std::fmt::Debug {
    /// Appends y = layer(x) to the tape and records the backward pass: the gradients of the parameters and, if
    /// `Tape::sink` wants it, of x.
    fn forward(&self, tape: &mut Tape, x: Value) -> Value;
    /// Multiply-adds of the forward pass per datum.
    fn multiply_adds(&self) -> usize;
}

/// The arguments for making a layer.
pub struct Site<'a> {
    /// The name of its parameters and tensors, such as `encoder.0`.
    pub name: &'a str,
    /// The shape of its input.
    pub input: Extent,
    /// The activation of layers that do not name one.
    pub activation: Activation,
    /// Where its parameters go.
    pub parameters: &'a mut Parameters,
}

/// A kind of layer: its name in configuration, and how to make it.
pub struct LayerKind {
    /// The first word of its text.
    pub name: &'static str,
    /// Its text, for messages and the guide.
    pub grammar: &'static str,
    /// What it computes, in one line.
    pub about: &'static str,
    /// Texts for tests and checks; each can follow a row of any width.
    pub samples: &'static [&'static str],
    /// Checks a text of this kind; the error says what is wrong.
    pub validate: fn(&LayerText) -> Result<(), String>,
    /// Whether it may change the number of channels; the decoder mirrors such a layer together with those after it that
    /// do not.
    pub resizes: bool,
    /// Makes the layer of a valid text, and returns its output shape.
    pub build: fn(&LayerText, Site) -> Result<(Box<dyn Layer>, Extent), String>,
}

/// Every kind of layer.
pub static LAYERS: &[LayerKind] = &[linear::LINEAR, activation::ACTIVATION, residual::RESIDUAL];

/// A layer as `vae-gpu explain` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRow {
    /// Such as `encoder.0`.
    pub name: String,
    /// Such as `linear 400 relu`.
    pub text: String,
    /// Its output shape, per datum.
    pub output: Extent,
    /// Trained values.
    pub parameters: usize,
    /// Multiply-adds of the forward pass per datum.
    pub multiply_adds: usize,
}

/// Layers in sequence.
#[derive(Debug, Default)]
pub(super) struct Stack {
    layers: Vec<Box<dyn Layer>>,
    /// A row per layer, for display.
    pub rows: Vec<LayerRow>,
}

impl Stack {
    /// The layers of `text` on top of `site`, with numbered names, and the output shape of the last.
    pub fn build(text: &Layers, site: Site) -> Result<(Stack, Extent), String> {
        let Site { name, input, activation, parameters } = site;
        let (mut stack, mut extent) = (Stack::default(), input);
        for (number, text) in text.iter().enumerate() {
            let name = format!("{name}.{number}");
            let before = parameters.count();
            let site = Site { name: &name, input: extent, activation, parameters: &mut *parameters };
            let (layer, output) = (text.kind.build)(text, site)?;
            extent = output;
            stack.push(layer, &name, text.with_activation(activation), output, parameters.count() - before);
        }
        Ok((stack, extent))
    }

    /// Adds a layer.
    pub fn push(
        &mut self,
        layer: Box<dyn Layer>,
        name: &str,
        text: String,
        output: Extent,
        parameters: usize,
    ) {
        let multiply_adds = layer.multiply_adds();
        self.rows.push(LayerRow { name: name.to_owned(), text, output, parameters, multiply_adds });
        self.layers.push(layer);
    }

    /// Puts a layer without parameters before the others.
    pub fn put_first(&mut self, layer: impl Layer + 'static, name: &str, text: String, output: Extent) {
        let row = LayerRow { name: name.to_owned(), text, output, parameters: 0, multiply_adds: 0 };
        self.rows.insert(0, row);
        self.layers.insert(0, Box::new(layer));
    }

    /// Appends every layer.
    pub fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        self.layers.iter().fold(x, |x, layer| layer.forward(tape, x))
    }

    /// Multiply-adds of the forward pass per datum.
    pub fn multiply_adds(&self) -> usize {
        self.layers.iter().map(|layer| layer.multiply_adds()).sum()
    }
}
