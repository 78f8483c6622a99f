//! A model's layers with the places of their parameters; appends them to a tape.

use super::config::ModelConfig;
use super::latent::{Draw, KlTerm};
use super::layer::{
    Collect, Condition, Extent, LayerRow, Layers, Linear, Site, Spread, Stack, is_output, output_layer,
};
use super::objective::Parts;
use super::parameters::{Parameters, Part, Place};
use super::tape::{Tape, Value};
use crate::error::{Error, Result};
use crate::kernels::bias_grad::bias_grad;
use crate::kernels::likelihood::{Output, Own, Pass};
use crate::kernels::row_vector;
use crate::plan::{PAD, Tensor, round_up};

/// The layers of a model.
#[derive(Debug)]
pub struct Network {
    /// The model's configuration.
    pub config: ModelConfig,
    /// All its parameters.
    pub parameters: Parameters,
    encoder: Stack,
    decoder: Stack,
    /// The likelihood's own parameter [1, W].
    own: Option<Place>,
}

impl Network {
    /// The layers of a model.
    ///
    /// # Errors
    /// [`Error::Usage`] if the configuration is not valid, or the layers' shapes do not match.
    pub fn new(config: &ModelConfig) -> Result<Network> {
        config.validate()?;
        let mut parameters = Parameters::default();
        let heads = config.family().latent.heads(config.latent);
        let encoder = config.encoder_layers();
        let build = |part: &'static str, layers, input, head, output: &Output, parameters: &mut _| {
            let rows = half(config, (part, layers), input, (head, output), parameters);
            rows.map_err(|problem| Error::Usage(format!("--{part}: {problem}")))
        };
        let input = config.extent(&encoder);
        let encoder = build("encoder", encoder, input, "encoder.head", &heads, &mut parameters)?;
        let decoder = config.decoder_layers().map_err(Error::Usage)?;
        let (output, latent) = (config.output(), config.latent_extent());
        let decoder = build("decoder", decoder, latent, "decoder.out", &output, &mut parameters)?;
        let own = output.own.as_ref().map(|(name, width)| {
            let part = if output.is_estimated { Part::Measured } else { Part::Trained };
            let place = parameters.allocate_in(part, 1, *width);
            parameters.add(name.clone(), &[*width], None, place, (0, 0));
            place
        });
        parameters.finish();
        Ok(Network { config: config.clone(), parameters, encoder, decoder, own })
    }

    /// Every layer in order, for display.
    pub fn rows(&self) -> impl Iterator<Item = &LayerRow> {
        self.encoder.rows.iter().chain(&self.decoder.rows)
    }

    /// The most numbers per row that any layer reads or gives.
    pub fn widest(&self) -> usize {
        let ends = [self.config.input, self.config.output().columns(), round_up(self.config.latent, PAD) * 2];
        let layers = self.rows().map(|row| row.output.columns());
        layers.chain(ends).max().unwrap_or(1)
    }

    /// Whether a layer compares the rows of a batch, so that it needs two.
    pub fn compares_rows(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter.name.ends_with(".running_var"))
    }

    /// The encoder: x [B, D] to the latent's parts [B, heads].
    pub(super) fn encode(&self, tape: &mut Tape, x: Value) -> Value {
        self.encoder.forward(tape, x)
    }

    /// The mean of q(z|x) [B, Z].
    pub(super) fn point(&self, tape: &mut Tape, head: Value) -> Value {
        self.config.family().latent.point(tape, head, self.config.latent)
    }

    /// The likelihood's own parameter [1, W], if it has one.
    pub(super) fn own(&self, tape: &Tape) -> Option<Tensor> {
        self.own.map(|place| tape.weight(place))
    }

    /// Appends a pass that replaces the decoder's output by its gradient.
    fn seed(&self, tape: &mut Tape, out: Value, pass: impl FnOnce(Tensor, Own) -> Pass) {
        let tensor = tape.read(out);
        let own = self.own.map(|place| {
            let own = tape.weight(place);
            (own, tape.plan.tensor("d_own", tensor.rows, own.cols))
        });
        self.likelihood(tape, pass(tensor, own.map(|(own, d_own)| (own, Some(d_own)))));
        if let (Some(place), Some((_, d_own)), false) = (self.own, own, self.config.output().is_estimated) {
            let to = tape.d_weight(place);
            bias_grad(&mut tape.plan, "likelihood", d_own, to);
        }
        tape.seed(out, tensor);
    }

    /// E[x|z] [R, D] of the decoder's output.
    pub(super) fn mean(&self, tape: &mut Tape, out: Value) -> Tensor {
        let out = tape.peek(out);
        let mean = tape.plan.tensor("mean", out.rows, self.config.input);
        self.likelihood(tape, Pass::Mean { out, mean });
        mean
    }

    /// log p(x|z) of each value [R, D], from the decoder's output.
    pub(super) fn values(&self, tape: &mut Tape, out: Value, x: Tensor) -> Tensor {
        let out = tape.peek(out);
        let values = tape.plan.tensor("values", out.rows, self.config.input);
        let own = self.own.map(|place| (tape.weight(place), None));
        self.likelihood(tape, Pass::Values { out, own, x, values });
        values
    }

    fn likelihood(&self, tape: &mut Tape, pass: Pass) {
        let likelihood = self.config.likelihood().expect("the configuration was validated");
        likelihood.append(&mut tape.plan, &tape.target, &self.config.settings, pass);
    }
}

