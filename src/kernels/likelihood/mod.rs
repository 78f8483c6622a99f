//! The likelihoods p(x|z): one file and one line in [`TABLE`] each.

pub mod bernoulli;
pub mod categorical;
pub mod continuous_bernoulli;
pub mod formula;
pub mod gaussian;
pub mod gaussian_learned;
mod pointwise;

use serde::{Deserialize, Serialize};

use self::formula::Expectation;
use super::gather::Binarize;
use super::row_vector;
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
}

/// A likelihood: its kernels, the data it fits, and the parts of the decoder's last layer.
#[derive(Debug)]
pub struct Likelihood {
    /// Its name on the command line and in files.
    pub name: &'static str,
    /// One line for `--help` and the README.
    pub about: &'static str,
    /// The data it is a distribution over.
    pub data: Data,
    /// Whether it covers only values in 0..1.
    pub bounded: bool,
    /// The settings that checks and tests walk.
    pub settings: &'static [Settings],
    /// Checks the settings that it uses; the error says what is wrong.
    pub validate: fn(&Settings) -> Result<(), String>,
    /// Its name and the settings that it uses, in one line.
    pub title: fn(&Settings) -> String,
    /// The parts of the decoder's last layer for D = `dim` values; a single part is named `decoder.out`.
    pub output: fn(dim: usize, settings: &Settings) -> Output,
    /// The decoder outputs for one value that fit these (value, count) best without any z: first the outputs of that
    /// value, then its constant.
    pub fit: Fit,
    /// Its kernels: one set, or one for each choice of settings that needs its own.
    pub kernels: &'static [&'static Kernels],
    /// E[x|z] as a formula, for programs that read exported models.
    pub expectation: Expectation,
    /// Appends one of the four passes.
    append: fn(&mut Plan, &Target, &Settings, Pass),
}

impl Likelihood {
    /// Appends a pass, after checking that its tensors go together.
    pub(crate) fn append(&self, plan: &mut Plan, target: &Target, settings: &Settings, pass: Pass) {
        let out = pass.out();
        match pass {
            Pass::Forward { log_p, .. } => assert!(log_p.cols >= out.rows, "log p of each row"),
            Pass::Fused { weight, log_p, .. } => {
                assert!(log_p.cols >= out.rows, "log p of each row");
                assert!(weight.cols >= out.rows, "a weight for each row");
            }
            Pass::Backward { weight, .. } => assert!(weight.cols >= out.rows, "a weight for each row"),
            Pass::Mean { mean, .. } => assert_eq!(out.rows, mean.rows, "a mean for each row"),
        }
        if let Some((own, Some(d_own))) = pass.own() {
            assert_eq!((d_own.rows, d_own.stride), (out.rows, own.stride), "a gradient of each row");
        }
        (self.append)(plan, target, settings, pass);
    }
}

/// See [`Likelihood::fit`].
pub type Fit = fn(values: &[(f64, u64)], settings: &Settings) -> Vec<f64>;

/// Every likelihood.
pub const TABLE: &[&Likelihood] = &[
    &bernoulli::BERNOULLI,
    &continuous_bernoulli::CONTINUOUS_BERNOULLI,
    &gaussian::GAUSSIAN,
    &gaussian_learned::GAUSSIAN_LEARNED,
    &categorical::CATEGORICAL,
];

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

/// The settings of the likelihoods; each uses those it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// C: grey levels of `categorical`.
    pub levels: usize,
    /// Where the variance of `gaussian-learned` comes from.
    pub variance: Variance,
}

impl Settings {
    /// Few enough levels for a last layer of D C outputs, and a variance that cannot hide a bad mean.
    pub const DEFAULT: Settings = Settings { levels: 16, variance: Variance::Global };
}

impl Default for Settings {
    fn default() -> Self {
        Settings::DEFAULT
    }
}

/// Where the variance of a Gaussian comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Variance {
    /// One learned number for each pixel, the same in every image
    Global,
    /// The decoder predicts it for each pixel of each image, beside the mean
    Pixel,
}

/// The outputs of a layer, side by side in one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Name and width of each part. If there are several, each is padded to whole vectors.
    pub heads: Vec<(String, usize)>,
    /// Name and width of a likelihood's own parameter, shared by all rows.
    pub own: Option<(String, usize)>,
}

impl Output {
    /// Parts with these names and widths.
    pub fn new(heads: &[(&str, usize)]) -> Output {
        Output { heads: heads.iter().map(|(name, width)| ((*name).to_owned(), *width)).collect(), own: None }
    }

    /// With a parameter that all rows share.
    pub fn with_own(self, name: &str, width: usize) -> Output {
        Output { own: Some((name.to_owned(), width)), ..self }
    }

    /// Columns of the layer's output, padding between parts included.
    pub fn columns(&self) -> usize {
        match &self.heads[..] {
            [(_, width)] => *width,
            heads => heads.iter().map(|(_, width)| round_up(*width, PAD)).sum(),
        }
    }
}

/// A likelihood's own parameter [1, W], and its gradient for every row [R, W] where that is wanted.
pub(crate) type Own = Option<(Tensor, Option<Tensor>)>;

