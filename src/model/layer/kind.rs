//! What a kind of layer is, and the text by which configuration names layers of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kernels::activation::Activation;
use crate::model::parameters::Parameters;
use crate::model::tape::{Tape, Value};
use crate::settings::Named;

/// What passes between layers, per datum: height x width positions of so many channels. A plain row is 1 x 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows of positions.
    pub height: usize,
    /// Columns of positions.
    pub width: usize,
    /// Numbers of each position.
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

/// A layer with its parameters' places.
pub trait Layer: std::fmt::Debug {
    /// Appends y = layer(x) to the tape and records the backward pass: the gradients of the parameters, and that of x
    /// where [`Tape::sink`] wants it.
    fn forward(&self, tape: &mut Tape, x: Value) -> Value;
    /// Multiply-adds of the forward pass per datum.
    fn multiply_adds(&self) -> usize;
}

/// What a layer is made from.
pub struct Site<'a> {
    /// The name of its parameters and tensors, such as `encoder.0`.
    pub name: &'a str,
    /// What it reads.
    pub input: Extent,
    /// The activation of layers that name none.
    pub activation: Activation,
    /// Where its parameters go.
    pub parameters: &'a mut Parameters,
}

/// A kind of layer: what configuration calls it, and how it is made.
pub struct LayerKind {
    /// The first word of its text.
    pub name: &'static str,
    /// Its text, for messages and the guide.
    pub grammar: &'static str,
    /// What it computes, in one line.
    pub about: &'static str,
    /// Texts that tests and checks walk, each to follow a row of any width.
    pub samples: &'static [&'static str],
    /// Says what is wrong with a text of this kind.
    pub validate: fn(&LayerText) -> Result<(), String>,
    /// Whether it may change the number of channels; the decoder mirrors such a layer together with those behind it that
    /// do not.
    pub resizes: bool,
    /// Makes the layer of a valid text, and says what it gives.
    pub build: fn(&LayerText, Site) -> Result<(Box<dyn Layer>, Extent), String>,
}

/// A layer's text, taken apart.
#[derive(Clone)]
pub struct LayerText {
    /// What kind of layer it names.
    pub kind: &'static LayerKind,
    /// The words behind the kind, but for an activation.
    pub arguments: Vec<String>,
    /// The activation at its end, where it names one.
    pub activation: Option<Activation>,
    /// The layers in its parentheses.
    pub inner: Layers,
}

impl LayerText {
    /// The text with the activation that the layer gets, for people.
    pub fn with_activation(&self, default: Activation) -> String {
        let activation = self.activation.or((self.kind.name == "linear").then_some(default));
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
        // An activation by itself has no other name.
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

/// Layers in order, as their text says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Layers(pub(super) Vec<LayerText>);

impl Layers {
    /// The layers in order.
    pub fn iter(&self) -> std::slice::Iter<'_, LayerText> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks every layer's arguments.
    ///
    /// # Errors
    /// What is wrong with the first that has a fault.
    pub fn validate(&self) -> Result<(), String> {
        self.iter().try_for_each(|text| (text.kind.validate)(text))
    }

    /// The decoder that mirrors this encoder: a layer that changes the number of channels goes with those behind it that do
    /// not, and these groups stand in reverse.
    ///
    /// # Errors
    /// If the first layer keeps the number of channels, so that there is no width to begin with.
    pub fn mirrored(&self) -> Result<Layers, String> {
        let mut groups: Vec<Vec<LayerText>> = Vec::new();
        for text in self.iter() {
            match groups.last_mut() {
                Some(group) if !text.kind.resizes => group.push(text.clone()),
                None if !text.kind.resizes => {
                    return Err(format!(
                        "the encoder begins with `{text}`, which no decoder mirrors: name the decoder's layers too"
                    ));
                }
                _ => groups.push(vec![text.clone()]),
            }
        }
        Ok(Layers(groups.into_iter().rev().flatten().collect()))
    }

    /// Layers, those inside others counted.
    pub(super) fn count(&self) -> usize {
        self.iter().map(|text| 1 + text.inner.count()).sum()
    }
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
