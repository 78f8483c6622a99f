//! Normalisation, over channels and positions of a datum, or over the batch.

use super::kind::{Layer, LayerKind, LayerText, Site};
use super::linear::MAX_WIDTH;
use crate::kernels::batch_norm::{self, Tensors};
use crate::kernels::bias_grad::bias_grad;
use crate::kernels::norm::{self, Division};
use crate::model::parameters::{Axis, Parameters, Part, Place, Stored};
use crate::model::tape::{Tape, Value};
use crate::plan::{PAD, round_up};

pub(super) const NORM: LayerKind = LayerKind {
    name: "norm",
    grammar: "norm layer, norm group G or norm batch",
    about: "zero mean and variance 1 over all channels of a datum, each of G groups of them, or a channel's values in the batch, \
            then a scale and a shift by channel",
    samples: &[
        "norm layer",
        "linear 2x3x5 identity, norm layer, silu",
        "linear 3x2x8, norm group 2, conv 3x2",
        "linear 6 tanh, norm batch, silu",
        "linear 2x3x5 tanh, norm batch, silu, conv 3x2",
    ],
    validate: |text| Over::of(text).map(|_| ()),
    activates: false,
    spatial: false,
    mirror: None,
    build: |text, site| {
        let Site { name, input, parameters, .. } = site;
        let (channels, positions) = (input.channels, input.positions());
        let layer: Box<dyn Layer> = match Over::of(text)? {
            Over::Groups(groups) if groups > 1 && !channels.is_multiple_of(groups * PAD) => {
                return Err(format!(
                    "`{text}`: {channels} channels are no {groups} groups of a multiple of {PAD}"
                ));
            }
            Over::Groups(groups) => {
                Box::new(Norm::new(name, channels, Division { positions, groups }, parameters))
            }
            Over::Batch => Box::new(BatchNorm::new(name, channels, parameters)),
        };
        Ok((layer, input))
    },
};

/// What a mean and a variance are taken over.
#[derive(Clone, Copy)]
enum Over {
    /// So many groups of a datum's channels.
    Groups(usize),
    /// The values of a channel in the batch.
    Batch,
}

impl Over {
    fn of(text: &LayerText) -> Result<Over, String> {
        let arguments: Vec<&str> = text.arguments.iter().map(String::as_str).collect();
        let named = match arguments[..] {
            ["layer"] => Some(Over::Groups(1)),
            ["group", groups] => {
                groups.parse().ok().filter(|groups| (1..=MAX_WIDTH).contains(groups)).map(Over::Groups)
            }
            ["batch"] => Some(Over::Batch),
            _ => None,
        };
        named.filter(|_| text.inner.is_empty() && text.activation.is_none()).ok_or_else(|| {
            format!("`{text}`: write `norm layer`, `norm batch`, or `norm group G`, such as `norm group 8`")
        })
    }
}

/// A scale and a shift of each channel, with PyTorch's names and start values.
fn scale_and_shift(name: &str, channels: usize, parameters: &mut Parameters) -> [Place; 2] {
    [("weight", 1.0), ("bias", 0.0)].map(|(what, start)| {
        let place = parameters.allocate(1, channels);
        by_channel(&format!("{name}.{what}"), channels, start, (place, 0), parameters);
        place
    })
}

/// Names the values of channels that lie from a column of a place on.
fn by_channel(
    name: &str,
    channels: usize,
    start: f32,
    (place, column): (Place, usize),
    parameters: &mut Parameters,
) {
    let axes = vec![Axis { size: channels, stride: 1 }];
    let stored = Stored { name: name.into(), shape: vec![channels], fan_in: None, start, outputs: channels };
    parameters.add_along(stored, place, (0, column), axes);
}

/// y = w (x - mean) / sqrt(variance + 1e-5) + b, as PyTorch's GroupNorm.
#[derive(Debug)]
struct Norm {
    name: String,
    division: Division,
    weight: Place,
    bias: Place,
}

impl Norm {
    fn new(name: &str, channels: usize, division: Division, parameters: &mut Parameters) -> Norm {
        let [weight, bias] = scale_and_shift(name, channels, parameters);
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

/// The same with mean and variance of each channel over the batch, as PyTorch's BatchNorm1d and 2d; outside training, with
/// their running means.
#[derive(Debug)]
struct BatchNorm {
    name: String,
    weight: Place,
    bias: Place,
    running: Place,
}

impl BatchNorm {
    fn new(name: &str, channels: usize, parameters: &mut Parameters) -> BatchNorm {
        let [weight, bias] = scale_and_shift(name, channels, parameters);
        let running = parameters.allocate_in(Part::Measured, 1, batch_norm::running_columns(channels));
        for (what, start, column) in [("running_mean", 0.0, 0), ("running_var", 1.0, round_up(channels, PAD))]
        {
            by_channel(&format!("{name}.{what}"), channels, start, (running, column), parameters);
        }
        BatchNorm { name: name.to_owned(), weight, bias, running }
    }
}

impl Layer for BatchNorm {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        let BatchNorm { ref name, weight, bias, running } = *self;
        let from = tape.read(x);
        // Each datum has as many rows in the batch, with several samples of z too.
        let per_datum = from.rows / tape.batch;
        let to = tape.plan.like(name, from);
        let [w, b, running] = [weight, bias, running].map(|place| tape.weight(place));
        if !tape.trains() {
            batch_norm::evaluate(&mut tape.plan, name, per_datum, (from, w, b), running, to);
            return tape.value(name, to);
        }
        let stats = tape.plan.tensor(format!("{name} stats"), 3, from.cols);
        let of = Tensors { x: from, w, stats, per_datum, ranks: tape.norm_ranks };
        batch_norm::forward(&mut tape.plan, name, of, b, to);
        let y = tape.value(name, to);
        let label = name.clone();
        tape.record(move |tape| {
            let Some(d) = tape.gradient(y) else { return };
            let d_x = tape.wants(x).then(|| tape.plan.like(format!("{label} d_x"), from));
            let sums = (tape.d_weight(weight), tape.d_weight(bias));
            batch_norm::backward(&mut tape.plan, &label, of, d, sums, d_x);
            if let Some(d_x) = d_x {
                tape.give(x, d_x, true);
            }
        });
        let label = name.clone();
        tape.record_last(move |tape| batch_norm::follow(&mut tape.plan, &label, of, running));
        y
    }

    fn multiply_adds(&self) -> usize {
        0
    }
}
