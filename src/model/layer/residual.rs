//! y = x + layers(x) (He et al. 2015), or y = shortcut(x) + layers(x) where the layers change the shape of a picture.

use super::kind::{Back, Extent, Layer, LayerKind, LayerText, Layers, Shapes, Site};
use super::stack::Stack;
use crate::kernels::activation::Activation;
use crate::kernels::add;
use crate::model::parameters::Parameters;
use crate::model::tape::{Tape, Value};
use crate::settings::Named;

pub(super) const RESIDUAL: LayerKind = LayerKind {
    name: "residual",
    grammar: "residual(LAYERS)",
    about: "y = x + layers(x); where these give a picture of another shape, x takes a shortcut to it, of few weights",
    samples: &[
        "residual(linear 8, linear 9 identity), relu",
        "residual(linear 9 tanh)",
        "linear 3x5x2, residual(conv 3x3/2, conv 5x3 identity), elu",
        "linear 2x2x5, residual(conv 3x3, deconv 3x4/2), residual(deconv 6x3/2 to 7x7)",
    ],
    validate: |text| match (text.inner.is_empty(), &text.arguments[..], text.activation) {
        (false, [], None) => text.inner.validate(),
        _ => Err(format!(
            "`{text}`: write `residual(LAYERS)` with at least one layer, such as `residual(linear 400)`"
        )),
    },
    activates: false,
    spatial: false,
    mirror: Some(mirror),
    build: |text, site| {
        let Site { name, input, activation, parameters } = site;
        let site = Site { name, input, activation, parameters: &mut *parameters };
        let (inner, output) = Stack::build(&text.inner, site)?;
        let layers = if output == input { Some(Layers::default()) } else { shortcut(input, output) };
        let layers = layers.ok_or_else(|| {
            format!("`{text}` reads {input} numbers and gives {output}: its last layer must give {input}")
        })?;
        let site = Site { name: &format!("{name}.shortcut"), input, activation, parameters };
        let (shortcut, _) = Stack::build(&layers, site)?;
        Ok((Box::new(Residual { name: name.to_owned(), inner, shortcut }), output))
    },
};

/// The block that leads back: the mirrors of its layers in reverse order, each with what follows the layer that stands in its
/// place, so that an end without an activation stays one; layers that begin a block and have no mirror begin this one too. The
/// likelihood's parts are given by the mirror of the first layer, if that alone changes the size.
fn mirror(text: &LayerText, shapes: Shapes, back: Back) -> Option<String> {
    let (mut parameters, activation) = (Parameters::default(), Activation::Relu);
    let site = Site { name: "", input: shapes.from, activation, parameters: &mut parameters };
    let (stack, _) = Stack::build(&text.inner, site).ok()?;
    let outputs: Vec<Extent> = stack.rows.iter().map(|row| row.output).collect();
    let inputs = std::iter::once(&shapes.from).chain(&outputs);
    let mut groups: Vec<(&LayerText, Shapes, Vec<String>)> = Vec::new();
    let leading = text.inner.iter().take_while(|layer| layer.kind.mirror.is_none()).count();
    for (layer, (&from, &to)) in text.inner.iter().zip(inputs.zip(&outputs)).skip(leading) {
        match groups.last_mut() {
            Some((.., followers)) if layer.kind.mirror.is_none() => followers.push(layer.to_string()),
            _ => groups.push((layer, Shapes { from, to }, Vec::new())),
        }
    }
    let led_by = |(lead, shapes, _): &(&LayerText, Shapes, Vec<String>), back| {
        lead.kind.mirror.and_then(|mirror| mirror(lead, *shapes, back))
    };
    if back == Back::Output {
        let first = groups.first()?;
        let size = |extent: Extent| (extent.height, extent.width);
        return led_by(first, Back::Output).filter(|_| size(first.1.to) == size(shapes.to));
    }
    let mut layers: Vec<String> = text.inner.iter().take(leading).map(LayerText::to_string).collect();
    for (group, (lead, _, followers)) in groups.iter().rev().zip(&groups) {
        let mirrored = led_by(group, Back::Layer)?;
        let takes_one = mirrored.parse::<Layers>().ok()?.iter().all(|layer| layer.kind.activates);
        let activation = lead.activation.filter(|_| takes_one).map(|f| format!(" {}", f.name()));
        layers.push(mirrored + &activation.unwrap_or_default());
        layers.extend(followers.iter().cloned());
    }
    Some(format!("residual({})", layers.join(", ")))
}

/// The layers that lead from a picture to one of another shape, with as few weights as can be.
fn shortcut(from: Extent, to: Extent) -> Option<Layers> {
    let sides = |extent: Extent| [extent.height, extent.width];
    let Extent { height, width, channels } = to;
    if from.is_row() || to.is_row() {
        return None;
    }
    // The factor by which the larger picture's sides are divided to give the smaller one's, rounded up or down.
    let up = |side: usize, factor: usize| side.div_ceil(factor);
    let down = |side: usize, factor: usize| side / factor;
    let factor = |large: Extent, small: Extent, divided: fn(usize, usize) -> usize| {
        (1..=MAX_FACTOR).find(|factor| sides(large).map(|side| divided(side, *factor)) == sides(small))
    };
    // The smaller of two factors that fit is that of the layers.
    let least = |large: Extent, small: Extent| {
        let [up, down] = [factor(large, small, up), factor(large, small, down)];
        let is_least =
            |by: Option<usize>, other: Option<usize>| by.filter(|by| other.is_none_or(|o| *by <= o));
        (is_least(up, down), is_least(down, up))
    };
    let text = if let (Some(stride), _) = least(from, to) {
        let stride = if stride > 1 { format!("/{stride} pad 0") } else { String::new() };
        format!("conv {channels}x1{stride} identity")
    } else if let (_, Some(stride)) = least(from, to) {
        format!("pool {stride}, conv {channels}x1 identity")
    } else if let (Some(stride), _) = least(to, from) {
        if sides(from).map(|side| side * stride) == sides(to) {
            format!("upsample {stride}, conv {channels}x1 identity")
        } else {
            format!("deconv {channels}x1/{stride} pad 0 to {height}x{width} identity")
        }
    } else {
        let stride = least(to, from).1?;
        format!("deconv {channels}x{stride}/{stride} pad 0 to {height}x{width} identity")
    };
    // A picture may be too large for the text of a layer.
    text.parse().ok()
}

/// The largest factor between the sides of two pictures: a convolution's largest stride.
const MAX_FACTOR: usize = 4;

#[derive(Debug)]
struct Residual {
    name: String,
    inner: Stack,
    shortcut: Stack,
}

impl Layer for Residual {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        let shortcut = self.shortcut.forward(tape, x);
        let inner = self.inner.forward(tape, x);
        let [from, branch] = [shortcut, inner].map(|value| tape.read(value));
        let to = tape.plan.like(&self.name, from);
        add::sum(&mut tape.plan, &self.name, from, branch, to);
        let y = tape.value(&self.name, to);
        tape.record(move |tape| {
            if let Some(d) = tape.gradient(y) {
                // A copy first: the branch may overwrite its gradient.
                tape.give(shortcut, d, false);
                tape.give(inner, d, true);
            }
        });
        y
    }

    fn multiply_adds(&self) -> usize {
        self.inner.multiply_adds() + self.shortcut.multiply_adds()
    }
}
