//! Layers one behind the other.

use super::kind::{Extent, Layer, Layers, Site};
use crate::model::tape::{Tape, Value};

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
pub(in crate::model) struct Stack {
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
