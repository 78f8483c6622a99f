//! What a model is, apart from its weights.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::likelihood::{self, Likelihood, Output, Settings};

/// Widths past this are surely a slip of the keyboard; the limit keeps sizes far from overflow.
const MAX_WIDTH: usize = 1 << 16;

/// The shape of a variational autoencoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// D: numbers of a datum.
    pub input: usize,
    /// Widths of the encoder's hidden layers; the decoder mirrors them.
    pub hidden: Vec<usize>,
    /// Z: dimensions of the latent space.
    pub latent: usize,
    /// Nonlinearity of the hidden layers.
    pub activation: Activation,
    /// Name of p(x|z) in the table of likelihoods.
    pub likelihood: String,
    /// What that likelihood may be told.
    pub settings: Settings,
}

impl ModelConfig {
    /// Checks the widths and the names.
    pub fn validate(&self) -> Result<()> {
        let width = |flag: &str, value: usize| {
            if (1..=MAX_WIDTH).contains(&value) {
                return Ok(());
            }
            Err(Error::Usage(format!("{flag} {value}: use a width from 1 to {MAX_WIDTH}")))
        };
        if self.hidden.is_empty() {
            return Err(Error::Usage("--hidden: name at least one layer, such as --hidden 400".into()));
        }
        self.hidden.iter().try_for_each(|h| width("--hidden", *h))?;
        width("--latent", self.latent)?;
        width("the number of values of a datum,", self.input)?;
        if self.activation == Activation::Identity {
            return Err(Error::Usage("activation: use relu, tanh, softplus or silu".into()));
        }
        (self.likelihood()?.validate)(&self.settings).map_err(Error::Usage)
    }

    /// The likelihood's entry in the table.
    pub fn likelihood(&self) -> Result<&'static Likelihood> {
        likelihood::find(&self.likelihood).ok_or_else(|| {
            let known: Vec<_> = likelihood::TABLE.iter().map(|l| l.name).collect();
            Error::Usage(format!("unknown likelihood {:?}: use {}", self.likelihood, known.join(", ")))
        })
    }

    /// What the decoder's last layer gives.
    ///
    /// # Panics
    /// If the configuration was not validated.
    pub fn output(&self) -> Output {
        let likelihood = self.likelihood().expect("the configuration was validated");
        (likelihood.output)(self.input, &self.settings)
    }

    /// The likelihood with the settings that it uses, such as `categorical (16 levels)`.
    pub fn decoder(&self) -> String {
        self.likelihood().map_or_else(|_| self.likelihood.clone(), |l| (l.title)(&self.settings))
    }

    /// The widths from data to data, such as `784-400-20-400-784`.
    pub fn widths(&self) -> String {
        let inner = self.hidden.iter().chain([&self.latent]).chain(self.hidden.iter().rev());
        let widths = std::iter::once(&self.input).chain(inner).chain([&self.input]);
        widths.map(usize::to_string).collect::<Vec<_>>().join("-")
    }
}
