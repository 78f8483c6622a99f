//! Points of the latent space worth drawing.

use serde::{Deserialize, Serialize};

use crate::settings::named;

/// How far from 0 a traversal goes, in standard deviations of the prior.
pub const REACH: f32 = 3.0;

/// If the sine of the angle between two codes is smaller, they lie on no unique great circle.
const PARALLEL: f64 = 1e-6;

named! {
    /// The path of an interpolation between two codes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Path, default Linear {
        /// In a straight line
        Linear => "linear",
        /// Along the great circle, so that no code on the way is nearer to 0 than the prior makes likely
        Spherical => "spherical",
    }
}

impl Path {
    /// `steps` codes [steps, Z], the first `from` and the last `to`.
    ///
    /// # Panics
    /// If `steps` is below 2, or the codes differ in length.
    pub fn between(self, from: &[f32], to: &[f32], steps: usize) -> Vec<f32> {
        assert!(steps > 1 && from.len() == to.len(), "{steps} steps");
        (0..steps)
            .flat_map(|step| {
                let t = step as f64 / (steps - 1) as f64;
                let (a, b) = self.weights(from, to, t);
                from.iter().zip(to).map(move |(x, y)| (a * f64::from(*x) + b * f64::from(*y)) as f32)
            })
            .collect()
    }

    /// The weights of both codes at fraction `t` of the path.
    fn weights(self, from: &[f32], to: &[f32], t: f64) -> (f64, f64) {
        if self == Path::Spherical {
            let dot =
                |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let (square, other): (f64, f64) = (dot(from, from), dot(to, to));
            let cosine: f64 = dot(from, to) / (square * other).sqrt();
            let angle = cosine.clamp(-1.0, 1.0).acos();
            // A code of zeros has no angle: the cosine is NaN, and this comparison is false.
            if angle.sin() > PARALLEL {
                return (((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin());
            }
        }
        (1.0 - t, t)
    }
}

/// For each of `dims`, a row of `steps` codes: `base` \[Z\] with that dimension from -3 to 3. [dims, steps, Z].
///
/// # Panics
/// If `steps` is below 2, or a dimension is not one of `base`.
pub fn traverse(base: &[f32], dims: &[usize], steps: usize) -> Vec<f32> {
    assert!(steps > 1, "{steps} steps");
    let mut codes = Vec::with_capacity(dims.len() * steps * base.len());
    for dim in dims {
        for step in 0..steps {
            let at = codes.len() + dim;
            codes.extend_from_slice(base);
            codes[at] = REACH * (2.0 * step as f32 / (steps - 1) as f32 - 1.0);
        }
    }
    codes
}

/// `side` x `side` codes of a two-dimensional latent space, each the centre of a region with equal prior probability: a
/// grid on the unit square, mapped through the Gaussian's quantiles (Kingma & Welling 2013, figure 4). Row by row from
/// the top, where z_1 is largest; z_0 grows to the right. [side * side, 2].
pub fn manifold(side: usize) -> Vec<f32> {
    let quantile = |i: usize| normal_quantile((i as f64 + 0.5) / side as f64) as f32;
    (0..side * side).flat_map(|i| [quantile(i % side), quantile(side - 1 - i / side)]).collect()
}

/// The p-quantile of the standard normal distribution, p in (0, 1).
pub fn normal_quantile(p: f64) -> f64 {
    let below = |z: f64| 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
    // Beyond these, p rounds to 0 or 1. A picture needs few quantiles, so bisection is fast enough.
    let (mut low, mut high) = (-39.0, 39.0);
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if below(middle) < p { low = middle } else { high = middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: &[f32], want: &[f32]) {
        assert_eq!(got.len(), want.len());
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?} is not {want:?}");
    }

    #[test]
    fn paths_have_their_ends_and_their_middles() {
        let (from, to) = ([2.0, 0.0], [0.0, 4.0]);
        near(&Path::Linear.between(&from, &to, 3), &[2.0, 0.0, 1.0, 2.0, 0.0, 4.0]);
        let half = 0.5f32.sqrt();
        near(&Path::Spherical.between(&from, &to, 3), &[2.0, 0.0, 2.0 * half, 4.0 * half, 0.0, 4.0]);
        let unit = Path::Spherical.between(&[1.0, 0.0], &[0.0, 1.0], 7);
        assert!(unit.chunks(2).all(|z| (z[0].hypot(z[1]) - 1.0).abs() < 1e-6), "{unit:?}");
        // From 0 to 60 degrees by way of 30.
        let sixth = 0.75f32.sqrt();
        near(&Path::Spherical.between(&[1.0, 0.0], &[0.5, sixth], 3), &[1.0, 0.0, sixth, 0.5, 0.5, sixth]);
    }

    #[test]
    fn where_there_is_no_great_circle_the_path_is_straight() {
        for to in [[0.0, 0.0], [4.0, 0.0], [-2.0, 0.0], [2.0, 0.0]] {
            let [a, b] = [Path::Linear, Path::Spherical].map(|path| path.between(&[2.0, 0.0], &to, 5));
            near(&a, &b);
        }
    }

    #[test]
    fn a_traversal_changes_one_dimension_per_row() {
        let codes = traverse(&[0.5, 0.25, 0.125], &[2, 0], 3);
        let first = [0.5, 0.25, -3.0, 0.5, 0.25, 0.0, 0.5, 0.25, 3.0];
        near(&codes, &[&first[..], &[-3.0, 0.25, 0.125, 0.0, 0.25, 0.125, 3.0, 0.25, 0.125]].concat());
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // scipy.stats.norm.ppf
        for (p, z) in [
            (0.5, 0.0),
            (0.975, 1.959963984540054),
            (0.025, -1.959963984540054),
            (0.999, 3.090232306167813),
            (1e-10, -6.361340902404056),
        ] {
            assert!((normal_quantile(p) - z).abs() < 1e-12, "{p}: {}", normal_quantile(p));
        }
    }

    #[test]
    fn a_manifold_is_symmetric_and_has_its_top_first() {
        let codes = manifold(2);
        let quarter = 0.674_489_75;
        near(&codes, &[-quarter, quarter, quarter, quarter, -quarter, -quarter, quarter, -quarter]);
        near(&manifold(1), &[0.0, 0.0]);
    }
}
