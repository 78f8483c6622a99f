//! Appends the layers of a model to a plan, forward and backward.

use super::config::{Kind, ModelConfig};
use super::layout::{Layout, Linear};
use crate::kernels::activation::{Activation, activation};
use crate::kernels::bias_grad::bias_grad;
use crate::kernels::condition::{Labels, condition};
use crate::kernels::likelihood::Pass;
use crate::kernels::matmul::{Epilogue, Layout as Operands, matmul};
use crate::kernels::{latent, row_vector};
use crate::plan::{BufferId, Element, Plan, Role, Target, Tensor};

/// Name of the shared buffer of all parameters.
pub const PARAMETERS: &str = "parameters";
/// Name of the shared buffer of all gradients.
pub const GRADIENTS: &str = "gradients";

/// A plan under construction for one model.
pub struct Network<'a> {
    /// The plan so far.
    pub plan: Plan,
    /// What kernels choose their variants by.
    pub target: Target,
    /// The model.
    pub config: &'a ModelConfig,
    /// Its parameters.
    pub layout: Layout,
    /// The labels of a batch, in a conditional model.
    pub labels: Option<Labels>,
    parameters: BufferId,
}

/// The output of a stack of layers, and what its backward pass needs.
pub struct Activations {
    /// The input of each layer, first to last, then the output of the last.
    values: Vec<Tensor>,
    /// What each hidden layer kept for its derivative.
    kept: Vec<Tensor>,
}

impl Activations {
    /// The output of the last layer.
    pub fn last(&self) -> Tensor {
        *self.values.last().expect("a stack has an input")
    }
}

impl<'a> Network<'a> {
    /// An empty plan with the model's parameters.
    pub fn new(name: &str, config: &'a ModelConfig, target: Target) -> Self {
        let layout = Layout::new(config);
        let mut plan = Plan::new(name);
        let parameters = plan.buffer(PARAMETERS, layout.words, Element::F32, Role::Shared);
        Network { plan, target, config, layout, labels: None, parameters }
    }

    /// A flat shared buffer of the arena's size: parameters, gradients, moments.
    pub fn arena(&mut self, name: &str) -> Tensor {
        let words = self.layout.words;
        let buffer =
            self.plan.find(name).unwrap_or_else(|| self.plan.buffer(name, words, Element::F32, Role::Shared));
        Tensor { buffer, offset: 0, rows: 1, cols: words, stride: words }
    }

    /// The encoder: x [B, D] to the head [B, 2 P] of mu and log_var, or [B, Z] of mu alone.
    pub fn encode(&mut self, x: Tensor) -> Activations {
        let (hidden, last) = (self.layout.encoder.clone(), self.layout.head.clone());
        let x = self.with_label(x, 1);
        self.forward(&hidden, &last, x)
    }

    /// The input of the encoder or, with K samples a datum, the decoder: in a conditional model with the label.
    fn with_label(&mut self, input: Tensor, samples: usize) -> Tensor {
        if self.config.classes == 0 {
            return input;
        }
        let name = format!("{}, label", self.plan.buffers[input.buffer.0].name);
        let out = self.plan.tensor(name, input.rows, input.cols + self.config.classes);
        let labels = self.labels.expect("a conditional model is told the labels");
        condition(&mut self.plan, samples, input, labels, out);
        out
    }

    /// The bias of the decoder's last layer, with the likelihood's constant behind it.
    pub fn out_biases(&self) -> Tensor {
        self.layout.out.biases(self.parameters)
    }

    /// The decoder: z [B K, Z] to the likelihood's parameters [B K, heads].
    pub fn decode(&mut self, z: Tensor, samples: usize) -> Activations {
        let (hidden, last) = (self.layout.decoder.clone(), self.layout.out.clone());
        let z = self.with_label(z, samples);
        self.forward(&hidden, &last, z)
    }

    /// The decoder's backward pass: from the gradient [R, heads and constant] by its output to that [R, Z] by z.
    pub fn decode_backward(&mut self, activations: &Activations, d_out: Tensor) -> Tensor {
        let mut layers = self.layout.decoder.clone();
        layers.push(self.layout.out.clone());
        let d = self.backward(&layers, activations, d_out);
        let first = &layers[0];
        // Nothing needs the gradient by the label.
        let d_z = self.plan.tensor("d_z", d.rows, self.config.latent);
        let weight = Tensor { cols: d_z.cols, ..first.weight(self.parameters) };
        let operands = (d, weight, d_z);
        let label = format!("{} d_x", first.name);
        matmul(&mut self.plan, &self.target, &label, Operands::NN, operands, Epilogue::Store);
        d_z
    }

    /// The encoder's backward pass, from the gradient by the head. Nothing needs the gradient by x.
    pub fn encode_backward(&mut self, activations: &Activations, d_head: Tensor) {
        let mut layers = self.layout.encoder.clone();
        layers.push(self.layout.head.clone());
        self.backward(&layers, activations, d_head);
    }

    /// z [B K, Z] and kl \[B\] from the head [B, 2 P].
    pub fn sample(&mut self, head: Tensor, samples: usize) -> (Tensor, Tensor) {
        let (z, kl) = self.code(head, samples);
        latent::forward(&mut self.plan, samples, head, z, kl);
        (z, kl)
    }

