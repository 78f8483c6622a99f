//! y = f(x W^T + b).

use super::kind::{Extent, Layer, LayerKind, LayerText};
use crate::kernels::activation::{self, Activation};
use crate::kernels::likelihood::Output;
use crate::kernels::matmul::{Epilogue, Layout, matmul};
use crate::model::parameters::{Parameters, Place};
use crate::model::tape::{Tape, Value};
use crate::plan::{PAD, Tensor, round_up};

/// Larger widths are surely a typing slip; the limit keeps sizes far from overflow.
pub const MAX_WIDTH: usize = 1 << 16;

pub(super) const LINEAR: LayerKind = LayerKind {
    name: "linear",
    grammar: "linear N [ACTIVATION]",
    about: "y = f(x W^T + b) with N outputs",
    samples: &["linear 9", "linear 7 tanh", "linear 6 silu", "linear 5 identity"],
    validate: |text| width(text).map(|_| ()),
    resizes: true,
    build: |text, site| {
        let width = width(text)?;
        let output = Output::new(&[(site.name, width)]);
        let activation = text.activation.unwrap_or(site.activation);
        let inputs = flat(site.input)?;
        let linear = Linear::new(site.name, inputs, &output, activation, site.parameters);
        Ok((Box::new(linear), Extent::row(width)))
    },
};

fn width(text: &LayerText) -> Result<usize, String> {
    match &text.arguments[..] {
        [width] => width.parse().ok().filter(|n| (1..=MAX_WIDTH).contains(n)),
        _ => None,
    }
    .ok_or_else(|| format!("`{text}`: write `linear N` with a width N from 1 to {MAX_WIDTH}"))
}

/// The channels of a plain row.
fn flat(extent: Extent) -> Result<usize, String> {
    match extent {
        Extent { height: 1, width: 1, channels } => Ok(channels),
        _ => Err(format!("a linear layer reads rows, not {extent}")),
    }
}

/// y [R, out] = f(x [R, in] W^T + b), with W [out, in]. The output may have several parts, side by side and padded to
/// whole vectors; files store each as a parameter of its own.
#[derive(Debug)]
pub(in crate::model) struct Linear {
    name: String,
    activation: Activation,
    outputs: usize,
    /// Without those of the padding between parts.
    multiply_adds: usize,
    weight: Place,
    bias: Place,
}

impl Linear {
    /// Allocates the layer's parameters.
    pub fn new(
        name: &str,
        inputs: usize,
        output: &Output,
        activation: Activation,
        parameters: &mut Parameters,
    ) -> Linear {
        let outputs = output.columns();
        let (weight, bias) = (parameters.allocate(outputs, inputs), parameters.allocate(1, outputs));
        let mut first = 0;
        for (part, width) in &output.heads {
            let (weight_name, bias_name) = (format!("{part}.weight"), format!("{part}.bias"));
            parameters.add(weight_name, &[*width, inputs], Some(inputs), weight, (first, 0));
            parameters.add(bias_name, &[*width], Some(inputs), bias, (0, first));
            first += round_up(*width, PAD);
        }
        let multiply_adds = inputs * output.heads.iter().map(|(_, width)| width).sum::<usize>();
        Linear { name: name.to_owned(), activation, outputs, multiply_adds, weight, bias }
    }

    /// y, and the tensor that the activation's derivative needs: y, or the sum before it.
    fn product(&self, tape: &mut Tape, x: Tensor) -> (Tensor, Tensor) {
        let function = self.activation;
        let fused = if function.keeps_input() { Activation::Identity } else { function };
        let name = if fused == function { self.name.clone() } else { format!("{}.sum", self.name) };
        let sum = tape.plan.tensor(name, x.rows, self.outputs);
        let epilogue = Epilogue::Forward(fused, tape.weight(self.bias));
        let operands = (x, tape.weight(self.weight), sum);
        matmul(&mut tape.plan, &tape.target, &self.name, Layout::NT, operands, epilogue);
        if fused == function {
            return (sum, sum);
        }
        let y = tape.plan.tensor(&self.name, x.rows, self.outputs);
        activation::forward(&mut tape.plan, &self.name, function, sum, y);
        (y, sum)
    }
}

impl Layer for Linear {
    fn forward(&self, tape: &mut Tape, x: Value) -> Value {
        let rows_of_x = tape.read(x);
        let (y, kept) = self.product(tape, rows_of_x);
        let y = tape.activated(&self.name, y, self.activation, kept);
        let (name, weight, bias) = (self.name.clone(), self.weight, self.bias);
        tape.record(move |tape| {
            let Some(d) = tape.gradient(y) else { return };
            let (d_weight, d_bias) = (tape.d_weight(weight), tape.d_weight(bias));
            let (label, operands) = (format!("{name} gradient"), (d, rows_of_x, d_weight));
            matmul(&mut tape.plan, &tape.target, &label, Layout::TN, operands, Epilogue::Gradient(d_bias));
            if let Some(sink) = tape.sink(x) {
                let weight = Tensor { cols: sink.tensor.cols, ..tape.weight(weight) };
                let (label, operands) = (format!("{name} d_x"), (d, weight, sink.tensor));
                matmul(&mut tape.plan, &tape.target, &label, Layout::NN, operands, sink.epilogue);
            }
        });
        y
    }

    fn multiply_adds(&self) -> usize {
        self.multiply_adds
    }
}
