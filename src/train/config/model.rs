//! The model's part of a configuration.

use serde::{Deserialize, Serialize};

use crate::kernels::activation::Activation;
use crate::kernels::likelihood::Variance;
use crate::model::{FAMILIES, LatentSize, Layers, MAX_WIDTH};
use crate::settings::{Range, named, section};
#[cfg(feature = "cli")]
use crate::{
    kernels::likelihood::TABLE,
    settings::{choice, choice_of, names},
};

/// What widths of layers may be.
const WIDTH: Range = Range::from(1, MAX_WIDTH).or("use a width from {least} to {most}");

/// The likelihood that fits the data: [`Config::fitting`](super::Config::fitting).
pub const AUTO: &str = "auto";

/// What `model.likelihood` may be, each with a line of help.
#[cfg(feature = "cli")]
fn likelihoods() -> impl Iterator<Item = (&'static str, &'static str)> {
    let auto = (AUTO, "what fits the data, and the program says which: bernoulli, or gaussian-learned");
    std::iter::once(auto).chain(TABLE.iter().map(|likelihood| (likelihood.name, likelihood.about)))
}

section! {
    /// The model's part of a [`Config`](super::Config).
    pub struct ModelSection from "model" {
        /// What is trained
        #[arg(long = "model", value_parser = names(FAMILIES.iter().map(|f| (f.name, f.about))), value_name = "MODEL")]
        kind: String = FAMILIES[0].name.into();

        /// The kind of network, where neither widths nor layers are named
        #[arg(long, value_parser = choice::<Net>(), conflicts_with_all = ["encoder", "decoder"])]
        net: Net = Net::Auto;

        /// Widths of the encoder's hidden layers, such as 512,256; the decoder mirrors them
        #[arg(long, value_name = "WIDTHS", value_delimiter = ',')]
        hidden: Vec<usize> = vec![400], in WIDTH;

        /// The encoder's layers, such as "linear 400, linear 200 tanh, residual(linear 200)", in place of `model.hidden`
        #[arg(long, value_name = "LAYERS", conflicts_with = "hidden")]
        encoder: Option<Layers> = None;

        /// The decoder's layers, where they do not mirror the encoder's
        #[arg(long, value_name = "LAYERS")]
        decoder: Option<Layers> = None;

        /// Dimensions of the latent space, or channels of a position where `model.latent_size` is given
        #[arg(long, value_name = "Z")]
        latent: usize = 20, in WIDTH;

        /// Makes the latent a picture of HxW positions, such as 8x8, with `model.latent` channels each
        #[arg(long, value_name = "HxW")]
        latent_size: Option<LatentSize> = None;

        /// Activation of the layers that name none
        #[arg(long, value_parser = choice_of(&Activation::HIDDEN))]
        activation: Activation = Activation::Relu;

        /// The decoder's distribution p(x|z)
        #[arg(long, value_parser = names(likelihoods()))]
        likelihood: String = AUTO.into();

        /// Grey levels of the categorical likelihood, 2 to 256
        #[arg(long, value_name = "C")]
        levels: usize = 16;

        /// Components of the logistic-mixture likelihood, 1 to 32
        #[arg(long, value_name = "K")]
        components: usize = 10;

        /// Where the variance of the gaussian-learned likelihood comes from; by default global, and optimal where the data
        /// choose the likelihood
        #[serde(skip_serializing_if = "Option::is_none")]
        #[arg(long, value_parser = choice::<Variance>())]
        variance: Option<Variance> = None;

        /// What encoder and decoder see beside the image
        #[arg(long, value_parser = choice::<Condition>())]
        condition: Condition = Condition::None;
    }
}

named! {
    /// The kind of network that stands for layers that are not named.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Net {
        /// mlp for rows of a table and grey pictures of up to 28x28, conv for other pictures
        Auto => "auto",
        /// Linear layers of the widths of `model.hidden`
        Mlp => "mlp",
        /// Convolutions that halve a picture, with twice the channels each time up to 256, and a linear layer
        Conv => "conv",
        /// The same sizes with residual blocks of two convolutions: slower, and for larger data
        Resnet => "resnet",
    }
}

named! {
    /// What encoder and decoder see of a datum beside the datum itself.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Condition, default None {
        /// Nothing
        None => "none",
        /// Its label, one-hot (Sohn et al. 2015): samples can then be asked for by label
        Labels => "labels",
    }
}
