//! What `--model` names: a latent, a prior and an objective that go together.

use std::fmt;

use super::latent::{self, Latent};
use super::objective::{self, Objective};
use super::prior::{self, Prior};

/// A named combination.
pub struct Family {
    /// Its name on the command line and in files.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// q(z|x).
    pub latent: &'static dyn Latent,
    /// p(z); none where there is nothing to draw from.
    pub prior: Option<&'static dyn Prior>,
    /// What training climbs.
    pub objective: &'static dyn Objective,
}

/// Every combination. The first is the default.
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
