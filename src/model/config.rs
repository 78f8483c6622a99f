//! A model's configuration, without its weights.

use serde::{Deserialize, Serialize};

use super::family::{self, FAMILIES, Family};
use super::layer::{Extent, Layers, MAX_PICTURE, MAX_WIDTH, Site, Stack};
use super::parameters::Parameters;
use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::likelihood::{self, Likelihood, LikelihoodSettings, Output};

/// Most classes of a conditional model: a label is a byte.
pub(super) const MAX_CLASSES: usize = 256;

/// The shape of a variational autoencoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// D: values per datum.
    pub input: usize,
    /// The shape of a datum, if it is a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[doc(hidden)]
    pub picture: Option<Extent>,
    /// Widths of the encoder's hidden layers, used if `encoder` is None.
    pub hidden: Vec<usize>,
    /// The encoder's layers up to the latent's parts.
    pub encoder: Option<Layers>,
    /// The decoder's layers up to the likelihood's parts; if None, they mirror the encoder's.
    pub decoder: Option<Layers>,
    /// Z: dimensions of the latent space.
    pub latent: usize,
    /// The shape of z, if it is a picture of Z numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[doc(hidden)]
    pub latent_picture: Option<Extent>,
    /// Activation of the layers that do not name one.
    pub activation: Activation,
    /// Name of p(x|z) in the table of likelihoods.
    pub likelihood: String,
    /// The likelihood's settings.
    #[doc(hidden)]
    pub settings: LikelihoodSettings,
    /// Name of a combination of latent, prior and objective in the table of families.
    pub kind: String,
    /// C: classes of the label that encoder and decoder read beside the data; 0 if unconditional (Sohn et al. 2015).
    pub classes: usize,
}

impl Default for ModelConfig {
    /// The default model: 784-400-20.
    fn default() -> Self {
        ModelConfig {
            input: 28 * 28,
            picture: None,
            hidden: vec![400],
            encoder: None,
            decoder: None,
            latent: 20,
            latent_picture: None,
            activation: Activation::Relu,
            likelihood: "bernoulli".into(),
            settings: LikelihoodSettings::DEFAULT,
            kind: FAMILIES[0].name.into(),
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
        if self.encoder.is_none() {
            if self.hidden.is_empty() {
                let problem = ": name at least one layer, such as `model.hidden` = 400";
                return Err(Error::setting("model.hidden", problem));
            }
            self.hidden.iter().try_for_each(|h| width("`model.hidden` =", *h))?;
        }
        if family::find(&self.kind).is_none() {
            let known: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
            return Err(Error::value("model.kind", &self.kind, format_args!("use {}", known.join(", "))));
        }
        match self.latent_picture {
            Some(z) if self.latent > MAX_WIDTH => {
                let problem = format!("z of {z} has {} numbers, more than {MAX_WIDTH}", self.latent);
                return Err(Error::value("model.latent", z.channels, problem));
            }
            _ => width("`model.latent` =", self.latent)?,
        }
        if let Some(z) = self.latent_picture.filter(|z| z.len() != self.latent) {
            let problem = format!("z of {z} has {} numbers: use that many", z.len());
            return Err(Error::value("model.latent", self.latent, problem));
        }
        if let Some(picture) = self.picture.filter(|picture| picture.len() != self.input) {
            let problem = format!(
                "`input` is {}, but a picture of {picture} has {values} values: set `input` to {values}",
                self.input,
                values = picture.len()
            );
            return Err(Error::Usage(problem));
        }
        if self.classes > MAX_CLASSES {
            let problem = format_args!("the data has {} classes, more than {MAX_CLASSES}", self.classes);
            return Err(Error::value("model.condition", "labels", problem));
        }
        let most = self.most_values();
        if !(1..=most).contains(&self.input) {
            let problem = format!("the number of values per datum, {}: use 1 to {most}", self.input);
            return Err(Error::Usage(problem));
        }
        if self.activation == Activation::Identity {
            return Err(Error::setting("model.activation", ": use relu, tanh, softplus, silu or elu"));
        }
        (self.likelihood()?.validate)(&self.settings).map_err(Error::Usage)?;
        if self.decoder.is_none() {
            self.encoder_layers()
                .check_mirror()
                .map_err(|problem| Error::setting("model.encoder", format!(": {problem}")))?;
        }
        Ok(())
    }

    /// The encoder's layers.
    #[doc(hidden)]
    pub fn encoder_layers(&self) -> Layers {
        self.encoder.clone().unwrap_or_else(|| Layers::of_widths(&self.hidden))
    }

    /// The most values that a datum may have: more for layers that read pictures.
    #[doc(hidden)]
    pub fn most_values(&self) -> usize {
        let pictures = self.picture.is_some() && self.encoder_layers().read_pictures();
        if pictures { MAX_PICTURE } else { MAX_WIDTH }
    }

    /// The decoder's layers.
    ///
    /// # Errors
    /// If it names none, and the encoder's layers do not fit the data or cannot be mirrored.
    #[doc(hidden)]
    pub fn decoder_layers(&self) -> Result<Layers, String> {
        if let Some(decoder) = &self.decoder {
            return Ok(decoder.clone());
        }
        let encoder = self.encoder_layers();
        let input = self.extent(&encoder);
        let parameters = &mut Parameters::default();
        let site = Site { name: "encoder", input, activation: self.activation, parameters };
        let (stack, _) = Stack::build(&encoder, site)?;
        let outputs: Vec<Extent> = stack.rows.iter().map(|row| row.output).collect();
        encoder.mirrored(input, &outputs, self.latent_picture, self.activation)
    }

    /// The shape of z.
    pub(super) fn latent_extent(&self) -> Extent {
        self.latent_picture.unwrap_or(Extent::row(self.latent))
    }

    /// The shape in which these layers of the encoder read a datum.
    pub(super) fn extent(&self, encoder: &Layers) -> Extent {
        self.picture.filter(|_| encoder.read_pictures()).unwrap_or(Extent::row(self.input))
    }

    /// Latent, prior and objective.
    ///
    /// # Panics
    /// If the configuration was not validated.
    #[doc(hidden)]
    pub fn family(&self) -> &'static Family {
        family::find(&self.kind).expect("the configuration was validated")
    }