/// One pass of a likelihood over R = B K rows, with x [B, D] and the decoder's output `out` [R, heads].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pass {
    /// log_p \[R\].
    Forward {
        /// The decoder's output.
        out: Tensor,
        /// The likelihood's own parameter.
        own: Own,
        /// The data.
        x: Tensor,
        /// log p(x|z) of each row, in nats.
        log_p: Tensor,
    },
    /// log_p \[R\] and the gradient in one pass.
    Fused {
        /// The decoder's output, replaced by its gradient.
        out: Tensor,
        /// The likelihood's own parameter, and its gradient.
        own: Own,
        /// The data.
        x: Tensor,
        /// The weight of each row's nats.
        weight: Tensor,
        /// log p(x|z) of each row, in nats.
        log_p: Tensor,
    },
    /// The gradient from weights \[R\].
    Backward {
        /// The decoder's output, replaced by its gradient.
        out: Tensor,
        /// The likelihood's own parameter, and its gradient.
        own: Own,
        /// The data.
        x: Tensor,
        /// The weight of each row's nats.
        weight: Tensor,
    },
    /// mean [R, D].
    Mean {
        /// The decoder's output.
        out: Tensor,
        /// E[x|z].
        mean: Tensor,
    },
}

impl Pass {
    /// The decoder's output.
    fn out(&self) -> Tensor {
        match *self {
            Pass::Forward { out, .. }
            | Pass::Fused { out, .. }
            | Pass::Backward { out, .. }
            | Pass::Mean { out, .. } => out,
        }
    }

    /// The likelihood's own parameter.
    fn own(&self) -> Own {
        match *self {
            Pass::Forward { own, .. } | Pass::Fused { own, .. } | Pass::Backward { own, .. } => own,
            Pass::Mean { .. } => None,
        }
    }

    /// x, or the mean in its place, and K: rows of the decoder's output per row of x.
    fn image(&self) -> (Tensor, usize) {
        match *self {
            Pass::Forward { out, x, .. } | Pass::Fused { out, x, .. } | Pass::Backward { out, x, .. } => {
                assert_eq!(out.rows % x.rows, 0, "rows of x and of the decoder's output");
                (x, out.rows / x.rows)
            }
            Pass::Mean { mean, .. } => (mean, 1),
        }
    }

    /// Its label in a plan.
    fn label(&self) -> &'static str {
        match self {
            Pass::Forward { .. } | Pass::Fused { .. } => "log p(x|z)",
            Pass::Backward { .. } => "d log p(x|z)",
            Pass::Mean { .. } => "E[x|z]",
        }
    }
}

/// The passes of a likelihood alone, with a weight of its own for every row.
#[derive(Clone, Debug)]
pub struct Passes {
    /// Forward, mean and backward.
    pub plan: Plan,
    /// The decoder's output [R, heads], replaced by its gradient when the plan runs.
    pub out: Tensor,
    /// The likelihood's own parameter [1, W], and its gradient [R, W].
    pub own: Option<(Tensor, Tensor)>,
    /// The data [R, D].
    pub x: Tensor,
    /// The weight of each row's nats \[R\].
    pub weight: Tensor,
    /// log p(x|z) of each row, in nats.
    pub log_p: Tensor,
    /// E[x|z] [R, D].
    pub mean: Tensor,
}

impl Passes {
    /// Over R = `rows` rows of D = `dim` values.
    pub fn new(
        likelihood: &Likelihood,
        settings: &Settings,
        target: &Target,
        rows: usize,
        dim: usize,
    ) -> Passes {
        let mut plan = Plan::new("passes");
        let output = (likelihood.output)(dim, settings);
        let out = plan.tensor("out", rows, output.columns());
        let own =
            output.own.map(|(_, width)| (plan.tensor("own", 1, width), plan.tensor("d_own", rows, width)));
        let x = plan.tensor("x", rows, dim);
        let weight = row_vector(&mut plan, "weight", rows);
        let log_p = row_vector(&mut plan, "log_p", rows);
        let mean = plan.tensor("mean", rows, dim);
        let forward = own.map(|(own, _)| (own, None));
        for pass in [
            Pass::Forward { out, own: forward, x, log_p },
            Pass::Mean { out, mean },
            Pass::Backward { out, own: own.map(|(own, d_own)| (own, Some(d_own))), x, weight },
        ] {
            likelihood.append(&mut plan, target, settings, pass);
        }
        Passes { plan, out, own, x, weight, log_p, mean }
    }
}

/// Mean and variance of (value, count).
fn moments(values: &[(f64, u64)]) -> (f64, f64) {
    let count = values.iter().map(|(_, n)| *n as f64).sum::<f64>().max(1.0);
    let mean = values.iter().map(|(v, n)| v * *n as f64).sum::<f64>() / count;
    let variance = values.iter().map(|(v, n)| (v - mean).powi(2) * *n as f64).sum::<f64>() / count;
    (mean, variance)
}

/// The likelihood of that name.
pub fn find(name: &str) -> Option<&'static Likelihood> {
    TABLE.iter().copied().find(|likelihood| likelihood.name == name)
}

/// The names of the likelihoods for such data.
pub fn names_of(data: Data) -> Vec<&'static str> {
    TABLE.iter().filter(|likelihood| likelihood.data == data).map(|likelihood| likelihood.name).collect()
}
