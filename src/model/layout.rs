//! Where each parameter lies in the flat arena that parameters, gradients and Adam's moments share the shape of.

use super::config::{Kind, ModelConfig};
use crate::kernels::adam;
use crate::kernels::likelihood::Output;
use crate::plan::{BINDING_ALIGN, BufferId, PAD, Tensor, round_up};

/// A parameter as files know it: PyTorch's name and shape, and its place in the arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Such as `encoder.0.weight`.
    pub name: String,
    /// [out, in] of a weight, \[out\] of a bias.
    pub shape: Vec<usize>,
    /// Columns of the layer's input, by which PyTorch scales the initial values; none where there is no layer.
    pub fan_in: Option<usize>,
    /// First word in the arena.
    pub offset: usize,
    /// Words from row to row.
    pub stride: usize,
}

impl Parameter {
    fn rows_cols(&self) -> (usize, usize) {
        match self.shape[..] {
            [rows, cols] => (rows, cols),
            _ => (1, self.shape[0]),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values; a parameter always has some.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The parameter's values out of an arena, without padding.
    pub fn extract(&self, arena: &[f32]) -> Vec<f32> {
        let (rows, cols) = self.rows_cols();
        (0..rows).flat_map(|r| &arena[self.offset + r * self.stride..][..cols]).copied().collect()
    }

    /// Puts the parameter's values into an arena.
    pub fn insert(&self, arena: &mut [f32], values: &[f32]) {
        let (_, cols) = self.rows_cols();
        for (row, from) in values.chunks_exact(cols).enumerate() {
            arena[self.offset + row * self.stride..][..cols].copy_from_slice(from);
        }
    }
}

/// A linear layer as kernels see it: y [B, out] = x [B, in] W^T + b, with W [out, in].
#[derive(Clone, Debug)]
pub struct Linear {
    /// Such as `encoder.0`.
    pub name: String,
    /// Columns of x.
    pub inputs: usize,
    /// Columns of y, padding between heads included.
    pub outputs: usize,
    /// Columns of b and of what lies behind it: a constant of the likelihood.
    pub biases: usize,
    weight: usize,
    bias: usize,
}

impl Linear {
    /// W [out, in] in an arena.
    pub fn weight(&self, arena: BufferId) -> Tensor {
        let stride = round_up(self.inputs, PAD);
        Tensor { buffer: arena, offset: self.weight, rows: self.outputs, cols: self.inputs, stride }
    }

    /// b [1, out] in an arena.
    pub fn bias(&self, arena: BufferId) -> Tensor {
        let stride = round_up(self.outputs, PAD);
        Tensor { buffer: arena, offset: self.bias, rows: 1, cols: self.outputs, stride }
    }

    /// b and the constant behind it [1, biases] in an arena.
    pub fn biases(&self, arena: BufferId) -> Tensor {
        let stride = round_up(self.biases, PAD);
        Tensor { buffer: arena, offset: self.bias, rows: 1, cols: self.biases, stride }
    }
}

/// All layers of a model and all its parameters.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The encoder's hidden layers.
    pub encoder: Vec<Linear>,
    /// mu and log_var in one layer, each padded to whole vectors; mu alone in an autoencoder.
    pub head: Linear,
    /// The decoder's hidden layers.
    pub decoder: Vec<Linear>,
    /// The decoder's last layer.
    pub out: Linear,
    /// Every parameter, in the order of the files.
    pub parameters: Vec<Parameter>,
    /// Size of the arena, in whole workgroups of Adam.
    pub words: usize,
}

impl Layout {
    /// The layout of `config`.
    pub fn new(config: &ModelConfig) -> Layout {
        let mut arena = Arena::default();
        let input = config.input + config.classes;
        let (encoder, width) = arena.stack("encoder", input, config.hidden.iter());
        let heads = match config.kind {
            Kind::Ae => Output::new(&[("encoder.mu", config.latent)]),
            _ => Output::new(&[("encoder.mu", config.latent), ("encoder.log_var", config.latent)]),
        };
        let head = arena.layer("encoder.head", width, &heads);
        let (decoder, last) =
            arena.stack("decoder", config.latent + config.classes, config.hidden.iter().rev());
        let out = arena.layer("decoder.out", last, &config.output());
        let words = round_up(arena.words, adam::WORDS);
        Layout { encoder, head, decoder, out, parameters: arena.parameters, words }
    }