    /// The likelihood's entry in the table.
    #[doc(hidden)]
    pub fn likelihood(&self) -> Result<&'static Likelihood> {
        likelihood::find(&self.likelihood).ok_or_else(|| {
            let known: Vec<_> = likelihood::TABLE.iter().map(|l| l.name).collect();
            Error::Usage(format!("unknown likelihood {:?}: use {}", self.likelihood, known.join(", ")))
        })
    }

    /// Whether q(z|x) is a distribution, so that the ELBO has a KL term and z can be drawn.
    ///
    /// # Panics
    /// If the configuration was not validated.
    pub fn has_kl(&self) -> bool {
        self.family().latent.is_distribution()
    }

    /// The outputs of the decoder's last layer.
    ///
    /// # Panics
    /// If the configuration was not validated.
    #[doc(hidden)]
    pub fn output(&self) -> Output {
        let likelihood = self.likelihood().expect("the configuration was validated");
        (likelihood.output)(self.input, &self.settings)
    }

    /// A title, such as `conditional iwae`.
    pub fn title(&self) -> String {
        let condition = if self.classes > 0 { "conditional " } else { "" };
        format!("{condition}{}", self.kind)
    }

    /// The likelihood with its settings, such as `categorical (16 levels)`.
    #[doc(hidden)]
    pub fn decoder(&self) -> String {
        self.likelihood().map_or_else(|_| self.likelihood.clone(), |l| (l.title)(&self.settings))
    }

    /// The layers from input to output: widths such as `784-400-20-400-784` or, if layers are named, their text.
    pub fn widths(&self) -> String {
        if let (None, None) = (&self.encoder, &self.decoder) {
            let inner = self.hidden.iter().chain([&self.latent]).chain(self.hidden.iter().rev());
            let widths = std::iter::once(&self.input).chain(inner).chain([&self.input]);
            return widths.map(usize::to_string).collect::<Vec<_>>().join("-");
        }
        let decoder = self.decoder_layers().map_or_else(|problem| problem, |layers| layers.to_string());
        let latent = self.latent_extent();
        format!("{} - {} - {latent} - {decoder} - {}", self.input, self.encoder_layers(), self.input)
    }
}
