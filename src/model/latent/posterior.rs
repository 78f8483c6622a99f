//! What a latent is.

use crate::kernels::likelihood::Output;
use crate::model::tape::{Tape, Value};
use crate::plan::Tensor;

/// The form in which an objective needs the KL term.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KlTerm {
    /// In closed form, per datum.
    Closed,
    /// In closed form, with this many free nats per latent dimension (Kingma et al. 2016).
    FreeBits(f32),
    /// As log p(z) - log q(z|x) of each sample, for importance weights.
    Sampled,
}

/// A draw from q(z|x). The objective seeds the gradient of the term it uses: `kl` for a closed form, else `log_ratio`.
pub struct Draw {
    /// z [B K, Z].
    pub z: Value,
    /// KL(q(z|x) || p(z)) in nats \[B\]; None if z is a point.
    pub kl: Option<Value>,
    /// log p(z) - log q(z|x) of each sample in nats [B K], for [`KlTerm::Sampled`].
    pub log_ratio: Option<Value>,
    /// The mean KL of each dimension [1, Z], raised to the free nats where it is lower.
    pub floor_kl: Option<Tensor>,
}

/// The posterior q(z|x): the encoder outputs it needs, and how z is drawn from them.
pub trait Latent: Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// The parts of the encoder's last layer, for Z latent dimensions.
    fn heads(&self, latent: usize) -> Output;
    /// Draws K samples per datum from the head [B, heads], with Z latent dimensions, and records the backward pass.
    fn draw(&self, tape: &mut Tape, head: Value, latent: usize, samples: usize, term: KlTerm) -> Draw;
    /// The mean of q(z|x) [B, Z] from the head [B, heads], for pictures.
    fn point(&self, tape: &mut Tape, head: Value, latent: usize) -> Value;
    /// Whether q(z|x) is a distribution to draw from, with a KL term.
    fn is_distribution(&self) -> bool;
    /// mu and log_var [N, Z] from rows of the head; log_var is empty if z is a point.
    fn split(&self, latent: usize, head: &[f32]) -> (Vec<f32>, Vec<f32>);
}
