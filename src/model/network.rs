//! Appends the layers of a model to a plan, forward and backward.

use super::config::ModelConfig;
use super::layout::{Layout, Linear};
use crate::kernels::activation::{Activation, activation};
use crate::kernels::bias_grad::bias_grad;
use crate::kernels::matmul::{Epilogue, Layout as Operands, matmul};
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
        Network { plan, target, config, layout, parameters }
    }

    /// A flat shared buffer of the arena's size: parameters, gradients, moments.
    pub fn arena(&mut self, name: &str) -> Tensor {
        let words = self.layout.words;
        let buffer =
            self.plan.find(name).unwrap_or_else(|| self.plan.buffer(name, words, Element::F32, Role::Shared));
        Tensor { buffer, offset: 0, rows: 1, cols: words, stride: words }
    }

    /// The encoder: x [B, D] to the head [B, 2 P] of mu and log_var.
    pub fn encode(&mut self, x: Tensor) -> Activations {
        let (hidden, last) = (self.layout.encoder.clone(), self.layout.head.clone());
        self.forward(&hidden, &last, x)
    }

    /// The bias of the decoder's last layer, with the likelihood's constant behind it.
    pub fn out_biases(&self) -> Tensor {
        self.layout.out.biases(self.parameters)
    }

    /// The decoder: z [R, Z] to the likelihood's parameters [R, heads].
    pub fn decode(&mut self, z: Tensor) -> Activations {
        let (hidden, last) = (self.layout.decoder.clone(), self.layout.out.clone());
        self.forward(&hidden, &last, z)
    }

    /// The decoder's backward pass: from the gradient [R, heads and constant] by its output to that [R, Z] by z.
    pub fn decode_backward(&mut self, activations: &Activations, d_out: Tensor) -> Tensor {
        let mut layers = self.layout.decoder.clone();
        layers.push(self.layout.out.clone());
        let d = self.backward(&layers, activations, d_out);
        let first = &layers[0];
        let d_z = self.plan.tensor("d_z", d.rows, first.inputs);
        let operands = (d, first.weight(self.parameters), d_z);
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
