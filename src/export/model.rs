//! A model as two ONNX graphs: `encoder.onnx` and `decoder.onnx`.
//!
//! ```text
//! encoder   x [N, D], label [N, C], eps [N, Z]  ──►  mu, log_var, z [N, Z]     z = mu + exp(log_var / 2) eps
//! decoder   z [N, Z], label [N, C]              ──►  mean [N, D] = E[x|z], and the decoder's parts
//! ```
//!
//! `label`, one-hot, is an input of conditional models only. An autoencoder's encoder has no eps, and gives z alone. The
//! decoder's parts are named as its parameters are, without `decoder.`: `out`, or `mu` and `log_var`. A log-variance that
//! is the same for all rows is [1, D].
//!
//! x, `mean`, and all parts that are values of the data or log-variances of such are in the data's own units: where the
//! data was scaled before training, the graphs scale it and undo that. Logits, and all that is latent, have no units. A
//! log-variance is clamped as its likelihood clamps it.

use std::collections::BTreeMap;

use super::onnx::{self, Header, Input, Map, Output, Source, Weights};
use crate::data::Scaling;
use crate::error::Result;
use crate::kernels::condition::Labels;
use crate::kernels::likelihood::{self, Measure};
use crate::model::{Network, plans};
use crate::plan::{Formula, PAD, Target, Tensor, Value, round_up};

/// A trained model and what is said about it.
#[derive(Clone, Copy, Debug)]
pub struct Trained<'a> {
    /// The model.
    pub network: &'a Network,
    /// The arena of its weights.
    pub parameters: &'a [f32],
    /// How the data was scaled before the model saw it.
    pub scaling: Option<&'a Scaling>,
    /// Metadata of the files.
    pub metadata: &'a BTreeMap<String, String>,
}

/// The encoder as an ONNX file.
///
/// # Errors
/// [`Error::Export`](crate::error::Error::Export) if one of its kernels has no nodes, and
/// [`Error::Usage`](crate::error::Error::Usage) if it is too large for the format.
pub fn encoder(trained: Trained) -> Result<Vec<u8>> {
    let Trained { network, scaling, .. } = trained;
    let model = &network.config;
    let plans::Planned { plan, ports } = plans::export_encoder(network, Target::PORTABLE);
    let (x, head, z) = (ports.x.expect("x"), ports.head.expect("the head"), ports.z.expect("z"));
    let about = match scaling {
        Some(_) => "rows of the data in its own units",
        None => "rows of the data, which was not scaled; a byte v of a picture counts as v / 255",
    };
    let map = scaling.map(|scaling| -> Map { Box::new(|formula, v| scaled(formula, scaling, v)) });
    let mut inputs = vec![Input { name: "x", width: model.input, tensor: x, map, about: about.into() }];
    inputs.extend(label(ports.labels, model.classes));

    let heads = model.family().latent.heads(model.latent);
    let mut outputs = Vec::new();
    for (name, part) in parts(&heads, head) {
        // The z of an autoencoder is what the encoder gives.
        if part != z {
            outputs.push(plain(short(name), part, format!("{} of q(z|x)", short(name))));
        }
    }
    outputs.push(plain("z", z, if heads.heads.len() > 1 { "a draw from q(z|x)" } else { "the code" }.into()));
    let units = match scaling {
        Some(_) => "x is in the data's own units: the graph scales it as it was scaled for training.",
        None => "x is the data as it was for training: values as they are, bytes v as v / 255.",
    };
    write(trained, &plan, (inputs, outputs), ("encoder", units))
}

/// The decoder as an ONNX file.
///
/// # Errors
/// As [`encoder`].
pub fn decoder(trained: Trained) -> Result<Vec<u8>> {
    let Trained { network, scaling, .. } = trained;
    let model = &network.config;
    let (likelihood, output) = (model.likelihood()?, model.output());
    let plans::Planned { plan, ports } = plans::export_decoder(network, Target::PORTABLE);
    let (z, out, mean) = (ports.z.expect("z"), ports.out.expect("the parts"), ports.mean.expect("the mean"));
    let z = Input { name: "z", width: model.latent, tensor: z, map: None, about: "codes".into() };
    let inputs = std::iter::once(z).chain(label(ports.labels, model.classes)).collect();

    let (map, about) = measured(Measure::Value, scaling);
    let about = format!("E[x|z], {about}");
    let mut outputs =
        vec![Output { name: "mean", width: mean.cols, source: Source::Tensor(mean), map, about }];
    for (name, part) in parts(&output, out) {
        let (map, about) = measured((likelihood.measure)(name, &model.settings), scaling);
        let about = format!("what the decoder's last layer gives, {about}");
        outputs.push(Output {
            name: short(name),
            width: part.cols,
            source: Source::Tensor(part),
            map,
            about,
        });
    }
    if let Some((name, width)) = &output.own {
        let (map, about) = measured((likelihood.measure)(name, &model.settings), scaling);
        let about = format!("the same for every row, {about}");
        // One width in x is another in the units of each column.
        let columns = map.as_ref().and(scaling).map_or(1, |scaling| scaling.scale.len());
        outputs.push(Output {
            name: short(name),
            width: (*width).max(columns),
            source: Source::Parameter(name),
            map,
            about,
        });
    }
    let units = match scaling {
        Some(_) => "mean is in the data's own units: the graph undoes the scaling of training.",
        None => "mean is in the units of the data, where bytes v of pictures count as v / 255.",
    };
    write(trained, &plan, (inputs, outputs), ("decoder", units))
}

