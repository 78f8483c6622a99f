//! What a likelihood is.

use super::draw::{Decoded, Noise};
use super::pass::Pass;
use super::settings::LikelihoodSettings;
use crate::kernels::gather::Binarize;
use crate::plan::{Kernel, PAD, Plan, Target, Tensor, round_up};

/// The kernels of a likelihood, one per pass.
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    /// log p(x|z) of each row.
    pub forward: &'static Kernel,
    /// log p(x|z) and its gradient, where the row weights are already known.
    pub fused: &'static Kernel,
    /// The gradient alone, from row weights.
    pub backward: &'static Kernel,
    /// E[x|z], for pictures.
    pub mean: &'static Kernel,
    /// log p of each value, to see where a datum is strange.
    pub values: &'static Kernel,
}

impl Kernels {
    /// All of them.
    pub fn all(&self) -> [&'static Kernel; 5] {
        [self.forward, self.fused, self.backward, self.mean, self.values]
    }

    /// The kernel of a pass, and the tensors that it is bound to where the likelihood has no parameter of its own.
    pub(super) fn of(&self, pass: &Pass) -> (&'static Kernel, Vec<Tensor>) {
        match *pass {
            Pass::Forward { out, x, log_p, .. } => (self.forward, vec![out, x, log_p]),
            Pass::Fused { out, x, weight, log_p, .. } => (self.fused, vec![x, weight, log_p, out]),
            Pass::Backward { out, x, weight, .. } => (self.backward, vec![x, weight, out]),
            Pass::Mean { out, mean } => (self.mean, vec![out, mean]),
            Pass::Values { out, x, values, .. } => (self.values, vec![out, x, values]),
        }
    }
}

/// A likelihood: its kernels, the data it fits, and the parts of the decoder's last layer.
#[derive(Debug)]
pub struct Likelihood {
    /// Its name on the command line and in files.
    pub name: &'static str,
    /// One line for the help and the README.
    pub about: &'static str,
    /// The data it is a distribution over.
    pub data: Data,
    /// Whether it covers only values in 0..1.
    pub bounded: bool,
    /// The settings that checks and tests walk.
    pub settings: &'static [LikelihoodSettings],
    /// Checks the settings that it uses; the error says what is wrong.
    pub validate: fn(&LikelihoodSettings) -> Result<(), String>,
    /// Its name and the settings that it uses, in one line.
    pub title: fn(&LikelihoodSettings) -> String,
    /// The parts of the decoder's last layer for D = `dim` values; a single part is named `decoder.out`.
    pub output: fn(dim: usize, settings: &LikelihoodSettings) -> Output,
    /// The decoder outputs for one value that fit these (value, count) best without any z: first the outputs of that
    /// value, then its constant. A constant that all values share is that of all distances from their means.
    pub fit: Fit,
    /// What the fits of a pixel's values make of the pixel's outputs, where these do not just lie side by side.
    pub join: Option<Join>,
    /// D values of x from p(x|z).
    pub draw: Draw,
    /// Its kernels: one set, or one for each choice of settings that needs its own.
    pub kernels: &'static [&'static Kernels],
    /// The kernels that its passes need besides.
    pub extra_kernels: &'static [&'static Kernel],
    /// What an output of the decoder is measured in, by its name.
    pub measure: fn(part: &str, settings: &LikelihoodSettings) -> Measure,
    /// Appends one of the passes.
    pub(super) append: fn(&mut Plan, &Target, &LikelihoodSettings, Pass),
}

