//! Convolution and transposed convolution.

use super::kind::{Back, Extent, Layer, LayerKind, LayerText, Site};
use super::linear::{MAX_MAPS, MAX_WIDTH};
use crate::kernels::ROUNDS;
use crate::kernels::activation::{self, Activation};
use crate::kernels::bias_grad::bias_grad;
use crate::kernels::conv::{Geometry, Taps, Way, conv, d_weights};
use crate::kernels::likelihood::Output;
use crate::kernels::matmul::Epilogue;
use crate::model::parameters::{Axis, Parameters, Place, Stored};
use crate::model::tape::{Tape, Value};
use crate::plan::{PAD, Tensor, round_up};

/// Most taps along a side.
const MAX_KERNEL: usize = 7;
/// The largest stride.
const MAX_STRIDE: usize = 4;

pub(super) const CONV: LayerKind = LayerKind {
    name: "conv",
    grammar: "conv CxK/S [pad P] [ACTIVATION]",
    about: "a convolution of a picture: C channels by kernels of K x K at every S-th position",
    samples: &[
        "linear 4x5x3, conv 5x3/2",
        "linear 3x3x4 softplus, conv 4x2 tanh, conv 3x1 silu",
        "linear 5x4x5, conv 6x4/3 pad 2, conv 3x2 pad 0 identity",
    ],
    validate: |text| Spec::of(text).map(|_| ()),
    activates: true,
    spatial: true,
    mirror: Some(|text, shapes, back| {
        let spec = Spec::of(text).ok()?;
        let to = [shapes.from.height, shapes.from.width];
        let taps = spec.taps();
        let usual = [shapes.to.height, shapes.to.width].map(|side| taps.fine(side)) == to.map(Some);
        let to = (back == Back::Layer && !usual).then_some(to);
        Some(Spec { channels: channels(back, shapes.from), to, ..spec }.text("deconv"))
    }),
    build: |text, site| build(Way::Gather, text, site),
};

pub(super) const DECONV: LayerKind = LayerKind {
    name: "deconv",
    grammar: "deconv CxK/S [pad P] [to HxW] [ACTIVATION]",
    about: "the transposed convolution, which makes a picture S times as large, or H x W",
    samples: &[
        "linear 2x3x5, deconv 3x4/2",
        "linear 2x2x4 tanh, deconv 3x3/2 to 3x4 softplus, linear 6",
        "deconv 3x2/1 pad 0, deconv 5x2/3 silu",
    ],
    validate: |text| Spec::of(text).map(|_| ()),
    activates: true,
    spatial: true,
    mirror: Some(|text, shapes, back| {
        let spec = Spec::of(text).ok()?;
        Some(Spec { channels: channels(back, shapes.from), to: None, ..spec }.text("conv"))
    }),
    build: |text, site| build(Way::Scatter, text, site),
};

fn channels(back: Back, from: Extent) -> Option<usize> {
    (back == Back::Layer).then_some(from.channels)
}

/// What a text says.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spec {
    /// Output channels; none in a decoder's last layer, whose channels follow from the likelihood.
    channels: Option<usize>,
    kernel: usize,
    stride: usize,
    pad: Option<usize>,
    /// Height and width of a transposed convolution's output.
    to: Option<[usize; 2]>,
}

impl Spec {
    fn of(text: &LayerText) -> Result<Spec, String> {
        let transposed = text.kind.name == "deconv";
        Spec::parse(&text.arguments, transposed).filter(|_| text.inner.is_empty()).ok_or_else(|| {
            let (name, to) = if transposed { ("deconv", " and `to HxW`") } else { ("conv", "") };
            format!(
                "`{text}`: write `{name} CxK/S`, such as `{name} 32x4/2`, with C from 1 to {MAX_WIDTH}, K to {MAX_KERNEL} \
                 and S to {MAX_STRIDE}; `pad P` below K{to} may follow"
            )
        })
    }