    /// Number of trained values, padding not counted.
    pub fn count(&self) -> usize {
        self.parameters.iter().map(Parameter::len).sum()
    }
}

#[derive(Default)]
struct Arena {
    parameters: Vec<Parameter>,
    words: usize,
}

impl Arena {
    fn allocate(&mut self, rows: usize, cols: usize) -> usize {
        let offset = self.words;
        self.words += round_up(round_up(rows, PAD) * round_up(cols, PAD), BINDING_ALIGN);
        offset
    }

    fn parameter(&mut self, name: String, shape: Vec<usize>, fan_in: Option<usize>, offset: usize) {
        let stride = round_up(*shape.last().unwrap_or(&1), PAD);
        self.parameters.push(Parameter { name, shape, fan_in, offset, stride });
    }

    /// Hidden layers of these widths, and the last one's width.
    fn stack<'a>(
        &mut self,
        part: &str,
        inputs: usize,
        widths: impl Iterator<Item = &'a usize>,
    ) -> (Vec<Linear>, usize) {
        let mut width = inputs;
        let layers = widths.enumerate().map(|(i, outputs)| {
            let inputs = std::mem::replace(&mut width, *outputs);
            let name = format!("{part}.{i}");
            self.layer(&name, inputs, &Output::new(&[(&name, *outputs)]))
        });
        (layers.collect(), width)
    }

