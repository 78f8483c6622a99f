//! What a kind of layer is, and the text by which configuration names layers of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kernels::activation::Activation;
pub use crate::kernels::extent::Extent;
use crate::model::parameters::Parameters;
use crate::model::tape::{Tape, Value};
use crate::settings::Named;

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

/// Makes a layer, and says what it gives.
pub type Build = fn(&LayerText, Site) -> Result<(Box<dyn Layer>, Extent), String>;

/// The text of the layer that leads back from what a layer gives to what it reads, without an activation. Where the
/// likelihood's parts are asked for instead, None if that is a linear layer.
pub type Mirror = fn(&LayerText, Shapes, Back) -> Option<String>;

/// The shapes on both sides of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Shapes {
    /// What it reads.
    pub from: Extent,
    /// What it gives.
    pub to: Extent,
}

/// Where a mirrored layer leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// To what the layer reads.
    Layer,
    /// To the likelihood's parts, one for each value of a datum.
    Output,
}

/// A kind of layer: its name in configuration, and how to make it.
pub struct LayerKind {
    /// The first word of its text.
    pub name: &'static str,
    /// Its text, for messages and the guide.
    pub grammar: &'static str,
    /// What it computes, in one line.
    pub about: &'static str,
    /// Texts for tests and checks, of one layer or several; each can follow a row of any width.
    pub samples: &'static [&'static str],
    /// Checks a text of this kind; the error says what is wrong.
    pub validate: fn(&LayerText) -> Result<(), String>,
    /// Whether it ends in an activation: the model's, where its text names none.
    pub activates: bool,
    /// Whether it reads pictures, so that the data must be such.
    pub spatial: bool,
    /// The layer that leads back to what this one reads. The decoder mirrors a layer that has one together with those after it
    /// that have none, or that are residual blocks that keep their shape.
    pub mirror: Option<Mirror>,
    /// Makes the layer of a valid text, and returns its output shape.
    pub build: Build,
}

/// A layer's text, parsed.
#[derive(Clone)]
pub struct LayerText {
    /// The kind of layer.
    pub kind: &'static LayerKind,
    /// The words after the kind, without the activation.
    pub arguments: Vec<String>,
    /// The activation at the end of the text, if it names one.
    pub activation: Option<Activation>,
    /// The layers in its parentheses.
    pub inner: Layers,
}

impl LayerText {
    /// The text with the layer's actual activation, for display.
    #[doc(hidden)]
    pub fn with_activation(&self, default: Activation) -> String {
        let activation = self.activation.or(self.kind.activates.then_some(default));
        LayerText { activation, ..self.clone() }.to_string()
    }
}

impl PartialEq for LayerText {
    fn eq(&self, other: &LayerText) -> bool {
        self.kind.name == other.kind.name
            && self.arguments == other.arguments
            && self.activation == other.activation
            && self.inner == other.inner
    }
}

impl fmt::Display for LayerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<&str> = Vec::new();
        // An activation layer is written as its activation alone.
        if self.kind.name != "activation" {
            words.push(self.kind.name);
        }
        words.extend(self.arguments.iter().map(String::as_str));
        if self.inner.is_empty() {
            words.extend(self.activation.map(Named::name));
            return write!(f, "{}", words.join(" "));
        }
        write!(f, "{}({})", words.join(" "), self.inner)
    }
}

impl fmt::Debug for LayerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Layers in order, as written in configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Layers(pub(super) Vec<LayerText>);

impl Layers {
    /// The layers in order.
    #[doc(hidden)]
    pub fn iter(&self) -> std::slice::Iter<'_, LayerText> {
        self.0.iter()
    }

    /// Takes the last layer away, if it is such a one.
    pub(in crate::model) fn take_last(&mut self, such: fn(&LayerText) -> bool) -> Option<LayerText> {
        self.0.pop_if(|text| such(text))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks every layer's arguments.
    ///
    /// # Errors
    /// The fault of the first invalid layer.
    pub fn validate(&self) -> Result<(), String> {
        self.iter().try_for_each(|text| (text.kind.validate)(text))
    }

    /// Whether a decoder can mirror these layers.
    ///
    /// # Errors
    /// If the first layer keeps the shape of what it reads, so that nothing starts the decoder.
    #[doc(hidden)]
    pub fn check_mirror(&self) -> Result<(), String> {
        match self.0.first() {
            Some(text) if text.kind.mirror.is_none() => Err(unled(text)),
            _ => Ok(()),
        }
    }

    /// Whether the first layer that cares about shapes reads pictures.
    #[doc(hidden)]
    pub fn read_pictures(&self) -> bool {
        self.first_caring().unwrap_or(false)
    }

    fn first_caring(&self) -> Option<bool> {
        self.iter().find_map(|text| match (text.kind.spatial, text.inner.is_empty()) {
            (true, _) => Some(true),
            (false, false) => text.inner.first_caring(),
            (false, true) => text.kind.mirror.map(|_| false),
        })
    }

    /// Layers, those inside others counted.
    pub(super) fn count(&self) -> usize {
        self.iter().map(|text| 1 + text.inner.count()).sum()
    }
}

/// What is wrong with an encoder that begins with a layer that goes with the one before it.
pub(super) fn unled(text: &LayerText) -> String {
    format!(
        "the encoder begins with `{text}`, which no decoder mirrors: name the decoder's layers with `model.decoder`"
    )
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.iter().map(LayerText::to_string).collect();
        f.write_str(&texts.join(", "))
    }
}

impl From<Layers> for String {
    fn from(layers: Layers) -> String {
        layers.to_string()
    }
}
