//! Initial weights.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::layout::Layout;

/// PyTorch's default for `nn.Linear`: weight and bias uniform in +-1/sqrt(fan_in). What belongs to no layer starts at
/// zero. Pure in (layout, seed).
pub fn initial_weights(layout: &Layout, seed: u64) -> Vec<f32> {
    let mut arena = vec![0.0; layout.words];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for parameter in &layout.parameters {
        let Some(fan_in) = parameter.fan_in else { continue };
        let bound = 1.0 / (fan_in as f32).sqrt();
        let values: Vec<f32> = (0..parameter.len()).map(|_| uniform(&mut rng) * bound).collect();
        parameter.insert(&mut arena, &values);
    }
    arena
}

/// Uniform in (-1, 1).
fn uniform(rng: &mut impl Rng) -> f32 {
    rng.random::<f32>() * 2.0 - 1.0
}
