//! Activations (`shaders/shared/activation.wgsl`), and the kernel that applies one (`shaders/activation.wgsl`).

use serde::{Deserialize, Serialize};

use super::{elementwise, params, shader};
use crate::plan::{
    Call, Dispatch, Graph, Kernel, Plan, Reference, Slot, Tensor, Value, linear_grid, read, write,
};
use crate::settings::named;

named! {
    /// The nonlinearity of the hidden layers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[repr(u32)]
    pub enum Activation {
        /// y = x
        Identity = 0 => "identity",
        /// y = max(x, 0)
        Relu = 1 => "relu",
        /// y = tanh(x)
        Tanh = 2 => "tanh",
        /// y = log(1 + e^x)
        Softplus = 3 => "softplus",
        /// y = x / (1 + e^-x)
        Silu = 4 => "silu",
        /// y = x where x > 0, and e^x - 1 elsewhere
        Elu = 5 => "elu",
    }
}

impl Activation {
    /// The activations of hidden layers.
    pub const HIDDEN: [Activation; 5] =
        [Activation::Relu, Activation::Tanh, Activation::Softplus, Activation::Silu, Activation::Elu];

    /// The activation with this number in the shaders.
    #[doc(hidden)]
    pub fn from_u32(value: u32) -> Activation {
        match value {
            0 => Activation::Identity,
            1 => Activation::Relu,
            2 => Activation::Tanh,
            3 => Activation::Softplus,
            4 => Activation::Silu,
            5 => Activation::Elu,
            _ => panic!("{value} is not the number of an activation"),
        }
    }

    /// y = activation(x).
    #[doc(hidden)]
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Activation::Identity => x,
            Activation::Relu => x.max(0.0),
            Activation::Tanh => x.tanh(),
            Activation::Softplus => softplus(x),
            Activation::Silu => x * sigmoid(x),
            Activation::Elu => x.max(0.0) + x.min(0.0).exp_m1(),
        }
    }

    /// The derivative, from the value that the forward pass kept: the input if [`Self::keeps_input`], else the output.
    #[doc(hidden)]
    pub fn derivative(self, kept: f64) -> f64 {
        match self {
            Activation::Identity => 1.0,
            Activation::Relu => f64::from(u8::from(kept > 0.0)),
            Activation::Tanh => 1.0 - kept * kept,
            Activation::Softplus => 1.0 - (-kept).exp(),
            Activation::Silu => sigmoid(kept) * (1.0 + kept * (1.0 - sigmoid(kept))),
            Activation::Elu => 1.0 + kept.min(0.0),
        }
    }

    /// y in the operators of ONNX.
    pub(crate) fn nodes(self, graph: &mut dyn Graph, x: Value) -> Value {
        match self {
            Activation::Identity => x,
            Activation::Relu => graph.apply("Relu", &[x]),
            Activation::Tanh => graph.apply("Tanh", &[x]),
            Activation::Softplus => graph.apply("Softplus", &[x]),
            Activation::Elu => graph.apply("Elu", &[x]),
            Activation::Silu => {
                let sigmoid = graph.apply("Sigmoid", &[x]);
                graph.apply("Mul", &[x, sigmoid])
            }
        }
    }

    /// Whether the derivative needs the input. Such an activation has a kernel of its own.
    #[doc(hidden)]
    pub fn keeps_input(self) -> bool {
        self == Activation::Silu
    }
}

/// 1 / (1 + e^-x).
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// log(1 + e^x) without overflow.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

params! {
    /// See `shaders/activation.wgsl`.
    struct Params {
        vectors: u32,
        stride: u32,
        columns: u32,
    }
}

const fn kernel(entry: &'static str, slots: &'static [Slot], reference: Reference) -> Kernel {
    Kernel::new(shader!("activation"), entry, Params::FIELDS, slots, reference)
        .in_variants(|| Activation::HIDDEN.iter().map(|&a| vec![("ACTIVATION", a as u32)]).collect())
}

/// y = activation(x).
pub static FORWARD: Kernel = kernel("forward", &[read(1, "x"), write(3, "y")], |call: &dyn Call| {
    let [x, y] = call.slots();
    let activation = Activation::from_u32(call.constant("ACTIVATION"));
    let Tensor { rows, cols, stride, .. } = y.shape();
    for row in 0..rows {
        for col in 0..stride {
            let value = if col < cols { activation.apply(x.get(row, col)) } else { 0.0 };
            y.put(row, col, value);
        }
    }
})
.with_nodes(|graph| {
    let [x, y] = [0, 1];
    let activation = Activation::from_u32(graph.constant("ACTIVATION"));
    let from = graph.get(x)?;
    let to = activation.nodes(graph, from);
    graph.set(y, to);
    Ok(())
});

/// d = d activation'(kept).
pub static BACKWARD: Kernel =
    kernel("backward", &[read(2, "kept"), write(4, "d").updated()], |call: &dyn Call| {
        let [kept, d] = call.slots();
        let activation = Activation::from_u32(call.constant("ACTIVATION"));
        let Tensor { rows, stride, .. } = d.shape();
        for row in 0..rows {
            for col in 0..stride {
                let slope = activation.derivative(kept.get(row, col));
                d.put(row, col, d.get(row, col) * slope);
            }
        }
    });

/// Appends y = activation(x), with both [R, N].
pub(crate) fn forward(plan: &mut Plan, label: &str, activation: Activation, x: Tensor, y: Tensor) {
    push(plan, &FORWARD, label, activation, [x, y]);
}

/// Appends d = d activation'(kept), with both [R, N].
pub(crate) fn backward(plan: &mut Plan, label: &str, activation: Activation, kept: Tensor, d: Tensor) {
    push(plan, &BACKWARD, label, activation, [kept, d]);
}

fn push(plan: &mut Plan, kernel: &'static Kernel, label: &str, activation: Activation, tensors: [Tensor; 2]) {
    let [from, to] = tensors;
    let shape = |t: Tensor| (t.rows, t.cols, t.stride);
    assert_eq!(shape(from), shape(to), "{label}: shapes of both matrices");
    assert!(activation != Activation::Identity, "{label}: nothing to do");
    let vectors = to.rows as u32 * to.vectors();
    plan.push(Dispatch {
        kernel,
        label: label.into(),
        consts: vec![("ACTIVATION", activation as u32)],
        params: Params { vectors, stride: to.vectors(), columns: to.cols as u32 }.to_bytes(),
        tensors: tensors.to_vec(),
        workgroups: linear_grid(vectors as usize, super::WORKGROUP),
        cost: elementwise(4, &tensors),
    });
}
