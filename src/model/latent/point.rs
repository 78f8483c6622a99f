//! z is the encoder's output: the bottleneck of an autoencoder.

use super::posterior::{Draw, KlTerm, Latent};
use crate::kernels::likelihood::Output;
use crate::model::tape::{Tape, Value};

/// See the module.
pub(in crate::model) struct Point;

/// See the module.
pub(in crate::model) static POINT: Point = Point;

impl Latent for Point {
    fn name(&self) -> &'static str {
        "point"
    }

    fn heads(&self, latent: usize) -> Output {
        Output::new(&[("encoder.mu", latent)])
    }

    fn draw(&self, tape: &mut Tape, head: Value, latent: usize, samples: usize, _: KlTerm) -> Draw {
        assert_eq!(samples, 1, "every sample of a point is the same");
        Draw { z: self.point(tape, head, latent), kl: None, log_ratio: None, floor_kl: None }
    }

    fn point(&self, _: &mut Tape, head: Value, _: usize) -> Value {
        head
    }

    fn is_distribution(&self) -> bool {
        false
    }

    fn split(&self, _: usize, head: &[f32]) -> (Vec<f32>, Vec<f32>) {
        (head.to_vec(), Vec::new())
    }
}