fn write(
    trained: Trained,
    plan: &crate::plan::Plan,
    ports: (Vec<Input>, Vec<Output>),
    (name, units): (&str, &str),
) -> Result<Vec<u8>> {
    let Trained { network, parameters, metadata, .. } = trained;
    let model = &network.config;
    let (title, widths, decoder) = (model.title(), model.widths(), model.decoder());
    let about = format!("{name} of a {title} {widths} with a {decoder} decoder. {units}");
    let weights = Weights { layout: &network.parameters, arena: parameters };
    onnx::file(plan, weights, ports, Header { name, about: &about, metadata })
}

/// The name of an output: `decoder.out` is `out`.
fn short(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, part)| part)
}

/// The parts of what a half of the model gives, side by side and padded in one tensor.
fn parts(output: &likelihood::Output, whole: Tensor) -> impl Iterator<Item = (&String, Tensor)> {
    output.heads.iter().scan(whole.offset, move |offset, (name, cols)| {
        let part = Tensor { offset: *offset, cols: *cols, ..whole };
        *offset += round_up(*cols, PAD);
        Some((name, part))
    })
}

fn label(labels: Option<Labels>, classes: usize) -> Option<Input<'static>> {
    labels.map(|of| Input {
        name: "label",
        width: classes,
        tensor: of.labels,
        map: None,
        about: "the class, one-hot".into(),
    })
}

fn plain(name: &str, tensor: Tensor, about: String) -> Output<'_> {
    Output { name, width: tensor.cols, source: Source::Tensor(tensor), map: None, about }
}

/// (v - shift) / scale, with the kept mean where v is missing.
fn scaled(formula: &mut dyn Formula, scaling: &Scaling, v: Value) -> Value {
    let v = if scaling.fill.is_empty() {
        v
    } else {
        let fill = column_wise(formula, &scaling.fill);
        let missing = formula.apply("IsNaN", &[v]);
        formula.apply("Where", &[missing, fill, v])
    };
    let (shift, scale) = (column_wise(formula, &scaling.shift), column_wise(formula, &scaling.scale));
    let distance = formula.apply("Sub", &[v, shift]);
    formula.apply("Div", &[distance, scale])
}

/// How what is measured so is brought to the data's units, and those units in words.
fn measured<'a>(measure: Measure, scaling: Option<&'a Scaling>) -> (Option<Map<'a>>, &'static str) {
    match (measure, scaling) {
        (Measure::Nothing, _) => (None, "without units"),
        (Measure::Value, None) => (None, "in the data's units"),
        (Measure::Value, Some(scaling)) => {
            let map: Map = Box::new(|formula, x| {
                let (shift, scale) =
                    (column_wise(formula, &scaling.shift), column_wise(formula, &scaling.scale));
                let product = formula.apply("Mul", &[x, scale]);
                formula.apply("Add", &[product, shift])
            });
            (Some(map), "in the data's own units")
        }
        (Measure::LogVariance { limit } | Measure::LogScale { limit }, scaling) => {
            let power = if matches!(measure, Measure::LogScale { .. }) { 1.0 } else { 2.0 };
            let map: Map = Box::new(move |formula, s| {
                let [low, high] = [-limit, limit].map(|end| formula.number(end));
                let above = formula.apply("Max", &[s, low]);
                let clamped = formula.apply("Min", &[above, high]);
                let Some(scaling) = scaling else { return clamped };
                // log (sigma scale)^2, or log (width scale).
                let logs: Vec<f32> = scaling.scale.iter().map(|scale| power * scale.ln()).collect();
                let logs = column_wise(formula, &logs);
                formula.apply("Add", &[clamped, logs])
            });
            let about = match measure {
                Measure::LogScale { .. } => "the log of a width in the data's units",
                _ => "the log of a variance in the data's units squared",
            };
            (Some(map), about)
        }
    }
}

/// One number for all columns, or one for each.
fn column_wise(formula: &mut dyn Formula, values: &[f32]) -> Value {
    let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
    formula.matrix(&values, values.len())
}
