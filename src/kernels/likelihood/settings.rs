//! The settings of the likelihoods.

use serde::{Deserialize, Serialize};

use crate::settings::named;

/// The settings of the likelihoods; each uses those it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LikelihoodSettings {
    /// C: grey levels of `categorical`.
    pub levels: usize,
    /// K: components of `logistic-mixture`.
    pub components: usize,
    /// Channels of a pixel: those of `logistic-mixture` depend on each other.
    pub channels: usize,
    /// Where the variance of `gaussian-learned` comes from.
    pub variance: Variance,
}

impl LikelihoodSettings {
    /// Few enough levels for a last layer of D C outputs, as many components as PixelCNN++ has, and a variance that cannot
    /// hide a bad mean.
    pub const DEFAULT: LikelihoodSettings =
        LikelihoodSettings { levels: 16, components: 10, channels: 1, variance: Variance::Global };
}

impl Default for LikelihoodSettings {
    fn default() -> Self {
        LikelihoodSettings::DEFAULT
    }
}

named! {
    /// Where the variance of a Gaussian comes from.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Variance {
        /// One learned number for each pixel, the same in every image
        Global => "global",
        /// The decoder predicts it for each pixel of each image, beside the mean
        Pixel => "pixel",
        /// One learned number for all pixels of all images
        Shared => "shared",
        /// The same number in closed form: the mean square error of the batch (Rybkin et al. 2021)
        Optimal => "optimal",
    }
}
