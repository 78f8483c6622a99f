//! Normalisation over channels and positions of a datum.

use super::kind::{Layer, LayerKind, LayerText, Site};
use crate::kernels::bias_grad::bias_grad;
use crate::kernels::norm::{self, Division};
use crate::model::parameters::{Axis, Parameters, Place, Stored};
use crate::model::tape::{Tape, Value};
use crate::plan::PAD;

pub(super) const NORM: LayerKind = LayerKind {
    name: "norm",
    grammar: "norm layer or norm group G",
    about: "zero mean and variance 1 over all channels, or over each of G groups, then a scale and a shift by channel",
    samples: &[
        "norm layer",
        "linear 2x3x5 identity, norm layer, silu",
        "linear 3x2x8, norm group 2, conv 3x2",
    ],
    validate: |text| groups(text).map(|_| ()),
    activates: false,
    spatial: false,
    mirror: None,
    build: |text, site| {
        let Site { name, input, parameters, .. } = site;
        let (groups, channels) = (groups(text)?, input.channels);
        if groups > 1 && !channels.is_multiple_of(groups * PAD) {
            return Err(format!(
                "`{text}`: {channels} channels are no {groups} groups of a multiple of {PAD}"
            ));
        }
        let division = Division { positions: input.positions(), groups };
        Ok((Box::new(Norm::new(name, channels, division, parameters)), input))
    },
};

/// The groups that a text names.
fn groups(text: &LayerText) -> Result<usize, String> {
    let arguments: Vec<&str> = text.arguments.iter().map(String::as_str).collect();
    let named = match arguments[..] {
        ["layer"] => Some(1),
        ["group", groups] => groups.parse().ok().filter(|groups| *groups > 0),
        _ => None,
    };
    named
        .filter(|_| text.inner.is_empty() && text.activation.is_none())
        .ok_or_else(|| format!("`{text}`: write `norm layer`, or `norm group G`, such as `norm group 8`"))
}

/// y = w (x - mean) / sqrt(variance + 1e-5) + b, with PyTorch's names and start values of GroupNorm.
#[derive(Debug)]
struct Norm {
    name: String,
    division: Division,
    weight: Place,
    bias: Place,
}

impl Norm {
    fn new(name: &str, channels: usize, division: Division, parameters: &mut Parameters) -> Norm {
        let mut vector = |what: &str, start: f32| {
            let place = parameters.allocate(1, channels);
            let axes = vec![Axis { size: channels, stride: 1 }];
            let name = format!("{name}.{what}");
            let stored = Stored { name, shape: vec![channels], fan_in: None, start, outputs: channels };
            parameters.add_along(stored, place, (0, 0), axes);
            place
        };
        let (weight, bias) = (vector("weight", 1.0), vector("bias", 0.0));
        Norm { name: name.to_owned(), division, weight, bias }
    }
}

impl Layer for Norm {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        let Norm { ref name, division, weight, bias } = *self;
        let from = tape.read(x);
        let to = tape.plan.like(name, from);
        let count = from.rows / division.positions * division.groups;
        let stats = tape.plan.tensor(format!("{name} stats"), count, PAD);
        let (w, b) = (tape.weight(weight), tape.weight(bias));
        norm::forward(&mut tape.plan, &tape.target, name, division, (from, w, b), (to, stats));
        let y = tape.value(name, to);
        let name = name.clone();
        tape.record(move |tape| {
            let Some(d) = tape.gradient(y) else { return };
            let d_x = tape.plan.like(format!("{name} d_x"), from);
            let products = tape.plan.like(format!("{name} d_w of each position"), from);
            let label = format!("{name} gradient");
            norm::backward(
                &mut tape.plan,
                &tape.target,
                &label,
                division,
                (from, w, d, stats),
                (d_x, products),
            );
            let (d_w, d_b) = (tape.d_weight(weight), tape.d_weight(bias));
            bias_grad(&mut tape.plan, &format!("{name} d_w"), products, d_w);
            bias_grad(&mut tape.plan, &name, d, d_b);
            tape.give(x, d_x, true);
        });
        y
    }

    fn multiply_adds(&self) -> usize {
        0
    }
}
