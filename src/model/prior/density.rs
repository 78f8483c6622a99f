//! What a prior is.

use crate::model::tape::{Tape, Value};

/// The distribution of z that samples begin with, and that the KL term is measured from.
pub trait Prior: Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// z [B, Z], drawn at a temperature: below 1, draws are more typical and less varied.
    fn sample(&self, tape: &mut Tape, latent: usize, temperature: f32) -> Value;
}