    fn parse(arguments: &[String], transposed: bool) -> Option<Spec> {
        let (first, mut rest) = arguments.split_first()?;
        let number = |text: &str, most: usize| text.parse().ok().filter(|n| (1..=most).contains(n));
        let (taps, stride) = match first.split_once('/') {
            Some((taps, stride)) => (taps, number(stride, MAX_STRIDE)?),
            None => (first.as_str(), 1),
        };
        let (channels, kernel) = match taps.split_once('x') {
            Some((channels, kernel)) => (Some(number(channels, MAX_WIDTH)?), kernel),
            None => (None, taps),
        };
        let kernel = number(kernel, MAX_KERNEL)?;
        let mut spec = Spec { channels, kernel, stride, pad: None, to: None };
        if let [word, pad, more @ ..] = rest
            && word == "pad"
        {
            spec.pad = Some(pad.parse().ok().filter(|pad| *pad < kernel)?);
            rest = more;
        }
        if let ([word, size, more @ ..], true) = (rest, transposed)
            && word == "to"
        {
            let (height, width) = size.split_once('x')?;
            spec.to = Some([number(height, MAX_WIDTH)?, number(width, MAX_WIDTH)?]);
            rest = more;
        }
        rest.is_empty().then_some(spec)
    }

    fn taps(&self) -> Taps {
        let usual = Taps::new(self.kernel, self.stride);
        Taps { pad: self.pad.unwrap_or(usual.pad), ..usual }
    }

    /// The text of a layer, without an activation.
    fn text(&self, name: &str) -> String {
        let Spec { channels, kernel, stride, pad, to } = *self;
        let mut text = format!("{name} ");
        text.extend(channels.map(|channels| format!("{channels}x")));
        text += &kernel.to_string();
        text.extend((stride > 1).then(|| format!("/{stride}")));
        text.extend(pad.map(|pad| format!(" pad {pad}")));
        text.extend(to.map(|[height, width]| format!(" to {height}x{width}")));
        text
    }

    /// The pictures on both sides, from the input's shape and the output's channels; `to` is the size of a transposed
    /// convolution's output.
    fn geometry(&self, way: Way, input: Extent, channels: usize, to: Option<[usize; 2]>) -> Option<Geometry> {
        let taps = self.taps();
        match way {
            Way::Gather => Geometry::from_fine(input, channels, taps),
            Way::Scatter => {
                let [height, width] = match to {
                    Some(to) => to,
                    None => [taps.fine(input.height)?, taps.fine(input.width)?],
                };
                let fine = Extent { height, width, channels };
                Geometry::from_fine(fine, input.channels, taps).filter(|geometry| geometry.coarse == input)
            }
        }
    }
}

fn build(way: Way, text: &LayerText, site: Site) -> Result<(Box<dyn Layer>, Extent), String> {
    let spec = Spec::of(text)?;
    let channels = spec.channels.ok_or_else(|| {
        format!("`{text}` names no channels: only the decoder's last layer leaves them to the likelihood")
    })?;
    let geometry = spec
        .geometry(way, site.input, channels, spec.to)
        .ok_or_else(|| format!("`{text}` does not fit a picture of {}", site.input))?;
    check_terms(text, &geometry)?;
    let activation = text.activation.unwrap_or(site.activation);
    let output = Conv::output(way, &geometry);
    if output.columns() > MAX_MAPS {
        return Err(format!("`{text}` gives {output}: use fewer channels or a smaller picture"));
    }
    let parts = [(site.name.to_owned(), channels)];
    let conv = Conv::new(site.name, (way, geometry), &parts, activation, site.parameters);
    Ok((Box::new(conv), output))
}