impl Parts for Network {
    fn draw(&self, tape: &mut Tape, head: Value, samples: usize, term: KlTerm) -> Draw {
        self.config.family().latent.draw(tape, head, self.config.latent, samples, term)
    }

    fn decode(&self, tape: &mut Tape, z: Value) -> Value {
        self.decoder.forward(tape, z)
    }

    fn log_p(&self, tape: &mut Tape, out: Value, x: Tensor) -> Tensor {
        let out = tape.peek(out);
        let log_p = row_vector(&mut tape.plan, "log_p", out.rows);
        let own = self.own.map(|place| (tape.weight(place), None));
        self.likelihood(tape, Pass::Forward { out, own, x, log_p });
        log_p
    }

    fn log_p_and_gradient(&self, tape: &mut Tape, out: Value, x: Tensor, weight: Tensor) -> Tensor {
        let rows = tape.peek(out).rows;
        let log_p = row_vector(&mut tape.plan, "log_p", rows);
        self.seed(tape, out, |out, own| Pass::Fused { out, own, x, weight, log_p });
        log_p
    }

    fn log_p_gradient(&self, tape: &mut Tape, out: Value, x: Tensor, weight: Tensor) {
        self.seed(tape, out, |out, own| Pass::Backward { out, own, x, weight });
    }
}

/// The layers of encoder or decoder: the label if conditional, then `layers`, then one for the parts of `output`: a linear
/// layer, the last of `layers` where that leaves its channels to the likelihood, or a convolution to a latent that is a picture.
fn half(
    config: &ModelConfig,
    (part, mut layers): (&str, Layers),
    input: Extent,
    (head, output): (&str, &Output),
    parameters: &mut Parameters,
) -> Result<Stack, String> {
    let classes = config.classes;
    let labelled = Extent { channels: input.channels + classes, ..input };
    // A layer that gives the parts as pictures, and the size of these.
    let (last, whole) = if part == "decoder" {
        (layers.take_last(is_output), config.picture)
    } else {
        let conv = || "conv 1".parse::<Layers>().expect("a text of ours").take_last(is_output);
        (config.latent_picture.and_then(|_| conv()), config.latent_picture)
    };
    let site =
        Site { name: part, input: labelled, activation: config.activation, parameters: &mut *parameters };
    let (mut stack, extent) = Stack::build(&layers, site)?;
    let before = parameters.count();
    if let Some(text) = last {
        let picture = whole.ok_or_else(|| format!("`{text}` gives pictures, and the data are rows"))?;
        let Extent { height, width, .. } = picture;
        if part == "encoder" && (extent.height, extent.width) != (height, width) {
            return Err(format!(
                "the layers end in {extent}, and `model.latent_size` = {height}x{width} wants a picture of that height and width"
            ));
        }
        let site =
            Site { name: head, input: extent, activation: config.activation, parameters: &mut *parameters };
        let (layer, shape) = output_layer(&text, (head, site), (output, picture))?;
        stack.push(layer, head, text.to_string(), shape, parameters.count() - before);
        let columns = output.heads.iter().map(|(_, width)| width).sum();
        let name = format!("{part}.rows");
        stack.push(
            Box::new(Collect::new(name.clone(), output, picture)),
            &name,
            "rows".into(),
            Extent::row(columns),
            0,
        );
    } else {
        let columns = output.heads.iter().map(|(_, width)| width).sum();
        let out = Linear::of_parts(head, extent, output, parameters);
        let text = format!("linear {columns}");
        stack.push(Box::new(out), head, text, Extent::row(columns), parameters.count() - before);
    }
    if classes > 0 {
        let label = Condition { classes, positions: input.positions() };
        stack.put_first(label, &format!("{part}.label"), format!("condition {classes}"), labelled);
    }
    if !input.is_row() {
        stack.put_first(Spread { extent: input }, &format!("{part}.picture"), "picture".into(), input);
    }
    Ok(stack)
}

#[cfg(test)]
mod tests;