    /// The same with the weights of the ELBO: of each row's reconstruction [B K] and each datum's KL \[B\].
    pub fn sample_for_training(
        &mut self,
        head: Tensor,
        samples: usize,
        weights: [Tensor; 2],
    ) -> (Tensor, Tensor) {
        let (z, kl) = self.code(head, samples);
        latent::training(&mut self.plan, samples, head, (z, kl), weights);
        (z, kl)
    }

    /// z [B K, Z], kl \[B\] and log p(z) - log q(z|x) [B K] from the head [B, 2 P].
    pub fn sample_with_ratio(&mut self, head: Tensor, samples: usize) -> (Tensor, Tensor, Tensor) {
        let (z, kl) = self.code(head, samples);
        let log_ratio = row_vector(&mut self.plan, "log_ratio", z.rows);
        latent::forward_ratio(&mut self.plan, samples, head, z, kl, log_ratio);
        (z, kl, log_ratio)
    }

    fn code(&mut self, head: Tensor, samples: usize) -> (Tensor, Tensor) {
        let z = self.plan.tensor("z", head.rows * samples, self.config.latent);
        (z, row_vector(&mut self.plan, "kl", head.rows))
    }

    /// z = mu [B, Z]: an autoencoder's head is that already.
    pub fn mean(&mut self, head: Tensor) -> Tensor {
        if self.config.kind == Kind::Ae {
            return head;
        }
        let z = self.plan.tensor("z", head.rows, self.config.latent);
        latent::mean(&mut self.plan, head, z);
        z
    }

    /// log p(x|z) [B K] of x [B, D] and z [B K, Z].
    pub fn log_likelihood(&mut self, x: Tensor, z: Tensor, samples: usize) -> Tensor {
        let out = self.decode(z, samples).last();
        let log_p = row_vector(&mut self.plan, "log_p", z.rows);
        self.likelihood(Pass::Forward { out, bias: self.out_biases(), x, log_p });
        log_p
    }

    /// E[x|z] [B, D] of z [B, Z].
    pub fn decoded_mean(&mut self, z: Tensor) -> Tensor {
        let out = self.decode(z, 1).last();
        let mean = self.plan.tensor("mean", out.rows, self.config.input);
        self.likelihood(Pass::Mean { out, mean });
        mean
    }

    /// A pass of the model's likelihood.
    pub fn likelihood(&mut self, pass: Pass) {
        let likelihood = self.config.likelihood().expect("the configuration was validated");
        likelihood.append(&mut self.plan, &self.target, &self.config.settings, pass);
    }

    fn forward(&mut self, hidden: &[Linear], last: &Linear, x: Tensor) -> Activations {
        let mut activations = Activations { values: vec![x], kept: Vec::new() };
        for layer in hidden {
            let (y, kept) = self.hidden_layer(layer, activations.last());
            activations.values.push(y);
            activations.kept.push(kept);
        }
        let out = self.linear(last, activations.last(), Activation::Identity, &last.name);
        activations.values.push(out);
        activations
    }

    /// y = activation(x W^T + b), and what the derivative needs: y itself, or the sum where it needs that.
    fn hidden_layer(&mut self, layer: &Linear, x: Tensor) -> (Tensor, Tensor) {
        let function = self.config.activation;
        if !function.keeps_input() {
            let y = self.linear(layer, x, function, &layer.name);
            return (y, y);
        }
        let sum = self.linear(layer, x, Activation::Identity, &format!("{}.sum", layer.name));
        let y = self.plan.tensor(&layer.name, sum.rows, sum.cols);
        activation(&mut self.plan, &layer.name, function, sum, y);
        (y, sum)
    }

    fn linear(&mut self, layer: &Linear, x: Tensor, function: Activation, name: &str) -> Tensor {
        let y = self.plan.tensor(name, x.rows, layer.outputs);
        let operands = (x, layer.weight(self.parameters), y);
        let epilogue = Epilogue::Forward(function, layer.bias(self.parameters));
        matmul(&mut self.plan, &self.target, &layer.name, Operands::NT, operands, epilogue);
        y
    }

    /// The gradients of the parameters of `layers`, last to first, from `d` by the last one's sum, and by the constant
    /// behind its bias where there is one. Returns the gradient by the first one's sum.
    fn backward(&mut self, layers: &[Linear], activations: &Activations, d: Tensor) -> Tensor {
        let gradients = self.arena(GRADIENTS).buffer;
        let function = self.config.activation;
        let mut d_biases = d;
        for (i, layer) in layers.iter().enumerate().rev() {
            let (plan, target) = (&mut self.plan, &self.target);
            let x = activations.values[i];
            let d = Tensor { cols: layer.outputs, ..d_biases };
            let operands = (d, x, layer.weight(gradients));
            // A constant behind the bias has no row in the weights: then all of them are summed by another kernel.
            let alone = layer.biases == layer.outputs;
            let epilogue = if alone { Epilogue::Gradient(layer.bias(gradients)) } else { Epilogue::Store };
            matmul(plan, target, &format!("{} gradient", layer.name), Operands::TN, operands, epilogue);
            if !alone {
                bias_grad(plan, &layer.name, d_biases, layer.biases(gradients));
            }
            if i > 0 {
                let d_x = plan.tensor(format!("d_{}", layers[i - 1].name), x.rows, x.cols);
                let operands = (d, layer.weight(self.parameters), d_x);
                let epilogue = Epilogue::Backward(function, activations.kept[i - 1]);
                matmul(plan, target, &format!("{} d_x", layer.name), Operands::NN, operands, epilogue);
                d_biases = d_x;
            }
        }
        d_biases
    }
}