/// Refuses a convolution of which an invocation, forward or backward, would sum more than it can.
fn check_terms(text: &LayerText, geometry: &Geometry) -> Result<(), String> {
    let kernel = geometry.taps.kernel;
    let channels = geometry.fine.channels.max(geometry.coarse.channels);
    if kernel * kernel * channels.div_ceil(PAD) <= ROUNDS {
        return Ok(());
    }
    Err(format!(
        "`{text}` sums {kernel}x{kernel} positions of {channels} channels, more than {} numbers: use a smaller kernel or fewer \
         channels",
        ROUNDS * PAD
    ))
}

/// Whether a text is a decoder's last layer, which gives the likelihood's parts.
pub(in crate::model) fn is_output(text: &LayerText) -> bool {
    ["conv", "deconv"].contains(&text.kind.name) && Spec::of(text).is_ok_and(|spec| spec.channels.is_none())
}

/// The layer of such a text from a picture to the parts of the likelihood of another, and its output: a part's channels are
/// the numbers for one position.
///
/// # Errors
/// If the picture that the layer gives has not the size of the data's.
pub(in crate::model) fn output_layer(
    text: &LayerText,
    (name, site): (&str, Site),
    (output, picture): (&Output, Extent),
) -> Result<(Box<dyn Layer>, Extent), String> {
    let spec = Spec::of(text)?;
    let way = if text.kind.name == "conv" { Way::Gather } else { Way::Scatter };
    let positions = picture.positions();
    let parts: Vec<_> = output.heads.iter().map(|(name, width)| (name.clone(), width / positions)).collect();
    if output.heads.iter().any(|(_, width)| width % positions != 0) {
        return Err(format!(
            "`{text}`: the likelihood's parts have no channels; end the decoder with a linear layer"
        ));
    }
    if text.activation.is_some_and(|function| function != Activation::Identity) {
        return Err(format!(
            "`{text}`: the last layer has no activation, since the likelihood reads what it gives"
        ));
    }
    let to = spec.to.unwrap_or([picture.height, picture.width]);
    let channels = Conv::channels(&parts);
    let geometry = spec.geometry(way, site.input, channels, Some(to));
    let fits = |geometry: &Geometry| {
        let extent = Conv::output(way, geometry);
        (extent.height, extent.width) == (picture.height, picture.width)
    };
    let geometry = geometry.filter(fits).ok_or_else(|| {
        format!(
            "`{text}` does not lead from {} to the data's {}x{}",
            site.input, picture.height, picture.width
        )
    })?;
    check_terms(text, &geometry)?;
    let conv = Conv::new(name, (way, geometry), &parts, Activation::Identity, site.parameters);
    Ok((Box::new(conv), Conv::output(way, &geometry)))
}

/// y = f(W * x + b), or its transposed form. The output may have several parts, whose channels stand side by side, padded to
/// whole vectors; files store each as a parameter of its own.
#[derive(Debug)]
struct Conv {
    name: String,
    way: Way,
    geometry: Geometry,
    activation: Activation,
    weight: Place,
    bias: Place,
}

impl Conv {
    fn new(
        name: &str,
        (way, geometry): (Way, Geometry),
        parts: &[(String, usize)],
        activation: Activation,
        parameters: &mut Parameters,
    ) -> Conv {
        let [rows, columns] = geometry.weight();
        let weight = parameters.allocate(rows, columns);
        let bias = parameters.allocate(1, Conv::output(way, &geometry).channels);
        let (kernel, tap) = (geometry.taps.kernel, geometry.tap());
        // Of a transposed convolution PyTorch takes the outputs for the inputs, here too.
        let mut first = 0;
        for (part, outputs) in parts {
            let (inputs, at) = match way {
                Way::Gather => (geometry.fine.channels, (first, 0)),
                Way::Scatter => (geometry.coarse.channels, (0, first)),
            };
            let (row, channel) = match way {
                Way::Gather => (*outputs, inputs),
                Way::Scatter => (inputs, *outputs),
            };
            let axes = [(row, weight.stride()), (channel, 1), (kernel, kernel * tap), (kernel, tap)];
            let axes = axes.map(|(size, stride)| Axis { size, stride }).to_vec();
            let fan_in = Some(channel * kernel * kernel);
            let stored = |what: &str, shape: Vec<usize>| Stored {
                name: format!("{part}.{what}"),
                shape,
                fan_in,
                start: 0.0,
                outputs: *outputs,
            };
            parameters.add_along(stored("weight", vec![row, channel, kernel, kernel]), weight, at, axes);
            let along = vec![Axis { size: *outputs, stride: 1 }];
            parameters.add_along(stored("bias", vec![*outputs]), bias, (0, first), along);
            first += round_up(*outputs, PAD);
        }
        Conv { name: name.to_owned(), way, geometry, activation, weight, bias }
    }

