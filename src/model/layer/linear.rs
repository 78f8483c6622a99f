//! y = f(x W^T + b).

use super::kind::{Back, Extent, Layer, LayerKind, LayerText};
use crate::kernels::activation::{self, Activation};
use crate::kernels::likelihood::Output;
use crate::kernels::matmul::{Epilogue, Layout};
use crate::model::parameters::{Axis, Parameters, Place, Stored};
use crate::model::tape::{Tape, Value};
use crate::plan::{PAD, Tensor, round_up};

/// Larger widths are surely a typing slip; the limit keeps sizes far from overflow.
pub const MAX_WIDTH: usize = 1 << 16;
/// Most values of a picture that convolutions read: 256x256 in colour.
pub const MAX_PICTURE: usize = 3 * MAX_WIDTH;
/// Most values of what they make of it: the first layer of the usual network has 32 channels of half the height and width.
pub(super) const MAX_MAPS: usize = 8 * MAX_PICTURE;

pub(super) const LINEAR: LayerKind = LayerKind {
    name: "linear",
    grammar: "linear N [ACTIVATION]",
    about: "y = f(x W^T + b) with N outputs; N may be a picture, HEIGHTxWIDTHxCHANNELS",
    samples: &[
        "linear 9",
        "linear 7 tanh",
        "linear 6 silu",
        "linear 5 identity",
        "linear 2x3x5 softplus, linear 6",
    ],
    validate: |text| output(text).map(|_| ()),
    activates: true,
    spatial: false,
    mirror: Some(|_, shapes, back| (back == Back::Layer).then(|| format!("linear {}", shapes.from))),
    build: |text, site| {
        let extent = output(text)?;
        let activation = text.activation.unwrap_or(site.activation);
        let linear = Linear::new(site.name, site.input, extent, activation, site.parameters);
        Ok((Box::new(linear), extent))
    },
};

/// The shape that a text names: N, or HEIGHTxWIDTHxCHANNELS.
fn output(text: &LayerText) -> Result<Extent, String> {
    let number = |text: &str| text.parse().ok().filter(|n| (1..=MAX_WIDTH).contains(n));
    let extent = match &text.arguments[..] {
        [size] => match size.split('x').map(number).collect::<Option<Vec<usize>>>().as_deref() {
            Some([width]) => Some(Extent::row(*width)),
            Some([height, width, channels]) => {
                Some(Extent { height: *height, width: *width, channels: *channels })
            }
            _ => None,
        },
        _ => None,
    };
    extent.filter(|extent| extent.columns() <= MAX_WIDTH).ok_or_else(|| {
        format!(
            "`{text}`: write `linear N` with a width N from 1 to {MAX_WIDTH}, or a picture such as 7x7x64"
        )
    })
}

/// y [R, out] = f(x [R, in] W^T + b), with W [out, in]. The output may have several parts, side by side and padded to
/// whole vectors; files store each as a parameter of its own. A picture is read, or written, as one row; files order its
/// numbers as PyTorch does, by channels.
#[derive(Debug)]
pub(in crate::model) struct Linear {
    name: String,
    activation: Activation,
    input: Extent,
    output: Extent,
    /// Without those of the padding between parts.
    multiply_adds: usize,
    weight: Place,
    bias: Place,
}

/// The axes of a shape's numbers in files, which lie `stride` words apart.
fn axes(extent: Extent, stride: usize) -> Vec<Axis> {
    let Extent { height, width, channels } = extent;
    let axis = |size, apart| Axis { size, stride: stride * apart };
    if extent.is_row() {
        return vec![axis(channels, 1)];
    }
    let position = round_up(channels, PAD);
    vec![axis(channels, 1), axis(height, width * position), axis(width, position)]
}

impl Linear {
    /// A layer from one shape to another; allocates its parameters.
    pub fn new(
        name: &str,
        input: Extent,
        output: Extent,
        activation: Activation,
        parameters: &mut Parameters,
    ) -> Linear {
        let parts = [(name, output, 0)];
        Linear::with_parts(name, input, output, &parts, activation, parameters)
    }

