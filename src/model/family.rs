//! The values of `--model`: a latent, a prior and an objective that go together.

use std::fmt;

use super::latent::{self, Latent};
use super::objective::{self, Objective};
use super::prior::{self, Prior};

/// A named combination of latent, prior and objective.
pub struct Family {
    /// Its name on the command line and in files.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// q(z|x).
    #[doc(hidden)]
    pub latent: &'static dyn Latent,
    /// p(z); None if there is no distribution to draw from.
    #[doc(hidden)]
    pub prior: Option<&'static dyn Prior>,
    /// The objective that training maximises.
    #[doc(hidden)]
    pub objective: &'static dyn Objective,
}

/// Every family. The first is the default.
pub static FAMILIES: &[Family] = &[
    Family {
        name: "vae",
        about: "a variational autoencoder, by its evidence lower bound (Kingma & Welling 2013)",
        latent: &latent::GAUSSIAN,
        prior: Some(&prior::STANDARD),
        objective: &objective::ELBO,
    },
    Family {
        name: "iwae",
        about: "the same by the importance-weighted bound of several samples (Burda et al. 2015)",
        latent: &latent::GAUSSIAN,
        prior: Some(&prior::STANDARD),
        objective: &objective::IMPORTANCE,
    },
    Family {
        name: "ae",
        about: "an autoencoder: a deterministic bottleneck, reconstruction alone",
        latent: &latent::POINT,
        prior: None,
        objective: &objective::RECONSTRUCTION,
    },
];

/// The family of that name.
pub fn find(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