    /// Channels of all parts, those before the last padded.
    fn channels(parts: &[(String, usize)]) -> usize {
        match parts {
            [(_, channels)] => *channels,
            _ => parts.iter().map(|(_, channels)| round_up(*channels, PAD)).sum(),
        }
    }

    fn output(way: Way, geometry: &Geometry) -> Extent {
        match way {
            Way::Gather => geometry.coarse,
            Way::Scatter => geometry.fine,
        }
    }

    fn input(&self) -> Extent {
        match self.way {
            Way::Gather => self.geometry.fine,
            Way::Scatter => self.geometry.coarse,
        }
    }

    /// y, and the tensor that the activation's derivative needs: y, or the sum before it.
    fn product(&self, tape: &mut Tape, x: Tensor) -> (Tensor, Tensor) {
        let function = self.activation;
        let fused = if function.keeps_input() { Activation::Identity } else { function };
        let name = if fused == function { self.name.clone() } else { format!("{}.sum", self.name) };
        let count = x.rows / self.input().positions();
        let output = Conv::output(self.way, &self.geometry);
        let sum = tape.plan.picture(name, count, output.positions(), output.channels);
        let epilogue = Epilogue::Forward(fused, tape.weight(self.bias));
        let tensors = (x, tape.weight(self.weight), sum);
        let of = (self.way, &self.geometry);
        conv(&mut tape.plan, &tape.target, &self.name, of, tensors, epilogue);
        if fused == function {
            return (sum, sum);
        }
        let y = tape.plan.like(&self.name, sum);
        activation::forward(&mut tape.plan, &self.name, function, sum, y);
        (y, sum)
    }
}

impl Layer for Conv {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        let from = tape.read(x);
        let (y, kept) = self.product(tape, from);
        let y = tape.activated(&self.name, y, self.activation, kept);
        let (name, weight, bias) = (self.name.clone(), self.weight, self.bias);
        let (way, geometry) = (self.way, self.geometry);
        tape.record(move |tape| {
            let Some(d) = tape.gradient(y) else { return };
            let (d_weight, d_bias) = (tape.d_weight(weight), tape.d_weight(bias));
            let label = format!("{name} gradient");
            let (pictures, with_bias, back) = match way {
                Way::Gather => ((d, from), Some(d_bias), Way::Scatter),
                Way::Scatter => ((from, d), None, Way::Gather),
            };
            d_weights(&mut tape.plan, &tape.target, &label, &geometry, pictures, (d_weight, with_bias));
            if with_bias.is_none() {
                bias_grad(&mut tape.plan, &name, d, d_bias);
            }
            if let Some(sink) = tape.sink(x) {
                let tensors = (d, tape.weight(weight), sink.tensor);
                let label = format!("{name} d_x");
                // Of labels behind x none is wanted.
                let mut wanted = geometry;
                match way {
                    Way::Gather => wanted.fine.channels = sink.tensor.cols,
                    Way::Scatter => wanted.coarse.channels = sink.tensor.cols,
                }
                conv(&mut tape.plan, &tape.target, &label, (back, &wanted), tensors, sink.epilogue);
            }
        });
        y
    }

    fn multiply_adds(&self) -> usize {
        self.geometry.multiply_adds()
    }
}
