//! Activations (`shaders/shared/activation.wgsl`), and the kernel that applies one (`shaders/activation.wgsl`).

use serde::{Deserialize, Serialize};

use super::{elementwise, params, shader};
use crate::plan::{Call, Dispatch, Kernel, Needs, Plan, Tensor, Trusted, linear_grid, read, write};
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
    }
}

impl Activation {
    /// The activations of hidden layers.
    pub const HIDDEN: [Activation; 4] =
        [Activation::Relu, Activation::Tanh, Activation::Softplus, Activation::Silu];

    /// The activation with this number in the shaders.
    pub fn from_u32(value: u32) -> Activation {
        match value {
            1 => Activation::Relu,
            2 => Activation::Tanh,
            3 => Activation::Softplus,
            4 => Activation::Silu,
            _ => Activation::Identity,
        }
    }

    /// y = activation(x).
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Activation::Identity => x,
            Activation::Relu => x.max(0.0),
            Activation::Tanh => x.tanh(),
            Activation::Softplus => softplus(x),
            Activation::Silu => x * sigmoid(x),
        }
    }

    /// The derivative, from what the forward pass kept: the input where [`Self::keeps_input`], else the output.
    pub fn derivative(self, kept: f64) -> f64 {
        match self {
            Activation::Identity => 1.0,
            Activation::Relu => f64::from(u8::from(kept > 0.0)),
            Activation::Tanh => 1.0 - kept * kept,
            Activation::Softplus => 1.0 - (-kept).exp(),
            Activation::Silu => sigmoid(kept) * (1.0 + kept * (1.0 - sigmoid(kept))),
        }
    }

    /// Whether the derivative needs the input; it is then applied by a kernel of its own.
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
    }
}

/// y = activation(x).
pub static ACTIVATION: Kernel = Kernel {
    name: "activation",
    entry: "main",
    source: shader!("activation"),
    params: Params::FIELDS,
    slots: &[read(1, "x"), write(2, "y")],
    step: false,
    needs: Needs::Nothing,
    trusted: Trusted,
    variants: || Activation::HIDDEN.iter().map(|&a| vec![("ACTIVATION", a as u32)]).collect(),
    reference: |call: &mut dyn Call| {
        let p: Params = crate::plan::params(call);
        let activation = Activation::from_u32(call.constant("ACTIVATION"));
        for i in 0..4 * p.vectors as usize {
            let y = activation.apply(call.get(0, 0, i));
            call.put(1, 0, i, y);
        }
    },
};

/// Appends y = activation(x), over the padding too: the activation must map zero to zero there.
pub(crate) fn activation(plan: &mut Plan, label: &str, activation: Activation, x: Tensor, y: Tensor) {
    assert_eq!((x.rows, x.stride), (y.rows, y.stride), "shapes of x and y");
    let (x, y) = (x.flat(), y.flat());
    plan.push(Dispatch {
        kernel: &ACTIVATION,
        label: label.into(),
        consts: vec![("ACTIVATION", activation as u32)],
        params: Params { vectors: x.vectors() }.to_bytes(),
        tensors: vec![x, y],
        workgroups: linear_grid(x.words() / 4, super::WORKGROUP),
        cost: elementwise(4, &[x, y]),
    });
}