    /// One layer for all parts of its output; files show every part by itself. A constant lies behind the bias.
    fn layer(&mut self, name: &str, inputs: usize, output: &Output) -> Linear {
        let (outputs, biases) = (output.columns(), output.biases());
        let (weight, bias) = (self.allocate(outputs, inputs), self.allocate(1, biases));
        let mut first = 0;
        for (head, width) in &output.heads {
            let at = weight + first * round_up(inputs, PAD);
            self.parameter(format!("{head}.weight"), vec![*width, inputs], Some(inputs), at);
            self.parameter(format!("{head}.bias"), vec![*width], Some(inputs), bias + first);
            first += round_up(*width, PAD);
        }
        if let Some((constant, width)) = &output.constant {
            self.parameter(constant.clone(), vec![*width], None, bias + first);
        }
        Linear { name: name.to_owned(), inputs, outputs, biases, weight, bias }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::activation::Activation;
    use crate::kernels::likelihood::{Settings, TABLE, Variance};

    fn config() -> ModelConfig {
        ModelConfig {
            input: 13,
            hidden: vec![9, 7],
            latent: 5,
            activation: Activation::Relu,
            likelihood: "bernoulli".into(),
            settings: Settings::DEFAULT,
            kind: Kind::Vae,
            classes: 0,
        }
    }

    /// The model with each likelihood and each of its settings.
    fn configs() -> Vec<ModelConfig> {
        let config_of = |name: &str, settings| ModelConfig { likelihood: name.into(), settings, ..config() };
        let others = [
            ModelConfig { kind: Kind::Ae, ..config() },
            ModelConfig { kind: Kind::Ae, classes: 3, ..config() },
            ModelConfig { classes: 10, ..config() },
        ];
        TABLE
            .iter()
            .flat_map(|l| l.settings.iter().map(move |s| config_of(l.name, *s)))
            .chain(others)
            .collect()
    }

    #[test]
    fn names_and_shapes_are_those_of_the_files() {
        let layout = Layout::new(&config());
        let table: Vec<_> = layout.parameters.iter().map(|p| (p.name.as_str(), p.shape.as_slice())).collect();
        let expected: [(&str, &[usize]); 14] = [
            ("encoder.0.weight", &[9, 13]),
            ("encoder.0.bias", &[9]),
            ("encoder.1.weight", &[7, 9]),
            ("encoder.1.bias", &[7]),
            ("encoder.mu.weight", &[5, 7]),
            ("encoder.mu.bias", &[5]),
            ("encoder.log_var.weight", &[5, 7]),
            ("encoder.log_var.bias", &[5]),
            ("decoder.0.weight", &[7, 5]),
            ("decoder.0.bias", &[7]),
            ("decoder.1.weight", &[9, 7]),
            ("decoder.1.bias", &[9]),
            ("decoder.out.weight", &[13, 9]),
            ("decoder.out.bias", &[13]),
        ];
        assert_eq!(table, expected);
        assert_eq!(layout.count(), expected.iter().map(|(_, s)| s.iter().product::<usize>()).sum::<usize>());
    }

    #[test]
    fn the_likelihood_shapes_the_last_layer() {
        let tail = |likelihood: &str, settings| {
            let layout = Layout::new(&ModelConfig { likelihood: likelihood.into(), settings, ..config() });
            let last = layout.parameters[12..].iter().map(|p| (p.name.clone(), p.shape.clone()));
            (last.collect::<Vec<_>>(), layout.out.outputs, layout.out.biases)
        };
        let settings = Settings { levels: 3, variance: Variance::Global };
        let named = |list: &[(&str, &[usize])]| -> Vec<(String, Vec<usize>)> {
            list.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect()
        };
        let plain = named(&[("decoder.out.weight", &[39, 9]), ("decoder.out.bias", &[39])]);
        assert_eq!(tail("categorical", settings), (plain, 39, 39));
        let global = named(&[
            ("decoder.out.weight", &[13, 9]),
            ("decoder.out.bias", &[13]),
            ("decoder.log_var", &[13]),
        ]);
        assert_eq!(tail("gaussian-learned", settings), (global, 13, 32));
        let pixel = named(&[
            ("decoder.mu.weight", &[13, 9]),
            ("decoder.mu.bias", &[13]),
            ("decoder.log_var.weight", &[13, 9]),
            ("decoder.log_var.bias", &[13]),
        ]);
        let settings = Settings { variance: Variance::Pixel, ..settings };
        assert_eq!(tail("gaussian-learned", settings), (pixel, 32, 32));
    }

    #[test]
    fn an_autoencoder_has_no_variance_and_labels_widen_what_is_read() {
        let layout = Layout::new(&ModelConfig { kind: Kind::Ae, classes: 3, ..config() });
        let shape_of =
            |name: &str| layout.parameters.iter().find(|p| p.name == name).map(|p| p.shape.clone());
        assert_eq!(shape_of("encoder.0.weight"), Some(vec![9, 13 + 3]));
        assert_eq!(shape_of("encoder.mu.weight"), Some(vec![5, 7]));
        assert_eq!(shape_of("encoder.log_var.weight"), None);
        assert_eq!(shape_of("decoder.0.weight"), Some(vec![7, 5 + 3]));
    }

    #[test]
    fn parameters_do_not_overlap_and_round_trip() {
        for config in configs() {
            let layout = Layout::new(&config);
            let mut arena = vec![0.0; layout.words];
            for (i, p) in layout.parameters.iter().enumerate() {
                p.insert(&mut arena, &vec![i as f32 + 1.0; p.len()]);
            }
            for (i, p) in layout.parameters.iter().enumerate() {
                let whole = p.extract(&arena).iter().all(|v| *v == i as f32 + 1.0);
                assert!(whole, "{}: {}", config.decoder(), p.name);
            }
            assert_eq!(arena.iter().filter(|v| **v != 0.0).count(), layout.count());
        }
    }
}
