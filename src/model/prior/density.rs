//! What a prior is.

use crate::model::tape::{Tape, Value};

/// The distribution that samples of z are drawn from and the KL term is measured against.
pub trait Prior: Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// z [B, Z], drawn at a temperature: below 1, draws are more typical and less varied.
    fn sample(&self, tape: &mut Tape, latent: usize, temperature: f32) -> Value;
}