impl Likelihood {
    /// Appends a pass, after checking that its tensors go together.
    pub(crate) fn append(&self, plan: &mut Plan, target: &Target, settings: &LikelihoodSettings, pass: Pass) {
        let out = pass.out();
        match pass {
            Pass::Forward { log_p, .. } => assert!(log_p.cols >= out.rows, "log p of each row"),
            Pass::Fused { weight, log_p, .. } => {
                assert!(log_p.cols >= out.rows, "log p of each row");
                assert!(weight.cols >= out.rows, "a weight for each row");
            }
            Pass::Backward { weight, .. } => assert!(weight.cols >= out.rows, "a weight for each row"),
            Pass::Mean { mean, .. } => assert_eq!(out.rows, mean.rows, "a mean for each row"),
            Pass::Values { x, values, .. } => {
                let shape = |tensor: Tensor| (tensor.rows, tensor.cols, tensor.stride);
                assert_eq!(shape(Tensor { rows: out.rows, ..x }), shape(values), "a number for each value");
            }
        }
        if let Some((own, Some(d_own))) = pass.own() {
            assert_eq!((d_own.rows, d_own.stride), (out.rows, own.stride), "a gradient of each row");
        }
        (self.append)(plan, target, settings, pass);
    }
}

/// What an output of the decoder is measured in, so that it can be given in the data's own units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Nothing: a logit.
    Nothing,
    /// The units of x.
    Value,
    /// The log of their square, which the likelihood clamps to plus or minus `limit`.
    LogVariance {
        /// Nats.
        limit: f64,
    },
    /// The log of a width in them, clamped likewise.
    LogScale {
        /// Nats.
        limit: f64,
    },
}

/// See [`Likelihood::draw`].
pub type Draw = fn(decoded: Decoded<'_>, dim: usize, noise: &mut Noise) -> Vec<f32>;

/// See [`Likelihood::fit`].
pub type Fit = fn(values: &[(f64, u64)], settings: &LikelihoodSettings) -> Vec<f64>;

/// See [`Likelihood::join`].
pub type Join = fn(fits: &[Vec<f64>], settings: &LikelihoodSettings) -> Vec<f64>;

/// The data a likelihood is a distribution over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// Zeros and ones.
    Binary,
    /// Grey values as real numbers; log p is a log density and can be positive.
    Grey,
    /// Grey values in steps: only grey data fits it.
    Levels,
}

impl Data {
    /// How bytes become such data where the user does not choose.
    pub fn binarize(self) -> Binarize {
        match self {
            Data::Binary => Binarize::Dynamic,
            Data::Grey | Data::Levels => Binarize::None,
        }
    }
}

/// The outputs of a layer, side by side in one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Name and width of each part. If there are several, each is padded to whole vectors.
    pub heads: Vec<(String, usize)>,
    /// Name and width of a likelihood's own parameter, shared by all rows.
    pub own: Option<(String, usize)>,
    /// Whether the likelihood's passes set that parameter by themselves, so that it has no gradient.
    pub is_estimated: bool,
}

impl Output {
    /// Parts with these names and widths.
    pub fn new(heads: &[(&str, usize)]) -> Output {
        let heads = heads.iter().map(|(name, width)| ((*name).to_owned(), *width)).collect();
        Output { heads, own: None, is_estimated: false }
    }

    /// With a parameter that all rows share.
    pub fn with_own(self, name: &str, width: usize) -> Output {
        Output { own: Some((name.to_owned(), width)), ..self }
    }

    /// With passes that set this parameter by themselves.
    pub fn estimated(self) -> Output {
        Output { is_estimated: true, ..self }
    }

    /// Columns of the layer's output, padding between parts included.
    pub fn columns(&self) -> usize {
        match &self.heads[..] {
            [(_, width)] => *width,
            heads => heads.iter().map(|(_, width)| round_up(*width, PAD)).sum(),
        }
    }
}

/// Mean and variance of (value, count).
pub(crate) fn moments(values: &[(f64, u64)]) -> (f64, f64) {
    let count = values.iter().map(|(_, n)| *n as f64).sum::<f64>().max(1.0);
    let mean = values.iter().map(|(v, n)| v * *n as f64).sum::<f64>() / count;
    let variance = values.iter().map(|(v, n)| (v - mean).powi(2) * *n as f64).sum::<f64>() / count;
    (mean, variance)
}
