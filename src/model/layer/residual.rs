//! y = x + layers(x) (He et al. 2015).

use super::kind::{Layer, LayerKind, Site};
use super::stack::Stack;
use crate::kernels::add;
use crate::model::tape::{Tape, Value};

pub(super) const RESIDUAL: LayerKind = LayerKind {
    name: "residual",
    grammar: "residual(LAYERS)",
    about: "y = x + layers(x); input and output have the same shape",
    samples: &["residual(linear 8, linear 9 identity), relu", "residual(linear 9 tanh)"],
    validate: |text| match (text.inner.is_empty(), &text.arguments[..], text.activation) {
        (false, [], None) => text.inner.validate(),
        _ => Err(format!(
            "`{text}`: write `residual(LAYERS)` with at least one layer, such as `residual(linear 400)`"
        )),
    },
    activates: false,
    spatial: false,
    mirror: None,
    build: |text, site| {
        let Site { name, input, activation, parameters } = site;
        let (inner, output) = Stack::build(&text.inner, Site { name, input, activation, parameters })?;
        if output != input {
            return Err(format!(
                "`{text}` reads {input} numbers and gives {output}: its last layer must give {input}"
            ));
        }
        Ok((Box::new(Residual { name: name.to_owned(), inner }), output))
    },
};

#[derive(Debug)]
struct Residual {
    name: String,
    inner: Stack,
}

impl Layer for Residual {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        let from = tape.read(x);
        let inner = self.inner.forward(tape, x);
        let branch = tape.read(inner);
        let to = tape.plan.like(&self.name, from);
        add::sum(&mut tape.plan, &self.name, from, branch, to);
        let y = tape.value(&self.name, to);
        tape.record(move |tape| {
            if let Some(d) = tape.gradient(y) {
                // A copy first: the branch may overwrite its gradient.
                tape.give(x, d, false);
                tape.give(inner, d, true);
            }
        });
        y
    }

    fn multiply_adds(&self) -> usize {
        self.inner.multiply_adds()
    }
}
