//! What a model is, apart from its weights.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::likelihood::{self, Likelihood, Output, Settings};
use crate::settings::named;

/// Classes of a conditional model at most: a label is a byte.
const MAX_CLASSES: usize = 256;

/// Widths past this are surely a slip of the keyboard; the limit keeps sizes far from overflow.
pub const MAX_WIDTH: usize = 1 << 16;

named! {
    /// What is trained: what lies between the encoder and the decoder, and the bound.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Kind, default Vae {
        /// A variational autoencoder, by its evidence lower bound (Kingma & Welling 2013)
        Vae => "vae",
        /// The same by the importance-weighted bound of several samples (Burda et al. 2015)
        Iwae => "iwae",
        /// An autoencoder: a deterministic bottleneck, reconstruction alone
        Ae => "ae",
    }
}

impl Kind {
    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Vae => "vae",
            Kind::Iwae => "iwae",
            Kind::Ae => "ae",
        }
    }
}

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
    /// What is trained.
    pub kind: Kind,
    /// C: classes of the label that encoder and decoder are told; 0 without (Sohn et al. 2015).
    pub classes: usize,
}

impl Default for ModelConfig {
    /// The model that is trained where nothing else is said: 784-400-20.
    fn default() -> Self {
        ModelConfig {
            input: 28 * 28,
            hidden: vec![400],
            latent: 20,
            activation: Activation::Relu,
            likelihood: "bernoulli".into(),
            settings: Settings::DEFAULT,
            kind: Kind::Vae,
            classes: 0,
        }
    }
}

impl ModelConfig {
    /// Checks the widths and the names.
    pub fn validate(&self) -> Result<()> {
        let width = |what: &str, value: usize| {
            if (1..=MAX_WIDTH).contains(&value) {
                return Ok(());
            }
            Err(Error::Usage(format!("{what} {value}: use a width from 1 to {MAX_WIDTH}")))
        };
        if self.hidden.is_empty() {
            return Err(Error::setting(
                "model.hidden",
                ": name at least one layer, such as `model.hidden` = 400",
            ));
        }
        self.hidden.iter().try_for_each(|h| width("`model.hidden` =", *h))?;
        width("`model.latent` =", self.latent)?;
        if self.classes > MAX_CLASSES {
            let problem = format_args!("the data has {} classes, more than {MAX_CLASSES}", self.classes);
            return Err(Error::value("model.condition", "labels", problem));
        }
        width("the number of values of a datum,", self.input)?;
        if self.activation == Activation::Identity {
            return Err(Error::setting("model.activation", ": use relu, tanh, softplus or silu"));
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

    /// What it is, such as `conditional iwae`.
    pub fn title(&self) -> String {
        let condition = if self.classes > 0 { "conditional " } else { "" };
        format!("{condition}{}", self.kind.name())
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
