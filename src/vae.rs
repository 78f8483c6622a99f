//! A trained model for programs: load it, encode, decode, sample, and judge data by it.

#[cfg(feature = "export")]
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::evaluate::{Inference, Rows, Runner, Terms};
#[cfg(feature = "export")]
use crate::export::model::{self as export, Trained};
use crate::gpu::{DeviceOptions, Gpu};
use crate::model::ModelConfig;
#[cfg(feature = "export")]
use crate::model::Network;
use crate::run::RunDir;
use crate::train::{Config, Trainer, files};

/// What the encoder makes of N data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Codes {
    /// mu [N, Z], the mean of q(z|x); z itself in an autoencoder.
    pub mu: Vec<f32>,
    /// log sigma^2 [N, Z]; empty in an autoencoder.
    pub log_var: Vec<f32>,
}

/// A trained model as two ONNX graphs, each the bytes of a file.
///
/// The encoder takes x \[N, D\] and eps \[N, Z\] and gives mu, log_var and z \[N, Z\], with z = mu + exp(log_var / 2) eps; an
/// autoencoder's takes x and gives z alone. The decoder takes z \[N, Z\] and gives `mean` \[N, D\] = E\[x|z\], and what its
/// last layer gives. Where the model is conditional, both also take `label` \[N, C\], one-hot. N is free; x and `mean` are in
/// the data's own units.
#[cfg(feature = "export")]
#[derive(Clone, Debug, PartialEq)]
pub struct Onnx {
    /// `encoder.onnx`.
    pub encoder: Vec<u8>,
    /// `decoder.onnx`.
    pub decoder: Vec<u8>,
}

/// A trained model on a device. Sizes: N data of D values, Z latent dimensions; matrices lie row by row.
///
/// Values are what the model was trained on: images in [0, 1]. A conditional model is told the class of each row, as a
/// pair: `vae.encode((&x[..], &labels[..]))`.
pub struct Vae {
    config: Config,
    inference: Inference,
}

impl Vae {
    /// Loads a run directory or a `model.safetensors`, and opens the best adapter.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::Io`] if there is no such model,
    /// [`Error::Adapter`] if there is no adapter.
    pub fn load(path: impl AsRef<Path>) -> Result<Vae> {
        Vae::load_on(&Gpu::open(&DeviceOptions::default())?, path)
    }

    /// The same on a device that is open already.
    ///
    /// # Errors
    /// As [`Vae::load`].
    pub fn load_on(gpu: &Arc<Gpu>, path: impl AsRef<Path>) -> Result<Vae> {
        let (config, model, parameters) = read(path.as_ref())?;
        Vae::new(gpu, config, &model, parameters)
    }

    /// A copy of the model that is being trained, with its present weights.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn of(trainer: &Trainer) -> Result<Vae> {
        let parameters = trainer.arenas()?.parameters;
        Vae::new(trainer.gpu(), trainer.config().clone(), trainer.model(), parameters)
    }

    /// The model in a run directory or a `model.safetensors` as ONNX files: what `vae-gpu export` writes. Needs no device.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::Io`] if there is no such model, [`Error::Export`] if one of its kernels has no nodes in
    /// ONNX, [`Error::Usage`] if it is too large for the format.
    #[cfg(feature = "export")]
    pub fn onnx(path: impl AsRef<Path>) -> Result<Onnx> {
        let (config, model, parameters) = read(path.as_ref())?;
        let network = Network::new(&model)?;
        let metadata = BTreeMap::from([("config".to_owned(), config.to_toml())]);
        let scaling = config.source.scaling.as_ref();
        let trained = Trained { network: &network, parameters: &parameters, scaling, metadata: &metadata };
        Ok(Onnx { encoder: export::encoder(trained)?, decoder: export::decoder(trained)? })
    }

    fn new(gpu: &Arc<Gpu>, config: Config, model: &ModelConfig, weights: Vec<f32>) -> Result<Vae> {
        let inference = Inference::new(Runner::new(gpu, model, weights)?);
        Ok(Vae { config, inference })
    }

    /// How it was trained.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What it is: D is its `input`, Z its `latent`, C its `classes`.
    pub fn model(&self) -> &ModelConfig {
        self.inference.model()
    }

    /// q(z|x) of each row of x [N, D].
    ///
    /// # Errors
    /// [`Error::Usage`] if `x` is no whole number of rows, or a conditional model is not told
    /// the class of each; [`Error::Device`].
    pub fn encode<'a>(&mut self, x: impl Into<Rows<'a>>) -> Result<Codes> {
        let (mu, log_var) = self.inference.encode(x.into())?;
        Ok(Codes { mu, log_var })
    }

    /// E[x|z] [N, D] of each row of z [N, Z].
    ///
    /// # Errors
    /// As [`Vae::encode`].
    pub fn decode<'a>(&mut self, z: impl Into<Rows<'a>>) -> Result<Vec<f32>> {
        self.inference.decode(z.into())
    }

    /// Where each row of x [N, D] is strange: E[x|z] and -log p(x|z) of each value, both [N, D], at the mean of q(z|x).
    ///
    /// # Errors
    /// As [`Vae::encode`].
    pub fn strangeness<'a>(&mut self, x: impl Into<Rows<'a>>) -> Result<(Vec<f32>, Vec<f32>)> {
        self.inference.strangeness(x.into())
    }

    /// E[x|z] [N, D] of `n` draws z from the prior N(0, I). The same seed gives the same draws, and draw i is the same
    /// whatever n. A conditional model draws its classes in turn.
    ///
    /// # Errors
    /// [`Error::Usage`] for an autoencoder, which has no prior.
    pub fn sample(&mut self, n: usize, seed: u64) -> Result<Vec<f32>> {
        let classes = self.model().classes.max(1);
        self.inference.sample(n, seed, 1.0, |i| i % classes)
    }

    /// The same, all of one class.
    ///
    /// # Errors
    /// As [`Vae::sample`], and [`Error::Usage`] if the model knows no such class.
    pub fn sample_label(&mut self, n: usize, seed: u64, label: u32) -> Result<Vec<f32>> {
        if self.model().classes == 0 {
            return Err(Error::Usage("the model was not trained with labels".into()));
        }
        self.inference.sample(n, seed, 1.0, |_| label as usize)
    }

    /// The class of that name in the data that a conditional model was trained on; where classes have no names, of that
    /// number.
    ///
    /// # Errors
    /// [`Error::Usage`] if the model knows no such class.
    pub fn class_number(&self, name: &str) -> Result<u32> {
        self.config.class_number(name)
    }

    /// The ELBO of each row of x [N, D] in nats, as its two terms. One sample of z a row is drawn, from the seed of the
    /// training: the same in every call. The lower, the less the row is like the training data.
    ///
    /// # Errors
    /// As [`Vae::encode`].
    pub fn elbo<'a>(&mut self, x: impl Into<Rows<'a>>) -> Result<Vec<Terms>> {
        self.inference.terms(x.into(), self.config.train.seed)
    }
}

/// The configuration, model and weights of a run directory or a `model.safetensors`.
fn read(path: &Path) -> Result<(Config, ModelConfig, Vec<f32>)> {
    let file = if path.is_file() { path.to_owned() } else { RunDir::open(path)?.model() };
    let (config, _, parameters) = files::load_model(&file)?;
    let shape = config.image_shape().expect("a model file without a shape is refused");
    let model = config.model_config(shape);
    Ok((config, model, parameters))
}
