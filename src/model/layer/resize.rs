//! Average pooling and nearest-neighbour upsampling.

use super::kind::{Back, Extent, Layer, LayerKind, LayerText, Site};
use super::linear;
use crate::kernels::ROUNDS;
use crate::kernels::resize::{grow, shrink};
use crate::model::tape::{Tape, Value};

/// The largest factor.
const MAX_FACTOR: usize = 16;

pub(super) const POOL: LayerKind = LayerKind {
    name: "pool",
    grammar: "pool [F]",
    about: "the mean of F x F positions, or of all",
    samples: &["linear 4x5x3, pool 2, linear 6", "linear 2x3x5, pool"],
    validate: |text| factor(text, true).map(|_| ()),
    activates: false,
    spatial: true,
    mirror: Some(|text, shapes, back| {
        let factor = factor(text, true).ok()?;
        let whole = factor.is_some_and(|factor| grown(shapes.to, factor) == shapes.from);
        match (back, factor) {
            (Back::Output, _) => None,
            (Back::Layer, Some(factor)) if whole => Some(format!("upsample {factor}")),
            // What pooling cuts off, a linear layer makes anew.
            (Back::Layer, _) => Some(format!("linear {}", shapes.from)),
        }
    }),
    build: |text, site| {
        let Site { name, input, .. } = site;
        let factors = match factor(text, true)? {
            Some(factor) => [factor, factor],
            // A picture without a size is refused below.
            None => [input.height.max(1), input.width.max(1)],
        };
        // llvmpipe leaves the loops of an invocation after 65,535 rounds.
        if factors[0] * factors[1] > ROUNDS {
            return Err(format!(
                "`{text}` pools all {input}, more positions than {ROUNDS}: pool by a factor first"
            ));
        }
        let output = Extent { height: input.height / factors[0], width: input.width / factors[1], ..input };
        if output.is_empty() {
            return Err(format!("`{text}` leaves nothing of {input}"));
        }
        Ok((Box::new(Resize { name: name.to_owned(), input, output, factors, grows: false }), output))
    },
};

pub(super) const UPSAMPLE: LayerKind = LayerKind {
    name: "upsample",
    grammar: "upsample F",
    about: "each position F x F times: with a convolution behind it, an alternative to deconv",
    samples: &["linear 2x3x5, upsample 2, conv 3x3", "upsample 3, linear 4"],
    validate: |text| factor(text, false).map(|_| ()),
    activates: false,
    spatial: true,
    mirror: Some(|text, _, back| {
        let factor = factor(text, false).ok().flatten()?;
        (back == Back::Layer).then(|| format!("pool {factor}"))
    }),
    build: |text, site| {
        let Site { name, input, .. } = site;
        let factor = factor(text, false)?.expect("a factor");
        let output = grown(input, factor);
        if output.columns() > linear::MAX_MAPS {
            return Err(format!("`{text}` makes {output} of {input}: use a smaller factor"));
        }
        let factors = [factor, factor];
        Ok((Box::new(Resize { name: name.to_owned(), input, output, factors, grows: true }), output))
    },
};

fn grown(extent: Extent, factor: usize) -> Extent {
    Extent { height: factor * extent.height, width: factor * extent.width, ..extent }
}

/// The factor that a text names; None where it may be missing and is.
fn factor(text: &LayerText, optional: bool) -> Result<Option<usize>, String> {
    let number = |text: &String| text.parse().ok().filter(|factor| (2..=MAX_FACTOR).contains(factor));
    let named = match &text.arguments[..] {
        [] if optional => Some(None),
        [factor] => number(factor).map(Some),
        _ => None,
    };
    named.filter(|_| text.inner.is_empty() && text.activation.is_none()).ok_or_else(|| {
        format!("`{text}`: write `{}` with a factor F from 2 to {MAX_FACTOR}", text.kind.grammar)
    })
}

#[derive(Debug)]
struct Resize {
    name: String,
    input: Extent,
    output: Extent,
    /// Positions of the larger picture for one of the smaller, down and to the right.
    factors: [usize; 2],
    grows: bool,
}

impl Layer for Resize {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        let Resize { ref name, input, output, factors, grows } = *self;
        let from = tape.read(x);
        let count = from.rows / input.positions();
        let to = tape.plan.picture(name, count, output.positions(), output.channels);
        let mean = 1.0 / (factors[0] * factors[1]) as f32;
        if grows {
            grow(&mut tape.plan, name, (from, to), [input, output], factors, 1.0);
        } else {
            shrink(&mut tape.plan, name, (from, to), [input, output], factors, mean);
        }
        let y = tape.value(name, to);
        let label = format!("{name} d_x");
        tape.record(move |tape| {
            let Some(d) = tape.gradient(y).filter(|_| tape.wants(x)) else { return };
            let d_x = tape.plan.like(&label, from);
            if grows {
                shrink(&mut tape.plan, &label, (d, d_x), [output, input], factors, 1.0);
            } else {
                grow(&mut tape.plan, &label, (d, d_x), [output, input], factors, mean);
            }
            tape.give(x, d_x, true);
        });
        y
    }

    fn multiply_adds(&self) -> usize {
        0
    }
}