    /// A layer without an activation whose output has these parts.
    pub fn of_parts(name: &str, input: Extent, output: &Output, parameters: &mut Parameters) -> Linear {
        let mut first = 0;
        let mut parts = Vec::new();
        for (part, width) in &output.heads {
            parts.push((part.as_str(), Extent::row(*width), first));
            first += round_up(*width, PAD);
        }
        let whole = Extent::row(output.columns());
        Linear::with_parts(name, input, whole, &parts, Activation::Identity, parameters)
    }

    fn with_parts(
        name: &str,
        input: Extent,
        output: Extent,
        parts: &[(&str, Extent, usize)],
        activation: Activation,
        parameters: &mut Parameters,
    ) -> Linear {
        let weight = parameters.allocate(output.columns(), input.columns());
        let bias = parameters.allocate(1, output.columns());
        let fan_in = Some(input.len());
        let mut multiply_adds = 0;
        for (part, extent, first) in parts {
            let outputs = extent.len();
            let stored = |what: &str, shape: Vec<usize>| Stored {
                name: format!("{part}.{what}"),
                shape,
                fan_in,
                start: 0.0,
                outputs,
            };
            let both = [axes(*extent, weight.stride()), axes(input, 1)].concat();
            parameters.add_along(stored("weight", vec![outputs, input.len()]), weight, (*first, 0), both);
            parameters.add_along(stored("bias", vec![outputs]), bias, (0, *first), axes(*extent, 1));
            multiply_adds += input.len() * outputs;
        }
        Linear { name: name.to_owned(), activation, input, output, multiply_adds, weight, bias }
    }

    /// The activation that the product applies, if any.
    fn fused(&self) -> Activation {
        // What moves zero would fill the padding of a picture's positions.
        let padded = !self.output.is_row() && !self.output.channels.is_multiple_of(PAD);
        let apart = self.activation.keeps_input() || (padded && self.activation.apply(0.0) != 0.0);
        if apart { Activation::Identity } else { self.activation }
    }

    /// y, and the tensor that the activation's derivative needs: y, or the sum before it.
    fn product(&self, tape: &mut Tape, x: Tensor) -> (Tensor, Tensor) {
        let (function, fused) = (self.activation, self.fused());
        let name = if fused == function { self.name.clone() } else { format!("{}.sum", self.name) };
        let sum = tape.plan.picture(name, x.rows, self.output.positions(), self.output.channels);
        let epilogue = Epilogue::Forward(fused, tape.weight(self.bias));
        let operands = (x, tape.weight(self.weight), rows_of(sum, self.output));
        tape.matmul(&self.name, Layout::NT, operands, epilogue);
        if fused == function {
            return (sum, sum);
        }
        let y = tape.plan.like(&self.name, sum);
        activation::forward(&mut tape.plan, &self.name, function, sum, y);
        (y, if function.keeps_input() { sum } else { y })
    }
}

/// A value of this shape with a row per datum.
fn rows_of(tensor: Tensor, extent: Extent) -> Tensor {
    if extent.is_row() { tensor } else { tensor.in_rows_of(extent.columns()) }
}

impl Layer for Linear {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        let (input, output) = (self.input, self.output);
        let rows_of_x = rows_of(tape.read(x), input);
        let (y, kept) = self.product(tape, rows_of_x);
        let y = tape.activated(&self.name, y, self.activation, kept);
        let (name, weight, bias) = (self.name.clone(), self.weight, self.bias);
        tape.record(move |tape| {
            let Some(d) = tape.gradient(y) else { return };
            let d = rows_of(d, output);
            let (d_weight, d_bias) = (tape.d_weight(weight), tape.d_weight(bias));
            let (label, operands) = (format!("{name} gradient"), (d, rows_of_x, d_weight));
            tape.matmul(&label, Layout::TN, operands, Epilogue::Gradient(d_bias));
            if let Some(sink) = tape.sink(x) {
                let to = rows_of(sink.tensor, input);
                let epilogue = sink.epilogue.map(|kept| rows_of(kept, input));
                let weight = Tensor { cols: to.cols, ..tape.weight(weight) };
                let (label, operands) = (format!("{name} d_x"), (d, weight, to));
                tape.matmul(&label, Layout::NN, operands, epilogue);
            }
        });
        y
    }

    fn multiply_adds(&self) -> usize {
        self.multiply_adds
    }
}
