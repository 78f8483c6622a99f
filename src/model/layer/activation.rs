//! y = f(x), element by element: an activation as a layer of its own.

use super::kind::{Layer, LayerKind};
use crate::kernels::activation::{self, Activation};
use crate::model::tape::{Tape, Value};

pub(super) const ACTIVATION: LayerKind = LayerKind {
    name: "activation",
    grammar: "ACTIVATION",
    about: "y = f(x): relu, tanh, softplus, silu or elu, behind a layer that sums",
    samples: &["relu", "tanh", "softplus", "silu", "elu"],
    validate: |text| match (&text.arguments[..], text.activation) {
        ([], Some(function)) if function != Activation::Identity => Ok(()),
        _ => Err(format!("`{text}`: write the activation's name alone, such as `tanh`")),
    },
    activates: false,
    spatial: false,
    mirror: None,
    build: |text, site| {
        let function = text.activation.unwrap_or(site.activation);
        Ok((Box::new(Applied { name: site.name.to_owned(), function }), site.input))
    },
};

#[derive(Debug)]
struct Applied {
    name: String,
    function: Activation,
}

impl Layer for Applied {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        let from = tape.read(x);
        let to = tape.plan.like(&self.name, from);
        activation::forward(&mut tape.plan, &self.name, self.function, from, to);
        let kept = if self.function.keeps_input() { from } else { to };
        let y = tape.activated(&self.name, to, self.function, kept);
        tape.record(move |tape| {
            if let Some(d) = tape.gradient(y) {
                tape.give(x, d, true);
            }
        });
        y
    }

    fn multiply_adds(&self) -> usize {
        0
    }
}
